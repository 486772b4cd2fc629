//! JWT bearer assertions (RFC 7523 §2.1): what somebody whom the settings trust says about a person becomes an access token for
//! that person, and nothing that lasts.

use std::borrow::Cow;
use std::sync::Arc;

use gateward_guard::People;
use gateward_kernel::assertion::{self, GrantAssertion, GrantRules, LONGEST, SKEW};
use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Extent, Given};
use gateward_kernel::jose::{Limits, parse};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::person::Login;
use gateward_kernel::record::Loaded;
use gateward_kernel::token::Scope;
use serde_json::Value;

use crate::config::PersonBy;
use crate::oauth::assertion::ASYMMETRIC;
use crate::oauth::call::{Call, Trouble};
use crate::oauth::issue::{self, Bound};
use crate::oauth::scopes::{self, Unknown};
use crate::oauth::token::Granted;
use crate::oauth::trusted::Issuer;
use crate::people::Known;

fn invalid(why: impl Into<Cow<'static, str>>) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidGrant, why)
}

/// Takes `assertion`, `scope` and `resource`.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let (app, client, now) = (&call.app, &client.record, call.now);
    if !client.is_confidential() {
        let error = "a client that proves nothing cannot use assertions of others";
        return Err(OAuthError::new(OAuthCode::UnauthorizedClient, error).into());
    }
    let text = call.required("assertion")?;
    let bound = Bound::of(call, client).await?;
    let claimed = assertion::claimed_issuer(text).map_err(|problem| invalid(problem.to_string()))?;
    let issuer = app.oauth.trusted.find(&claimed, &client.client_id);
    let issuer =
        issuer.ok_or_else(|| invalid("the issuer of the assertion is not trusted with this client"))?;
    let assertion = verified(call, issuer, text).await?;
    let person = person(call, issuer, &assertion).await?;
    let scope = scope(call, client, issuer)?;
    let named = scopes::named(app, client, call.form.all("resource"))?;
    let target = scopes::target(app, client, &scope, &named)?;
    // Used up once everything else is right: of many who come with it at once, one goes on.
    let used = assertion.used().ok_or_else(|| invalid("the assertion has no `jti`"))?;
    if app.oauth.used.create(used, now).await?.is_none() {
        return Err(invalid("the assertion was used before").into());
    }
    let given = Given {
        person: person.person().id,
        client: client.client_id.clone(),
        session: None,
        since: now,
        proofs: Vec::new(),
        audience: target.audience.clone(),
        scope: target.scope.clone(),
        extent: Some(Box::new(Extent::default())),
    };
    let grant = app.tokens.grants.begin_for(given, target.terms.lifetime, now).await?;
    let of = issue::Of { client, grant: &grant.record, session: None, person: &person };
    let issued = issue::access_alone(call, of, target, bound, None, None).await?;
    let mut event = call.event(Fact::TokensIssued, Some(grant.record.person));
    event.detail =
        Some(format!("client {} by the word of {}", client.client_id, issuer.settings.issuer.as_str()));
    call.record(event).await;
    Ok(issued)
}

/// The assertion, once it is the issuer's, for us, and neither too old nor made for too long.
async fn verified(call: &Call, issuer: &Issuer, text: &str) -> Result<GrantAssertion, Trouble> {
    let (app, now) = (&call.app, call.now);
    let kid = parse(text, Limits::default()).ok().and_then(|jws| jws.header().kid().map(str::to_owned));
    let keys = issuer.keys(app, kid.as_deref(), &ASYMMETRIC, now).await.map_err(|error| {
        tracing::warn!(issuer = issuer.settings.issuer.as_str(), %error, "the keys of a trusted issuer could not be fetched");
        invalid("the keys of the issuer could not be fetched")
    })?;
    let own = app.tokens.mint.issuer();
    let endpoint = call.address_of_endpoint();
    let audiences: Vec<&str> = match issuer.settings.audiences.as_slice() {
        [] => vec![own, &endpoint],
        named => named.iter().map(|name| name.as_str()).collect(),
    };
    let rules = GrantRules {
        issuer: issuer.settings.issuer.as_str(),
        keys: &keys,
        allowed: &ASYMMETRIC,
        audiences: &audiences,
        once: true,
        longest: LONGEST,
        skew: SKEW,
    };
    assertion::verify_grant(text, &rules, now).map_err(|problem| invalid(problem.to_string()).into())
}

/// The person that the assertion is about. Nobody, somebody who is kept out, and an address that nobody has verified are told in
/// the same words.
async fn person(call: &Call, issuer: &Issuer, assertion: &GrantAssertion) -> Result<Arc<Known>, Trouble> {
    let app = &call.app;
    let nobody = || invalid("the assertion is about nobody here");
    let named = match issuer.settings.claim.as_str() {
        "sub" => Some(assertion.subject.as_str()),
        other => assertion.claims.others.get(other).and_then(Value::as_str),
    };
    let named = named.ok_or_else(nobody)?;
    let id = match (issuer.settings.person_by, Login::read(named)) {
        (PersonBy::Id, _) => named.parse().ok(),
        (PersonBy::Username, login @ Login::Name(_)) => {
            app.directory().person_by_login(&login).await?.map(|one| one.record.id)
        }
        (PersonBy::Email, login @ Login::Email(_)) => {
            let found = app.directory().person_by_login(&login).await?;
            found.filter(|one| one.record.email_verified()).map(|one| one.record.id)
        }
        _ => None,
    };
    let person = app.sessions.people().load(id.ok_or_else(nobody)?, call.now).await?;
    Ok(person.filter(|person| !person.person().disabled).ok_or_else(nobody)?)
}

/// What is asked for, or everything: of what the issuer is trusted with and the client may ask for.
fn scope(call: &Call, client: &Client, issuer: &Issuer) -> Result<Scope, OAuthError> {
    let Some(text) = call.optional("scope") else {
        return scopes::known(&call.app, client, &issuer.scope, Unknown::PassedOver);
    };
    let asked: Scope =
        text.parse().map_err(|_| OAuthError::new(OAuthCode::InvalidScope, "scope is no list of scopes"))?;
    match issuer.scope.covers(&asked) {
        true => scopes::known(&call.app, client, &asked, Unknown::Refused),
        false => {
            Err(OAuthError::new(OAuthCode::InvalidScope, "scope is more than the issuer is trusted with"))
        }
    }
}
