//! Client metadata by the names of RFC 7591, as a table.

use gateward_kernel::oauth::Metadata;
use serde_json::{Map, Number, Value as Json};

use crate::config::definition::{Kind, Value};
use crate::config::given::{Given, What};
use crate::config::problem::{Place, Problem};

/// What is said of a client (RFC 7591 §2): members of JSON, written in TOML.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientMetadata(Map<String, Json>);

impl ClientMetadata {
    /// The members.
    pub const fn members(&self) -> &Map<String, Json> {
        &self.0
    }
}

const ALLOWED: &str =
    "a table of client metadata such as { redirect_uris = [\"https://app.example.com/callback\"] }";

impl Value for ClientMetadata {
    fn kind() -> Kind {
        Kind {
            allowed: ALLOWED.to_owned(),
            brief: "table of RFC 7591".to_owned(),
            secret: false,
            items: None,
        }
    }

    fn read(given: &Given, place: &Place) -> Result<Self, Vec<Problem>> {
        let members = match &given.what {
            What::Bare(text) if text.is_empty() => return Ok(ClientMetadata::default()),
            What::Table(_) => json(given),
            _ => return Err(vec![place.bad_value(given, "is not a table", ALLOWED)]),
        };
        let Json::Object(members) = members else { return Ok(ClientMetadata::default()) };
        match serde_json::from_value::<Metadata>(Json::Object(members.clone())) {
            Ok(_) => Ok(ClientMetadata(members)),
            Err(error) => Err(vec![place.problem(given, format!("this is no client metadata: {error}"))]),
        }
    }

    fn show(&self) -> toml::Value {
        match self.0.is_empty() {
            true => toml::Value::String(String::new()),
            false => toml::Value::try_from(&self.0).unwrap_or_else(|_| toml::Value::String(String::new())),
        }
    }
}

fn json(given: &Given) -> Json {
    match &given.what {
        What::Bare(text) | What::Quoted(text) | What::Other(text) => text.as_str().into(),
        What::Number(text) => {
            text.parse::<i64>().map_or_else(|_| text.as_str().into(), |number| Number::from(number).into())
        }
        What::Truth(truth) => (*truth).into(),
        What::List(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        What::Table(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect::<Map<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileText, Settings, Sources, load};

    fn read(text: &str) -> Result<Settings, String> {
        let file = FileText { name: "test.toml".into(), text: text.into() };
        let loaded = load(&Sources { file: Some(file), ..Sources::default() });
        loaded
            .map(|loaded| loaded.settings)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_table_becomes_json_by_its_own_names() {
        let settings = read(
            "[[client]]\nid = \"app\"\nmetadata = { redirect_uris = [\"https://app.example/cb\"], default_max_age = 60, \
             dpop_bound_access_tokens = true, jwks = { keys = [{ kty = \"EC\" }] } }\n",
        )
        .unwrap();
        let told = Json::Object(settings.client[0].metadata.members().clone());
        assert_eq!(
            told,
            serde_json::json!({
                "redirect_uris": ["https://app.example/cb"],
                "default_max_age": 60,
                "dpop_bound_access_tokens": true,
                "jwks": {"keys": [{"kty": "EC"}]},
            })
        );
        assert!(settings.client[0].metadata.show().is_table());
    }

    #[test]
    fn what_is_no_metadata_is_told_where_it_stands() {
        for (text, part) in [
            ("metadata = 1", "is not a table"),
            ("metadata = \"x\"", "is not a table"),
            ("metadata = { redirect_uris = [\"http://app.example/cb\"] }", "http"),
            ("metadata = { grant_types = [\"password\"] }", "no client metadata"),
            ("secret_file = \"x\"", "one of them"),
        ] {
            let told = read(&format!("[[client]]\nid = \"app\"\n{text}\n")).unwrap_err();
            assert!(told.contains("client[1]") && told.contains(part), "{text}: {told}");
        }
        let twice = "[[client]]\nid = \"app\"\nmetadata_file = \"a\"\n".repeat(2);
        assert!(read(&twice).unwrap_err().contains("client[1] already"));
        assert!(read("[[client]]\nid = \"a b\"\nmetadata_file = \"a\"\n").unwrap_err().contains("client_id"));
    }
}
