//! `POST /oauth/introspect` (RFC 7662): says what a token is, to those who may know. Whatever is not active is the same answer.

use gateward_guard::{Accountable, People};
use gateward_kernel::claims::StandardScope;
use gateward_kernel::grant::RefreshToken;
use gateward_kernel::oauth::client::SubjectType;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use serde_json::{Map, Value, json};

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
    let found = facts(&call, caller).await?;
    let told = found.unwrap_or_else(|| Map::from_iter([("active".to_owned(), false.into())]));
    if wants_jwt(&call) {
        return signed(&call, caller, &told);
    }
    json_answer(http::StatusCode::OK, &told)
}

/// What may be told of the token, if it is active and the caller's business.
async fn facts(call: &Call, caller: &Client) -> Result<Option<Map<String, Value>>, Trouble> {
    let token = call.required("token")?;
    if let Ok(token) = RefreshToken::read(token.as_bytes()) {
        return refresh_token(call, caller, &token).await;
    }
    let found = match bearer::inspect_in_memory(&call.app, token.as_bytes(), call.now) {
        Some(found) => found,
        None => bearer::inspect(&call.app, token.as_bytes(), call.now).await?,
    };
    let Some(found) = found else { return Ok(None) };
    if !may_know(call, caller, &found) {
        return Ok(None);
    }
    access_token(call, caller, &found).await
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
fn may_know(call: &Call, caller: &Client, found: &Inspected) -> bool {
    let metadata = &caller.metadata;
    let is_resource = || metadata.gateward_resources.iter().any(|own| found.facts.is_for(own));
    let is_named = || found.facts.is_for(&caller.client_id);
    let _ = call;
    found.facts.client == caller.client_id
        || metadata.gateward_introspects && (is_resource() || metadata.gateward_resources.is_empty())
        || is_named()
}

async fn access_token(
    call: &Call,
    caller: &Client,
    found: &Inspected,
) -> Result<Option<Map<String, Value>>, Trouble> {
    let facts = &found.facts;
    // The client may have been taken away.
    let Some(client) = call.app.oauth.clients.find_or_first_party(&facts.client, call.now).await? else {
        return Ok(None);
    };
    let mut told = Map::new();
    let mut put = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    put("active", true.into());
    put("iss", call.app.tokens.mint.issuer().into());
    put("client_id", (*facts.client).into());
    put("token_type", if facts.confirmation.jkt.is_some() { "DPoP" } else { "Bearer" }.into());
    put("exp", facts.expires.seconds().into());
    put("iat", facts.issued.seconds().into());
    put(
        "aud",
        match facts.audiences.as_slice() {
            [one] => (**one).into(),
            all => all.iter().map(|one| Value::from(&**one)).collect::<Vec<_>>().into(),
        },
    );
    if !facts.scope.is_empty() {
        put("scope", facts.scope.to_string().into());
    }
    if !facts.confirmation.is_none() {
        put("cnf", json!(facts.confirmation));
    }
    for (name, value) in [("jti", &facts.jti), ("acr", &facts.acr)] {
        if let Some(text) = value {
            put(name, (**text).into());
        }
    }
    if let Some(act) = &facts.act {
        put("act", act.clone());
    }
    if let Some(at) = facts.authenticated {
        put("auth_time", at.seconds().into());
    }
    match &found.person {
        Some(person) => {
            let person = person.person();
            put(
                "sub",
                match &client {
                    Some(client) => call.app.oauth.subject(&client.record, person.id),
                    None => person.id.to_string(),
                }
                .into(),
            );
            if may_name(caller, found) {
                put("username", person.name.as_str().into());
            }
        }
        None => put("sub", (*facts.client).into()),
    }
    let details = found.grant.as_ref().and_then(|grant| grant.record.extent.as_ref()?.details.clone());
    if let Some(details) = details {
        put("authorization_details", details);
    }
    Ok(Some(told))
}

/// Only for the client that holds it.
async fn refresh_token(
    call: &Call,
    caller: &Client,
    token: &RefreshToken,
) -> Result<Option<Map<String, Value>>, Trouble> {
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
    let told = json!({
        "active": true,
        "iss": app.tokens.mint.issuer(),
        "client_id": grant.client,
        "sub": app.oauth.subject(caller, grant.person),
        "scope": grant.scope.to_string(),
        "iat": grant.rotated.seconds(),
        "exp": grant.expires().seconds(),
        "token_type": "refresh_token",
    });
    Ok(told.as_object().cloned())
}

/// Whether the answer is to be signed (RFC 9701 §4).
fn wants_jwt(call: &Call) -> bool {
    let mut accepted =
        call.headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/token-introspection+jwt"))
}

fn signed(call: &Call, caller: &Client, told: &Map<String, Value>) -> Answered {
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
