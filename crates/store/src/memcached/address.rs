//! Where the Memcached servers are: reading the setting's URL.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The port of Memcached unless the address names one.
const PORT: u16 = 11211;
/// The longest prefix of keys, in bytes.
const LONGEST_PREFIX: usize = 64;
/// More servers than anybody has.
const MOST_SERVERS: usize = 64;

/// The addresses of one or several Memcached servers among which the records are spread:
/// `memcached://[user:password@]host[:port],host…`.
///
/// User and password are percent-decoded. Parameters: `password_file=PATH`, read anew for every connection, and `prefix=TEXT` of
/// every key. The order of the servers does not matter, their names do: **every node must write the same names**, because a
/// record's server follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemcachedAddress {
    pub(super) servers: Vec<ServerName>,
    pub(super) login: Option<Login>,
    pub(super) prefix: Option<String>,
}

/// A server's name, or its IP address, and its port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ServerName {
    pub(super) host: String,
    pub(super) port: u16,
}

/// As whom to sign in (`memcached -Y`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Password,
}

/// Where the password is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    Given(Arc<Zeroizing<String>>),
    File(PathBuf),
}

/// What is wrong with an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MemcachedAddressError {
    /// It begins otherwise.
    #[error("it must begin with memcached://")]
    Scheme,
    /// Connections are not encrypted.
    #[error(
        "connections to Memcached are not encrypted (Debian's Memcached offers no TLS): keep it on a private network, or put a \
         tunnel between"
    )]
    Tls,
    /// There is no server in it.
    #[error("it names no server")]
    NoServer,
    /// A server without a name.
    #[error("server {0} has no name")]
    NoHost(usize),
    /// A name that cannot be one.
    #[error("{0:?} is no name or address of a server")]
    Host(String),
    /// Not a port.
    #[error("{0:?} is no port")]
    Port(String),
    /// The same server twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// Too many.
    #[error("more than {MOST_SERVERS} servers")]
    TooMany,
    /// A path after the servers.
    #[error("nothing may follow the servers but parameters")]
    Path,
    /// A bad percent-encoding.
    #[error("{0} is not percent-encoded UTF-8 without spaces and control characters")]
    Encoding(&'static str),
    /// A user without a password.
    #[error("the user has no password: user:password@, or password_file=PATH")]
    NoPassword,
    /// A password without a user.
    #[error("there is a password and no user: Memcached needs both")]
    NoUser,
    /// Two passwords.
    #[error("there is a password in the address and a password_file")]
    TwoPasswords,
    /// Nobody knows that parameter.
    #[error("the parameter {0:?} is unknown: there are password_file and prefix")]
    Parameter(String),
    /// A parameter twice.
    #[error("the parameter {0} is there twice")]
    ParameterTwice(&'static str),
    /// A parameter without a value.
    #[error("the parameter {0} has no value")]
    NoValue(&'static str),
    /// An unusable prefix.
    #[error("the prefix is longer than {LONGEST_PREFIX} bytes")]
    LongPrefix,
}

use MemcachedAddressError as Wrong;

impl MemcachedAddress {
    /// Reads an address.
    pub fn parse(url: &str) -> Result<Self, Wrong> {
        let Some((scheme, rest)) = url.trim().split_once("://") else { return Err(Wrong::Scheme) };
        match scheme.to_ascii_lowercase().as_str() {
            "memcached" => {}
            "memcacheds" | "tls" | "memcached+tls" => return Err(Wrong::Tls),
            _ => return Err(Wrong::Scheme),
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters = Parameters::parse(query)?;
        // An encoded password holds no such sign.
        let (user_info, hosts) = match place.rsplit_once('@') {
            Some((user_info, hosts)) => (Some(user_info), hosts),
            None => (None, place),
        };
        let login = login(user_info, parameters.password_file)?;
        Ok(MemcachedAddress { servers: servers(hosts)?, login, prefix: parameters.prefix })
    }
}

impl std::str::FromStr for MemcachedAddress {
    type Err = Wrong;
    fn from_str(url: &str) -> Result<Self, Wrong> {
        MemcachedAddress::parse(url)
    }
}

/// As it may be shown: without credentials.
impl fmt::Display for MemcachedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        write!(f, "memcached://{}", names.join(","))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Password::Given(_) => f.write_str("Given(…)"),
            Password::File(path) => write!(f, "File({path:?})"),
        }
    }
}

#[derive(Default)]
struct Parameters {
    password_file: Option<PathBuf>,
    prefix: Option<String>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Wrong> {
        let mut parameters = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "password_file" => {
                    let path = PathBuf::from(value_of("password_file", value)?);
                    once("password_file", parameters.password_file.replace(path).is_some())?;
                }
                "prefix" => {
                    let prefix = value_of("prefix", value)?;
                    if prefix.len() > LONGEST_PREFIX {
                        return Err(Wrong::LongPrefix);
                    }
                    once("prefix", parameters.prefix.replace(prefix).is_some())?;
                }
                _ => return Err(Wrong::Parameter(name.to_owned())),
            }
        }
        Ok(parameters)
    }
}

fn once(name: &'static str, is_there: bool) -> Result<(), Wrong> {
    if is_there { Err(Wrong::ParameterTwice(name)) } else { Ok(()) }
}

fn value_of(name: &'static str, value: &str) -> Result<String, Wrong> {
    match decoded(value) {
        Some(value) if value.is_empty() => Err(Wrong::NoValue(name)),
        Some(value) => Ok(value),
        None => Err(Wrong::Encoding(name)),
    }
}

fn login(user_info: Option<&str>, file: Option<PathBuf>) -> Result<Option<Login>, Wrong> {
    let Some(user_info) = user_info else {
        return if file.is_some() { Err(Wrong::NoUser) } else { Ok(None) };
    };
    let (user, password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    // They are sent in one line, with a space between.
    let clean = |text: &str| !text.contains(|sign: char| sign.is_whitespace() || sign.is_control());
    let user = decoded(user).filter(|user| clean(user)).ok_or(Wrong::Encoding("the user"))?;
    if user.is_empty() {
        return Err(Wrong::NoUser);
    }
    let password = match (password, file) {
        (Some(_), Some(_)) => return Err(Wrong::TwoPasswords),
        (None, None) | (Some(""), None) => return Err(Wrong::NoPassword),
        (None, Some(file)) => Password::File(file),
        (Some(password), None) => {
            let password = decoded(password).map(Zeroizing::new).filter(|password| clean(password));
            Password::Given(Arc::new(password.ok_or(Wrong::Encoding("the password"))?))
        }
    };
    Ok(Some(Login { user, password }))
}

fn servers(hosts: &str) -> Result<Vec<ServerName>, Wrong> {
    let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
    if hosts.contains('/') {
        return Err(Wrong::Path);
    }
    if hosts.is_empty() {
        return Err(Wrong::NoServer);
    }
    let mut servers = BTreeSet::new();
    for (index, host) in hosts.split(',').enumerate() {
        let server = server(index + 1, host.trim())?;
        let shown = server.to_string();
        if !servers.insert(server) {
            return Err(Wrong::Twice(shown));
        }
    }
    if servers.len() > MOST_SERVERS {
        return Err(Wrong::TooMany);
    }
    // In an order that is the same however the setting has it.
    Ok(servers.into_iter().collect())
}

fn server(number: usize, text: &str) -> Result<ServerName, Wrong> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(|| Wrong::Host(text.to_owned()))?;
            let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
            if !is_address || !(rest.is_empty() || rest.starts_with(':')) {
                return Err(Wrong::Host(text.to_owned()));
            }
            (host, rest.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err(Wrong::NoHost(number));
    }
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_');
    if !text.starts_with('[') && !host.chars().all(is_name) {
        return Err(Wrong::Host(host.to_owned()));
    }
    let port = match port {
        None => PORT,
        Some(port) => {
            let number = port.parse::<u16>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| Wrong::Port(port.to_owned()))?
        }
    };
    Ok(ServerName { host: host.to_ascii_lowercase(), port })
}

/// Percent-decoded; `None` for what is no UTF-8 or badly encoded.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(url: &str) -> Wrong {
        MemcachedAddress::parse(url).unwrap_err()
    }

    #[test]
    fn good_addresses() {
        let address = MemcachedAddress::parse("memcached://Beta,alpha:2,[::1]:3/?prefix=a%20b").unwrap();
        assert_eq!(address.to_string(), "memcached://[::1]:3,alpha:2,beta:11211");
        assert_eq!((address.login, address.prefix.as_deref()), (None, Some("a b")));
        let other = MemcachedAddress::parse("memcached://[::1]:3,beta:11211,alpha:2").unwrap();
        assert_eq!(address.servers, other.servers, "the order does not matter");
        let address = MemcachedAddress::parse("memcached://us%65r:s%40cret%2F@a").unwrap();
        let login = address.login.as_ref().unwrap();
        assert_eq!(login.user, "user");
        assert!(matches!(&login.password, Password::Given(word) if ***word == "s@cret/"));
        let shown = format!("{address:?} {address}");
        assert!(!shown.contains("cret"), "{shown}");
        let address = MemcachedAddress::parse("memcached://u@a?password_file=/x/y").unwrap();
        assert_eq!(address.login.unwrap().password, Password::File("/x/y".into()));
    }

    #[test]
    fn every_bad_form_has_its_own_words() {
        for url in ["", "a", "redis://a", "memcached:/a", "//a"] {
            assert_eq!(wrong(url), Wrong::Scheme, "{url}");
        }
        assert_eq!(wrong("memcacheds://a"), Wrong::Tls);
        assert_eq!(wrong("memcached://"), Wrong::NoServer);
        assert_eq!(wrong("memcached://u:p@"), Wrong::NoServer);
        assert_eq!(wrong("memcached://a,,b"), Wrong::NoHost(2));
        assert_eq!(wrong("memcached://:11211"), Wrong::NoHost(1));
        assert_eq!(wrong("memcached://a b"), Wrong::Host("a b".into()));
        assert_eq!(wrong("memcached://[::1"), Wrong::Host("[::1".into()));
        assert_eq!(wrong("memcached://[x]:1"), Wrong::Host("[x]:1".into()));
        for port in ["", "0", "65536", "x", "1:2"] {
            assert_eq!(wrong(&format!("memcached://a:{port}")), Wrong::Port(port.into()));
        }
        assert_eq!(wrong("memcached://a,A:11211"), Wrong::Twice("a:11211".into()));
        let many: Vec<String> = (0..=MOST_SERVERS).map(|number| format!("a{number}")).collect();
        assert_eq!(wrong(&format!("memcached://{}", many.join(","))), Wrong::TooMany);
        assert!(MemcachedAddress::parse(&format!("memcached://{}", many[1..].join(","))).is_ok());
        assert_eq!(wrong("memcached://a/b"), Wrong::Path);
        assert_eq!(wrong("memcached://%zz:p@a"), Wrong::Encoding("the user"));
        assert_eq!(wrong("memcached://u:p%20q@a"), Wrong::Encoding("the password"));
        assert_eq!(wrong("memcached://u:%ff@a"), Wrong::Encoding("the password"));
        assert_eq!(wrong("memcached://u@a"), Wrong::NoPassword);
        assert_eq!(wrong("memcached://u:@a"), Wrong::NoPassword);
        assert_eq!(wrong("memcached://:p@a"), Wrong::NoUser);
        assert_eq!(wrong("memcached://a?password_file=b"), Wrong::NoUser);
        assert_eq!(wrong("memcached://u:p@a?password_file=b"), Wrong::TwoPasswords);
        assert_eq!(wrong("memcached://a?tls=1"), Wrong::Parameter("tls".into()));
        assert_eq!(wrong("memcached://a?prefix=a&prefix=b"), Wrong::ParameterTwice("prefix"));
        assert_eq!(wrong("memcached://a?prefix="), Wrong::NoValue("prefix"));
        let prefix = "p".repeat(LONGEST_PREFIX);
        assert!(MemcachedAddress::parse(&format!("memcached://a?prefix={prefix}")).is_ok());
        assert_eq!(wrong(&format!("memcached://a?prefix={prefix}p")), Wrong::LongPrefix);
    }
}
