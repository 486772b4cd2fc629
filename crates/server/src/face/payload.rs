//! The body of an answer. Most answers to proxies have none, and that costs nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body, or none.
#[derive(Debug)]
pub enum Payload {
    /// None at all.
    Nothing,
    /// Some bytes.
    Body(Body),
    /// Bytes that go on for as long as both sides want, and what is held meanwhile.
    Stream(Body, Held),
}

/// Something that is let go when the answer has ended.
pub struct Held(#[expect(dead_code, reason = "held, not looked at")] Box<dyn Send>);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Payload {
    /// The same, holding `held` to its end when nobody knows when that is.
    pub fn holding(self, held: impl Send + 'static) -> Self {
        match self {
            Payload::Body(body) if http_body::Body::size_hint(&body).exact().is_none() => {
                Payload::Stream(body, Held(Box::new(held)))
            }
            other => other,
        }
    }
}

impl From<Body> for Payload {
    fn from(body: Body) -> Self {
        Payload::Body(body)
    }
}

impl http_body::Body for Payload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Payload::Nothing => Poll::Ready(None),
            Payload::Body(body) | Payload::Stream(body, _) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Nothing => true,
            Payload::Body(body) | Payload::Stream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Nothing => SizeHint::with_exact(0),
            Payload::Body(body) | Payload::Stream(body, _) => body.size_hint(),
        }
    }
}
