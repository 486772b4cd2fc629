//! Token exchange (RFC 8693): a client that holds a token about somebody gets one of its own for what it asks in turn.
//!
//! Nothing grows by it: scopes are those of the subject token or fewer, the end is that of the subject token at the latest, the
//! audience is one of the subject token's or one that the administrator has given the client by name, and whoever acts in
//! between stays written down. The new token hangs on the same grant and the same session, so that whatever cuts those cuts it.

use std::sync::Arc;

use gateward_guard::{Accountable, People};
use gateward_kernel::event::Fact;
use gateward_kernel::grant::Grant;
use gateward_kernel::oauth::client::SubjectType;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use gateward_kernel::session::{Session, Standing};
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde_json::{Value, json};

use crate::oauth::call::{Call, Trouble};
use crate::oauth::hint;
use crate::oauth::issue::{self, Bound};
use crate::oauth::scopes::{self, Unknown};
use crate::oauth::token::Granted;
use crate::people::Known;
use crate::tokens::bearer::{self, Facts, Inspected};

/// The type of access tokens (RFC 8693 §3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The type of ID tokens.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// So many act for one another at most.
const MOST_ACTORS: usize = 4;

/// About whom the new token is, and what bounds it.
struct Subject {
    person: Arc<Known>,
    grant: Arc<Loaded<Grant>>,
    session: Option<Arc<Loaded<Session>>>,
    scope: Scope,
    audiences: Vec<Box<str>>,
    expires: Moment,
    /// Who acts for the person already.
    act: Option<Value>,
}

/// RFC 8693 §2.2.2: whatever is wrong with a token is an invalid request. That it is no token of the caller's is told in the same
/// words as that it is none.
fn bad_subject() -> Trouble {
    OAuthError::request("subject_token is not valid, or not for this client").into()
}

fn bad_actor() -> Trouble {
    OAuthError::request("actor_token is not valid, or not this client's").into()
}

fn unproved(what: &str) -> Trouble {
    OAuthError::request(format!("{what} is bound to a key that was not proved with this request")).into()
}

/// Takes `subject_token`, `subject_token_type`, `actor_token`, `actor_token_type`, `resource`, `audience`, `scope` and
/// `requested_token_type`.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let (app, client) = (&call.app, &client.record);
    if !client.is_confidential() {
        let error = "a client that proves nothing cannot exchange tokens";
        return Err(OAuthError::new(OAuthCode::UnauthorizedClient, error).into());
    }
    match call.optional("requested_token_type") {
        None | Some(ACCESS_TOKEN) => {}
        Some(_) => return Err(OAuthError::request("requested_token_type can only be access_token").into()),
    }
    let bound = Bound::of(call, client).await?;
    let subject = subject(call, client, bound).await?;
    let (act, expires) = acting(call, client, bound, &subject).await?;
    let scope = scope(call, client, &subject)?;
    let named = named(call, client, &subject)?;
    let mut target = scopes::target(app, client, &scope, &named)?;
    target.terms.lifetime = target.terms.lifetime.min(expires.since(call.now));
    let of = issue::Of {
        client,
        grant: &subject.grant.record,
        session: subject.session.as_ref().map(|session| &session.record),
        person: &subject.person,
    };
    let issued = issue::access_alone(call, of, target, bound, act.as_ref(), Some(ACCESS_TOKEN)).await?;
    let mut event = call.event(Fact::TokensIssued, Some(subject.grant.record.person));
    event.session = subject.grant.record.session;
    event.detail =
        Some(format!("client {} by exchange from {}", client.client_id, subject.grant.record.client));
    call.record(event).await;
    Ok(issued)
}

async fn subject(call: &Call, client: &Client, bound: Bound) -> Result<Subject, Trouble> {
    let token = call.required("subject_token")?;
    let subject = match call.required("subject_token_type")? {
        ACCESS_TOKEN => by_access_token(call, client, bound, token).await?,
        ID_TOKEN => by_id_token(call, client, token).await?,
        _ => {
            return Err(OAuthError::request("subject_token_type can only be access_token or id_token").into());
        }
    };
    match subject.grant.record.extent {
        Some(_) => Ok(subject),
        // What the person's own apps have is no client's to pass on.
        None => Err(bad_subject()),
    }
}

async fn by_access_token(
    call: &Call,
    client: &Client,
    bound: Bound,
    token: &str,
) -> Result<Subject, Trouble> {
    let (app, now) = (&call.app, call.now);
    let found = bearer::inspect(app, token.as_bytes(), now).await?.ok_or_else(bad_subject)?;
    let facts = &found.facts;
    if !is_theirs(client, facts) {
        return Err(bad_subject());
    }
    shown(call, bound, facts, "subject_token")?;
    // A client's own token is about nobody but itself.
    let (Some(person), Some(grant)) = (&found.person, &found.grant) else { return Err(bad_subject()) };
    let first = app.oauth.clients.find(&grant.record.client, now).await?.ok_or_else(bad_subject)?;
    // To whom people have a name of their own, they must not become known by another.
    let is_pairwise = first.record.metadata.subject_type == Some(SubjectType::Pairwise);
    let id = person.person().id;
    if is_pairwise && app.oauth.subject(&first.record, id) != app.oauth.subject(client, id) {
        return Err(bad_subject());
    }
    let session = match grant.record.session {
        None => None,
        Some(id) => Some(app.sessions.book().load(id, now).await?.ok_or_else(bad_subject)?),
    };
    Ok(Subject {
        person: person.clone(),
        grant: grant.clone(),
        session,
        scope: facts.scope.clone(),
        audiences: facts.audiences.clone(),
        expires: facts.expires,
        act: facts.act.clone(),
    })
}

/// An ID token of the caller stands for the grant that it came with, while the session lives in which it was given.
async fn by_id_token(call: &Call, client: &Client, token: &str) -> Result<Subject, Trouble> {
    let (app, now) = (&call.app, call.now);
    let hint = hint::read(app, token, now).ok_or_else(bad_subject)?;
    let (issued, expires) = (hint.issued.ok_or_else(bad_subject)?, hint.expires);
    if !hint.is_signed_here || hint.client != client.client_id || now >= expires {
        return Err(bad_subject());
    }
    if app.tokens.status.is_cut(SubjectTag::of_client(&client.client_id), issued, now).await? {
        return Err(bad_subject());
    }
    let named = hint.session.as_deref().and_then(|name| app.oauth.session_names.read(client, name));
    let session = named.ok_or_else(bad_subject)?;
    let session = app.sessions.book().load(session, now).await?.ok_or_else(bad_subject)?;
    let owner = session.record.subject.as_ref().ok_or_else(bad_subject)?.person;
    let person = app.sessions.people().load(owner, now).await?.ok_or_else(bad_subject)?;
    let standing = session.record.check_with(Some(person.validity()), now, app.sessions.policy());
    if standing != Standing::Alive || app.oauth.subject(client, owner) != *hint.subject {
        return Err(bad_subject());
    }
    let consents = app.oauth.consents.of(owner, now).await?;
    let ids = consents.of(&client.client_id).map(|consent| consent.grants.as_slice()).unwrap_or_default();
    for id in ids.iter().rev() {
        let Some(grant) = app.tokens.grants.load(*id, now).await? else { continue };
        let is_of_session = grant.record.session == Some(session.record.id);
        if is_of_session
            && grant.record.created <= issued + std::time::Duration::from_secs(1)
            && grant.record.is_alive(Some(person.validity()), now)
        {
            return Ok(Subject {
                person,
                scope: grant.record.scope.clone(),
                audiences: grant.record.audience.iter().map(Into::into).collect(),
                grant,
                session: Some(session),
                expires,
                act: None,
            });
        }
    }
    Err(bad_subject())
}

/// Whether the token was issued to this client, or is for it: by its name, or by that of the resource that it is.
fn is_theirs(client: &Client, facts: &Facts) -> bool {
    let metadata = &client.metadata;
    let is_resource =
        || metadata.gateward_introspects && metadata.gateward_resources.iter().any(|own| facts.is_for(own));
    facts.client == client.client_id || facts.is_for(&client.client_id) || is_resource()
}

/// Whoever has a token that is bound to a key has nothing without the key.
fn shown(call: &Call, bound: Bound, facts: &Facts, what: &str) -> Result<(), Trouble> {
    let certificate = call.certificate.as_ref().map(|certificate| certificate.thumbprint());
    match facts.confirmation.is_shown_by(bound.key().as_ref(), certificate) {
        true => Ok(()),
        false => Err(unproved(what)),
    }
}

/// Who acts for the person with the new token, and when it ends at the latest. Without an actor the client becomes the person
/// (impersonation), but whoever acted before is still told (RFC 8693 §4.1).
async fn acting(
    call: &Call,
    client: &Client,
    bound: Bound,
    subject: &Subject,
) -> Result<(Option<Value>, Moment), Trouble> {
    let token = match (call.optional("actor_token"), call.optional("actor_token_type")) {
        (None, None) => return Ok((subject.act.clone(), subject.expires)),
        (Some(token), Some(ACCESS_TOKEN)) => token,
        (Some(_), Some(_)) => {
            return Err(OAuthError::request("actor_token_type can only be access_token").into());
        }
        (Some(_), None) => return Err(OAuthError::request("actor_token_type is missing").into()),
        (None, Some(_)) => return Err(OAuthError::request("actor_token is missing").into()),
    };
    let found = bearer::inspect(&call.app, token.as_bytes(), call.now).await?.ok_or_else(bad_actor)?;
    // Whoever acts speaks for themselves: no token that somebody else was given, and none by which they act for others.
    if found.facts.client != client.client_id || found.facts.act.is_some() {
        return Err(bad_actor());
    }
    shown(call, bound, &found.facts, "actor_token")?;
    let mut act = json!({ "sub": name(call, client, &found) });
    if let (Some(own), Some(before)) = (act.as_object_mut(), &subject.act) {
        own.insert("act".into(), before.clone());
    }
    if depth(&act) > MOST_ACTORS {
        return Err(OAuthError::request(format!("more than {MOST_ACTORS} would act for one another")).into());
    }
    Ok((Some(act), subject.expires.min(found.facts.expires)))
}

/// By what name the actor is known.
fn name(call: &Call, client: &Client, found: &Inspected) -> String {
    match &found.person {
        Some(person) => call.app.oauth.subject(client, person.person().id),
        None => found.facts.client.to_string(),
    }
}

/// How many act for one another.
fn depth(act: &Value) -> usize {
    let mut count = 1;
    let mut at = act;
    while let Some(before) = at.get("act") {
        count += 1;
        at = before;
    }
    count
}

/// As much as the subject token allows, or less, of what there is for this client.
fn scope(call: &Call, client: &Client, subject: &Subject) -> Result<Scope, OAuthError> {
    let Some(text) = call.optional("scope") else {
        return scopes::known(&call.app, client, &subject.scope, Unknown::PassedOver);
    };
    let asked: Scope =
        text.parse().map_err(|_| OAuthError::new(OAuthCode::InvalidScope, "scope is no list of scopes"))?;
    match subject.scope.covers(&asked) {
        true => scopes::known(&call.app, client, &asked, Unknown::Refused),
        false => Err(OAuthError::new(OAuthCode::InvalidScope, "scope is more than the subject token allows")),
    }
}

/// For what the new token is: what is named by `resource` and `audience`, else what the subject token is for. Where that was
/// for something else, the administrator must have given the client the resource by name.
fn named(call: &Call, client: &Client, subject: &Subject) -> Result<Vec<Box<str>>, OAuthError> {
    let invalid = |why| OAuthError::new(OAuthCode::InvalidTarget, why);
    let asked: Vec<&str> = call.form.all("resource").chain(call.form.all("audience")).collect();
    if asked.is_empty() {
        let own = |name: &&str| scopes::named(&call.app, client, std::iter::once(*name)).is_ok();
        let audiences = subject.audiences.iter().map(|name| &**name);
        let kept: Vec<Box<str>> = audiences.filter(own).map(Into::into).collect();
        return match kept.is_empty() {
            true => {
                Err(invalid("the subject token is for nothing that this client may ask for: name a resource"))
            }
            false => Ok(kept),
        };
    }
    // What a client has registered bounds what it asks for; it does not give itself anything by that.
    let given = match client.came_by_itself() {
        true => [].as_slice(),
        false => client.metadata.gateward_resources.as_slice(),
    };
    let is_bounded = |name: &&str| {
        subject.audiences.iter().any(|own| **own == **name) || given.iter().any(|own| own.as_str() == *name)
    };
    if !asked.iter().all(is_bounded) {
        return Err(invalid("a resource is unknown, or not for this client with this token"));
    }
    scopes::named(&call.app, client, asked.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_counted_to_the_innermost() {
        assert_eq!(depth(&json!({ "sub": "a" })), 1);
        assert_eq!(depth(&json!({ "sub": "a", "act": { "sub": "b", "act": { "sub": "c" } } })), 3);
    }
}
