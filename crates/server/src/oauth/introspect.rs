//! `POST /oauth/introspect` (RFC 7662): says what a token is, to those who may know. Whatever is not active is the same answer.

use std::borrow::Cow;

use gateward_guard::{Accountable, People};
use gateward_kernel::claims::StandardScope;
use gateward_kernel::confirmation::Confirmation;
use gateward_kernel::grant::RefreshToken;
use gateward_kernel::oauth::client::SubjectType;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Answered, Call, Trouble, json_answer};
use super::client_auth;
use super::id_token::sign_for;
use crate::tokens::bearer::{self, Inspected};

/// `POST /oauth/introspect`
pub async fn answer(call: Call) -> Answered {
    let caller = client_auth::authenticate(&call).await?;
    let caller = &caller.record;
    if !caller.is_confidential() {
        return Err(OAuthError::new(
            OAuthCode::UnauthorizedClient,
            "a client that proves nothing cannot introspect",
        )
        .into());
    }
    let token = call.required("token")?;
    if let Ok(token) = RefreshToken::read(token.as_bytes()) {
        let told = Box::pin(refresh_token(&call, caller, &token)).await?;
        return tell(&call, caller, &told.unwrap_or_else(inactive));
    }
    let found = match bearer::inspect_in_memory(&call.app, token.as_bytes(), call.now) {
        Some(found) => found,
        None => Box::pin(bearer::inspect(&call.app, token.as_bytes(), call.now)).await?,
    };
    let Some(found) = found.filter(|found| may_know(caller, found)) else {
        return tell(&call, caller, &inactive());
    };
    // The client may have been taken away.
    match call.app.oauth.clients.find_or_first_party(&found.facts.client, call.now).await? {
        None => tell(&call, caller, &inactive()),
        Some(client) => tell(&call, caller, &active(&call, caller, &found, client.as_deref())),
    }
}

fn inactive() -> Value {
    json!({ "active": false })
}

fn tell(call: &Call, caller: &Client, told: &impl Serialize) -> Answered {
    match wants_jwt(call) {
        true => signed(call, caller, told),
        false => json_answer(http::StatusCode::OK, told),
    }
}

/// Whether the caller may know what the person is called here: a resource that checks everybody's tokens, and whoever was granted names. A
/// client that knows people by a name of its sector never learns the one that all others know.
fn may_name(caller: &Client, found: &Inspected) -> bool {
    let metadata = &caller.metadata;
    let is_own = found.facts.client == caller.client_id;
    let is_pairwise = metadata.subject_type == Some(SubjectType::Pairwise);
    !(is_own && is_pairwise)
        && (metadata.gateward_introspects || found.facts.scope.has(StandardScope::Profile.name()))
}

/// Who asked for the token, who it is for, or who checks tokens for everybody (RFC 7662 §4).
fn may_know(caller: &Client, found: &Inspected) -> bool {
    let metadata = &caller.metadata;
    let is_resource = || metadata.gateward_resources.iter().any(|own| found.facts.is_for(own));
    let is_named = || found.facts.is_for(&caller.client_id);
    found.facts.client == caller.client_id
        || metadata.gateward_introspects && (is_resource() || metadata.gateward_resources.is_empty())
        || is_named()
}

/// What is told of an access token that is active (RFC 7662 §2.2).
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    iss: &'a str,
    client_id: &'a str,
    token_type: &'static str,
    exp: i64,
    iat: i64,
    aud: Audiences<'a>,
    sub: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: &'a Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a Value>,
}

/// One name, or a list of several.
#[derive(Serialize)]
#[serde(untagged)]
enum Audiences<'a> {
    One(&'a str),
    All(&'a [Box<str>]),
}

/// `client` is the one the token was issued to; nothing for people's own apps.
fn active<'a>(
    call: &'a Call,
    caller: &Client,
    found: &'a Inspected,
    client: Option<&Loaded<Client>>,
) -> Active<'a> {
    let facts = &found.facts;
    let person = found.person.as_ref().map(|person| person.person());
    Active {
        active: true,
        iss: call.app.tokens.mint.issuer(),
        client_id: &facts.client,
        token_type: if facts.confirmation.jkt.is_some() { "DPoP" } else { "Bearer" },
        exp: facts.expires.seconds(),
        iat: facts.issued.seconds(),
        aud: match facts.audiences.as_slice() {
            [one] => Audiences::One(one),
            all => Audiences::All(all),
        },
        sub: match (person, client) {
            (Some(person), Some(client)) => call.app.oauth.subject(&client.record, person.id).into(),
            (Some(person), None) => person.id.to_string().into(),
            (None, _) => Cow::Borrowed(&facts.client),
        },
        username: person.filter(|_| may_name(caller, found)).map(|person| person.name.as_str()),
        scope: &facts.scope,
        cnf: Some(&facts.confirmation).filter(|bound| !bound.is_none()),
        jti: facts.jti.as_deref(),
        acr: facts.acr.as_deref(),
        act: facts.act.as_ref(),
        auth_time: facts.authenticated.map(Moment::seconds),
        authorization_details: found
            .grant
            .as_ref()
            .and_then(|grant| grant.record.extent.as_ref()?.details.as_ref()),
    }
}

/// Only for the client that holds it.
async fn refresh_token(call: &Call, caller: &Client, token: &RefreshToken) -> Result<Option<Value>, Trouble> {
    let (app, now) = (&call.app, call.now);
    let Some((grant, generation)) = app.tokens.grants.of_token(token, now).await? else { return Ok(None) };
    let grant = &grant.record;
    if grant.client != caller.client_id || generation != grant.generation {
        return Ok(None);
    }
    let Some(person) = app.sessions.people().load(grant.person, now).await? else { return Ok(None) };
    if !grant.is_alive(Some(person.validity()), now) {
        return Ok(None);
    }
    if let Some(session) = grant.session {
        let session = app.sessions.book().load(session, now).await?;
        let standing = session
            .map(|session| session.record.check_with(Some(person.validity()), now, app.sessions.policy()));
        if standing != Some(gateward_kernel::session::Standing::Alive) {
            return Ok(None);
        }
    }
    Ok(Some(json!({
        "active": true,
        "iss": app.tokens.mint.issuer(),
        "client_id": grant.client,
        "sub": app.oauth.subject(caller, grant.person),
        "scope": grant.scope.to_string(),
        "iat": grant.rotated.seconds(),
        "exp": grant.expires().seconds(),
        "token_type": "refresh_token",
    })))
}

/// Whether the answer is to be signed (RFC 9701 §4).
fn wants_jwt(call: &Call) -> bool {
    let mut accepted =
        call.headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/token-introspection+jwt"))
}

fn signed(call: &Call, caller: &Client, told: &impl Serialize) -> Answered {
    let algorithm =
        caller.metadata.introspection_signed_response_alg.unwrap_or_else(|| caller.metadata.id_token_alg());
    let claims = json!({
        "iss": call.app.tokens.mint.issuer(),
        "aud": caller.client_id,
        "iat": call.now.seconds(),
        "token_introspection": told,
    });
    let token = sign_for(&call.app, caller, "token-introspection+jwt", algorithm, &claims, call.now)?;
    super::call::text_answer("application/token-introspection+jwt", token)
}
