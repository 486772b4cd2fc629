//! Scopes (RFC 6749 §3.3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most scope values at once.
pub const MAX_SCOPES: usize = 64;
/// The longest list of scopes in its text form, in bytes.
pub const MAX_SCOPE_TEXT: usize = 2048;

/// Why a text is no list of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAScope {
    /// It is longer than [`MAX_SCOPE_TEXT`].
    #[error("a list of scopes has at most {MAX_SCOPE_TEXT} bytes")]
    TooLong,
    /// It has more than [`MAX_SCOPES`] values.
    #[error("a list of scopes has at most {MAX_SCOPES} values")]
    TooMany,
    /// It holds a character that no scope may have, or more than one space between two.
    #[error(
        "scopes are printable ASCII without quotes and backslashes, with one space between two (RFC 6749 §3.3)"
    )]
    Character,
}

/// A set of scope values: sorted, each once.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Scope(Vec<Box<str>>);

impl Scope {
    /// No scope at all.
    pub const NONE: Scope = Scope(Vec::new());

    /// Whether it has this value.
    pub fn has(&self, value: &str) -> bool {
        self.0.binary_search_by(|own| (**own).cmp(value)).is_ok()
    }

    /// Whether it has every value of the other.
    pub fn covers(&self, other: &Scope) -> bool {
        other.0.iter().all(|value| self.has(value))
    }

    /// What both have.
    #[must_use]
    pub fn and(&self, other: &Scope) -> Scope {
        Scope(self.0.iter().filter(|value| other.has(value)).cloned().collect())
    }

    /// What either has.
    #[must_use]
    pub fn or(&self, other: &Scope) -> Scope {
        let mut values: Vec<Box<str>> = self.0.iter().chain(&other.0).cloned().collect();
        values.sort_unstable();
        values.dedup();
        Scope(values)
    }

    /// What this has and the other lacks.
    #[must_use]
    pub fn but_not(&self, other: &Scope) -> Scope {
        Scope(self.0.iter().filter(|value| !other.has(value)).cloned().collect())
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| &**value)
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|value| value.len() + size_of::<Box<str>>()).sum()
    }
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        if text.is_empty() {
            return Ok(Scope::NONE);
        }
        if text.len() > MAX_SCOPE_TEXT {
            return Err(NotAScope::TooLong);
        }
        let is_scope_character = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let mut values = Vec::new();
        for value in text.split(' ') {
            if value.is_empty() || !value.bytes().all(is_scope_character) {
                return Err(NotAScope::Character);
            }
            if values.len() == MAX_SCOPES {
                return Err(NotAScope::TooMany);
            }
            values.push(value.into());
        }
        values.sort_unstable();
        values.dedup();
        Ok(Scope(values))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, value) in self.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            f.write_str(value)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_values_in_one_spelling() {
        let scope: Scope = "write read read".parse().unwrap();
        assert_eq!(scope.to_string(), "read write");
        assert!(scope.has("read") && !scope.has("rea") && !scope.has(""));
        let read: Scope = "read".parse().unwrap();
        assert!(scope.covers(&read) && !read.covers(&scope) && read.covers(&Scope::NONE));
        assert_eq!(scope.and(&"read other".parse().unwrap()), read);
        assert_eq!("".parse(), Ok(Scope::NONE));
    }

    #[test]
    fn limits_at_below_and_above() {
        let list = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert!(list(MAX_SCOPES - 1).parse::<Scope>().is_ok());
        assert!(list(MAX_SCOPES).parse::<Scope>().is_ok());
        assert_eq!(list(MAX_SCOPES + 1).parse::<Scope>(), Err(NotAScope::TooMany));
        assert!("a".repeat(MAX_SCOPE_TEXT).parse::<Scope>().is_ok());
        assert_eq!("a".repeat(MAX_SCOPE_TEXT + 1).parse::<Scope>(), Err(NotAScope::TooLong));
    }

    #[test]
    fn odd_ones_are_refused() {
        for odd in [" ", "a ", " a", "a  b", "a\tb", "a\"b", "a\\b", "a\u{7f}", "ä", "a\nb", "\0"] {
            assert_eq!(odd.parse::<Scope>(), Err(NotAScope::Character), "{odd:?}");
        }
    }
}
