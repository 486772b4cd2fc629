//! Refreshing (RFC 6749 §6): a refresh token yields an access token and its own successor.

use std::sync::Arc;

use gateward_guard::{Accountable, People};
use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Grant, RefreshToken, Refreshed};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use gateward_kernel::token::Scope;

use crate::oauth::call::{Call, Trouble};
use crate::oauth::details;
use crate::oauth::issue::{self, Bound};
use crate::oauth::scopes::{self, Unknown};
use crate::oauth::token::Granted;

fn invalid() -> OAuthError {
    OAuthError::grant("the refresh token is not valid, or not valid any more")
}

/// Takes `refresh_token`, and `scope` and `resource` to ask for less.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let (app, now) = (&call.app, call.now);
    let token = RefreshToken::read(call.required("refresh_token")?.as_bytes()).map_err(|_| invalid())?;
    let (seen, generation) = app.tokens.grants.of_token(&token, now).await?.ok_or_else(invalid)?;
    let given = &seen.record;
    // A token of another client is as good as none, and is left alone.
    if given.client != client.record.client_id {
        return Err(invalid().into());
    }
    let bound = Bound::of(call, &client.record).await?;
    if !bound.shows(given) {
        return Err(invalid().into());
    }
    let session = match given.session {
        None => None,
        // A use of the grant is a use of its session.
        Some(id) => Some(app.sessions.touch(id, now).await?.ok_or_else(invalid)?.session),
    };
    let person = app.sessions.people().load(given.person, now).await?.ok_or_else(invalid)?;
    if given.ended.is_none() && !given.is_alive(Some(person.validity()), now) {
        return Err(invalid().into());
    }
    // Looked at before anything is spent.
    let (scope, named) = narrowed(call, &client.record, given)?;
    details::check(call, given.extent.as_ref().and_then(|extent| extent.details.as_ref()))?;
    let target = scopes::target(app, &client.record, &scope, &named)?;
    match app.tokens.grants.refresh(token.id, generation, now).await? {
        Some((grant, Refreshed::Rotated | Refreshed::Repeated)) => {
            let session = session.as_ref().map(|session| &session.record);
            let holder = issue::Of { client: &client.record, grant: &grant.record, session, person: &person };
            issue::to_person(call, holder, target, bound).await
        }
        Some((grant, Refreshed::Reused)) => {
            let mut event = call.event(Fact::RefreshTokenReused, Some(grant.record.person));
            event.session = grant.record.session;
            event.detail = Some(format!("client {}", grant.record.client));
            call.record(event).await;
            Err(invalid().into())
        }
        Some((_, Refreshed::Ended | Refreshed::Expired | Refreshed::Foreign)) | None => Err(invalid().into()),
    }
}

/// As much as was given, or less (RFC 6749 §6, RFC 8707 §2.2): what was taken from the client meanwhile is no longer so.
fn narrowed(call: &Call, client: &Client, grant: &Grant) -> Result<(Scope, Vec<Box<str>>), Trouble> {
    let scope = match call.optional("scope") {
        None => scopes::known(&call.app, client, &grant.scope, Unknown::PassedOver)?,
        Some(text) => {
            let asked: Scope = text
                .parse()
                .map_err(|_| OAuthError::new(OAuthCode::InvalidScope, "scope is no list of scopes"))?;
            if !grant.scope.covers(&asked) {
                return Err(OAuthError::new(OAuthCode::InvalidScope, "scope is more than was granted").into());
            }
            scopes::known(&call.app, client, &asked, Unknown::Refused)?
        }
    };
    let mut named: Vec<Box<str>> = Vec::new();
    for name in call.form.all("resource") {
        if !grant.audience.has(name) {
            return Err(OAuthError::new(
                OAuthCode::InvalidTarget,
                "a resource is not among those that were granted",
            )
            .into());
        }
        named.push(name.into());
    }
    if named.is_empty() {
        named = grant.audience.iter().map(Into::into).collect();
    }
    Ok((scope, named))
}
