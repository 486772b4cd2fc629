//! Sets of keys (RFC 7517 §5).

use serde_json::Value;

use super::super::strict::{self, NotStrict};
use super::{Jwk, KeyError};

/// The longest set that is read, in bytes.
pub const MAX_SET_LEN: usize = 1024 * 1024;
/// The most keys a set may have.
pub const MAX_KEYS: usize = 100;

/// The keys of a set, in its order.
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    /// The keys that were understood.
    pub keys: Vec<Jwk>,
    /// Why the other keys of the document were passed over, in its order.
    pub skipped: Vec<KeyError>,
}

impl JwkSet {
    /// Reads a set. Keys of other types, curves and algorithms, of sizes that are not allowed, or broken are passed over as
    /// RFC 7517 §5 wants, so that one odd key does not take the others away.
    pub fn from_json(json: &[u8]) -> Result<Self, KeyError> {
        if json.len() > MAX_SET_LEN {
            return Err(KeyError::TooLong);
        }
        let Some(Value::Array(members)) = strict::object(json)?.remove("keys") else {
            return Err(KeyError::Missing("keys"));
        };
        if members.len() > MAX_KEYS {
            return Err(KeyError::TooManyKeys);
        }
        let mut set = JwkSet::default();
        for member in members {
            let Value::Object(member) = member else { return Err(KeyError::NotJson(NotStrict)) };
            match Jwk::from_members(member) {
                Ok(key) => set.keys.push(key),
                Err(reason) => set.skipped.push(reason),
            }
        }
        Ok(set)
    }

    /// The set as JSON, without private parts and without shared secrets.
    pub fn to_json(&self) -> String {
        let keys: Vec<String> = self.keys.iter().filter_map(Jwk::to_json).collect();
        format!("{{\"keys\":[{}]}}", keys.join(","))
    }

    /// The keys with this id: usually one (RFC 7517 §4.5).
    pub fn find<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |key| key.kid() == Some(kid))
    }
}
