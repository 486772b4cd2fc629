//! Telling clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::oauth::{Claim, Client, LogoutNote, NoteId};
use gateward_kernel::ports::Fault;
use gateward_kernel::time::Moment;
use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use crate::app::App;
use crate::oauth::id_token::sign_for;

/// The type of a logout token (§2.4).
pub const LOGOUT_TYPE: &str = "logout+jwt";
/// What a logout token tells of (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// A logout token counts for so long, in seconds: two minutes at most (§2.4).
const LIFETIME: i64 = 120;
/// So many clients are told at the same time.
const AT_ONCE: usize = 32;
/// How often it is looked whether something is due.
const REST: Duration = Duration::from_secs(5);

/// Tells clients until the program stops.
pub async fn run(app: Arc<App>) {
    let outbox = app.oauth.outbox.clone();
    let mut stopping = app.stopping.subscribe();
    let mut under_way = JoinSet::new();
    loop {
        match outbox.due(app.clock.now()).await {
            Ok(due) => {
                for (id, at_once) in due {
                    while under_way.len() >= AT_ONCE {
                        under_way.join_next().await;
                    }
                    under_way.spawn(attend(app.clone(), id, at_once));
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "it could not be read which clients are to be told of a logout")
            }
        }
        while under_way.try_join_next().is_some() {}
        tokio::select! {
            () = outbox.woken() => {}
            () = tokio::time::sleep(REST) => {}
            _ = stopping.wait_for(|stops| *stops) => return,
        }
    }
}

async fn attend(app: Arc<App>, id: NoteId, at_once: bool) {
    let now = app.clock.now();
    if let Err(fault) = tell(&app, id, at_once, now).await {
        tracing::warn!(%fault, "a client could not be told of a logout; it is tried again");
    }
    app.oauth.outbox.tell_tried();
}

async fn tell(app: &App, id: NoteId, at_once: bool, now: Moment) -> Result<(), Fault> {
    let outbox = &app.oauth.outbox;
    let note = match outbox.claim(id, at_once, now).await? {
        None | Some((_, Claim::NotNow)) => return Ok(()),
        Some((note, Claim::GivenUp)) => return give_up(app, &note, now).await,
        Some((note, Claim::Mine)) => note,
    };
    // What was announced has not happened yet, or never will: nobody is told of what is not so.
    if app.sessions.find(note.session, now).await?.is_some() {
        return outbox.put_back(note.put_off(now), now).await;
    }
    let client = app.oauth.clients.find_any(&note.client, now).await?;
    let uri = client.as_ref().and_then(|client| client.record.metadata.backchannel_logout_uri.as_deref());
    let (Some(client), Some(uri)) = (&client, uri.and_then(|uri| Url::parse(uri).ok())) else {
        // It is gone, or does not want to know any more.
        return outbox.done(&note).await.map(drop);
    };
    let token = token(app, &client.record, &note, now).await?;
    let why = match app.outbound.post_form(&uri, &[("logout_token", &token)]).await {
        Ok(answer) if answer.status.is_success() => {
            tracing::debug!(client = %note.client, session = %note.session, "a client was told of a logout");
            return outbox.done(&note).await.map(drop);
        }
        Ok(answer) => format!("it answered {}", answer.status),
        Err(error) => error.to_string(),
    };
    let (client, attempts) = (&note.client, note.attempts);
    tracing::info!(%client, attempts, why, "a client was not told of a logout; it is tried again");
    // The time that the attempt took counts.
    let now = app.clock.now();
    outbox.put_back(note.failed(now), now).await
}

async fn give_up(app: &App, note: &LogoutNote, now: Moment) -> Result<(), Fault> {
    // One node writes it down.
    if !app.oauth.outbox.done(note).await? || app.sessions.find(note.session, now).await?.is_some() {
        return Ok(());
    }
    let (client, attempts) = (&note.client, note.attempts);
    tracing::error!(%client, attempts, "a client could not be told of a logout, and will not be");
    let mut event = Event::new(now, Fact::LogoutNotTold, Actor::System);
    event.person = Some(note.person);
    event.session = Some(note.session);
    event.detail = Some(format!("client {client}, after {attempts} attempts"));
    app.record(event).await;
    Ok(())
}

/// A logout token (§2.4), signed and perhaps encrypted like the ID tokens of the client.
async fn token(app: &App, client: &Client, note: &LogoutNote, now: Moment) -> Result<String, Fault> {
    let mut jti = [0; 16];
    app.entropy.fill(&mut jti);
    let mut events = serde_json::Map::new();
    events.insert(EVENT.into(), json!({}));
    let claims = json!({
        "iss": app.tokens.mint.issuer(),
        "sub": app.oauth.subject(client, note.person),
        "aud": client.client_id,
        "iat": now.seconds(),
        "exp": now.seconds() + LIFETIME,
        "jti": BASE64URL_NOPAD.encode(&jti),
        "sid": app.oauth.session_names.tell(client, note.session),
        "events": events,
    });
    let metadata = &client.metadata;
    let signed = sign_for(app, client, LOGOUT_TYPE, metadata.id_token_alg(), &claims, now)?;
    crate::oauth::encrypt::for_client(
        app,
        client,
        signed,
        metadata.id_token_encrypted_response_alg,
        metadata.id_token_encrypted_response_enc,
        now,
    )
    .await
}
