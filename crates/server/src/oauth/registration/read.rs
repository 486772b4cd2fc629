//! What a client says of itself: read strictly, checked against the rules and, where it names an address, against what is there.

use gateward_kernel::oauth::client::BadMetadata;
use gateward_kernel::oauth::registration::SelfRules;
use gateward_kernel::oauth::{Metadata, OAuthCode, OAuthError, RedirectUri};
use serde_json::{Map, Value, json};
use url::Url;

use super::Call;
use crate::app::App;
use crate::face::form::is_of_type;
use crate::outbound::Wanted;

fn bad(description: impl Into<String>) -> BadMetadata {
    OAuthError::new(OAuthCode::InvalidClientMetadata, description.into())
}

/// A registration as it came: a JSON object. Members that are null count as left out (RFC 7592 §2.2).
pub(super) struct Sent(Map<String, Value>);

/// Reads the body of a call.
pub(super) fn body(call: &Call) -> Result<Sent, BadMetadata> {
    if !is_of_type(&call.headers, "application/json") {
        return Err(bad("the body must be application/json"));
    }
    let sent = object(&call.body).ok_or_else(|| bad("the body is no JSON object"))?;
    Ok(Sent(sent))
}

/// A JSON object without its members that are null.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else { return None };
    object.retain(|_, value| !value.is_null());
    Some(object)
}

impl Sent {
    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether a member is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The metadata, without what a client does not give itself.
    pub(super) fn metadata(self, rules: SelfRules) -> Result<Metadata, BadMetadata> {
        metadata(self.0)?.as_registered(rules)
    }
}

/// Reads metadata, and tells which member is not good.
pub(crate) fn metadata(object: Map<String, Value>) -> Result<Metadata, BadMetadata> {
    if let Some(uris) = object.get("redirect_uris") {
        let wrong =
            |why: &str| OAuthError::new(OAuthCode::InvalidRedirectUri, format!("redirect_uris: {why}"));
        for uri in uris.as_array().ok_or_else(|| wrong("it is no list"))? {
            let uri = uri.as_str().ok_or_else(|| wrong("one is no text"))?;
            RedirectUri::read(uri).map_err(|problem| wrong(&problem.to_string()))?;
        }
    }
    for (name, value) in &object {
        let alone = json!({ name.as_str(): value });
        if serde_json::from_value::<Metadata>(alone).is_err() {
            // What nobody here knows is passed over, so this is a member of ours.
            return Err(bad(format!("{name} has a value that is not known here")));
        }
    }
    serde_json::from_value(Value::Object(object)).map_err(|_| bad("the metadata cannot be read"))
}

/// Checks metadata by itself, and the addresses in it that are asked from here.
pub(crate) async fn check(app: &App, metadata: &Metadata) -> Result<(), BadMetadata> {
    metadata.check(app.oauth.clients.rules())?;
    let asked = [
        ("jwks_uri", metadata.jwks_uri.as_deref()),
        ("sector_identifier_uri", metadata.sector_identifier_uri.as_deref()),
        ("backchannel_logout_uri", metadata.backchannel_logout_uri.as_deref()),
    ];
    let requests = metadata.request_uris.iter().map(|uri| ("request_uris", Some(uri.as_str())));
    for (name, uri) in asked.into_iter().chain(requests) {
        let Some(uri) = uri else { continue };
        let url = Url::parse(uri).map_err(|_| bad(format!("{name} is no address")))?;
        app.outbound.may_ask(&url).map_err(|_| bad(format!("{name} leads to no public server")))?;
    }
    match &metadata.sector_identifier_uri {
        Some(uri) => check_sector(app, metadata, uri).await,
        None => Ok(()),
    }
}

/// Every redirect URI must be in the list of the sector (OpenID Connect Registration §5): otherwise anybody could learn under which
/// names the clients of a sector know people.
async fn check_sector(app: &App, metadata: &Metadata, uri: &str) -> Result<(), BadMetadata> {
    let url = Url::parse(uri).map_err(|_| bad("sector_identifier_uri is no address"))?;
    let fetched = match app.outbound.get(&url, Wanted::JSON).await {
        Ok(fetched) => fetched.ok(),
        Err(error) => Err(error),
    };
    let fetched = fetched.map_err(|error| {
        let at = url.origin().ascii_serialization();
        tracing::warn!(at, %error, "the list of a sector could not be fetched");
        bad("what is at sector_identifier_uri could not be fetched")
    })?;
    let listed: Vec<String> = serde_json::from_slice(&fetched.body)
        .map_err(|_| bad("what is at sector_identifier_uri is no list of texts"))?;
    if metadata.redirect_uris.is_empty() {
        return Err(bad("sector_identifier_uri is for clients with redirect URIs"));
    }
    match metadata.redirect_uris.iter().all(|own| listed.iter().any(|other| own.as_str() == other)) {
        true => Ok(()),
        false => Err(bad("a redirect URI is not in the list at sector_identifier_uri")),
    }
}
