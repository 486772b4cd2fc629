//! One request on one connection, and what is known of it afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// After so long the client gives up; the program gives up its stores before.
const PATIENCE: Duration = Duration::from_secs(7);

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Answer),
    /// Nobody took the connection: it was not done.
    Refused,
    /// It was sent, and no answer came: it may have been done.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The version in the `ETag`.
    pub(crate) fn version(&self) -> Option<u64> {
        self.headers.get("etag")?.to_str().ok()?.trim_matches('"').parse().ok()
    }

    /// The session secret that is handed out in the cookie.
    pub(crate) fn cookie(&self) -> Option<String> {
        let all = self.headers.get_all("set-cookie").into_iter();
        all.filter_map(|value| value.to_str().ok()?.strip_prefix("gateward=")?.split(';').next())
            .find(|secret| !secret.is_empty())
            .map(str::to_owned)
    }

    /// A text in the body, by the names that lead to it.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        let found = path.iter().try_fold(&self.body, |value, name| value.get(name))?;
        found.as_str().map(str::to_owned)
    }
}

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Question {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Question { method, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// Asks this node.
pub(crate) async fn ask(node: SocketAddr, question: Question) -> Reply {
    match tokio::time::timeout(PATIENCE, attempt(node, question)).await {
        Ok(reply) => reply,
        Err(_) => Reply::Lost,
    }
}

async fn attempt(node: SocketAddr, question: Question) -> Reply {
    let Ok(stream) = TcpStream::connect(node).await else { return Reply::Refused };
    match over(stream, node, question).await {
        Some(answer) => Reply::Answer(answer),
        None => Reply::Lost,
    }
}

async fn over(stream: TcpStream, node: SocketAddr, question: Question) -> Option<Answer> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let running = tokio::spawn(connection);
    let mut request = Request::builder().method(question.method).uri(question.path);
    request = request.header("host", node.to_string());
    for (name, value) in question.headers {
        request = request.header(name, value);
    }
    let body = match question.body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    running.abort();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}
