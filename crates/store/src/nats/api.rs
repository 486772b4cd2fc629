//! What JetStream is asked, and how it answers.

use async_nats::header::HeaderMap;
use bytes::Bytes;
use data_encoding::BASE64;
use gateward_kernel::ports::{Stored, Version};
use serde_json::{Value, json};

use super::dial::Live;
use super::names;
use super::trouble::{Trouble, Why};

/// There is no such message.
const NOT_FOUND: u64 = 10_037;
/// The last message of the subject is another one than was said.
const WRONG_LAST: [u64; 2] = [10_071, 10_164];
/// There is no such stream.
pub(super) const NO_STREAM: u64 = 10_059;

/// How long a removal is told to those who were away. The server forgets it then.
pub(super) const TOMBSTONE_SECONDS: u64 = 120;

/// What a publication came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Published {
    /// It is message number so and so.
    At(u64),
    /// The last message of its subject is another one than was expected; nothing was written.
    Wrong,
}

/// The last message of a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Last {
    pub(super) sequence: u64,
    /// The record; `None` when the message says that it is gone.
    pub(super) stored: Option<Stored>,
}

/// A message as it lies in the stream.
pub(super) struct Raw {
    pub(super) sequence: u64,
    pub(super) subject: String,
    pub(super) payload: Bytes,
    is_removal: bool,
}

/// Asks the JetStream API; an error that it says is an error here.
pub(super) async fn ask(live: &Live, question: &str, body: &Value) -> Result<Value, Trouble> {
    let payload = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let answer = live.ask(format!("$JS.API.{question}"), None, payload).await?;
    let answer: Value = serde_json::from_slice(&answer.payload).map_err(|_| Trouble::odd(question))?;
    match answer.get("error") {
        Some(error) => Err(said(error)),
        None => Ok(answer),
    }
}

/// What the API said was wrong.
fn said(error: &Value) -> Trouble {
    let code = error.get("err_code").and_then(Value::as_u64).unwrap_or(0);
    let text = error.get("description").and_then(Value::as_str).unwrap_or("an error without a text");
    Trouble::new(Why::Said(code), format!("NATS says: {text} ({code})"))
}

/// Writes a message, on the condition that the last one of its subject is number `expected`; 0 stands for none.
pub(super) async fn publish(
    live: &Live,
    subject: &str,
    expected: Option<u64>,
    mut headers: HeaderMap,
    payload: Bytes,
) -> Result<Published, Trouble> {
    if let Some(expected) = expected {
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
    }
    let answer = live.ask(subject.to_owned(), Some(headers), payload).await?;
    let answer: Value = serde_json::from_slice(&answer.payload).map_err(|_| Trouble::odd("a write"))?;
    if let Some(error) = answer.get("error") {
        let trouble = said(error);
        return match trouble.why {
            Why::Said(code) if WRONG_LAST.contains(&code) => Ok(Published::Wrong),
            _ => Err(trouble),
        };
    }
    answer.get("seq").and_then(Value::as_u64).map(Published::At).ok_or_else(|| Trouble::odd("a write"))
}

/// The headers of a removal.
pub(super) fn removal() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("KV-Operation", "DEL");
    headers.insert("Nats-TTL", TOMBSTONE_SECONDS.to_string());
    headers
}

/// The last message of the subject, as the leader of the stream has it.
pub(super) async fn last(live: &Live, stream: &str, subject: &str) -> Result<Option<Last>, Trouble> {
    let found = message(live, stream, &json!({ "last_by_subj": subject })).await?;
    found.map(|raw| raw.read()).transpose()
}

/// A message by a question of the API.
pub(super) async fn message(live: &Live, stream: &str, question: &Value) -> Result<Option<Raw>, Trouble> {
    let answer = match ask(live, &format!("STREAM.MSG.GET.{stream}"), question).await {
        Ok(answer) => answer,
        Err(trouble) if trouble.why == Why::Said(NOT_FOUND) => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    let odd = || Trouble::odd("a read");
    let message = answer.get("message").ok_or_else(odd)?;
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or("");
    let bytes = |name: &str| BASE64.decode(text(name).as_bytes()).map_err(|_| odd());
    let headers = bytes("hdrs")?;
    let headers = String::from_utf8_lossy(&headers);
    Ok(Some(Raw {
        sequence: message.get("seq").and_then(Value::as_u64).ok_or_else(odd)?,
        subject: text("subject").to_owned(),
        payload: bytes("data")?.into(),
        is_removal: headers.contains("KV-Operation:") || headers.contains("Nats-Marker-Reason:"),
    }))
}

impl Raw {
    fn read(self) -> Result<Last, Trouble> {
        let stored = match self.is_removal {
            true => None,
            false => Some(stored(self.payload, names::living(self.sequence))?),
        };
        Ok(Last { sequence: self.sequence, stored })
    }
}

/// Whether the headers of a message say that the record is gone: removed by us, or taken away by the server.
pub(super) fn is_removal(headers: Option<&HeaderMap>) -> bool {
    let is_there = |name: &str| headers.is_some_and(|headers| headers.get(name).is_some());
    is_there("KV-Operation") || is_there("Nats-Marker-Reason")
}

/// The record in a message.
pub(super) fn stored(payload: Bytes, version: Version) -> Result<Stored, Trouble> {
    let unreadable = || Trouble::new(Why::Odd, "a message in the bucket is none of ours");
    let (value, death) = names::unpack(payload).ok_or_else(unreadable)?;
    Ok(Stored { value, version, death })
}
