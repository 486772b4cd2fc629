//! `GET /oauth/logo`: the picture of a client, fetched by us, so that whoever keeps it learns nothing of who looks at our pages.

use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::oauth::OAuthError;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Response, StatusCode};
use url::Url;

use crate::app::App;
use crate::face::answer::{Answer, Body};
use crate::face::visit::Visit;
use crate::oauth::authorize::web::error_page;
use crate::outbound::kept::{Had, Kept};
use crate::outbound::{OutboundError, Wanted};

/// A picture is at most so large, in bytes.
const LARGEST: usize = 256 * 1024;
const WANTED: Wanted = Wanted { accept: "image/png, image/webp, image/jpeg, image/gif", largest: LARGEST };
/// How long a picture is kept that says nothing of it; and the bounds of what it may say.
const DEFAULT_KEPT: Duration = Duration::from_secs(24 * 3600);
const KEPT: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(7 * 24 * 3600));
/// The most pictures that are known, the most bytes they may have together, and how many are fetched at the same time.
const MOST: usize = 1000;
const BUDGET: usize = 16 * 1024 * 1024;
const AT_ONCE: usize = 16;

/// A picture of nothing.
const NOTHING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\"/>";

/// The pictures of clients.
pub type Logos = Kept<Logo>;

/// A picture, and what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logo {
    kind: &'static str,
    body: Bytes,
}

/// Knows none as yet.
pub fn none() -> Logos {
    Kept::new(MOST, BUDGET, AT_ONCE)
}

/// Where the picture of this client is.
pub fn address(client_id: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/oauth/logo?{}", query.append_pair("client_id", client_id).finish())
}

/// `GET /oauth/logo?client_id=…`
pub async fn show(visit: Visit) -> Answer {
    let named = visit.query.text("client_id");
    if named.is_empty() {
        return error_page(&visit, &OAuthError::request("client_id is missing"));
    }
    let client = visit.app.oauth.clients.find(named, visit.now).await?;
    let uri = client.as_ref().and_then(|client| client.record.metadata.logo_uri.as_deref());
    let logo = match uri.and_then(|uri| Url::parse(uri).ok()) {
        Some(url) => logo(&visit.app, &url, visit.now).await,
        None => None,
    };
    let response = Response::builder()
        // Whatever it is, it is shown as a picture and does nothing (the browser does not guess: nosniff is always there).
        .header(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
        .header("cross-origin-resource-policy", "same-origin");
    let response = match logo {
        Some(logo) => response
            .header(CONTENT_TYPE, logo.kind)
            .header(CACHE_CONTROL, "private, max-age=3600")
            .body(Body::from(logo.body))?,
        // Browsers show a picture whatever the status is, and a broken one where there is none.
        None => response
            .status(StatusCode::NOT_FOUND)
            .header(CONTENT_TYPE, "image/svg+xml")
            .header(CACHE_CONTROL, "no-store")
            .body(Body::from(NOTHING))?,
    };
    Ok(response)
}

async fn logo(app: &App, url: &Url, now: gateward_kernel::time::Moment) -> Option<Logo> {
    let fetch = async {
        match fetch(app, url).await {
            Ok(had) => Some(had),
            Err(error) => {
                let at = url.origin().ascii_serialization();
                tracing::info!(at, %error, "the picture of a client could not be fetched");
                None
            }
        }
    };
    app.oauth.logos.get(url.as_str(), now, fetch).await
}

async fn fetch(app: &App, url: &Url) -> Result<Had<Logo>, OutboundError> {
    let fetched = app.outbound.get(url, WANTED).await?.ok()?;
    let kind = kind(&fetched.body).ok_or(OutboundError::Malformed("no picture of a kind that is shown"))?;
    let kept = fetched.max_age.unwrap_or(DEFAULT_KEPT).clamp(KEPT.0, KEPT.1);
    Ok(Had { weight: fetched.body.len(), value: Logo { kind, body: fetched.body }, kept })
}

/// What a picture is by its first bytes, whatever was said. No SVG: that is a program.
fn kind(body: &[u8]) -> Option<&'static str> {
    let is_webp = body.starts_with(b"RIFF") && body.get(8..12) == Some(b"WEBP");
    match body {
        _ if body.starts_with(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        _ if body.starts_with(b"\xff\xd8\xff") => Some("image/jpeg"),
        _ if body.starts_with(b"GIF87a") || body.starts_with(b"GIF89a") => Some("image/gif"),
        _ if is_webp => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        for (body, expected) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"GIF87a", Some("image/gif")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\0\0\0\0WAVE", None),
            (b"RIFF", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(kind(body), expected, "{body:?}");
        }
    }
}
