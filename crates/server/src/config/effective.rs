//! The listing of effective values that `gateward config` prints.

use serde::Serialize;

use super::problem::Origin;

/// One effective setting. The value is in TOML, a secret masked as `******`.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The dotted key: `sessions.idle`; the keys of a list of tables are numbered from 1: `app[1].host`.
    pub key: String,
    /// The value.
    pub value: toml::Value,
    /// Where it comes from.
    pub origin: Origin,
}

#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    value: &'a toml::Value,
    origin: String,
}

/// The listing as aligned text, one setting a line: key, value in TOML, origin. Ends with a line break.
pub fn to_text(effective: &[Effective]) -> String {
    // A long value must not push every origin off the screen.
    const WIDEST_VALUE: usize = 40;
    let values: Vec<String> = effective.iter().map(|one| one.value.to_string()).collect();
    let width = |text: &str| text.chars().count();
    let key_width = effective.iter().map(|one| width(&one.key)).max().unwrap_or_default();
    let value_widths = values.iter().map(|value| width(value)).filter(|width| *width <= WIDEST_VALUE);
    let value_width = value_widths.max().unwrap_or_default();
    let mut text = String::new();
    for (one, value) in effective.iter().zip(values) {
        let line = format!("{:key_width$}  {value:value_width$}  {}\n", one.key, one.origin);
        text.push_str(&line);
    }
    text
}

/// The listing as a JSON array of `{"key", "value", "origin"}`.
pub fn to_json(effective: &[Effective]) -> serde_json::Value {
    let shown = effective.iter().map(|one| {
        serde_json::to_value(Shown { key: &one.key, value: &one.value, origin: one.origin.to_string() })
            .unwrap_or_default()
    });
    serde_json::Value::Array(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Vec<Effective> {
        let file = Origin::File { name: "gateward.toml".into(), line: Some(12) };
        vec![
            Effective { key: "listen".into(), value: "127.0.0.1:8080".into(), origin: Origin::Default },
            Effective { key: "sessions.per_person".into(), value: 5.into(), origin: file },
        ]
    }

    #[test]
    fn text_is_aligned() {
        let expected = "listen               \"127.0.0.1:8080\"  default\n\
                        sessions.per_person  5                 file gateward.toml:12\n";
        assert_eq!(to_text(&listing()), expected);
        assert_eq!(to_text(&[]), "");
    }

    #[test]
    fn json_keeps_the_types() {
        let expected = serde_json::json!([
            { "key": "listen", "value": "127.0.0.1:8080", "origin": "default" },
            { "key": "sessions.per_person", "value": 5, "origin": "file gateward.toml:12" },
        ]);
        assert_eq!(to_json(&listing()), expected);
    }
}
