//! One request and its answer on a connection of their own, bounded in every direction.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use gateward_guard::outward;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::OutboundError;

/// The largest head of an answer, in bytes, and the most headers in it.
pub(super) const LARGEST_HEAD: usize = 32 * 1024;
pub(super) const MOST_HEADERS: usize = 100;

/// An answer in full.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its status, which is no redirect; whether it serves is the caller's to say.
    pub status: StatusCode,
    /// What it says its body is; empty when it does not, or not once.
    pub content_type: String,
    /// Its body.
    pub body: Bytes,
    /// For how long it may still be kept, if it says so (RFC 9111 §4.2); nothing when it may not be kept.
    pub max_age: Option<Duration>,
}

impl Fetched {
    /// Whether the body is said to be of this type, whatever its parameters: `application/json`.
    pub fn is(&self, media_type: &str) -> bool {
        let said = self.content_type.split(';').next().unwrap_or_default();
        said.trim_matches([' ', '\t']).eq_ignore_ascii_case(media_type)
    }

    /// The same, if its status is 200.
    ///
    /// # Errors
    /// [`OutboundError::Status`] for every other one.
    pub fn ok(self) -> Result<Self, OutboundError> {
        if self.status == StatusCode::OK { Ok(self) } else { Err(OutboundError::Status(self.status)) }
    }
}

/// Asks, and reads the answer to its end or to its limit.
pub(super) async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Fetched, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = Builder::new()
        .max_headers(MOST_HEADERS)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_HEAD * 2)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(|error| OutboundError::failed(&error))?;
    let mut asking = pin!(ask(sender, request, largest));
    // Both in this one task, so that nothing goes on when the caller is gone.
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        _ended = connection => asking.await,
    }
}

async fn ask(
    mut sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Fetched, OutboundError> {
    let answer = sender.send_request(request).await.map_err(|error| OutboundError::failed(&error))?;
    let (parts, body) = answer.into_parts();
    if parts.status.is_redirection() {
        return Err(OutboundError::Redirected(parts.status));
    }
    if body.size_hint().lower() > u64::try_from(largest).unwrap_or(u64::MAX) {
        return Err(OutboundError::TooLarge);
    }
    let body = Limited::new(body, largest).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { OutboundError::TooLarge } else { OutboundError::failed(&*error) }
    })?;
    let mut types = parts.headers.get_all(CONTENT_TYPE).into_iter();
    let content_type = match (types.next(), types.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let max_age =
        outward::max_age(&parts.headers).map(|age| age.saturating_sub(outward::age(&parts.headers)));
    Ok(Fetched { status: parts.status, content_type, body: body.to_bytes(), max_age })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_compared_without_its_parameters() {
        let fetched = |content_type: &str| Fetched {
            status: StatusCode::OK,
            content_type: content_type.into(),
            body: Bytes::new(),
            max_age: None,
        };
        for (said, is) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json ;x", true),
            ("application/json5", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(fetched(said).is("application/json"), is, "{said}");
        }
    }
}
