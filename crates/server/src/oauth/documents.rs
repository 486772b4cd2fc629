//! Clients that are named by the address of their metadata (OAuth Client ID Metadata Document,
//! draft-ietf-oauth-client-id-metadata-document): nobody registers them, the document at their `client_id` does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::oauth::client::{AuthMethod, BadMetadata, Origin, Rules};
use gateward_kernel::oauth::registration::SelfRules;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::ports::Version;
use gateward_kernel::record::{Loaded, Record};
use gateward_kernel::time::Moment;
use serde_json::Value;
use url::Url;

use super::registration::read;
use crate::outbound::kept::{Had, Kept};
use crate::outbound::{Outbound, OutboundError, Wanted};

/// A document is at most so long, in bytes.
const LARGEST: usize = 16 * 1024;
const WANTED: Wanted = Wanted { largest: LARGEST, ..Wanted::JSON };
/// How long a document is kept that says nothing of it; and the bounds of what it may say.
const DEFAULT_KEPT: Duration = Duration::from_secs(15 * 60);
const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// The most documents that are known, the most bytes they may have together, and how many are fetched at the same time.
const MOST: usize = 1000;
const BUDGET: usize = 16 * 1024 * 1024;
const AT_ONCE: usize = 32;

/// The clients that are named so.
#[derive(Debug)]
pub struct Documents {
    outbound: Arc<Outbound>,
    kept: Kept<Arc<Loaded<Client>>>,
}

impl Documents {
    /// Knows none as yet.
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Documents { outbound, kept: Kept::new(MOST, BUDGET, AT_ONCE) }
    }

    /// The client that memory knows by this name.
    pub fn hit(&self, client_id: &str, now: Moment) -> Option<Arc<Loaded<Client>>> {
        self.kept.hit(client_id, now)
    }

    /// The client that the document at its name describes, if there is a good one.
    pub async fn find(&self, client_id: &str, rules: &Rules, now: Moment) -> Option<Arc<Loaded<Client>>> {
        let url = address(client_id)?;
        let fetch = async {
            match self.fetch(client_id, &url, rules, now).await {
                Ok(had) => Some(had),
                Err(error) => {
                    let at = url.origin().ascii_serialization();
                    tracing::warn!(at, %error, "the metadata of a client could not be had from its address");
                    None
                }
            }
        };
        self.kept.get(client_id, now, fetch).await
    }

    async fn fetch(
        &self,
        client_id: &str,
        url: &Url,
        rules: &Rules,
        now: Moment,
    ) -> Result<Had<Arc<Loaded<Client>>>, OutboundError> {
        let fetched = self.outbound.get(url, WANTED).await?.ok()?;
        if !fetched.is("application/json") && !fetched.content_type.contains("+json") {
            return Err(OutboundError::Malformed("no JSON"));
        }
        let kept = fetched.max_age.unwrap_or(DEFAULT_KEPT).clamp(KEPT.0, KEPT.1);
        let client = read(client_id, &fetched.body, rules, now).map_err(|problem| {
            tracing::info!(client = client_id, problem = %problem.description, "the metadata at a client's address is not good");
            OutboundError::Malformed("no metadata of this client")
        })?;
        let weight = client.weight();
        Ok(Had { value: Arc::new(Loaded::new(client, Version(0))), weight, kept })
    }
}

/// The address that a `client_id` is: https, with a path, without anything that could be written in two ways (§3 of the draft).
fn address(client_id: &str) -> Option<Url> {
    let url = Url::parse(client_id).ok()?;
    let is_good = url.scheme() == "https"
        && url.as_str() == client_id
        && url.path().len() > 1
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_good.then_some(url)
}

/// Reads a document: it must name its own address, and hold nothing that is a secret (§4 of the draft).
fn read(client_id: &str, body: &Bytes, rules: &Rules, now: Moment) -> Result<Client, BadMetadata> {
    let bad = |why: &'static str| OAuthError::new(OAuthCode::InvalidClientMetadata, why);
    let mut object = read::object(body).ok_or_else(|| bad("the document is no JSON object"))?;
    if object.get("client_id").and_then(Value::as_str) != Some(client_id) {
        return Err(bad("client_id in the document is another than its address"));
    }
    if ["client_secret", "client_secret_expires_at"].iter().any(|name| object.contains_key(*name)) {
        return Err(bad("there is a secret in the document"));
    }
    // Whoever says nothing of it cannot mean the default of registrations, which is a secret.
    object.entry("token_endpoint_auth_method").or_insert_with(|| AuthMethod::None.name().into());
    let mut metadata = read::metadata(object)?.as_registered(SelfRules::default())?;
    if !matches!(metadata.token_endpoint_auth_method, AuthMethod::None | AuthMethod::PrivateKeyJwt) {
        return Err(bad("token_endpoint_auth_method is neither none nor private_key_jwt"));
    }
    if metadata.sector_identifier_uri.is_some() {
        return Err(bad("sector_identifier_uri is for clients that register"));
    }
    if metadata.gateward_cors_origins.is_empty() {
        metadata
            .gateward_cors_origins
            .extend(Url::parse(client_id).map(|url| url.origin().ascii_serialization()));
    }
    metadata.check(rules)?;
    Ok(Client {
        client_id: client_id.into(),
        origin: Origin::Document,
        created: now,
        changed: now,
        expires: None,
        secrets: Vec::new(),
        registration: None,
        disabled: false,
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        Rules { algorithms: vec![gateward_kernel::jose::SignatureAlgorithm::Rs256], ..Rules::default() }
    }

    const ID: &str = "https://app.example/client.json";

    fn told(more: &Value) -> Result<Client, BadMetadata> {
        let mut all =
            json!({ "client_id": ID, "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(ID, &all.to_string().into(), &rules(), Moment::DAWN)
    }

    #[test]
    fn an_address_is_written_in_one_way_only() {
        for good in [ID, "https://app.example/c?v=1", "https://app.example:8443/a/b"] {
            assert!(address(good).is_some(), "{good}");
        }
        for odd in [
            "http://app.example/c",
            "https://app.example",
            "https://app.example/",
            "https://app.example/c#x",
            "https://ann@app.example/c",
            "https://ann:pw@app.example/c",
            "https://APP.example/c",
            "https://app.example:443/c",
            "https://app.example/a/../c",
            "https://app.example/./c",
            "https://app.example/%2e%2e/c",
            "https:app.example/c",
            "https://app.example\\c",
            " https://app.example/c",
            "urn:app",
            "app",
        ] {
            assert!(address(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_document_makes_a_client_without_a_secret_or_any_privilege() {
        let client = told(&json!({ "gateward_consent": "skip", "gateward_pkce_optional": true })).unwrap();
        assert!(!client.is_confidential() && client.secrets.is_empty());
        assert_eq!(client.metadata.gateward_consent, gateward_kernel::oauth::client::ConsentPolicy::Ask);
        assert!(!client.metadata.gateward_pkce_optional);
        assert_eq!(client.metadata.gateward_cors_origins, ["https://app.example"]);
        let by_key = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks" });
        assert!(told(&by_key).unwrap().is_confidential());
    }

    #[test]
    fn every_other_document_makes_none() {
        for bad in [
            json!({ "client_id": "https://app.example/other.json" }),
            json!({ "client_id": null }),
            json!({ "client_secret": "x" }),
            json!({ "client_secret_expires_at": 0 }),
            json!({ "token_endpoint_auth_method": "client_secret_basic" }),
            json!({ "token_endpoint_auth_method": "client_secret_jwt" }),
            json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example" }),
            json!({ "token_endpoint_auth_method": "private_key_jwt" }),
            json!({ "redirect_uris": [] }),
            json!({ "redirect_uris": ["http://app.example/cb"] }),
            json!({ "grant_types": ["client_credentials"], "response_types": [] }),
            json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "id_token"] }),
            json!({ "id_token_signed_response_alg": "HS256" }),
            json!({ "subject_type": "pairwise", "sector_identifier_uri": "https://other.example/sector" }),
        ] {
            assert!(told(&bad).is_err(), "{bad}");
        }
        for text in ["", "[]", "null", "{", "{}"] {
            assert!(read(ID, &Bytes::from(text), &rules(), Moment::DAWN).is_err(), "{text}");
        }
    }
}
