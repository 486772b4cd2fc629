//! The header of a signed token: read once, straight into what is needed of it.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::alg::SignatureAlgorithm;
use super::jwk::MAX_KID_LEN;
use super::jws::Malformed;
use super::strict;

/// The header of a token: the members that are understood, checked, and the others as they came.
#[derive(Clone, Debug)]
pub struct Header {
    alg: SignatureAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    others: Map<String, Value>,
}

impl Header {
    pub(super) fn read(json: &[u8]) -> Result<Self, Malformed> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let members = reader.deserialize_map(MembersVisitor).map_err(|_| Malformed::Header)?;
        reader.end().map_err(|_| Malformed::Header)?;
        let Members { alg, kid, typ, cty, others } = members;
        if others.contains_key("enc") {
            return Err(Malformed::Encrypted);
        }
        // `b64` may only say what holds anyway (RFC 7797 §3).
        let encoded = others.get("b64").is_none_or(|b64| *b64 == Value::Bool(true));
        if others.contains_key("crit") || others.contains_key("zip") || !encoded {
            return Err(Malformed::Extension);
        }
        if kid.as_ref().is_some_and(|kid: &String| kid.len() > MAX_KID_LEN) {
            return Err(Malformed::Header);
        }
        let alg = alg.flatten().ok_or(Malformed::Algorithm)?;
        Ok(Header { alg, kid, typ, cty, others })
    }

    /// The algorithm the token names.
    pub const fn alg(&self) -> SignatureAlgorithm {
        self.alg
    }

    /// The id of the key the token names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What the token is (RFC 7515 §4.1.9), such as `at+jwt`.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// What the content is (RFC 7515 §4.1.10).
    pub fn cty(&self) -> Option<&str> {
        self.cty.as_deref()
    }

    /// Any other member, as it came: for the one protocol that gives it a meaning, such as `jwk` in a DPoP proof.
    pub fn other(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }
}

/// The members as they stand there.
#[derive(Default)]
struct Members {
    /// The inner `None` is an algorithm that is not in the list.
    alg: Option<Option<SignatureAlgorithm>>,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    others: Map<String, Value>,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = from.next_key_seed(strict::Text)? {
            let before = match &*name {
                "alg" => members.alg.replace(from.next_value_seed(strict::Text)?.parse().ok()).is_some(),
                "kid" => members.kid.replace(from.next_value_seed(strict::Text)?.into_owned()).is_some(),
                "typ" => members.typ.replace(from.next_value_seed(strict::Text)?.into_owned()).is_some(),
                "cty" => members.cty.replace(from.next_value_seed(strict::Text)?.into_owned()).is_some(),
                _ => {
                    members.others.insert(name.into_owned(), from.next_value_seed(strict::MEMBER)?).is_some()
                }
            };
            if before {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(members)
    }
}
