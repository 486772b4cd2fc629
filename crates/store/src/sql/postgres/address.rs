//! Where a PostgreSQL is, and how it is spoken to: reading the setting's URL.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The port unless the address names one.
const PORT: u16 = 5432;

/// The address of a database: `postgres://user[:password]@host[:port],host…/database`.
///
/// User, password and database are percent-decoded. Of several hosts, the first one that takes writes is used. Parameters:
///
/// * `password_file=PATH`: the password is the file's first line; it is read at every connection.
/// * `sslmode=disable|verify-full`: `verify-full` (also `require`) encrypts and checks the certificate and the host's name.
///   Without it, only loopback addresses and sockets are spoken to in plain text.
/// * `ca=PATH`: certificates to trust instead of the system's. `cert=PATH` and `key=PATH`: an own one.
/// * `target_session_attrs=read-write|any`: whether a server that takes no writes is passed over; `read-write` unless said.
/// * `host=DIRECTORY`: the directory of a Unix socket, in `postgres://user@/database?host=/run/postgresql`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresAddress {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Password>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) mode: Option<Mode>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<(PathBuf, PathBuf)>,
    pub(super) any_server: bool,
}

/// One server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Host {
    Name(String, u16),
    Socket(PathBuf, u16),
}

/// Whether the line is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Plain,
    Verified,
}

/// A password; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(pub(super) Zeroizing<Vec<u8>>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is wrong with an address. It never repeats a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PostgresAddressError {
    /// Another scheme.
    #[error("the address must begin with postgres://")]
    Scheme,
    /// No user.
    #[error("the address names no user: postgres://USER@host/database")]
    NoUser,
    /// No host.
    #[error("the address names no host: postgres://user@HOST/database")]
    NoHost,
    /// No database.
    #[error("the address names no database: postgres://user@host/DATABASE")]
    NoDatabase,
    /// A bad port.
    #[error("\"{0}\" is not a port: 1 to 65535")]
    Port(String),
    /// A percent sign without two hexadecimal digits after it, or bytes that are no UTF-8, or a zero byte.
    #[error("{0} is not written correctly: a percent sign is written %25, an @ %40, a / %2F")]
    Encoding(&'static str),
    /// A parameter that does not exist.
    #[error(
        "there is no parameter \"{0}\": known are password_file, sslmode, ca, cert, key, target_session_attrs, host"
    )]
    UnknownParameter(String),
    /// A parameter twice.
    #[error("the parameter {0} is there twice")]
    Twice(&'static str),
    /// A parameter with a value that it cannot have.
    #[error("{parameter} cannot be \"{value}\": {advice}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// What it is.
        value: String,
        /// What it can be.
        advice: &'static str,
    },
    /// Two parameters that exclude or need each other.
    #[error("{0}")]
    Together(&'static str),
}

use PostgresAddressError as Bad;

impl PostgresAddress {
    /// Reads an address.
    pub fn parse(url: &str) -> Result<Self, PostgresAddressError> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or(Bad::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').ok_or(Bad::NoDatabase)?;
        let (login, hosts) = authority.rsplit_once('@').ok_or(Bad::NoUser)?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let parameters = Parameters::read(query)?;
        let password = match password.filter(|password| !password.is_empty()) {
            None => None,
            Some(password) => Some(Password(decoded("the password", password)?)),
        };
        let address = PostgresAddress {
            hosts: parameters.hosts(hosts)?,
            user: text("the user", user)?,
            database: text("the database", database)?,
            password,
            mode: parameters.mode()?,
            any_server: parameters.any_server()?,
            cert: parameters.cert()?,
            password_file: parameters.password_file,
            ca: parameters.ca,
        };
        address.check()?;
        Ok(address)
    }

    fn check(&self) -> Result<(), Bad> {
        if self.user.is_empty() {
            return Err(Bad::NoUser);
        }
        if self.database.is_empty() {
            return Err(Bad::NoDatabase);
        }
        if self.password.is_some() && self.password_file.is_some() {
            return Err(Bad::Together("there is a password and a password_file: one of them is enough"));
        }
        if self.mode == Some(Mode::Plain) && (self.ca.is_some() || self.cert.is_some()) {
            return Err(Bad::Together("sslmode=disable uses no certificates: leave ca, cert and key out"));
        }
        Ok(())
    }

    /// Whether the line to this host is encrypted.
    pub(super) fn encrypts(&self, host: &Host) -> bool {
        match (self.mode, host) {
            (_, Host::Socket(..)) | (Some(Mode::Plain), _) => false,
            (Some(Mode::Verified), _) => true,
            (None, Host::Name(name, _)) => {
                let near =
                    name.parse::<std::net::IpAddr>().map_or(name == "localhost", |ip| ip.is_loopback());
                !near || self.ca.is_some()
            }
        }
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        write!(f, "postgres://{}@{}/{}", self.user, hosts.join(","), self.database)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Host::Name(name, port) => write!(f, "{name}:{port}"),
            Host::Socket(directory, port) => write!(f, "{}:{port}", directory.display()),
        }
    }
}

#[derive(Default)]
struct Parameters {
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    socket: Option<PathBuf>,
    mode: Option<String>,
    target: Option<String>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, Bad> {
        fn once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), Bad> {
            place.replace(value).map_or(Ok(()), |_| Err(Bad::Twice(name)))
        }
        let mut read = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let path = || text("a path", value).map(PathBuf::from);
            match name {
                "password_file" => once(&mut read.password_file, "password_file", path()?)?,
                "ca" => once(&mut read.ca, "ca", path()?)?,
                "cert" => once(&mut read.cert, "cert", path()?)?,
                "key" => once(&mut read.key, "key", path()?)?,
                "host" => once(&mut read.socket, "host", path()?)?,
                "sslmode" => once(&mut read.mode, "sslmode", value.to_owned())?,
                "target_session_attrs" => once(&mut read.target, "target_session_attrs", value.to_owned())?,
                _ => return Err(Bad::UnknownParameter(name.to_owned())),
            }
        }
        Ok(read)
    }

    fn mode(&self) -> Result<Option<Mode>, Bad> {
        match self.mode.as_deref() {
            None => Ok(None),
            Some("disable") => Ok(Some(Mode::Plain)),
            Some("require" | "verify-full") => Ok(Some(Mode::Verified)),
            Some(other) => Err(Bad::Value {
                parameter: "sslmode",
                value: other.to_owned(),
                advice: "it is disable or verify-full",
            }),
        }
    }

    fn any_server(&self) -> Result<bool, Bad> {
        match self.target.as_deref() {
            None | Some("read-write" | "primary") => Ok(false),
            Some("any") => Ok(true),
            Some(other) => Err(Bad::Value {
                parameter: "target_session_attrs",
                value: other.to_owned(),
                advice: "it is read-write or any",
            }),
        }
    }

    fn cert(&self) -> Result<Option<(PathBuf, PathBuf)>, Bad> {
        match (&self.cert, &self.key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some((cert.clone(), key.clone()))),
            _ => Err(Bad::Together("cert and key are needed together")),
        }
    }

    fn hosts(&self, named: &str) -> Result<Vec<Host>, Bad> {
        match &self.socket {
            Some(directory) if directory.is_absolute() => {
                let port = match named {
                    "" => PORT,
                    named => port(named.strip_prefix(':').ok_or(Bad::Together(
                        "a host is named before the database and by host=: one of them is enough",
                    ))?)?,
                };
                Ok(vec![Host::Socket(directory.clone(), port)])
            }
            Some(other) => Err(Bad::Value {
                parameter: "host",
                value: other.display().to_string(),
                advice: "it is the directory of a socket, beginning with /",
            }),
            None => named.split(',').map(host).collect(),
        }
    }
}

fn host(named: &str) -> Result<Host, Bad> {
    let (name, after) = if let Some(rest) = named.strip_prefix('[') {
        let (name, after) = rest.split_once(']').ok_or(Bad::NoHost)?;
        (name, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")).ok_or(Bad::NoHost)?)
    } else {
        named.split_once(':').unwrap_or((named, ""))
    };
    if name.is_empty() {
        return Err(Bad::NoHost);
    }
    let port = if named.ends_with(':') || !after.is_empty() { port(after)? } else { PORT };
    Ok(Host::Name(text("a host", name)?, port))
}

fn port(digits: &str) -> Result<u16, Bad> {
    let port =
        digits.parse().ok().filter(|port| *port != 0 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    port.ok_or_else(|| Bad::Port(digits.to_owned()))
}

fn text(what: &'static str, encoded: &str) -> Result<String, Bad> {
    let bytes = decoded(what, encoded)?;
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| Bad::Encoding(what))
}

/// Percent-decoding (RFC 3986 §2.1).
fn decoded(what: &'static str, encoded: &str) -> Result<Zeroizing<Vec<u8>>, Bad> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut bytes = encoded.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => return Err(Bad::Encoding(what)),
            },
            byte => byte,
        };
        if byte == 0 {
            return Err(Bad::Encoding(what));
        }
        decoded.push(byte);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_everything_in_it() {
        let url = "postgresql://us%40er:p%3Aw%2F%25@one,[::1]:6000,three.example:7000/data%2Fbase\
                   ?sslmode=verify-full&ca=/etc/ca.pem&cert=/a&key=/b&target_session_attrs=any";
        let address = PostgresAddress::parse(url).unwrap();
        assert_eq!((address.user.as_str(), address.database.as_str()), ("us@er", "data/base"));
        assert_eq!(address.password.as_ref().unwrap().0[..], *b"p:w/%");
        let hosts: Vec<_> = address.hosts.iter().map(Host::to_string).collect();
        assert_eq!(hosts, ["one:5432", "[::1]:6000", "three.example:7000"]);
        assert!(address.any_server && address.hosts.iter().all(|host| address.encrypts(host)));
        assert_eq!(address.cert, Some(("/a".into(), "/b".into())));
        for shown in [format!("{address:?}"), address.to_string()] {
            assert!(!shown.contains("p:w") && !shown.contains("112"), "{shown}");
        }
    }

    #[test]
    fn only_what_stays_on_the_machine_is_spoken_in_plain_unless_said() {
        for (url, encrypted) in [
            ("postgres://a@localhost/d", false),
            ("postgres://a@127.0.0.9/d", false),
            ("postgres://a@[::1]/d", false),
            ("postgres://a@localhost/d?ca=/x", true),
            ("postgres://a@localhost/d?sslmode=require", true),
            ("postgres://a@db.example/d", true),
            ("postgres://a@10.0.0.1/d", true),
            ("postgres://a@db.example/d?sslmode=disable", false),
            ("postgres://a@/d?host=/run/postgresql", false),
            ("postgres://a@:6000/d?host=/run/postgresql", false),
        ] {
            let address = PostgresAddress::parse(url).unwrap();
            assert_eq!(address.encrypts(&address.hosts[0]), encrypted, "{url}");
        }
    }

    #[test]
    fn each_bad_form_is_refused_with_its_reason() {
        let value = |parameter, value: &str, advice| Bad::Value { parameter, value: value.into(), advice };
        for (url, bad) in [
            ("mysql://a@b/c", Bad::Scheme),
            ("postgres:a@b/c", Bad::Scheme),
            ("postgres://a@b", Bad::NoDatabase),
            ("postgres://a@b/", Bad::NoDatabase),
            ("postgres://b/c", Bad::NoUser),
            ("postgres://@b/c", Bad::NoUser),
            ("postgres://a@/c", Bad::NoHost),
            ("postgres://a@b,/c", Bad::NoHost),
            ("postgres://a@[::1/c", Bad::NoHost),
            ("postgres://a@b:/c", Bad::Port(String::new())),
            ("postgres://a@b:0/c", Bad::Port("0".into())),
            ("postgres://a@b:65536/c", Bad::Port("65536".into())),
            ("postgres://a@b:+1/c", Bad::Port("+1".into())),
            ("postgres://a:secret%@b/c", Bad::Encoding("the password")),
            ("postgres://a:%00@b/c", Bad::Encoding("the password")),
            ("postgres://a%ff@b/c", Bad::Encoding("the user")),
            ("postgres://a@b/c?pool=3", Bad::UnknownParameter("pool".into())),
            ("postgres://a@b/c?ca=/x&ca=/y", Bad::Twice("ca")),
            ("postgres://a@b/c?sslmode=prefer", value("sslmode", "prefer", "it is disable or verify-full")),
            (
                "postgres://a@b/c?target_session_attrs=standby",
                value("target_session_attrs", "standby", "it is read-write or any"),
            ),
            (
                "postgres://a@/c?host=run",
                value("host", "run", "it is the directory of a socket, beginning with /"),
            ),
            ("postgres://a@b/c?cert=/x", Bad::Together("cert and key are needed together")),
        ] {
            assert_eq!(PostgresAddress::parse(url), Err(bad), "{url}");
        }
        for url in [
            "postgres://a:b@c/d?password_file=/x",
            "postgres://a@c/d?sslmode=disable&ca=/x",
            "postgres://a@b/c?host=/run",
        ] {
            assert!(matches!(PostgresAddress::parse(url), Err(Bad::Together(_))), "{url}");
        }
    }
}
