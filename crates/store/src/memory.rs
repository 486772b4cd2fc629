//! The reference store: what the port promises, in a map under one lock. It ends with the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::ready;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gateward_kernel::ports::{Answer, Created, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version};
use gateward_kernel::time::Moment;
use parking_lot::RwLock;

/// Records in memory: for tests, for trying out, and for a single process that may forget everybody when it ends.
#[derive(Default)]
pub struct Memory {
    shelves: RwLock<Shelves>,
    versions: AtomicU64,
}

#[derive(Default)]
struct Shelves {
    /// By kind, then by id in order, so that pages have an order too.
    records: HashMap<&'static str, BTreeMap<Box<[u8]>, Stored>>,
    /// Every record by its death, so that sweeping looks only at the dead.
    deaths: BTreeSet<(Moment, &'static str, Box<[u8]>)>,
    listeners: Vec<Arc<dyn Listener>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Memory::default()
    }

    /// A version that no state of any record has had.
    fn next_version(&self) -> Version {
        Version(self.versions.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn create_now(&self, key: &Key, value: Bytes, death: Moment) -> Created {
        let mut shelves = self.shelves.write();
        if shelves.find(key).is_some() {
            return Created::Exists;
        }
        let version = self.next_version();
        shelves.put(key, Stored { value, version, death });
        shelves.tell(key, version);
        Created::Done(version)
    }

    fn replace_now(&self, key: &Key, expected: Version, value: Bytes, death: Moment) -> Replaced {
        let mut shelves = self.shelves.write();
        match shelves.find(key).map(|stored| stored.version) {
            None => Replaced::Absent,
            Some(version) if version != expected => Replaced::Stale,
            Some(_) => {
                let version = self.next_version();
                shelves.take(key);
                shelves.put(key, Stored { value, version, death });
                shelves.tell(key, version);
                Replaced::Done(version)
            }
        }
    }

    fn remove_now(&self, key: &Key) -> Option<Stored> {
        let mut shelves = self.shelves.write();
        let stored = shelves.take(key)?;
        let version = self.next_version();
        shelves.tell(key, version);
        Some(stored)
    }

    fn sweep_now(&self, before: Moment, limit: usize) -> usize {
        let mut shelves = self.shelves.write();
        let mut swept = 0;
        while swept < limit {
            let Some((death, kind, id)) = shelves.deaths.first().cloned() else { break };
            if death >= before {
                break;
            }
            shelves.take(&Key { kind, id });
            swept += 1;
        }
        swept
    }

    fn page_now(&self, kind: &'static str, after: Option<&[u8]>, limit: usize) -> Page {
        let shelves = self.shelves.read();
        let Some(shelf) = shelves.records.get(kind) else { return Page::default() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = shelf.range::<[u8], _>((from, Bound::Unbounded));
        let items: Vec<_> =
            rest.by_ref().take(limit).map(|(id, stored)| (id.clone(), stored.clone())).collect();
        let next = rest.next().and_then(|_| items.last()).map(|(id, _)| id.clone());
        Page { items, next }
    }
}

impl Shelves {
    fn find(&self, key: &Key) -> Option<&Stored> {
        self.records.get(key.kind)?.get(&key.id)
    }

    fn put(&mut self, key: &Key, stored: Stored) {
        self.deaths.insert((stored.death, key.kind, key.id.clone()));
        self.records.entry(key.kind).or_default().insert(key.id.clone(), stored);
    }

    fn take(&mut self, key: &Key) -> Option<Stored> {
        let stored = self.records.get_mut(key.kind)?.remove(&key.id)?;
        self.deaths.remove(&(stored.death, key.kind, key.id.clone()));
        Some(stored)
    }

    /// Under the lock of the write itself: so every listener hears of the states of a record in their order.
    fn tell(&self, key: &Key, version: Version) {
        for listener in &self.listeners {
            listener.changed(key.kind, &key.id, Some(version));
        }
    }
}

impl Kv for Memory {
    fn traits(&self) -> Traits {
        Traits {
            engine: "memory",
            durable: false,
            shared: false,
            pages: true,
            pushes: false,
            expires: false,
            largest: crate::LARGEST_VALUE,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(ready(Ok(self.shelves.read().find(key).cloned())))
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move {
            crate::fits("memory", key, &value)?;
            Ok(self.create_now(key, value, death))
        })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move {
            crate::fits("memory", key, &value)?;
            Ok(self.replace_now(key, expected, value, death))
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move { Ok(self.remove_now(key)) })
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(async move { Ok(self.page_now(kind, after, limit)) })
    }

    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        Box::pin(async move { Ok(self.sweep_now(before, limit)) })
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.shelves.write().listeners.push(listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}
