//! Who listens, and what they are told.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use gateward_kernel::ports::{Key, Listener, Version};
use parking_lot::{Mutex, RwLock};
use redis::Value;

use super::scripts::parse_name;

/// So many independent parts for own writes under way.
const SHARDS: usize = 64;

/// The listeners of one store.
pub(super) struct Hub {
    prefix: String,
    listeners: RwLock<Listeners>,
    /// Own writes under way, by the key's bytes in Redis.
    writing: Box<[Shard]>,
    hasher: RandomState,
}

struct Listeners {
    all: Vec<Arc<dyn Listener>>,
    whole: bool,
}

type Shard = Mutex<HashMap<Box<[u8]>, Writing>>;

#[derive(Default)]
struct Writing {
    callers: usize,
    /// The newest version told since the first of them began.
    told: Option<Version>,
}

/// An own write under way. When it ends without saying what came of it, the listeners are told that the record may be another.
pub(super) struct Own<'a> {
    hub: &'a Hub,
    key: &'a Key,
    name: &'a [u8],
    settled: bool,
}

impl Hub {
    pub(super) fn new(prefix: String) -> Self {
        Hub {
            prefix,
            listeners: RwLock::new(Listeners { all: Vec::new(), whole: false }),
            writing: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn join(&self, listener: Arc<dyn Listener>) {
        let mut listeners = self.listeners.write();
        if !listeners.whole {
            listener.lost();
        }
        listeners.all.push(listener);
    }

    /// Whether it was whole before.
    pub(super) fn lost(&self) -> bool {
        let mut listeners = self.listeners.write();
        let was_whole = std::mem::replace(&mut listeners.whole, false);
        if was_whole {
            listeners.all.iter().for_each(|listener| listener.lost());
        }
        was_whole
    }

    pub(super) fn restored(&self) {
        let mut listeners = self.listeners.write();
        if !std::mem::replace(&mut listeners.whole, true) {
            listeners.all.iter().for_each(|listener| listener.restored());
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.listeners.read().whole
    }

    /// The server has told of changed keys: a list of names, or nothing for *everything* (`FLUSHALL`).
    pub(super) fn invalidated(&self, data: &[Value]) {
        let [Value::Array(names)] = data else {
            let listeners = self.listeners.write();
            if listeners.whole {
                for listener in &listeners.all {
                    listener.lost();
                    listener.restored();
                }
            }
            return;
        };
        let listeners = self.listeners.read();
        for name in names {
            if let Value::BulkString(name) = name
                && let Some((kind, id)) = parse_name(&self.prefix, name)
            {
                listeners.all.iter().for_each(|listener| listener.changed(kind, id, None));
            }
        }
    }

    /// To be called before an own write is sent.
    pub(super) fn writing<'a>(&'a self, key: &'a Key, name: &'a [u8]) -> Own<'a> {
        if let Some(shard) = self.shard(name) {
            shard.lock().entry(name.into()).or_default().callers += 1;
        }
        Own { hub: self, key, name, settled: false }
    }

    fn shard(&self, name: &[u8]) -> Option<&Shard> {
        let hash = usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0);
        self.writing.get(hash)
    }

    fn tell(&self, key: &Key, version: Option<Version>) {
        let listeners = self.listeners.read();
        listeners.all.iter().for_each(|listener| listener.changed(key.kind, &key.id, version));
    }
}

impl Own<'_> {
    /// It is done, and this is the state it has left: the listeners are told, unless a later own write has been told already.
    /// Answers to several writes of one record may be read in another order than they were given.
    pub(super) fn done(mut self, version: Version) {
        self.settled = true;
        let Some(shard) = self.hub.shard(self.name) else { return };
        let mut shard = shard.lock();
        if let Some(writing) = shard.get_mut(self.name)
            && writing.told < Some(version)
        {
            writing.told = Some(version);
            self.hub.tell(self.key, Some(version));
        }
    }

    /// Nothing was changed.
    pub(super) fn refused(mut self) {
        self.settled = true;
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.hub.tell(self.key, None);
        }
        let Some(shard) = self.hub.shard(self.name) else { return };
        let mut shard = shard.lock();
        if let Some(writing) = shard.get_mut(self.name) {
            writing.callers -= 1;
            if writing.callers == 0 {
                shard.remove(self.name);
            }
        }
    }
}
