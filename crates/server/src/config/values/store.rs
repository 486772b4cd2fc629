//! Where things are kept: sessions, people, the pepper of passwords.

use std::fmt;
use std::path::PathBuf;

use crate::config::definition::Scalar;

/// Where sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionStore {
    /// In the database of the data directory: they survive a restart.
    Sqlite,
    /// In memory: a restart ends them.
    Memory,
}

/// Where people live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DirectoryStore {
    /// In the database of the data directory.
    Sqlite,
}

/// Addresses that stand for stores of later versions; named, so that the error can say so.
const SESSION_SCHEMES: [&str; 7] = [
    "postgres://",
    "redis://",
    "rediss://",
    "redis+sentinel://",
    "redis+cluster://",
    "memcached://",
    "nats://",
];

impl Scalar for SessionStore {
    const KIND: &'static str = "a session store";

    fn allowed() -> String {
        "\"sqlite\" or \"memory\"".to_owned()
    }

    fn parse(text: &str) -> Result<SessionStore, String> {
        match text {
            "sqlite" => Ok(SessionStore::Sqlite),
            "memory" => Ok(SessionStore::Memory),
            _ => Err(not_a_store(text, &SESSION_SCHEMES, "a session store")),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for SessionStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SessionStore::Sqlite => "sqlite",
            SessionStore::Memory => "memory",
        })
    }
}

impl Scalar for DirectoryStore {
    const KIND: &'static str = "a store of people";

    fn allowed() -> String {
        "\"sqlite\"".to_owned()
    }

    fn parse(text: &str) -> Result<DirectoryStore, String> {
        match text {
            "sqlite" => Ok(DirectoryStore::Sqlite),
            _ => Err(not_a_store(text, &["postgres://"], "a store of people")),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String("sqlite".to_owned())
    }
}

fn not_a_store(text: &str, later: &[&str], kind: &str) -> String {
    match later.iter().find(|scheme| text.starts_with(*scheme)) {
        Some(scheme) => {
            format!("needs {kind} ({}) that is not in this version", scheme.trim_end_matches("://"))
        }
        None => format!("is not {kind}"),
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
    fn stores_of_later_versions_are_refused_by_name() {
        assert_eq!(SessionStore::parse("memory"), Ok(SessionStore::Memory));
        for scheme in SESSION_SCHEMES {
            let reason = SessionStore::parse(&format!("{scheme}host/x")).unwrap_err();
            assert!(reason.ends_with("not in this version"), "{scheme}: {reason}");
        }
        let reason = DirectoryStore::parse("postgres://host/x").unwrap_err();
        assert_eq!(reason, "needs a store of people (postgres) that is not in this version");
        assert_eq!(SessionStore::parse("mysql://host").unwrap_err(), "is not a session store");
        assert_eq!(DirectoryStore::parse("memory").unwrap_err(), "is not a store of people");
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
