//! JSON as JOSE wants it: one object, no member named twice at any level (RFC 7515 §4, RFC 7519 §4), a bounded depth,
//! nothing after it. What two readers could understand differently is refused instead of guessed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deeply objects and lists may nest.
pub const MAX_DEPTH: u8 = 16;

/// The bytes are not one JSON object that everybody reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a single JSON object with every member named once and at most {MAX_DEPTH} levels")]
pub struct NotStrict;

/// Reads one JSON object. The caller has bounded the length of `bytes`.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotStrict> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Level(MAX_DEPTH).deserialize(&mut reader).map_err(|_| NotStrict)?;
    reader.end().map_err(|_| NotStrict)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(NotStrict),
    }
}

/// The members of an object: those of two lists of names, in the order of the names, and the others.
pub(super) type Apart<const N: usize, const M: usize> =
    ([Option<Value>; N], [Option<Value>; M], Map<String, Value>);

/// Reads one JSON object, with its members of these names apart; no name is in both lists. The caller has bounded the length
/// of `bytes`.
pub(super) fn object_with<const N: usize, const M: usize>(
    bytes: &[u8],
    first: &[&str; N],
    second: &[&str; M],
) -> Result<Apart<N, M>, NotStrict> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let members = reader.deserialize_map(Named(first, second)).map_err(|_| NotStrict)?;
    reader.end().map_err(|_| NotStrict)?;
    Ok(members)
}

/// Reads the value of a member of an object that is read elsewhere.
pub(super) const MEMBER: Level = Level(MAX_DEPTH - 1);

/// Reads a value that may nest this many levels.
#[derive(Clone, Copy)]
pub(super) struct Level(u8);

impl Level {
    fn below<E: Error>(self) -> Result<Level, E> {
        self.0.checked_sub(1).map(Level).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(below)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

/// Reads an object, with the members of these names apart.
struct Named<'a, const N: usize, const M: usize>(&'a [&'a str; N], &'a [&'a str; M]);

impl<'de, const N: usize, const M: usize> Visitor<'de> for Named<'_, N, M> {
    type Value = Apart<N, M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let (mut first, mut second, mut others) = ([const { None }; N], [const { None }; M], Map::new());
        while let Some(name) = from.next_key_seed(Text)? {
            let value = from.next_value_seed(MEMBER)?;
            let place = place(self.0, &mut first, &name).or_else(|| place(self.1, &mut second, &name));
            let before = match place {
                Some(place) => place.replace(value),
                None => others.insert(name.into_owned(), value),
            };
            if before.is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok((first, second, others))
    }
}

fn place<'a, V>(names: &[&str], values: &'a mut [V], name: &str) -> Option<&'a mut V> {
    names.iter().position(|known| *known == name).and_then(|index| values.get_mut(index))
}

/// Reads a text, without a copy where it holds no escapes.
#[derive(Clone, Copy)]
pub(super) struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#"{"a":[1,-2,2.5,true,null,"\u00e9"],"b":{"c":{}}}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            " ",
            "null",
            "[]",
            "\"a\"",
            "{}{}",
            "{} x",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"b\":{\"a\":1,\"a\":2}}",
            "{\"b\":[{\"a\":1,\"a\":2}]}",
            "{\"a\":1e999}",
            "{\"a\":NaN}",
            "{'a':1}",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            assert_eq!(object(text.as_bytes()), Err(NotStrict), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(NotStrict));
        assert_eq!(object(b"{\"\xc0\xaf\":1}"), Err(NotStrict));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| {
            let inner = levels - 1;
            format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
        };
        assert!(object(nested(15).as_bytes()).is_ok());
        assert!(object(nested(16).as_bytes()).is_ok());
        assert_eq!(object(nested(17).as_bytes()), Err(NotStrict));
        assert_eq!(object(nested(8_000).as_bytes()), Err(NotStrict));
    }

    #[test]
    fn members_of_known_names_come_apart() {
        let text = br#"{"b":1,"c":null,"a":"x","other":[2]}"#;
        let ([a, none], [b, c], others) = object_with(text, &["a", "z"], &["b", "c"]).unwrap();
        assert_eq!((a, none, b, c), (Some("x".into()), None, Some(1.into()), Some(Value::Null)));
        assert_eq!(Value::Object(others), serde_json::json!({"other": [2]}));
        for twice in [r#"{"a":1,"a":1}"#, r#"{"b":null,"b":null}"#, r#"{"d":1,"d":1}"#, r#"{"a":1} "#] {
            let read = object_with(twice.as_bytes(), &["a"], &["b"]);
            assert_eq!(read.is_err(), !twice.ends_with(' '), "{twice}");
        }
        assert_eq!(object_with(b"[]", &["a"], &["b"]).unwrap_err(), NotStrict);
        assert_eq!(object_with(b"{} {}", &["a"], &["b"]).unwrap_err(), NotStrict);
    }
}
