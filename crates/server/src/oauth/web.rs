//! Metadata (RFC 8414), key set (RFC 7517 §5) and status lists (Token Status List, draft-ietf-oauth-status-list-21).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::id::ListId;
use gateward_kernel::ports::{Fault, FaultKind};
use gateward_kernel::secret::Digest;
use gateward_kernel::status::deflate;
use gateward_kernel::time::Moment;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;

use super::events;
use super::metadata::RESOURCE_METADATA;
use crate::app::App;
use crate::tokens::mint::list_uri;

/// The `typ` of status list tokens (Token Status List §5.1).
const LIST_TYPE: &str = "statuslist+jwt";

/// So many times as long as it may be kept a status list counts: one that was fetched at its end still counts for its
/// whole time.
pub const STATUS_LISTS_COUNT: u32 = 2;

/// Status lists as they were signed last.
#[derive(Debug, Default)]
pub struct Published {
    server: OnceLock<Document>,
    openid: OnceLock<Document>,
    signed: Mutex<HashMap<ListId, Arc<Signed>>>,
    /// Held while a list is packed and signed: one work serves everybody who asks meanwhile.
    signing: tokio::sync::Mutex<()>,
}

/// A text and its tag.
type Document = (Bytes, String);

#[derive(Debug)]
struct Signed {
    state: u64,
    made: Moment,
    body: Bytes,
    etag: String,
}

/// Answers a question for something published; `None` when the path is nothing of that.
pub async fn answer(app: &Arc<App>, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let known = headers.get(IF_NONE_MATCH);
    match path {
        "/.well-known/oauth-authorization-server" => {
            Some(metadata(&app.published.server, || super::metadata::of_server(app), known))
        }
        "/.well-known/openid-configuration" => {
            Some(metadata(&app.published.openid, || super::metadata::document(app), known))
        }
        RESOURCE_METADATA => {
            let body = super::metadata::userinfo(app).to_string();
            let etag = etag(body.as_bytes());
            Some(published(known, "application/json", &etag, body.into(), Duration::from_secs(3600)))
        }
        "/oauth/jwks" => {
            let set = app.tokens.mint.ring().jwks(app.clock.now());
            let age = app.settings.keys.cache.duration();
            Some(published(known, "application/jwk-set+json", set.etag(), set.body().clone(), age))
        }
        "/oauth/status" => {
            let uris: Vec<String> = app
                .tokens
                .status
                .lists()
                .into_iter()
                .map(|list| list_uri(app.tokens.mint.issuer(), list))
                .collect();
            let body = json!({ "status_lists": uris }).to_string();
            let age = app.settings.tokens.status_ttl.duration();
            Some(published(known, "application/json", &etag(body.as_bytes()), body.into(), age))
        }
        "/oauth/status/events" => Some(listening(app, headers)),
        _ => {
            let list = path.strip_prefix("/oauth/status/")?.parse().ok()?;
            Some(match list_token(app, list).await {
                Ok(Some(signed)) => {
                    let age = app.settings.tokens.status_ttl.duration();
                    let media_type = "application/statuslist+jwt";
                    published(known, media_type, &signed.etag, signed.body.clone(), age)
                }
                Ok(None) => plain(StatusCode::NOT_FOUND, "there is no such list\n"),
                Err(fault) => {
                    tracing::error!(%fault, "a status list could not be published");
                    unavailable()
                }
            })
        }
    }
}

/// Nothing in it changes while the program runs.
fn metadata(
    kept: &OnceLock<Document>,
    make: impl FnOnce() -> serde_json::Value,
    known: Option<&HeaderValue>,
) -> Response<Body> {
    let (body, etag) = kept.get_or_init(|| {
        let body = Bytes::from(make().to_string());
        let etag = etag(&body);
        (body, etag)
    });
    published(known, "application/json", etag, body.clone(), Duration::from_secs(3600))
}

/// The claims of a status list token (Token Status List §5.1).
#[derive(Serialize)]
struct ListClaims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: u64,
    status_list: ListClaim<'a>,
}

#[derive(Serialize)]
struct ListClaim<'a> {
    bits: u8,
    lst: &'a str,
}

async fn list_token(app: &Arc<App>, list: ListId) -> Result<Option<Arc<Signed>>, Fault> {
    let now = app.clock.now();
    let ttl = app.settings.tokens.status_ttl.duration();
    let is_current = |signed: &Arc<Signed>, state| signed.state == state && now.since(signed.made) < ttl;
    let found = |state: Option<u64>| {
        let signed = app.published.signed.lock();
        signed.get(&list).filter(|signed| state.is_some_and(|state| is_current(signed, state))).cloned()
    };
    if let Some(signed) = found(app.tokens.status.state_of(list)) {
        return Ok(Some(signed));
    }
    let _one_at_a_time = app.published.signing.lock().await;
    if let Some(signed) = found(app.tokens.status.state_of(list)) {
        return Ok(Some(signed));
    }
    if !app.tokens.status.is_whole() {
        // What is known may be old, and nobody could tell.
        return Err(Fault::new("status lists", FaultKind::Unavailable, "the store's changes are not known"));
    }
    let Some(shown) = app.tokens.status.shown(list, now).await? else { return Ok(None) };
    let uri = list_uri(app.tokens.mint.issuer(), list);
    // Packing takes milliseconds when many are revoked: not on a thread that answers.
    let lst = tokio::task::spawn_blocking(move || deflate(shown.bits.bytes()))
        .await
        .map_err(|error| Fault::new("status lists", FaultKind::Unavailable, error))?;
    let claims = ListClaims {
        sub: &uri,
        iat: now.seconds(),
        exp: (now + ttl * STATUS_LISTS_COUNT).seconds(),
        ttl: ttl.as_secs(),
        status_list: ListClaim { bits: 1, lst: &lst },
    };
    let token = app.tokens.mint.sign(LIST_TYPE, app.settings.tokens.algorithm.0, &claims, now)?;
    let signed =
        Arc::new(Signed { state: shown.state, made: now, etag: etag(token.as_bytes()), body: token.into() });
    let mut all = app.published.signed.lock();
    all.retain(|other, _| app.tokens.status.state_of(*other).is_some());
    all.insert(list, signed.clone());
    Ok(Some(signed))
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", BASE64URL_NOPAD.encode(Digest::of(body).as_bytes().get(..16).unwrap_or_default()))
}

/// Something everybody may see, from every page, and keep for a while.
fn published(
    known: Option<&HeaderValue>,
    media_type: &'static str,
    etag: &str,
    body: Bytes,
    age: Duration,
) -> Response<Body> {
    let is_known = known.is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    for (name, value) in
        [(CACHE_CONTROL, format!("public, max-age={}", age.as_secs())), (ETAG, etag.to_owned())]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The push channel.
fn listening(app: &Arc<App>, headers: &HeaderMap) -> Response<Body> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(events) = events::listen(app, last) else { return unavailable() };
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // A proxy that gathers the answer would keep the news from whoever waits for it (nginx).
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Told when what would be said may be out of date.
fn unavailable() -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "not available now\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
