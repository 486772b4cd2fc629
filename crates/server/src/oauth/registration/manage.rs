//! `/oauth/register/{client_id}` (RFC 7592): a client reads, changes and removes its own registration.

use std::sync::Arc;

use gateward_kernel::event::Fact;
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::oauth::{Client, OAuthError};
use gateward_kernel::record::{Decision, Loaded};
use gateward_kernel::secret::Digest;
use http::{Method, Response, StatusCode};

use super::{
    Answered, Call, Trouble, bearer, challenge, give_place_back, json_answer, read, rules, tell, view,
};
use crate::face::answer::Body;

/// What only the answer may say (RFC 7592 §2.2).
const OURS: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// `GET`, `PUT` or `DELETE /oauth/register/{client_id}`
pub async fn answer(call: Call) -> Answered {
    let token =
        bearer(&call)?.ok_or_else(|| challenge("the registration access token is missing"))?.to_owned();
    let client = own(&call, &token).await?;
    match call.method {
        Method::PUT => change(&call, &client.record, &token).await,
        Method::DELETE => remove(&call, &client.record).await,
        _ => json_answer(StatusCode::OK, &view::of(&call.app, &client.record, None, &token)),
    }
}

/// The client whose token this is. Nobody learns whether there is another one (RFC 7592 §2.1).
async fn own(call: &Call, token: &str) -> Result<Arc<Loaded<Client>>, Trouble> {
    let digest = Digest::of(token.as_bytes());
    let found = call.app.oauth.clients.find(&call.rest, call.now).await?;
    let is_its = |client: &Client| {
        client.origin == Origin::Registered && client.registration.as_ref() == Some(&digest)
    };
    found
        .filter(|client| is_its(&client.record))
        .ok_or_else(|| challenge("the registration access token is not that of this client"))
}

/// Replaces everything that is registered; what is left out is no longer so (RFC 7592 §2.2).
async fn change(call: &Call, client: &Client, token: &str) -> Answered {
    let (app, now) = (&call.app, call.now);
    let sent = read::body(call)?;
    if sent.text("client_id") != Some(&client.client_id) {
        return Err(OAuthError::request("client_id is missing, or another").into());
    }
    if let Some(name) = OURS.iter().find(|name| sent.has(name)) {
        return Err(OAuthError::request(format!("{name} is not for clients to say")).into());
    }
    if sent.has("client_secret")
        && !sent.text("client_secret").is_some_and(|secret| client.opens_with(secret, now))
    {
        return Err(OAuthError::request(
            "client_secret is not the present one, and clients do not choose theirs",
        )
        .into());
    }
    // Who was let in by an invitation stays so, with the grants that it got by that.
    let alone = |client: &Client| client.metadata.clone().as_registered(rules(app, false)).is_err();
    let metadata = sent.metadata(rules(app, alone(client)))?;
    read::check(app, &metadata).await?;
    // A secret is made where there is none that serves; one that is there is not told again.
    let keep = metadata.needs_plain_secret();
    let serves = client.secrets.first().is_some_and(|secret| !keep || secret.sealed.is_some());
    let fresh = (metadata.has_secret() && !serves)
        .then(|| app.oauth.clients.fresh_secret(&client.client_id, keep, now));
    let decide = |client: &Client| {
        let mut next = Client { metadata: metadata.clone(), changed: now, ..client.clone() };
        if let Some((_, kept)) = &fresh {
            next.secrets = vec![kept.clone()];
        } else if !metadata.has_secret() {
            next.secrets.clear();
        }
        Decision::Write(next, ())
    };
    let changed = app.oauth.clients.change(&client.client_id, now, decide).await?;
    let (changed, ()) = changed.ok_or_else(|| challenge("the client was removed meanwhile"))?;
    tell(call, Fact::ClientChanged, &changed.record).await;
    let secret = fresh.as_ref().map(|(text, _)| text.as_str());
    json_answer(StatusCode::OK, &view::of(app, &changed.record, secret, token))
}

/// Takes the client away, and all that it has.
async fn remove(call: &Call, client: &Client) -> Answered {
    let (app, now) = (&call.app, call.now);
    app.oauth.remove_client(&client.client_id, now).await?;
    give_place_back(app, &client.client_id, now).await?;
    tell(call, Fact::ClientRemoved, client).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    Ok(response)
}
