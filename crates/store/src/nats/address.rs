//! Where a NATS is, and how it is spoken to: reading the setting's URL.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The port of NATS unless the address names one.
const PORT: u16 = 4222;
/// The longest name of a bucket, in bytes.
const LONGEST_BUCKET: usize = 64;

/// The address of a NATS with JetStream: `nats://`, or `tls://` with TLS.
///
/// `nats://[user:password@]host[:port],host[:port]…[?parameters]`. Every server of the cluster should be named: one of them is
/// used, and another when that one is away. User and password are percent-decoded. Parameters:
///
/// * `password_file=PATH` (with a user), `token_file=PATH`, or `creds=PATH` (a user's credentials): as whom to sign in. The files
///   are read anew for every connection.
/// * `bucket=NAME`: where the records are, `gateward` otherwise.
/// * `replicas=1|3|5`: on how many servers every record is; 1 otherwise. It counts when the bucket is made.
/// * `ca=PATH` (certificates to trust instead of the system's) and `cert=PATH&key=PATH` (an own one) with `tls://`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsAddress {
    pub(super) hosts: Vec<Host>,
    pub(super) login: Login,
    pub(super) tls: Option<TlsFiles>,
    pub(super) bucket: String,
    pub(super) replicas: Option<u8>,
}

/// A name or an IP address, and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// As whom to sign in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Login {
    /// As nobody.
    #[default]
    None,
    /// With a name and a password.
    Password(String, Password),
    /// With a name and the password in a file.
    PasswordFile(String, PathBuf),
    /// With the token in a file.
    TokenFile(PathBuf),
    /// With the credentials in a file.
    Creds(PathBuf),
}

/// A password; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(pub(super) Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The files for TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TlsFiles {
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// What is wrong with an address. It never quotes what may be a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// It begins in another way.
    #[error("a NATS address begins with nats://, or with tls:// for TLS")]
    Scheme,
    /// An `@` where it has no meaning: a character of the password is not escaped.
    #[error("an @ comes after the host: write /, ? and @ in a user or password as %2F, %3F and %40")]
    Unescaped,
    /// A percent sign without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("the {0} is not percent-encoded UTF-8")]
    Encoding(&'static str),
    /// There is no host.
    #[error("a host is missing")]
    NoHost,
    /// A host cannot be read.
    #[error("host number {0} is neither a name nor an IP address (IPv6 in brackets)")]
    BadHost(usize),
    /// A port cannot be read.
    #[error("the port of host number {0} is not a number from 1 to 65535")]
    BadPort(usize),
    /// There is a path.
    #[error(
        "nothing may stand between the hosts and the parameters; the bucket is a parameter: ?bucket=NAME"
    )]
    Path,
    /// A user without a password, or a password without a user, or two ways to sign in.
    #[error("{0}")]
    Login(&'static str),
    /// A parameter that is not known.
    #[error("unknown parameter {0:?}")]
    Unknown(String),
    /// A parameter without a value, with a wrong one, twice, or without another that it needs.
    #[error("parameter {0}: {1}")]
    Parameter(&'static str, &'static str),
}

/// The parameters as they come.
#[derive(Default)]
struct Parameters {
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    creds: Option<PathBuf>,
    bucket: Option<String>,
    replicas: Option<u8>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

const PARAMETERS: &[&str] =
    &["password_file", "token_file", "creds", "bucket", "replicas", "ca", "cert", "key"];

impl NatsAddress {
    /// Reads an address. No file is opened and nobody is asked.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let with_tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err(AddressError::Scheme),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        if path.contains('@') || query.contains('@') {
            return Err(AddressError::Unescaped);
        }
        if !path.is_empty() {
            return Err(AddressError::Path);
        }
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        let parameters = read_parameters(query)?;
        let tls = TlsFiles { ca: parameters.ca, cert: parameters.cert, key: parameters.key };
        if !with_tls && tls != TlsFiles::default() {
            return Err(AddressError::Parameter("ca", "it, cert and key are for tls:// only"));
        }
        if tls.cert.is_some() != tls.key.is_some() {
            return Err(AddressError::Parameter("cert", "it and key belong together"));
        }
        let files = (parameters.password_file, parameters.token_file, parameters.creds);
        Ok(NatsAddress {
            hosts: read_hosts(hosts)?,
            login: read_login(userinfo, files)?,
            tls: with_tls.then_some(tls),
            bucket: parameters.bucket.unwrap_or_else(|| "gateward".into()),
            replicas: parameters.replicas,
        })
    }
}

fn read_parameters(query: &str) -> Result<Parameters, AddressError> {
    let mut parameters = Parameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = PARAMETERS.iter().find(|known| **known == name);
        let name = *known.ok_or_else(|| AddressError::Unknown(name.chars().take(40).collect()))?;
        let value = decode(value, name)?;
        if value.is_empty() {
            return Err(AddressError::Parameter(name, "it has no value"));
        }
        let fresh = match name {
            "bucket" => set(&mut parameters.bucket, read_bucket(value)?),
            "replicas" => set(&mut parameters.replicas, read_replicas(&value)?),
            "password_file" => set(&mut parameters.password_file, value.into()),
            "token_file" => set(&mut parameters.token_file, value.into()),
            "creds" => set(&mut parameters.creds, value.into()),
            "ca" => set(&mut parameters.ca, value.into()),
            "cert" => set(&mut parameters.cert, value.into()),
            _ => set(&mut parameters.key, value.into()),
        };
        if !fresh {
            return Err(AddressError::Parameter(name, "it is there twice"));
        }
    }
    Ok(parameters)
}

fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

type Files = (Option<PathBuf>, Option<PathBuf>, Option<PathBuf>);

fn read_login(userinfo: Option<&str>, files: Files) -> Result<Login, AddressError> {
    let twice = Err(AddressError::Login("there is more than one way to sign in; one must be left"));
    let Some(userinfo) = userinfo else {
        return match files {
            (None, None, None) => Ok(Login::None),
            (None, Some(file), None) => Ok(Login::TokenFile(file)),
            (None, None, Some(file)) => Ok(Login::Creds(file)),
            (Some(_), None, None) => Err(AddressError::Login("password_file needs a user before the @")),
            _ => twice,
        };
    };
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(Zeroizing::new(decode(password, "password")?))),
        None => (userinfo, None),
    };
    let user = decode(user, "user")?;
    if user.is_empty() {
        return Err(AddressError::Login("the user before the @ is missing"));
    }
    match (password, files) {
        (Some(password), (None, None, None)) => Ok(Login::Password(user, Password(password))),
        (None, (Some(file), None, None)) => Ok(Login::PasswordFile(user, file)),
        (None, (None, None, None)) => Err(AddressError::Login(
            "the user has no password: user:password@, or password_file=PATH; a token is given by token_file=PATH",
        )),
        _ => twice,
    }
}

fn read_hosts(text: &str) -> Result<Vec<Host>, AddressError> {
    let mut hosts = Vec::new();
    for (number, text) in (1..).zip(text.split(',')) {
        if text.is_empty() {
            return Err(AddressError::NoHost);
        }
        hosts.push(read_host(text, number)?);
    }
    Ok(hosts)
}

fn read_host(text: &str, number: usize) -> Result<Host, AddressError> {
    let (name, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (name, rest) = bracketed.split_once(']').ok_or(AddressError::BadHost(number))?;
            if name.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(AddressError::BadHost(number));
            }
            (name, rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => PORT,
        None => return Err(AddressError::BadHost(number)),
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::BadPort(number))?,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(AddressError::BadHost(number));
    }
    Ok(Host { name: name.into(), port })
}

fn read_bucket(text: String) -> Result<String, AddressError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if (1..=LONGEST_BUCKET).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Err(AddressError::Parameter("bucket", "1 to 64 letters, digits, _ and - may be in it"))
}

fn read_replicas(text: &str) -> Result<u8, AddressError> {
    let number = text.parse().ok().filter(|number| [1, 3, 5].contains(number));
    number.ok_or(AddressError::Parameter("replicas", "1, 3 or 5"))
}

fn decode(text: &str, what: &'static str) -> Result<String, AddressError> {
    let wrong = || AddressError::Encoding(what);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let plain = NatsAddress::parse("nats://localhost").unwrap();
        assert_eq!(plain.hosts, [Host { name: "localhost".into(), port: 4222 }]);
        assert_eq!((plain.login, plain.tls, plain.replicas), (Login::None, None, None));
        assert_eq!(plain.bucket, "gateward");
        let url = "tls://ann:p%40ss%2F@a:1,[::1],c/?bucket=other_1&replicas=3&ca=%2Fca.pem&cert=c&key=k";
        let full = NatsAddress::parse(url).unwrap();
        let hosts: Vec<_> = full.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["a:1", "[::1]:4222", "c:4222"]);
        assert_eq!((full.bucket.as_str(), full.replicas), ("other_1", Some(3)));
        assert_eq!(full.tls.as_ref().unwrap().ca, Some("/ca.pem".into()));
        assert!(!format!("{full:?}").contains("p@ss"), "a password is never printed");
        let Login::Password(user, password) = full.login else { panic!("no password") };
        assert_eq!((user.as_str(), password.0.as_str()), ("ann", "p@ss/"));
        let login = |url: &str| NatsAddress::parse(url).unwrap().login;
        assert_eq!(login("nats://a?token_file=/t"), Login::TokenFile("/t".into()));
        assert_eq!(login("nats://a?creds=/c"), Login::Creds("/c".into()));
        assert_eq!(login("nats://u@a?password_file=/p"), Login::PasswordFile("u".into(), "/p".into()));
    }

    #[test]
    fn every_bad_form_has_its_own_error() {
        use AddressError as E;
        let error = |url: &str| NatsAddress::parse(url).unwrap_err();
        for url in ["", "a", "redis://a", "natss://a", "wss://a"] {
            assert_eq!(error(url), E::Scheme, "{url}");
        }
        assert_eq!(error("nats://"), E::NoHost);
        assert_eq!(error("nats://a,,b"), E::NoHost);
        assert_eq!(error("nats://a,b c"), E::BadHost(2));
        assert_eq!(error("nats://[::1"), E::BadHost(1));
        assert_eq!(error("nats://a:0"), E::BadPort(1));
        assert_eq!(error("nats://a,b:65536"), E::BadPort(2));
        assert_eq!(error("nats://a/b"), E::Path);
        assert_eq!(error("nats://u:p/w@a"), E::Unescaped);
        assert_eq!(error("nats://u:p%4@a"), E::Encoding("password"));
        assert!(matches!(error("nats://u@a"), E::Login(_)));
        assert!(matches!(error("nats://:p@a"), E::Login(_)));
        assert!(matches!(error("nats://u:p@a?creds=c"), E::Login(_)));
        assert!(matches!(error("nats://a?creds=c&token_file=t"), E::Login(_)));
        assert!(matches!(error("nats://a?password_file=t"), E::Login(_)));
        assert_eq!(error("nats://a?colour=red"), E::Unknown("colour".into()));
        for (url, name) in [
            ("nats://a?bucket=", "bucket"),
            ("nats://a?bucket=a.b", "bucket"),
            ("nats://a?bucket=a&bucket=a", "bucket"),
            ("nats://a?replicas=2", "replicas"),
            ("nats://a?ca=x", "ca"),
            ("tls://a?cert=x", "cert"),
        ] {
            assert!(matches!(error(url), E::Parameter(found, _) if found == name), "{url}");
        }
    }
}
