//! Where a Redis is, and how it is spoken to: reading the setting's URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// The port of Redis unless the address names one.
const PORT: u16 = 6379;
/// The port of a Sentinel unless the address names one.
const SENTINEL_PORT: u16 = 26379;
/// How long an acknowledgement by replicas may take unless `wait` says otherwise.
const WAIT: Duration = Duration::from_secs(1);
/// The longest prefix of keys, in bytes.
const LONGEST_PREFIX: usize = 64;

/// The address of a Redis: `redis://`, `redis+sentinel://` or `redis+cluster://`, or with `rediss` for TLS.
///
/// * `redis://[user[:password]@]host[:port][/database]`: one server.
/// * `redis+sentinel://[user[:password]@]host[:port],host…/master-name[/database]`: whichever server the Sentinels name.
/// * `redis+cluster://[user[:password]@]host[:port],host…`: Redis Cluster; any of its nodes lead to the others.
///
/// User and password are percent-decoded. Parameters: `password_file=PATH`; `ca=PATH` (certificates to trust instead of the
/// system's) and `cert=PATH&key=PATH` (an own one) with TLS; `sentinel_user=NAME`, `sentinel_password_file=PATH`; `prefix=TEXT`
/// of every key; `replicas=N` and `wait=MILLISECONDS`: how many replicas must acknowledge a write, and how soon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisAddress {
    pub(super) layout: Layout,
    pub(super) hosts: Vec<Host>,
    pub(super) database: u32,
    pub(super) login: Login,
    pub(super) sentinel_login: Login,
    pub(super) tls: Option<TlsFiles>,
    pub(super) prefix: Option<String>,
    pub(super) acknowledged: Option<Acknowledged>,
}

/// How the servers belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    Single,
    Sentinel { master: String },
    Cluster,
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
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) password_file: Option<PathBuf>,
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

/// What a write must have reached before it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Acknowledged {
    pub(super) replicas: u32,
    pub(super) within: Duration,
}

/// What is wrong with an address. It never quotes what may be a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// It begins in another way.
    #[error(
        "a Redis address begins with redis://, redis+sentinel:// or redis+cluster://, or the same with rediss for TLS"
    )]
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
    /// Several hosts of one server.
    #[error("redis:// names one host; several are for redis+sentinel:// or redis+cluster://")]
    SeveralHosts,
    /// Sentinel without a master's name.
    #[error(
        "redis+sentinel:// needs the master's name after the hosts, as in redis+sentinel://a,b,c/mymaster"
    )]
    NoMaster,
    /// The path is something else than it can be.
    #[error("the path must be {0}")]
    Path(&'static str),
    /// A parameter that is not known.
    #[error("unknown parameter {0:?}")]
    Unknown(String),
    /// A parameter without a value, with a wrong one, twice, or without another that it needs.
    #[error("parameter {0}: {1}")]
    Parameter(&'static str, &'static str),
}

impl RedisAddress {
    /// Reads an address. No file is opened and nobody is asked.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let (plain, tls) = match scheme.strip_prefix("rediss") {
            Some(kind) => (kind, Some(TlsFiles::default())),
            None => (scheme.strip_prefix("redis").ok_or(AddressError::Scheme)?, None),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        if path.contains('@') || query.contains('@') {
            return Err(AddressError::Unescaped);
        }
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        let login = userinfo.map_or(Ok(Login::default()), read_userinfo)?;
        let (layout, database) = read_layout(plain, path)?;
        let port = if matches!(layout, Layout::Sentinel { .. }) { SENTINEL_PORT } else { PORT };
        let hosts = read_hosts(hosts, port)?;
        if layout == Layout::Single && hosts.len() > 1 {
            return Err(AddressError::SeveralHosts);
        }
        let mut address = RedisAddress {
            layout,
            hosts,
            database,
            login,
            sentinel_login: Login::default(),
            tls,
            prefix: None,
            acknowledged: None,
        };
        address.read_parameters(query)?;
        Ok(address)
    }

    fn read_parameters(&mut self, query: &str) -> Result<(), AddressError> {
        let (mut replicas, mut wait) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = PARAMETERS.iter().find(|known| **known == name);
            let name = *known.ok_or_else(|| AddressError::Unknown(name.chars().take(40).collect()))?;
            let value = decode(value, name)?;
            if value.is_empty() {
                return Err(AddressError::Parameter(name, "it has no value"));
            }
            let fresh = match name {
                "password_file" => set(&mut self.login.password_file, value.into()),
                "sentinel_user" => set(&mut self.sentinel_login.user, value),
                "sentinel_password_file" => set(&mut self.sentinel_login.password_file, value.into()),
                "prefix" => set(&mut self.prefix, read_prefix(value)?),
                "replicas" => set(&mut replicas, read_number(name, &value, 1..=16)?),
                "wait" => set(&mut wait, read_number(name, &value, 1..=60_000)?),
                _ => {
                    let files = self.tls.as_mut();
                    let files = files.ok_or(AddressError::Parameter(name, "it is for rediss only"))?;
                    let place = match name {
                        "ca" => &mut files.ca,
                        "cert" => &mut files.cert,
                        _ => &mut files.key,
                    };
                    set(place, value.into())
                }
            };
            if !fresh {
                return Err(AddressError::Parameter(name, "it is there twice"));
            }
        }
        if self.login.password.is_some() && self.login.password_file.is_some() {
            return Err(AddressError::Parameter(
                "password_file",
                "there is a password in the address already",
            ));
        }
        if self.tls.as_ref().is_some_and(|files| files.cert.is_some() != files.key.is_some()) {
            return Err(AddressError::Parameter("cert", "it and key belong together"));
        }
        let is_sentinel = matches!(self.layout, Layout::Sentinel { .. });
        if !is_sentinel && self.sentinel_login != Login::default() {
            return Err(AddressError::Parameter("sentinel_user", "it is for redis+sentinel only"));
        }
        let wait = match (replicas, wait) {
            (None, Some(_)) => return Err(AddressError::Parameter("wait", "it needs replicas")),
            (_, wait) => wait.map_or(WAIT, |wait| Duration::from_millis(wait.into())),
        };
        self.acknowledged = replicas.map(|replicas| Acknowledged { replicas, within: wait });
        Ok(())
    }
}

const PARAMETERS: &[&str] = &[
    "password_file",
    "ca",
    "cert",
    "key",
    "sentinel_user",
    "sentinel_password_file",
    "prefix",
    "replicas",
    "wait",
];

fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

fn read_userinfo(userinfo: &str) -> Result<Login, AddressError> {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    let user = decode(user, "user")?;
    let password = password.map(|password| decode(password, "password")).transpose()?;
    Ok(Login {
        user: Some(user).filter(|user| !user.is_empty()),
        password: password.map(|password| Password(Zeroizing::new(password))),
        password_file: None,
    })
}

fn read_layout(kind: &str, path: &str) -> Result<(Layout, u32), AddressError> {
    let database = |text: &str, said| match text {
        "" => Ok(0),
        _ => text.parse().ok().filter(|number| *number < 1 << 16).ok_or(AddressError::Path(said)),
    };
    match kind {
        "" => Ok((Layout::Single, database(path, "the number of a database, or empty")?)),
        "+sentinel" => {
            let (master, rest) = path.split_once('/').unwrap_or((path, ""));
            let master = decode(master, "master's name")?;
            if master.is_empty() {
                return Err(AddressError::NoMaster);
            }
            let number = database(rest, "the master's name and, if at all, the number of a database")?;
            Ok((Layout::Sentinel { master }, number))
        }
        "+cluster" if path.is_empty() => Ok((Layout::Cluster, 0)),
        "+cluster" => Err(AddressError::Path("empty: a cluster has no databases")),
        _ => Err(AddressError::Scheme),
    }
}

fn read_hosts(text: &str, port: u16) -> Result<Vec<Host>, AddressError> {
    let mut hosts = Vec::new();
    for (number, text) in (1..).zip(text.split(',')) {
        if text.is_empty() {
            return Err(AddressError::NoHost);
        }
        hosts.push(read_host(text, port, number)?);
    }
    Ok(hosts)
}

fn read_host(text: &str, port: u16, number: usize) -> Result<Host, AddressError> {
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
        None if rest.is_empty() => port,
        None => return Err(AddressError::BadHost(number)),
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::BadPort(number))?,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(AddressError::BadHost(number));
    }
    Ok(Host { name: name.into(), port })
}

/// A prefix must stay clear of what the cluster (braces) and patterns read into it.
pub(super) fn is_prefix(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte);
    (1..=LONGEST_PREFIX).contains(&text.len()) && text.bytes().all(is_plain)
}

fn read_prefix(text: String) -> Result<String, AddressError> {
    let wrong = AddressError::Parameter("prefix", "1 to 64 letters, digits and : _ . - may be in it");
    if is_prefix(&text) { Ok(text) } else { Err(wrong) }
}

fn read_number(
    name: &'static str,
    text: &str,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, AddressError> {
    let said = if name == "wait" { "a number of 1 to 60000 milliseconds" } else { "a number from 1 to 16" };
    text.parse().ok().filter(|number| range.contains(number)).ok_or(AddressError::Parameter(name, said))
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

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.into(), port }
    }

    #[test]
    fn every_layout_is_read() {
        let single = RedisAddress::parse("redis://localhost").unwrap();
        assert_eq!((single.layout, single.hosts), (Layout::Single, vec![host("localhost", 6379)]));
        assert_eq!((single.login, single.tls, single.database), (Login::default(), None, 0));
        let single = RedisAddress::parse("rediss://ann:p%40ss%2F@[::1]:7000/3?ca=%2Fetc%2Fca.pem").unwrap();
        assert_eq!((single.hosts, single.database), (vec![host("::1", 7000)], 3));
        assert_eq!(single.login.user.as_deref(), Some("ann"));
        assert_eq!(single.login.password.unwrap().0.as_str(), "p@ss/");
        assert_eq!(single.tls.unwrap().ca, Some(PathBuf::from("/etc/ca.pem")));
        let url =
            "redis+sentinel://:x@a,b:1,[::2]/main/5?sentinel_user=s&sentinel_password_file=/f&replicas=2";
        let sentinel = RedisAddress::parse(url).unwrap();
        assert_eq!(sentinel.layout, Layout::Sentinel { master: "main".into() });
        assert_eq!(sentinel.hosts, [host("a", 26379), host("b", 1), host("::2", 26379)]);
        assert_eq!((sentinel.login.user, sentinel.database), (None, 5));
        let second = Duration::from_secs(1);
        assert_eq!(sentinel.acknowledged, Some(Acknowledged { replicas: 2, within: second }));
        let cluster = RedisAddress::parse("rediss+cluster://a,b?prefix=x:&replicas=1&wait=60000").unwrap();
        assert_eq!((cluster.layout, cluster.prefix.as_deref()), (Layout::Cluster, Some("x:")));
        assert_eq!(cluster.acknowledged.unwrap().within, Duration::from_secs(60));
    }

    #[test]
    fn every_wrong_form_is_refused_for_what_it_is() {
        use AddressError::*;
        for (url, expected) in [
            ("localhost:6379", Scheme),
            ("http://localhost", Scheme),
            ("redis+other://localhost", Scheme),
            ("redis://", NoHost),
            ("redis://u:p@", NoHost),
            ("redis+cluster://a,,b", NoHost),
            ("redis://a b", BadHost(1)),
            ("redis://[::g]", BadHost(1)),
            ("redis+cluster://a,[::1]x", BadHost(2)),
            ("redis://a:0", BadPort(1)),
            ("redis+cluster://a,b:65536", BadPort(2)),
            ("redis://a:", BadPort(1)),
            ("redis://a,b", SeveralHosts),
            ("redis://:pa/ss@a", Unescaped),
            ("redis://:pa?ss@a", Unescaped),
            ("redis://:%zz@a", Encoding("password")),
            ("redis://%ff@a", Encoding("user")),
            ("redis+sentinel://a", NoMaster),
            ("redis+sentinel://a/", NoMaster),
            ("redis://a/b", Path("the number of a database, or empty")),
            ("redis+cluster://a/0", Path("empty: a cluster has no databases")),
            ("redis://a?colour=red", Unknown("colour".into())),
            ("redis://a?prefix=", Parameter("prefix", "it has no value")),
            ("redis://a?wait=5", Parameter("wait", "it needs replicas")),
            ("redis://a?replicas=0", Parameter("replicas", "a number from 1 to 16")),
            ("redis://a?replicas=17", Parameter("replicas", "a number from 1 to 16")),
            ("redis://a?ca=x", Parameter("ca", "it is for rediss only")),
            ("rediss://a?cert=x", Parameter("cert", "it and key belong together")),
            ("rediss://a?ca=x&ca=y", Parameter("ca", "it is there twice")),
            (
                "redis://:p@a?password_file=x",
                Parameter("password_file", "there is a password in the address already"),
            ),
            ("redis://a?sentinel_user=x", Parameter("sentinel_user", "it is for redis+sentinel only")),
        ] {
            assert_eq!(RedisAddress::parse(url), Err(expected), "{url}");
        }
        let limit = format!("redis://a?prefix={}", "x".repeat(64));
        assert!(RedisAddress::parse(&limit).is_ok());
        for wrong in ["{a}", "a*", &"x".repeat(65)] {
            assert!(RedisAddress::parse(&format!("redis://a?prefix={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_password_is_printed() {
        let address = RedisAddress::parse("redis://ann:hunter2@localhost").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
        for wrong in ["redis://ann:hunter2@", "redis://ann:hunter2/x@a", "redis://ann:hunter2%@a"] {
            let said = RedisAddress::parse(wrong).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
