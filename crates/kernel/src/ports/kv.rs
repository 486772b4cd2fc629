//! The port to a store of small versioned records.

use std::sync::Arc;

use bytes::Bytes;

use super::Answer;
use crate::time::Moment;

/// Where a record lives: its kind, and its id within the kind (at most 64 bytes).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The kind of record, such as `session`: lower-case letters.
    pub kind: &'static str,
    /// Its id among its kind.
    pub id: Box<[u8]>,
}

impl Key {
    /// The key of the `kind` record with this id.
    pub fn new(kind: &'static str, id: impl AsRef<[u8]>) -> Self {
        Key { kind, id: id.as_ref().into() }
    }
}

/// Which state of a record: grows with every change of that key, also over removal and re-creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u64);

/// A stored value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The bytes.
    pub value: Bytes,
    /// Which state this is.
    pub version: Version,
    /// When it dies. The reader decides by its own clock; the engine's own expiry is housekeeping.
    pub death: Moment,
}

/// The result of [`Kv::create`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// It is there now.
    Done(Version),
    /// Another record has that key; nothing changed.
    Exists,
}

/// The result of [`Kv::replace`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// It is replaced.
    Done(Version),
    /// Somebody else changed it since; nothing changed.
    Stale,
    /// It is not there (any more); nothing changed, and nothing was brought back.
    Absent,
}

/// A part of the records of one kind, in the order of their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Ids and values.
    pub items: Vec<(Box<[u8]>, Stored)>,
    /// The last id of this part, after which the next one starts; `None` when nothing comes after.
    pub next: Option<Box<[u8]>>,
}

/// What a back-end can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traits {
    /// The engine's name in messages and metrics.
    pub engine: &'static str,
    /// An acknowledged write survives the end of every process.
    pub durable: bool,
    /// Several processes see the same records.
    pub shared: bool,
    /// [`Kv::page`] works.
    pub pages: bool,
    /// [`Kv::changes`] reports the writes of other processes.
    pub pushes: bool,
    /// The engine takes the dead away by itself some time after their death: [`Kv::sweep`] finds nothing to do.
    pub expires: bool,
    /// The largest value in bytes.
    pub largest: usize,
}

/// Who wants to hear of changes. Called from the store's own threads: it must be quick and must not call back.
pub trait Listener: Send + Sync {
    /// The record has had the state `version` (or lost it by removal); every older state is out of date. Without a version
    /// the engine does not say which state is the newest: every state known so far is out of date.
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>);
    /// The feed is cut: changes may be missed from now on. Nothing remembered may be believed.
    fn lost(&self);
    /// The feed is whole again, from this moment on.
    fn restored(&self);
    /// Whether it wants to hold every record. A store whose feed carries values then calls [`loading`](Self::loading) and
    /// [`present`](Self::present); others do not, and the listener must do without.
    fn holds_all(&self) -> bool {
        false
    }
    /// Between [`lost`](Self::lost) and [`restored`](Self::restored): now comes what it is to hold. `anew`: every record there
    /// is, and what is not among them is gone; otherwise only what changed since the feed was lost.
    fn loading(&self, _anew: bool) {}
    /// The record has this state. Told while loading, and right after each [`changed`](Self::changed) that is no removal.
    fn present(&self, _kind: &str, _id: &[u8], _stored: &Stored) {}
}

/// A store of small versioned records with exact conditional writes.
///
/// *Exists*, *stale* and *absent* are results. An outage is a [`Fault`](super::Fault) and never looks like *absent*.
/// An acknowledged write is seen by every later read.
pub trait Kv: Send + Sync + 'static {
    /// What this back-end can do.
    fn traits(&self) -> Traits;
    /// Reads one record; also one past its death that was not yet swept.
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>>;
    /// Writes a record that is not there yet. Of many at once exactly one is done. A value above [`Traits::largest`] or
    /// an id above 64 bytes is a fault ([`FaultKind::TooLarge`](super::FaultKind::TooLarge)).
    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created>;
    /// Writes a record whose state is `expected`. Never brings back what was removed.
    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced>;
    /// Takes a record away and yields what it was, to exactly one of many callers.
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>>;
    /// Up to `limit` records of a kind whose ids come after `after`, in order. A fault where the back-end cannot.
    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page>;
    /// Takes away up to `limit` records that died before `before`, and says how many; none where the engine does that by
    /// itself ([`Traits::expires`]).
    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize>;
    /// From now on tells `listener` of every change, at the latest before the write is acknowledged for writes of
    /// this process, and within a second for those of others. The listener is held weakly by nobody: it stays.
    fn changes(&self, listener: Arc<dyn Listener>);
    /// Whether the store answers: for readiness.
    fn ping(&self) -> Answer<'_, ()>;
}
