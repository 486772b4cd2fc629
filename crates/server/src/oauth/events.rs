//! The push channel: server-sent events (WHATWG HTML §9.2) that tell verifiers of revocations as they happen.
//!
//! An event is `snapshot` (everything, for who knows nothing or missed too much), `change` (what came since) or `beat`
//! (nothing came: what you know is whole up to now). Each carries an id from which a listener goes on after a cut. While
//! this node cannot be sure to know everything itself, it says nothing, and listeners' knowledge grows old.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use gateward_kernel::status::deflate;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::App;
use crate::tokens::mint::list_uri;
use crate::tokens::news::{Heard, Missed};

/// A listener hears at least this often.
const BEAT: Duration = Duration::from_secs(2);
/// Revocations that come within this time of each other travel together.
const GATHER: Duration = Duration::from_millis(2);

/// Somebody who listens.
struct Listener {
    app: Arc<App>,
    heard: Option<Heard>,
    newest: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

/// What comes to somebody who has heard everything up to the event of this id, or knows nothing yet; `None` when as many
/// listen as may.
pub(super) fn listen(
    app: &Arc<App>,
    last: Option<&str>,
) -> Option<impl Stream<Item = Result<Bytes, Infallible>> + Send + use<>> {
    let news = app.tokens.status.news();
    // Counted with this one: of many who come at once not one too many stays.
    let newest = news.watch();
    if news.listeners() > app.settings.tokens.push_listeners as usize {
        return None;
    }
    let listener = Listener {
        app: app.clone(),
        heard: last.and_then(Heard::read),
        newest,
        stopping: app.stopping.subscribe(),
    };
    Some(stream::unfold((listener, true), |(mut listener, first)| async move {
        let event = listener.next(first).await?;
        Some((Ok(event), (listener, false)))
    }))
}

impl Listener {
    /// The next event; `None` when the program stops. The first one comes at once.
    async fn next(&mut self, first: bool) -> Option<Bytes> {
        if !first {
            tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                changed = self.newest.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(GATHER).await;
                }
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        loop {
            self.newest.borrow_and_update();
            if let Some(event) = self.event() {
                return Some(event);
            }
            tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                changed = self.newest.changed() => changed.ok()?,
            }
        }
    }

    /// What there is to say now; `None` while this node does not know enough itself.
    fn event(&mut self) -> Option<Bytes> {
        let status = &self.app.tokens.status;
        if !status.is_whole() {
            return None;
        }
        let news = status.news();
        let (name, data, heard) = match self.heard.as_ref().and_then(|heard| news.since(heard)) {
            Some((missed, heard)) if missed.is_empty() => ("beat", json!({}), heard),
            Some((missed, heard)) => ("change", self.change(missed), heard),
            None => {
                // The place first: what comes in between is told twice rather than never.
                let heard = news.now();
                ("snapshot", self.snapshot()?, heard)
            }
        };
        let text = format!("id: {heard}\nevent: {name}\ndata: {data}\n\n");
        self.heard = Some(heard);
        Some(text.into())
    }

    fn change(&self, missed: Missed) -> Value {
        let issuer = self.app.tokens.mint.issuer();
        let lists: BTreeMap<String, Vec<u32>> =
            missed.revoked.into_iter().map(|(list, indexes)| (list_uri(issuer, list), indexes)).collect();
        let cuts: BTreeMap<String, i64> =
            missed.cuts.into_iter().map(|(subject, at)| (subject, at.micros())).collect();
        json!({ "lists": lists, "cuts": cuts })
    }

    fn snapshot(&self) -> Option<Value> {
        let issuer = self.app.tokens.mint.issuer();
        let whole = self.app.tokens.status.whole()?;
        let lists: BTreeMap<String, Value> = whole
            .lists
            .into_iter()
            .map(|(list, bits)| (list_uri(issuer, list), json!({ "bits": 1, "lst": deflate(bits.bytes()) })))
            .collect();
        let cuts: BTreeMap<String, i64> =
            whole.cuts.into_iter().map(|(subject, at)| (subject.to_string(), at.micros())).collect();
        Some(json!({ "lists": lists, "cuts": cuts }))
    }
}

/// Comes when the program is told to end.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the program is gone already.
    let _is_gone = stopping.wait_for(|stopping| *stopping).await.is_err();
}
