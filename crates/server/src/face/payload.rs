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
            Payload::Body(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Nothing => true,
            Payload::Body(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Nothing => SizeHint::with_exact(0),
            Payload::Body(body) => body.size_hint(),
        }
    }
}
