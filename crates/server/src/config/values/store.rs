//! Where things are kept: sessions, people, the pepper of passwords.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::config::definition::Scalar;
use crate::config::problem::MASK;

/// Where sessions live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStore {
    /// In the same database as people.
    Directory,
    /// In the database of the data directory: they survive a restart of this node, and no other node knows them.
    Sqlite,
    /// In memory: a restart ends them.
    Memory,
    /// In a store of its own that several nodes can share.
    Engine(EngineAddress),
}

/// Where people live, and everything else that must not be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryStore {
    /// In the database of the data directory.
    Sqlite,
    /// In PostgreSQL.
    Postgres(EngineAddress),
}

/// Where opaque access tokens live: they are short-lived, and may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenStore {
    /// In the same database as people.
    Directory,
    /// In a store of its own.
    Engine(EngineAddress),
}

/// A kind of store that runs apart from this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// PostgreSQL.
    Postgres,
    /// Redis, alone, with Sentinel or as a cluster; also Valkey.
    Redis,
    /// Memcached.
    Memcached,
    /// NATS JetStream.
    Nats,
}

/// How addresses of stores begin.
const SCHEMES: [(&str, EngineKind); 11] = [
    ("postgres", EngineKind::Postgres),
    ("postgresql", EngineKind::Postgres),
    ("redis", EngineKind::Redis),
    ("rediss", EngineKind::Redis),
    ("rediss+sentinel", EngineKind::Redis),
    ("rediss+cluster", EngineKind::Redis),
    ("redis+sentinel", EngineKind::Redis),
    ("redis+cluster", EngineKind::Redis),
    ("memcached", EngineKind::Memcached),
    ("nats", EngineKind::Nats),
    ("tls", EngineKind::Nats),
];

/// The address of a store, which may hold a password: shown without it.
#[derive(Clone, PartialEq, Eq)]
pub struct EngineAddress {
    kind: EngineKind,
    whole: Zeroizing<String>,
}

impl EngineAddress {
    /// Reads an address; `None` when it begins like none.
    fn read(text: &str) -> Option<Result<Self, String>> {
        let (scheme, _) = text.split_once("://")?;
        let (_, kind) = SCHEMES.iter().find(|(known, _)| *known == scheme)?;
        let address = EngineAddress { kind: *kind, whole: Zeroizing::new(text.to_owned()) };
        Some(crate::stores::check(&address).map(|()| address))
    }

    /// Of which kind it is.
    pub const fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Whether a password stands in it.
    pub fn has_password(&self) -> bool {
        self.to_string() != *self.whole
    }

    /// All of it, for the one place that connects.
    pub fn expose(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.whole.split_once("://").unwrap_or_default();
        // Up to the last @ before the path stand name and password.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        match authority.rsplit_once('@') {
            None => write!(out, "{scheme}://{authority}{tail}"),
            Some((who, hosts)) => match who.split_once(':') {
                None => write!(out, "{scheme}://{who}@{hosts}{tail}"),
                Some((name, _)) => write!(out, "{scheme}://{name}:{MASK}@{hosts}{tail}"),
            },
        }
    }
}

impl fmt::Debug for EngineAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl SessionStore {
    /// Reads what somebody typed; errors continue "is not".
    pub fn read(text: &str) -> Result<Self, String> {
        <Self as Scalar>::parse(text)
    }
}

impl Scalar for SessionStore {
    const KIND: &'static str = "a session store";

    fn allowed() -> String {
        "\"directory\", \"sqlite\", \"memory\", or an address such as \"postgres://…\", \"redis://…\", \
         \"redis+sentinel://…\", \"redis+cluster://…\", \"memcached://…\", \"nats://…\""
            .to_owned()
    }

    fn brief() -> String {
        "store of sessions".to_owned()
    }

    fn parse(text: &str) -> Result<SessionStore, String> {
        match text {
            "directory" => Ok(SessionStore::Directory),
            "sqlite" => Ok(SessionStore::Sqlite),
            "memory" => Ok(SessionStore::Memory),
            _ => match EngineAddress::read(text) {
                Some(address) => address.map(SessionStore::Engine),
                None => Err("is not a session store".to_owned()),
            },
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for SessionStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionStore::Directory => out.write_str("directory"),
            SessionStore::Sqlite => out.write_str("sqlite"),
            SessionStore::Memory => out.write_str("memory"),
            SessionStore::Engine(address) => address.fmt(out),
        }
    }
}

impl Scalar for DirectoryStore {
    const KIND: &'static str = "a store of people";

    fn allowed() -> String {
        "\"sqlite\", or an address \"postgres://…\"".to_owned()
    }

    fn parse(text: &str) -> Result<DirectoryStore, String> {
        if text == "sqlite" {
            return Ok(DirectoryStore::Sqlite);
        }
        match EngineAddress::read(text) {
            Some(address) => match address? {
                address if address.kind == EngineKind::Postgres => Ok(DirectoryStore::Postgres(address)),
                _ => {
                    Err("would lose people, grants and keys: such a store may forget what it acknowledged, \
                          and cannot be searched; it can hold sessions and access tokens"
                        .to_owned())
                }
            },
            None => Err("is not a store of people".to_owned()),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(match self {
            DirectoryStore::Sqlite => "sqlite".to_owned(),
            DirectoryStore::Postgres(address) => address.to_string(),
        })
    }
}

impl Scalar for TokenStore {
    const KIND: &'static str = "a store of access tokens";

    fn allowed() -> String {
        "\"directory\", or an address as in `sessions.store`".to_owned()
    }

    fn parse(text: &str) -> Result<TokenStore, String> {
        if text == "directory" {
            return Ok(TokenStore::Directory);
        }
        match EngineAddress::read(text) {
            Some(address) => address.map(TokenStore::Engine),
            None => Err("is not a store of access tokens".to_owned()),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(match self {
            TokenStore::Directory => "directory".to_owned(),
            TokenStore::Engine(address) => address.to_string(),
        })
    }
}

/// Where the pepper of passwords lives: a key without which the stored hashes are worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pepper {
    /// In the data directory, made at the first start.
    Data,
    /// There is none.
    None,
    /// In a file of its own.
    File(PathBuf),
}

impl Scalar for Pepper {
    const KIND: &'static str = "a place of a pepper";

    fn allowed() -> String {
        "\"data\", \"none\" or \"file:PATH\"".to_owned()
    }

    fn parse(text: &str) -> Result<Pepper, String> {
        match (text, text.strip_prefix("file:")) {
            ("data", _) => Ok(Pepper::Data),
            ("none", _) => Ok(Pepper::None),
            (_, Some(path)) => <PathBuf as Scalar>::parse(path)
                .map(Pepper::File)
                .map_err(|_| "names no file behind file:".to_owned()),
            _ => Err("is not a place of a pepper".to_owned()),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(match self {
            Pepper::Data => "data".to_owned(),
            Pepper::None => "none".to_owned(),
            Pepper::File(path) => format!("file:{}", path.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_word_or_an_address() {
        assert_eq!(SessionStore::parse("memory"), Ok(SessionStore::Memory));
        assert_eq!(SessionStore::parse("directory"), Ok(SessionStore::Directory));
        assert_eq!(SessionStore::parse("mysql://host").unwrap_err(), "is not a session store");
        assert_eq!(DirectoryStore::parse("memory").unwrap_err(), "is not a store of people");
        assert_eq!(TokenStore::parse("sqlite").unwrap_err(), "is not a store of access tokens");
        let Ok(SessionStore::Engine(address)) = SessionStore::parse("redis://host:1/0") else {
            panic!("an address of a known kind")
        };
        assert_eq!(address.kind(), EngineKind::Redis);
        assert!(matches!(DirectoryStore::parse("postgres://gw@host/db"), Ok(DirectoryStore::Postgres(_))));
    }

    #[test]
    fn people_are_kept_where_nothing_is_forgotten() {
        for volatile in ["redis://host", "redis+cluster://a,b", "memcached://host", "nats://host"] {
            let reason = DirectoryStore::parse(volatile).unwrap_err();
            assert!(reason.starts_with("would lose people"), "{volatile}: {reason}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (whole, shown) in [
            (
                "postgres://gw:hunter2@db.example:5432/gw?sslmode=require",
                "postgres://gw:******@db.example:5432/gw?sslmode=require",
            ),
            ("redis://:hunter2@host", "redis://:******@host"),
            ("redis://user@host/0", "redis://user@host/0"),
            ("memcached://a:1,b:2", "memcached://a:1,b:2"),
            ("nats://u:hunter%402@a,b", "nats://u:******@a,b"),
        ] {
            let store = SessionStore::parse(whole).unwrap();
            assert_eq!(store.to_string(), shown);
            assert!(!format!("{store:?}").contains("hunter"), "{store:?}");
            assert_eq!(Scalar::show(&store).as_str(), Some(shown));
        }
    }

    #[test]
    fn a_pepper_has_one_of_three_places() {
        assert_eq!(Pepper::parse("file:/run/pepper"), Ok(Pepper::File("/run/pepper".into())));
        assert_eq!(Scalar::show(&Pepper::parse("file:a").unwrap()).as_str(), Some("file:a"));
        assert!(
            Pepper::parse("file:").is_err() && Pepper::parse("").is_err() && Pepper::parse("/x").is_err()
        );
    }
}
