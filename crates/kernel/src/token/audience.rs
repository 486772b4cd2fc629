//! For whom a token is meant (RFC 7519 §4.1.3): the resources that may accept it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most resources of one token.
pub const MAX_AUDIENCES: usize = 8;
const MAX_LENGTH: usize = 512;

/// Why something is no audience.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAnAudience {
    /// None is named, or more than [`MAX_AUDIENCES`].
    #[error("a token is meant for one to {MAX_AUDIENCES} resources")]
    Count,
    /// A name is empty, too long, or has spaces or control characters.
    #[error("a resource is named by 1 to {MAX_LENGTH} characters without spaces, usually its https address")]
    Name,
}

/// One to [`MAX_AUDIENCES`] resources, each once. Compared as exact strings (RFC 7519 §4.1.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Audience(Vec<Box<str>>);

impl Audience {
    /// One resource.
    pub fn of(name: &str) -> Result<Self, NotAnAudience> {
        Audience::all([name])
    }

    /// These resources.
    pub fn all<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAnAudience> {
        let mut all: Vec<Box<str>> = Vec::new();
        for name in names {
            if name.is_empty()
                || name.len() > MAX_LENGTH
                || name.chars().any(|c| c.is_whitespace() || c.is_control())
            {
                return Err(NotAnAudience::Name);
            }
            if all.len() == MAX_AUDIENCES {
                return Err(NotAnAudience::Count);
            }
            if !all.iter().any(|other| **other == *name) {
                all.push(name.into());
            }
        }
        if all.is_empty() { Err(NotAnAudience::Count) } else { Ok(Audience(all)) }
    }

    /// Whether this resource is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| **own == *name)
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|name| name.len() + size_of::<Box<str>>()).sum()
    }
}

impl Serialize for Audience {
    /// A single one as a string, which every library reads; several as a list.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => to.serialize_str(one),
            all => to.collect_seq(all),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            Many(Vec<String>),
        }
        let read = match Form::deserialize(from)? {
            Form::One(name) => Audience::of(&name),
            Form::Many(names) => Audience::all(names.iter().map(String::as_str)),
        };
        read.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_eight_exact_names() {
        let names: Vec<String> = (0..=MAX_AUDIENCES).map(|n| format!("https://{n}.example")).collect();
        let all = |count: usize| Audience::all(names.iter().take(count).map(String::as_str));
        assert_eq!(all(0), Err(NotAnAudience::Count));
        assert!(all(1).is_ok() && all(MAX_AUDIENCES).is_ok());
        assert_eq!(all(MAX_AUDIENCES + 1), Err(NotAnAudience::Count));
        let one = Audience::of("https://api.example/").unwrap();
        assert!(one.has("https://api.example/"));
        assert!(!one.has("https://api.example") && !one.has("HTTPS://api.example/"));
        for odd in ["", " ", "a b", "a\nb", &"a".repeat(MAX_LENGTH + 1)] {
            assert_eq!(Audience::of(odd), Err(NotAnAudience::Name));
        }
        assert!(Audience::of(&"a".repeat(MAX_LENGTH)).is_ok());
    }

    #[test]
    fn both_json_forms_read_back() {
        let one = Audience::all(["a", "a"]).unwrap();
        assert_eq!(serde_json::to_string(&one).unwrap(), "\"a\"");
        let two = Audience::all(["a", "b"]).unwrap();
        assert_eq!(serde_json::to_string(&two).unwrap(), "[\"a\",\"b\"]");
        for audience in [one, two] {
            let text = serde_json::to_string(&audience).unwrap();
            assert_eq!(serde_json::from_str::<Audience>(&text).unwrap(), audience);
        }
        assert!(serde_json::from_str::<Audience>("[]").is_err());
        assert!(serde_json::from_str::<Audience>("[1]").is_err());
    }
}
