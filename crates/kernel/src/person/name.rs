//! User names: one normal form, and no look-alikes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, confusable_detection::skeleton};

/// The longest user name, in characters.
const MAX_NAME: usize = 64;

/// A user name: the spelling its owner chose (NFC), its key (NFKC, case folded) by which it is unique, and its
/// skeleton (Unicode TS #39 §4) by which look-alikes are found.
#[derive(Clone, PartialEq, Eq)]
pub struct UserName {
    text: Box<str>,
    key: Box<str>,
}

/// Why a text is no user name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameProblem {
    /// Nothing was given.
    #[error("a user name is needed")]
    Empty,
    /// Too long.
    #[error("a user name has at most {MAX_NAME} characters")]
    TooLong,
    /// A character that names do not have.
    #[error("a user name has letters and digits, and . _ - + inside; it has no spaces and no @")]
    Characters,
    /// Letters of several scripts that are confused with each other (Unicode TS #39 §5.1).
    #[error("a user name has letters of one script only")]
    MixedScripts,
}

/// The form by which names are compared: NFKC, full case folding, NFKC again (Unicode §3.13, D146).
pub(super) fn key(text: &str) -> String {
    caseless::default_case_fold_str(&text.nfkc().collect::<String>()).nfkc().collect()
}

impl UserName {
    /// As its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form by which it is unique.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The form that all names share which look the same.
    pub fn skeleton(&self) -> String {
        skeleton(&self.key).collect()
    }

    /// Whether it is plain ASCII: two such names are told apart by their readers, and never refused as look-alikes.
    pub fn is_plain(&self) -> bool {
        self.key.is_ascii()
    }
}

impl FromStr for UserName {
    type Err = NameProblem;

    fn from_str(typed: &str) -> Result<Self, NameProblem> {
        let text: String = typed.trim().nfc().collect();
        let key = key(&text);
        if key.is_empty() {
            return Err(NameProblem::Empty);
        }
        if text.chars().count() > MAX_NAME || key.chars().count() > MAX_NAME {
            return Err(NameProblem::TooLong);
        }
        let inner = |c: char| matches!(c, '.' | '_' | '-' | '+');
        let letter = |c: char| c.is_alphanumeric() && c.identifier_allowed();
        let mark = |c: char| c.identifier_allowed() && !c.is_ascii();
        let ends_well = |c: Option<char>| c.is_some_and(|c| letter(c) || mark(c) || c == '_');
        if !key.chars().all(|c| letter(c) || mark(c) || inner(c))
            || !ends_well(key.chars().next())
            || !ends_well(key.chars().next_back())
        {
            return Err(NameProblem::Characters);
        }
        if !key.as_str().is_single_script() {
            return Err(NameProblem::MixedScripts);
        }
        Ok(UserName { text: text.into(), key: key.into() })
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl Serialize for UserName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<UserName, NameProblem> {
        text.parse()
    }

    #[test]
    fn names_are_compared_in_one_normal_form() {
        for (one, other) in
            [("Ann", "ann"), ("STRASSE", "straße"), ("ﬁn", "fin"), ("e\u{301}va", "éva"), ("Ａnn", "ann")]
        {
            assert_eq!(name(one).unwrap().key(), name(other).unwrap().key(), "{one} {other}");
        }
        assert_eq!(name(" Éva ").unwrap().as_str(), "Éva");
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        // Latin "scope" and Cyrillic "ѕсоре".
        assert_eq!(name("scope").unwrap().skeleton(), name("ѕсоре").unwrap().skeleton());
        assert!(name("scope").unwrap().is_plain() && !name("ѕсоре").unwrap().is_plain());
        assert_eq!(name("sсope"), Err(NameProblem::MixedScripts), "one Cyrillic letter among Latin ones");
    }

    #[test]
    fn odd_names_are_refused_for_what_is_odd() {
        assert_eq!(name("  "), Err(NameProblem::Empty));
        assert_eq!(name(&"a".repeat(65)), Err(NameProblem::TooLong));
        assert!(name(&"a".repeat(64)).is_ok());
        for odd in
            ["a b", "a@b", "-a", "a-", ".a", "a/b", "a\u{200b}b", "a\u{202e}b", "a\nb", "a\"b", "a,b", "😀"]
        {
            assert_eq!(name(odd), Err(NameProblem::Characters), "{odd:?}");
        }
        for fine in ["ann", "a", "ann.b-c_d+e", "_svc", "李雷", "анна", "müller", "1st", "José"] {
            assert!(name(fine).is_ok(), "{fine}: {:?}", name(fine));
        }
    }
}
