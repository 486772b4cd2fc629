//! Clients that register themselves (RFC 7591) and manage that (RFC 7592): off unless the settings say who may.

pub mod invitation;
mod manage;
pub(crate) mod read;
mod view;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::event::Fact;
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::oauth::registration::{REGISTRY, Registry, SelfRules};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::ports::{Fault, FaultKind};
use gateward_kernel::record::{Book, Decision};
use gateward_kernel::refusal::Refusal;
use gateward_kernel::secret::{Digest, Entropy, Secret};
use gateward_kernel::throttle::Rate;
use gateward_kernel::time::Moment;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::call::{Answered, Call, Trouble, json_answer};
use crate::app::App;
use crate::config::Registration;

pub use manage::answer as manage;

/// How registration access tokens begin.
const PREFIX: &str = "gwy1_";
/// What a client's use is written down for, at most once in this time.
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// `POST /oauth/register` (RFC 7591 §3)
pub async fn answer(call: Call) -> Answered {
    let (app, now) = (&call.app, call.now);
    let invited = admitted(&call)?;
    let per_hour = app.settings.oauth.registrations_per_hour;
    let rate = Rate { burst: per_hour, every: HOUR / per_hour.max(1) };
    app.throttle.registration(call.address, rate, now).await?;
    let metadata = read::body(&call)?.metadata(rules(app, invited))?;
    read::check(app, &metadata).await?;
    let mut name = [0; 16];
    app.entropy.fill(&mut name);
    // The prefix, for a person is named by as many characters without one.
    let client_id = format!("c-{}", BASE64URL_NOPAD.encode(&name));
    let token = fresh_token(&*app.entropy);
    let secret = metadata
        .has_secret()
        .then(|| app.oauth.clients.fresh_secret(&client_id, metadata.needs_plain_secret(), now));
    let client = Client {
        client_id: client_id.as_str().into(),
        origin: Origin::Registered,
        created: now,
        changed: now,
        expires: Some(now + idle(app)),
        secrets: secret.iter().map(|(_, kept)| kept.clone()).collect(),
        registration: Some(Digest::of(token.as_bytes())),
        disabled: false,
        metadata,
    };
    if !take_place(app, &client_id, now).await? {
        tracing::warn!("no client can register any more: oauth.registrations is reached");
        return Err(Refusal::Busy(HOUR).into());
    }
    let Ok(client) = app.oauth.clients.add(client, now).await? else {
        give_place_back(app, &client_id, now).await?;
        return Err(Fault::new("entropy", FaultKind::Contended, "a random client id was in use").into());
    };
    tell(&call, Fact::ClientAdded, &client.record).await;
    let secret = secret.as_ref().map(|(text, _)| text.as_str());
    let mut response = json_answer(StatusCode::CREATED, &view::of(app, &client.record, secret, &token))?;
    if app.settings.oauth.registration == Registration::Open {
        // Whoever may register from anywhere may do so from a page, and reads what came of it.
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Ok(response)
}

/// Whether the call was invited; an error when it may not register.
fn admitted(call: &Call) -> Result<bool, Trouble> {
    let app = &call.app;
    let presented = bearer(call)?;
    match (app.settings.oauth.registration, presented) {
        (Registration::Off, _) => {
            Err(OAuthError::new(OAuthCode::AccessDenied, "clients do not register themselves here").into())
        }
        (Registration::Open, None) => Ok(false),
        (_, Some(token)) if invitation::is_good(app, token, call.now) => Ok(true),
        _ => Err(challenge("an initial access token is needed that is good now (RFC 7591, section 3)")),
    }
}

/// The token in the header, if there is one (RFC 6750 §2.1).
fn bearer(call: &Call) -> Result<Option<&str>, Trouble> {
    let mut all = call.headers.get_all(AUTHORIZATION).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => return Err(OAuthError::request("there are several Authorization headers").into()),
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(challenge("the Authorization header is no Bearer token")),
    }
}

fn challenge(description: &'static str) -> Trouble {
    let value = HeaderValue::from_static("Bearer realm=\"gateward\", error=\"invalid_token\"");
    Trouble::Challenge(OAuthError::new(OAuthCode::InvalidToken, description), vec![value])
}

fn fresh_token(entropy: &dyn Entropy) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    text.push_str(PREFIX);
    BASE64URL_NOPAD.encode_append(Secret::random(entropy).expose(), &mut text);
    text
}

fn rules(app: &App, invited: bool) -> SelfRules {
    let settings = &app.settings.oauth;
    SelfRules {
        legacy_flows: settings.legacy_flows,
        without_pkce: settings.registration_without_pkce,
        invited,
    }
}

fn idle(app: &App) -> Duration {
    app.settings.oauth.registration_idle.duration()
}

/// Takes one of the places there are, or keeps it for longer.
async fn take_place(app: &App, client_id: &str, now: Moment) -> Result<bool, Fault> {
    let (book, until) = (&app.oauth.registry, now + idle(app));
    let limit = usize::try_from(app.settings.oauth.registrations).unwrap_or(usize::MAX);
    loop {
        let decide = |registry: &Registry| registry.with(client_id, until, limit, now);
        if let Some((_, taken)) = book.change(REGISTRY, now, decide).await? {
            return Ok(taken);
        }
        if limit == 0 {
            return Ok(false);
        }
        if book.create(Registry::of(client_id, until), now).await?.is_some() {
            return Ok(true);
        }
    }
}

async fn give_place_back(app: &App, client_id: &str, now: Moment) -> Result<(), Fault> {
    let book: &Book<Registry> = &app.oauth.registry;
    book.change(REGISTRY, now, |registry| registry.without(client_id)).await.map(|_| ())
}

/// Notes that a client is used, so that it is not forgotten; for those that registered themselves, at most once a day. Nobody
/// is refused because that cannot be written.
pub async fn used(app: &App, client: &Client, now: Moment) {
    let until = now + idle(app);
    let is_due = |client: &Client| {
        client.origin == Origin::Registered && client.expires.is_some_and(|end| end + DAY <= until)
    };
    if !is_due(client) {
        return;
    }
    let kept = async {
        take_place(app, &client.client_id, now).await?;
        let decide = |client: &Client| match is_due(client) {
            true => Decision::Write(Client { expires: Some(until), ..client.clone() }, ()),
            false => Decision::Leave(()),
        };
        app.oauth.clients.change(&client.client_id, now, decide).await
    };
    if let Err(fault) = Box::pin(kept).await {
        tracing::warn!(client = %client.client_id, %fault, "the use of a client could not be noted");
    }
}

async fn tell(call: &Call, fact: Fact, client: &Client) {
    let mut event = call.event(fact, None);
    event.detail = Some(format!("client {}, by itself", client.client_id));
    call.record(event).await;
}
