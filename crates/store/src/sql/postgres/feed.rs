//! The feed of changes: each transaction tells the versions that it made by `NOTIFY`.
//!
//! All writers of a database take one lock before they draw versions and hold it to the end of their transaction, so versions
//! are committed, and told, in their order. What this process wrote is told to its listeners by its writer before anybody is
//! answered, or by the feed if that was faster; what others wrote by the feed, when it can be read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::ports::{Listener, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::sql::Scope;

/// The longest payload of a notification, in bytes; PostgreSQL takes less than 8000.
const LONGEST_PAYLOAD: usize = 7900;
/// So many of its own changes are remembered until the feed has told of them too.
const OWN: usize = 16_384;

/// A change that a transaction has made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static str,
    pub(super) id: Box<[u8]>,
}

/// The channel of a schema's changes.
pub(super) fn channel(schema: u32) -> String {
    format!("gateward_{schema}")
}

/// The changes as payloads of notifications.
pub(super) fn payloads(changes: &[Change]) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for Change { version, kind, id } in changes {
        let word = format!("{kind}:{}:{version}", BASE64URL_NOPAD.encode(id));
        match payloads.last_mut() {
            Some(last) if last.len() + 1 + word.len() <= LONGEST_PAYLOAD => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => payloads.push(word),
        }
    }
    payloads
}

/// Who listens, and how far they have heard.
pub(super) struct Feed {
    state: Mutex<State>,
    /// The line must be given up for a new one.
    pub(super) renew: Notify,
    /// Counts the servers that have told: what was connected to an earlier one reads and writes in the wrong place.
    server: AtomicU64,
}

#[derive(Default)]
struct State {
    listeners: Vec<(Scope, Arc<dyn Listener>)>,
    /// Whether everything is told from the last [`Feed::restored`] on.
    whole: bool,
    /// The server that tells.
    server: String,
    /// The newest version that was heard of.
    heard: u64,
    /// What was told by the writer and not heard of yet: by kind and id.
    own: HashMap<Box<[u8]>, u64>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Feed { state: Mutex::default(), renew: Notify::new(), server: AtomicU64::new(0) }
    }

    pub(super) fn join(&self, scope: Scope, listener: Arc<dyn Listener>) {
        let mut state = self.state.lock();
        if !state.whole {
            listener.lost();
        }
        state.listeners.push((scope, listener));
    }

    /// Tells what this process has just committed, before anybody is answered.
    pub(super) fn committed(&self, changes: &[Change]) {
        let mut state = self.state.lock();
        if !state.whole {
            // Nobody believes their memory now.
            return;
        }
        for Change { version, kind, id } in changes {
            // In the order of the commits: what is not newer than what was heard has been told by the feed.
            if *version > state.heard {
                state.own.insert(name(kind, id), *version);
                state.tell(kind, id, *version);
            }
        }
        if state.own.len() > OWN {
            let heard = state.heard;
            state.own.retain(|_, version| *version > heard);
        }
    }

    /// Tells what a notification says, but for what was told before.
    pub(super) fn hear(&self, payload: &str) {
        let mut state = self.state.lock();
        if !state.whole {
            return;
        }
        for word in payload.split(' ') {
            let Some((kind, id, version)) = read(word) else {
                tracing::error!(
                    "a notification that is not Gateward's came over its channel; the feed starts over"
                );
                state.silence();
                self.renew.notify_one();
                return;
            };
            state.heard = state.heard.max(version);
            let name = name(kind, &id);
            match state.own.get(&name) {
                Some(told) if *told > version => continue,
                Some(told) if *told == version => {
                    state.own.remove(&name);
                    continue;
                }
                _ => state.tell(kind, &id, version),
            }
        }
    }

    /// A connection was made to this server: if it is not the one that tells, the feed is of no use.
    pub(super) fn met(&self, server: &str) {
        let mut state = self.state.lock();
        if state.whole && state.server != server {
            tracing::warn!("another PostgreSQL server has taken over; memory starts over");
            state.silence();
            self.renew.notify_one();
        }
    }

    pub(super) fn lost(&self, why: &str) {
        let mut state = self.state.lock();
        if state.whole {
            tracing::error!(why, "the database's changes are not heard; nothing is answered from memory");
            state.silence();
        }
    }

    /// The server that tells takes no writes any more: another one may, and what is read here may be out of date. Whatever is
    /// connected to it connects anew.
    pub(super) fn left(&self) {
        self.server.fetch_add(1, Ordering::Release);
        self.lost("the server takes no writes any more");
    }

    /// Which server tells.
    pub(super) fn server(&self) -> u64 {
        self.server.load(Ordering::Acquire)
    }

    pub(super) fn restored(&self, server: String) {
        let mut state = self.state.lock();
        if state.server != server {
            self.server.fetch_add(1, Ordering::Release);
        }
        state.server = server;
        state.whole = true;
        state.heard = 0;
        state.own.clear();
        for (_, listener) in &state.listeners {
            listener.restored();
        }
    }
}

impl State {
    fn tell(&self, kind: &str, id: &[u8], version: u64) {
        for (scope, listener) in &self.listeners {
            if scope.includes(kind) {
                listener.changed(kind, id, Some(Version(version)));
            }
        }
    }

    fn silence(&mut self) {
        self.whole = false;
        for (_, listener) in &self.listeners {
            listener.lost();
        }
    }
}

fn name(kind: &str, id: &[u8]) -> Box<[u8]> {
    [kind.as_bytes(), b":", id].concat().into_boxed_slice()
}

fn read(word: &str) -> Option<(&str, Vec<u8>, u64)> {
    let mut parts = word.split(':');
    let (kind, id, version) = (parts.next()?, parts.next()?, parts.next()?);
    let id = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
    parts.next().is_none().then_some((kind, id, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Note(Mutex<Vec<String>>);

    impl Listener for Note {
        fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
            let id = String::from_utf8_lossy(id);
            self.0.lock().push(format!("{kind} {id} {}", version.unwrap().0));
        }
        fn lost(&self) {
            self.0.lock().push("lost".into());
        }
        fn restored(&self) {
            self.0.lock().push("restored".into());
        }
    }

    fn change(version: u64, id: &[u8]) -> Change {
        Change { version, kind: "session", id: id.into() }
    }

    fn feed() -> (Feed, Arc<Note>) {
        let (feed, note) = (Feed::new(), Arc::new(Note::default()));
        feed.restored("one".into());
        feed.join(Scope::All, note.clone());
        (feed, note)
    }

    #[test]
    fn payloads_stay_below_the_limit_and_hold_every_change() {
        let changes: Vec<_> = (0..500).map(|number| change(u64::MAX - number, &[0xff; 64])).collect();
        let payloads = payloads(&changes);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= LONGEST_PAYLOAD));
        let read: Vec<_> = payloads.iter().flat_map(|payload| payload.split(' ')).map(read).collect();
        let expected: Vec<_> =
            changes.iter().map(|change| Some((change.kind, change.id.to_vec(), change.version))).collect();
        assert_eq!(read, expected);
        assert!(super::payloads(&[]).is_empty());
    }

    #[test]
    fn own_changes_are_told_once_whoever_is_first() {
        let (feed, note) = feed();
        feed.committed(&[change(1, b"a")]);
        feed.hear(&payloads(&[change(1, b"a")])[0]);
        feed.hear(&payloads(&[change(2, b"b")])[0]);
        feed.committed(&[change(2, b"b")]);
        assert_eq!(*note.0.lock(), ["session a 1", "session b 2"]);
        assert!(feed.state.lock().own.is_empty());
    }

    #[test]
    fn a_late_word_of_an_older_state_is_left_out() {
        let (feed, note) = feed();
        feed.committed(&[change(5, b"a"), change(6, b"b")]);
        feed.hear(&payloads(&[change(3, b"a"), change(4, b"c")])[0]);
        feed.hear(&payloads(&[change(5, b"a"), change(6, b"b"), change(7, b"a")])[0]);
        assert_eq!(*note.0.lock(), ["session a 5", "session b 6", "session c 4", "session a 7"]);
    }

    #[test]
    fn nothing_is_told_while_the_feed_is_cut() {
        let (feed, note) = feed();
        feed.lost("test");
        feed.lost("test");
        feed.committed(&[change(1, b"a")]);
        feed.hear(&payloads(&[change(2, b"a")])[0]);
        let late = Arc::new(Note::default());
        feed.join(Scope::All, late.clone());
        feed.restored("two".into());
        feed.met("two");
        feed.committed(&[change(1, b"b")]);
        assert_eq!(*note.0.lock(), ["lost", "restored", "session b 1"], "also when versions went back");
        feed.met("one");
        assert_eq!(*late.0.lock(), ["lost", "restored", "session b 1", "lost"]);
    }

    #[test]
    fn a_word_that_cannot_be_read_starts_the_feed_over() {
        for word in ["", "hello", "session:YQ", "session:YQ:x", "session:!:1", "session:YQ:1:2"] {
            let (feed, note) = feed();
            feed.hear(word);
            assert_eq!(*note.0.lock(), ["lost"], "{word:?}");
        }
    }
}
