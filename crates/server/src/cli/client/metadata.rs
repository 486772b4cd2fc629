//! From what is said on the command line to client metadata (RFC 7591 §2).

use anyhow::{Context as _, anyhow, bail};
use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::oauth::Metadata;
use serde_json::{Map, Value, json};

use super::{Facts, Kind, text_of};
use crate::app::App;

/// The metadata of a client of this kind, of whom this is said besides.
pub(super) fn of_kind(app: &App, kind: Kind, facts: Facts) -> anyhow::Result<Metadata> {
    let mut all = defaults(app, kind);
    if kind == Kind::Spa && facts.origins.is_empty() {
        // Its pages are where its redirect URIs lead.
        merge(&mut all, &json!({"gateward_cors_origins": origins(&facts.redirect_uris)}));
    }
    merge(&mut all, &patch(facts)?);
    let metadata = read(all)?;
    check(app, &metadata)?;
    Ok(metadata)
}

fn defaults(app: &App, kind: Kind) -> Value {
    let mut all = match kind {
        Kind::Spa => json!({"application_type": "web", "token_endpoint_auth_method": "none"}),
        Kind::Web => json!({"application_type": "web"}),
        Kind::Native | Kind::Mcp => {
            json!({"application_type": "native", "token_endpoint_auth_method": "none"})
        }
        Kind::Service => return json!({"grant_types": ["client_credentials"], "response_types": []}),
    };
    merge(&mut all, &json!({"grant_types": ["authorization_code", "refresh_token"]}));
    let here = &app.oauth.clients.rules().algorithms;
    if let (false, Some(first)) = (here.contains(&SignatureAlgorithm::Rs256), here.first()) {
        merge(&mut all, &json!({"id_token_signed_response_alg": first.name()}));
    }
    all
}

fn origins(uris: &[String]) -> Vec<String> {
    let read = uris.iter().filter_map(|uri| url::Url::parse(uri).ok());
    let mut all: Vec<String> = read
        .map(|url| url.origin())
        .filter(url::Origin::is_tuple)
        .map(|origin| origin.ascii_serialization())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// What is said, as members of metadata.
pub(super) fn patch(facts: Facts) -> anyhow::Result<Value> {
    let mut all = match &facts.metadata {
        None => Map::new(),
        Some(file) => serde_json::from_str(&text_of(file)?)
            .with_context(|| format!("{} is no JSON object", file.display()))?,
    };
    let lists = [
        ("redirect_uris", facts.redirect_uris),
        ("post_logout_redirect_uris", facts.logout_uris),
        ("gateward_resources", facts.resources),
        ("gateward_cors_origins", facts.origins),
    ];
    let texts = [("client_name", facts.shown_name), ("scope", facts.scope)];
    let lists =
        lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, json!(list)));
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, json!(text?))));
    let consent = facts.skip_consent.then(|| ("gateward_consent", json!("skip")));
    for (name, value) in lists.chain(texts).chain(consent) {
        if all.insert(name.to_owned(), value).is_some() {
            bail!("{name} is in the metadata file, and said besides: say it once");
        }
    }
    Ok(Value::Object(all))
}

/// Puts members into others; null takes one away.
fn merge(into: &mut Value, patch: &Value) {
    let (Some(all), Some(members)) = (into.as_object_mut(), patch.as_object()) else { return };
    for (name, value) in members {
        match value.is_null() {
            true => drop(all.remove(name)),
            false => drop(all.insert(name.clone(), value.clone())),
        }
    }
}

/// The metadata with these members.
pub(super) fn merged(metadata: &Metadata, patch: &Value) -> anyhow::Result<Metadata> {
    let mut all = serde_json::to_value(metadata)?;
    merge(&mut all, patch);
    read(all)
}

fn read(all: Value) -> anyhow::Result<Metadata> {
    serde_json::from_value(all).context("this is no client metadata (RFC 7591, section 2)")
}

/// Refuses what cannot work here.
pub(super) fn check(app: &App, metadata: &Metadata) -> anyhow::Result<()> {
    metadata.check(app.oauth.clients.rules()).map_err(|problem| anyhow!("{}", problem.description))?;
    let resources = &app.tokens.resources;
    match metadata
        .gateward_resources
        .iter()
        .find(|name| !resources.others().iter().any(|own| own.audience.has(name)))
    {
        Some(name) => Err(anyhow!("no [[resource]] of the settings is called {name:?}")),
        None => Ok(()),
    }
}
