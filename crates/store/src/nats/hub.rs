//! Who listens, and what they are told.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateward_kernel::ports::{Key, Listener, Stored, Version};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

/// So many independent parts for what this handle wrote.
const SHARDS: usize = 64;

/// The listeners of one store. Each state of a record is told once: of own writes before they are answered, of others by the
/// feed; an older state is never told after a newer one.
pub(super) struct Hub {
    listeners: RwLock<Listeners>,
    /// By subject: own writes under way, or whose echo from the feed is still to come.
    writing: Box<[Shard]>,
    hasher: RandomState,
    /// Echoes are to be expected.
    following: AtomicBool,
    /// Somebody who wants to hold everything has joined.
    pub(super) wanted: Notify,
}

/// By subject.
type Shard = Mutex<HashMap<Box<str>, Writing>>;

struct Listeners {
    all: Vec<Arc<dyn Listener>>,
    whole: bool,
}

impl Listeners {
    fn holders(&self) -> usize {
        self.all.iter().filter(|listener| listener.holds_all()).count()
    }
}

struct Writing {
    callers: usize,
    /// The newest version told since the first of them began.
    told: Version,
    /// The newest version that the feed has brought since then.
    passed: Version,
}

/// An own write under way.
pub(super) struct Own<'a> {
    hub: &'a Hub,
    key: &'a Key,
    subject: &'a str,
}

impl Hub {
    pub(super) fn new() -> Self {
        Hub {
            listeners: RwLock::new(Listeners { all: Vec::new(), whole: false }),
            writing: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            following: AtomicBool::new(false),
            wanted: Notify::new(),
        }
    }

    pub(super) fn join(&self, listener: Arc<dyn Listener>) {
        let mut listeners = self.listeners.write();
        let holds_all = listener.holds_all();
        if holds_all || !listeners.whole {
            listener.lost();
        }
        if holds_all {
            // It is loaded with everybody else, when the feed begins anew.
            if std::mem::replace(&mut listeners.whole, false) {
                listeners.all.iter().for_each(|listener| listener.lost());
            }
            self.wanted.notify_one();
        }
        listeners.all.push(listener);
    }

    /// How many want to hold everything.
    pub(super) fn holders(&self) -> usize {
        self.listeners.read().holders()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.listeners.read().whole
    }

    /// The feed is cut.
    pub(super) fn lost(&self) {
        {
            let mut listeners = self.listeners.write();
            if std::mem::replace(&mut listeners.whole, false) {
                listeners.all.iter().for_each(|listener| listener.lost());
            }
        }
        self.following.store(false, Ordering::Release);
        for shard in &self.writing {
            shard.lock().retain(|_, writing| writing.callers > 0);
        }
    }

    /// The feed is about to be there: from now on echoes are expected.
    pub(super) fn following(&self) {
        self.following.store(true, Ordering::Release);
    }

    pub(super) fn loading(&self, anew: bool) {
        self.listeners.read().all.iter().for_each(|listener| listener.loading(anew));
    }

    /// The feed is whole, and so many were loaded. When more want to be, it is about to begin anew.
    pub(super) fn restored(&self, holders: usize) {
        let mut listeners = self.listeners.write();
        if listeners.holders() != holders {
            return;
        }
        if !std::mem::replace(&mut listeners.whole, true) {
            listeners.all.iter().for_each(|listener| listener.restored());
        }
    }

    /// The feed has brought a state of a record.
    pub(super) fn heard(
        &self,
        subject: &str,
        (kind, id): (&str, &[u8]),
        version: Version,
        stored: Option<&Stored>,
    ) {
        let Some(shard) = self.shard(subject) else { return };
        let mut shard = shard.lock();
        if let Some(writing) = shard.get_mut(subject) {
            let is_known = writing.told >= version;
            writing.passed = writing.passed.max(version);
            writing.told = writing.told.max(version);
            if writing.callers == 0 && writing.passed >= writing.told {
                shard.remove(subject);
            }
            if is_known {
                return;
            }
        }
        self.tell(kind, id, version, stored);
    }

    /// To be called before an own write is sent.
    pub(super) fn writing<'a>(&'a self, key: &'a Key, subject: &'a str) -> Own<'a> {
        if let Some(shard) = self.shard(subject) {
            let fresh = || Writing { callers: 0, told: Version(0), passed: Version(0) };
            shard.lock().entry(subject.into()).or_insert_with(fresh).callers += 1;
        }
        Own { hub: self, key, subject }
    }

    fn shard(&self, subject: &str) -> Option<&Shard> {
        let hash = usize::try_from(self.hasher.hash_one(subject) % SHARDS as u64).unwrap_or(0);
        self.writing.get(hash)
    }

    fn tell(&self, kind: &str, id: &[u8], version: Version, stored: Option<&Stored>) {
        for listener in &self.listeners.read().all {
            listener.changed(kind, id, Some(version));
            if let Some(stored) = stored {
                listener.present(kind, id, stored);
            }
        }
    }
}

impl Own<'_> {
    /// It is done, and this is the state it has left: the listeners are told, unless they know that or a later one.
    pub(super) fn done(&self, version: Version, stored: Option<&Stored>) {
        let Some(shard) = self.hub.shard(self.subject) else { return };
        let mut shard = shard.lock();
        if let Some(writing) = shard.get_mut(self.subject)
            && writing.told < version
        {
            writing.told = version;
            self.hub.tell(self.key.kind, &self.key.id, version, stored);
        }
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        let Some(shard) = self.hub.shard(self.subject) else { return };
        let mut shard = shard.lock();
        if let Some(writing) = shard.get_mut(self.subject) {
            writing.callers -= 1;
            let is_over = writing.passed >= writing.told || !self.hub.following.load(Ordering::Acquire);
            if writing.callers == 0 && is_over {
                shard.remove(self.subject);
            }
        }
    }
}
