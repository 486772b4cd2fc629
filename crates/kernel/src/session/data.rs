//! The application's data in a session: any JSON, changed by merge patches (RFC 7396) on a known version.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest data in bytes of JSON text.
pub const MAX_DATA: usize = 64 * 1024;

/// How deep a value may nest: deeper texts are refused before they are walked.
const MAX_DEPTH: usize = 64;

/// The application's data and how often it changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Data {
    /// The JSON text.
    json: Box<str>,
    /// One more with every change; the `ETag`.
    version: u64,
}

/// Why data was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DataRefusal {
    /// It was changed since the version that the caller named.
    #[error("the data was changed meanwhile: it is at version {current}")]
    Stale {
        /// The version it has now.
        current: u64,
    },
    /// The result would be larger than allowed.
    #[error("the data would be larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The patch nests too deep.
    #[error("the data nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl Default for Data {
    fn default() -> Self {
        Data { json: "{}".into(), version: 0 }
    }
}

impl Data {
    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// How often it changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The data after this merge patch, if it still has the version the caller knows (any, when none is named).
    pub fn patched(&self, patch: &Value, expected: Option<u64>, limit: usize) -> Result<Data, DataRefusal> {
        if expected.is_some_and(|expected| expected != self.version) {
            return Err(DataRefusal::Stale { current: self.version });
        }
        if depth(patch) > MAX_DEPTH {
            return Err(DataRefusal::TooDeep);
        }
        let mut value = serde_json::from_str(&self.json).unwrap_or_default();
        merge(&mut value, patch);
        let json = value.to_string();
        if json.len() > limit {
            return Err(DataRefusal::TooLarge { limit });
        }
        Ok(Data { json: json.into(), version: self.version + 1 })
    }
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(target) = target {
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                merge(target.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merge_patches_follow_the_rfc() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut target = original.clone();
            merge(&mut target, &patch);
            assert_eq!(target, result, "{original} + {patch}");
        }
    }

    #[test]
    fn numbers_do_not_drift_when_others_change() {
        let number = "8.555555555555556e+47";
        let patch: Value = serde_json::from_str(&format!(r#"{{"number":{number}}}"#)).unwrap();
        let mut data = Data::default().patched(&patch, None, MAX_DATA).unwrap();
        for count in 0..10 {
            data = data.patched(&json!({"count": count}), None, MAX_DATA).unwrap();
        }
        assert_eq!(data.json(), format!(r#"{{"count":9,"number":{number}}}"#));
    }

    #[test]
    fn versions_and_limits_are_exact() {
        let data = Data::default();
        let value = json!({"a": "x".repeat(MAX_DATA - 8)});
        let full = data.patched(&value, Some(0), MAX_DATA).unwrap();
        assert_eq!((full.json().len(), full.version()), (MAX_DATA, 1));
        let more = json!({"a": "x".repeat(MAX_DATA - 7)});
        assert_eq!(data.patched(&more, None, MAX_DATA), Err(DataRefusal::TooLarge { limit: MAX_DATA }));
        assert_eq!(full.patched(&json!({}), Some(0), MAX_DATA), Err(DataRefusal::Stale { current: 1 }));
        let mut deep = json!(1);
        for _ in 0..MAX_DEPTH {
            deep = json!([deep]);
        }
        assert!(data.patched(&deep, None, MAX_DATA).is_ok());
        assert_eq!(data.patched(&json!([deep]), None, MAX_DATA), Err(DataRefusal::TooDeep));
    }
}
