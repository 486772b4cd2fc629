//! Which scopes and which resources an access token is for, of what a client asks.

use std::time::Duration;

use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::token::{Audience, MAX_AUDIENCES, Scope};

use crate::app::App;
use crate::config::TokenFormat;
use crate::tokens::mint::Terms;
use crate::tokens::resource::{Resource, Resources};

/// What an access token is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its resources.
    pub audience: Audience,
    /// What it allows there.
    pub scope: Scope,
    /// Of what was asked for, which may be more: an ID token goes by this.
    pub asked: Scope,
    /// What it is.
    pub terms: Terms,
}

/// What happens to a scope that there is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// It is passed over (OpenID Connect Core §3.1.2.1).
    PassedOver,
    /// It is an error (RFC 6749 §5.2).
    Refused,
}

/// The scopes of these that there are for this client.
pub fn known(app: &App, client: &Client, asked: &Scope, unknown: Unknown) -> Result<Scope, OAuthError> {
    let resources = &app.tokens.resources;
    let there =
        allowed(resources, client).fold(resources.userinfo().scopes.clone(), |all, one| all.or(&one.scopes));
    let there = match &client.metadata.scope {
        Some(own) => there.and(own),
        None => there,
    };
    let granted = asked.and(&there);
    if unknown == Unknown::Refused && !granted.covers(asked) {
        return Err(OAuthError::new(OAuthCode::InvalidScope, "a scope is unknown, or not for this client"));
    }
    Ok(granted)
}

/// The resources of the settings that this client may ask for.
fn allowed<'a>(resources: &'a Resources, client: &'a Client) -> impl Iterator<Item = &'a Resource> {
    let own = &client.metadata.gateward_resources;
    let fits =
        move |resource: &&Resource| own.is_empty() || own.iter().any(|name| resource.audience.has(name));
    resources.others().iter().filter(fits)
}

/// The resources that a request names (RFC 8707 §2), each of them there and for this client.
pub fn named<'a>(
    app: &App,
    client: &Client,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<Box<str>>, OAuthError> {
    let mut all: Vec<Box<str>> = Vec::new();
    for name in names {
        let is_there = app.tokens.resources.userinfo().audience.has(name)
            || allowed(&app.tokens.resources, client).any(|resource| resource.audience.has(name));
        if !is_there || name.contains('#') {
            return Err(OAuthError::new(
                OAuthCode::InvalidTarget,
                "a resource is unknown, or not for this client",
            ));
        }
        if !all.iter().any(|other| **other == *name) {
            all.push(name.into());
        }
    }
    match all.len() > MAX_AUDIENCES {
        true => Err(OAuthError::new(OAuthCode::InvalidTarget, "more than eight resources are named")),
        false => Ok(all),
    }
}

/// What an access token with these scopes is for: the resources that are named, else all that have one of the scopes; and
/// UserInfo where `openid` is among them or there is nothing else.
pub fn target(app: &App, client: &Client, scope: &Scope, named: &[Box<str>]) -> Result<Target, OAuthError> {
    let resources = &app.tokens.resources;
    let userinfo = resources.userinfo();
    let is_meant = |resource: &&Resource| match named.is_empty() {
        true => !resource.scopes.and(scope).is_empty(),
        false => named.iter().any(|name| resource.audience.has(name)),
    };
    let mut meant: Vec<&Resource> = allowed(resources, client).filter(is_meant).collect();
    let is_named = named.iter().any(|name| userinfo.audience.has(name));
    if meant.is_empty() || is_named || (named.is_empty() && scope.has("openid")) {
        meant.push(userinfo);
    }
    let there = meant.iter().fold(Scope::NONE, |all, one| all.or(&one.scopes));
    let (asked, scope) = (scope.clone(), scope.and(&there));
    let names = meant.iter().flat_map(|resource| resource.audience.iter()).take(MAX_AUDIENCES);
    let audience = Audience::all(names)
        .map_err(|_| OAuthError::new(OAuthCode::InvalidTarget, "the resources cannot be named"))?;
    Ok(Target { audience, scope, asked, terms: terms(client, &meant) })
}

/// The strictest of all: opaque when any of them wants that, and as short as the shortest.
fn terms(client: &Client, meant: &[&Resource]) -> Terms {
    let metadata = &client.metadata;
    let first = meant.first().map(|resource| resource.terms());
    let mut terms = first.unwrap_or(Terms {
        format: TokenFormat::Opaque,
        lifetime: Duration::from_secs(300),
        algorithm: metadata.id_token_alg(),
    });
    for resource in meant {
        terms.lifetime = terms.lifetime.min(resource.lifetime);
        if resource.format == TokenFormat::Opaque {
            terms.format = TokenFormat::Opaque;
        }
    }
    match metadata.gateward_access_token_format.as_deref() {
        Some("opaque") => terms.format = TokenFormat::Opaque,
        Some("jwt") => terms.format = TokenFormat::Jwt,
        _ => {}
    }
    // A JWT would say who somebody is by the name that every other client knows, too.
    if metadata.subject_type == Some(gateward_kernel::oauth::client::SubjectType::Pairwise) {
        terms.format = TokenFormat::Opaque;
    }
    if let Some(own) = metadata.gateward_access_token_lifetime {
        terms.lifetime = terms.lifetime.min(Duration::from_secs(own));
    }
    terms
}
