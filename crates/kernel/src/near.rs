//! The near cache: decoded records in memory, believed only while the store's feed of changes is whole.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry as Place, HashTable};
use parking_lot::RwLock;

use crate::ports::{Listener, Stored, Version};
use crate::time::Clock;

mod replica;

use replica::Replica;
pub use replica::Unpack;

/// So many independent parts: two requests seldom meet at one lock.
const SHARDS: usize = 256;

/// What the table and the allocator cost for an entry, beside what the value says of itself.
const OVERHEAD: usize = 96;

/// What can be remembered. It knows its own name and state, so that they are not kept twice: there may be millions.
pub trait Remembered {
    /// What names it.
    type Id: Copy + Eq + Hash;

    /// Its name.
    fn id(&self) -> Self::Id;
    /// Its state.
    fn version(&self) -> Version;
    /// About how many bytes it takes in memory; always the same of one value.
    fn weight(&self) -> usize;
}

/// A bounded memory of values by id.
///
/// It stops answering the moment its feed is lost ([`Listener::lost`]) and starts empty when the feed is restored.
/// It is bounded by bytes, not by entries; what is thrown out is chosen by a clock hand over each shard, sparing what
/// was used since the hand last passed.
pub struct Near<V> {
    kind: &'static str,
    shards: Box<[RwLock<Shard<V>>]>,
    hasher: DefaultHashBuilder,
    budget_per_shard: usize,
    whole: AtomicBool,
    misses: AtomicU64,
    evictions: AtomicU64,
    /// Set when it holds everything that the feed carries.
    replica: Option<Replica<V>>,
}

struct Shard<V> {
    table: HashTable<Entry<V>>,
    bytes: usize,
    /// Counts invalidations: what was read before one may not be offered after it.
    epoch: u64,
    /// The newest state any invalidation spoke of: what this process wrote before it may be out of date by now.
    newest: Version,
    /// Counts invalidations that named no state: what was written before one may not be remembered after it.
    nameless: u64,
}

struct Entry<V> {
    value: Arc<V>,
    /// In which loading of the whole content it came.
    generation: u32,
    used: AtomicBool,
}

/// The right to remember what a read begun now will find, or a write begun now will leave.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    shard: usize,
    epoch: u64,
    nameless: u64,
}

/// How full a cache is and how it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearFigures {
    /// Values held.
    pub entries: usize,
    /// Bytes they take, about.
    pub bytes: usize,
    /// Look-ups that memory could not answer.
    pub misses: u64,
    /// Values thrown out for want of room: a replica that counts any does not hold everything.
    pub evictions: u64,
    /// Whether the feed is whole.
    pub whole: bool,
}

impl<V: Remembered> Near<V> {
    /// A cache for records of `kind` that holds up to about `budget` bytes.
    pub fn new(kind: &'static str, budget: usize) -> Self {
        let shard = || {
            let (table, newest) = (HashTable::new(), Version(0));
            RwLock::new(Shard { table, bytes: 0, epoch: 0, newest, nameless: 0 })
        };
        Near {
            kind,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: DefaultHashBuilder::default(),
            budget_per_shard: budget / SHARDS,
            whole: AtomicBool::new(true),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            replica: None,
        }
    }

    /// A memory that holds every record of `kind` up to about `budget` bytes, filled by the store's feed through `unpack`. When
    /// the feed is lost it goes on answering for `endurance`: what others change meanwhile is not seen. What does not fit, or
    /// is not there yet, is not answered. Over a store whose feed carries no values it is an ordinary cache, except for that.
    pub fn replica(
        kind: &'static str,
        budget: usize,
        unpack: Unpack<V>,
        endurance: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Near { replica: Some(Replica::new(unpack, endurance, clock)), ..Near::new(kind, budget) }
    }

    /// The value, if memory holds it and may be believed.
    pub fn get(&self, id: &V::Id) -> Option<Arc<V>> {
        if self.whole.load(Ordering::Acquire) || self.replica.as_ref().is_some_and(Replica::endures) {
            let hash = self.hash(id);
            let shard = self.shard(index(hash))?.read();
            if let Some(entry) = shard.table.find(hash, |entry| entry.value.id() == *id) {
                if !entry.used.load(Ordering::Relaxed) {
                    entry.used.store(true, Ordering::Relaxed);
                }
                return Some(entry.value.clone());
            }
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// To be taken before reading or writing the store.
    pub fn ticket(&self, id: &V::Id) -> Ticket {
        let index = index(self.hash(id));
        let (epoch, nameless) = self.shard(index).map_or((0, 0), |shard| {
            let shard = shard.read();
            (shard.epoch, shard.nameless)
        });
        Ticket { shard: index, epoch, nameless }
    }

    /// Remembers what a read found, unless something changed since the ticket was taken: the read may have been of
    /// the older state.
    pub fn offer(&self, ticket: Ticket, value: Arc<V>) {
        if let Some(shard) = self.shard(ticket.shard) {
            let mut shard = shard.write();
            if shard.epoch == ticket.epoch && self.whole.load(Ordering::Acquire) {
                self.insert(&mut shard, value);
            }
        }
    }

    /// Remembers what this process has just written, unless a newer change of this shard was heard of meanwhile: by its
    /// version, or by one without a name since the ticket was taken.
    pub fn put(&self, ticket: Ticket, value: Arc<V>) {
        if let Some(shard) = self.shard(ticket.shard) {
            let mut shard = shard.write();
            let is_newest = shard.newest <= value.version() && shard.nameless == ticket.nameless;
            if is_newest && self.whole.load(Ordering::Acquire) {
                self.insert(&mut shard, value);
            }
        }
    }

    /// Forgets the state of `id` before `version`, or whatever is known of it.
    pub fn forget(&self, id: &V::Id, version: Option<Version>) {
        let hash = self.hash(id);
        if let Some(shard) = self.shard(index(hash)) {
            let mut shard = shard.write();
            shard.epoch += 1;
            match version {
                Some(version) => shard.newest = shard.newest.max(version),
                None => shard.nameless += 1,
            }
            let is_old = |entry: &Entry<V>| {
                entry.value.id() == *id && version.is_none_or(|version| entry.value.version() < version)
            };
            if let Ok(found) = shard.table.find_entry(hash, is_old) {
                let (entry, _) = found.remove();
                shard.bytes -= entry.weight();
            }
        }
    }

    /// How full it is.
    pub fn figures(&self) -> NearFigures {
        let (mut entries, mut bytes) = (0, 0);
        for shard in &self.shards {
            let shard = shard.read();
            entries += shard.table.len();
            bytes += shard.bytes;
        }
        let misses = self.misses.load(Ordering::Relaxed);
        let evictions = self.evictions.load(Ordering::Relaxed);
        NearFigures { entries, bytes, misses, evictions, whole: self.whole.load(Ordering::Acquire) }
    }

    fn insert(&self, shard: &mut Shard<V>, value: Arc<V>) {
        let (id, hash_of) = (value.id(), |entry: &Entry<V>| self.hash(&entry.value.id()));
        let generation = self.replica.as_ref().map_or(0, Replica::generation);
        let next = Entry { value, generation, used: AtomicBool::new(false) };
        let weight = next.weight();
        match shard.table.entry(self.hash(&id), |entry| entry.value.id() == id, hash_of) {
            Place::Occupied(mut place) => {
                if place.get().value.version() > next.value.version() {
                    return;
                }
                let old = std::mem::replace(place.get_mut(), next);
                shard.bytes -= old.weight();
            }
            Place::Vacant(place) => drop(place.insert(next)),
        }
        shard.bytes += weight;
        if shard.bytes > self.budget_per_shard {
            let before = shard.table.len();
            shard.evict(self.budget_per_shard);
            let evicted = before.saturating_sub(shard.table.len()) as u64;
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    /// Forgets what came before this loading of the whole content.
    fn keep_only(&self, generation: u32) {
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.epoch += 1;
            let mut freed = 0;
            shard.table.retain(|entry| {
                let stays = entry.generation >= generation;
                freed += if stays { 0 } else { entry.weight() };
                stays
            });
            shard.bytes -= freed;
        }
    }

    fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.epoch += 1;
            shard.bytes = 0;
            shard.table = HashTable::new();
        }
    }

    fn hash(&self, id: &V::Id) -> u64 {
        self.hasher.hash_one(id)
    }

    fn shard(&self, index: usize) -> Option<&RwLock<Shard<V>>> {
        self.shards.get(index)
    }
}

/// The shard of a hash: by its high bits, for the table inside the shard uses the low ones.
const fn index(hash: u64) -> usize {
    (hash >> 48) as usize % SHARDS
}

impl<V: Remembered> Entry<V> {
    fn weight(&self) -> usize {
        self.value.weight() + OVERHEAD
    }
}

impl<V: Remembered> Shard<V> {
    /// Throws out what was not used since the last time, down to seven eighths of the budget, so that this walk is
    /// rare; when everything was used, a second walk takes whatever comes first.
    fn evict(&mut self, budget: usize) {
        let target = budget - budget / 8;
        for sparing in [true, false] {
            let mut bytes = self.bytes;
            self.table.retain(|entry| {
                if bytes <= target || (sparing && entry.used.swap(false, Ordering::Relaxed)) {
                    return true;
                }
                bytes -= entry.weight();
                false
            });
            self.bytes = bytes;
            if self.bytes <= target {
                return;
            }
        }
    }
}

impl<V> Listener for Near<V>
where
    V: Remembered + Send + Sync,
    V::Id: for<'a> TryFrom<&'a [u8]>,
{
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        if kind == self.kind
            && let Ok(id) = V::Id::try_from(id)
        {
            self.forget(&id, version);
        }
    }

    fn lost(&self) {
        if let Some(replica) = &self.replica {
            replica.lost();
        }
        self.whole.store(false, Ordering::Release);
        if self.replica.is_none() {
            self.clear();
        }
    }

    fn restored(&self) {
        match self.replica.as_ref().and_then(Replica::restored) {
            Some(generation) => self.keep_only(generation),
            None => self.clear(),
        }
        self.whole.store(true, Ordering::Release);
    }

    fn holds_all(&self) -> bool {
        self.replica.is_some()
    }

    fn loading(&self, anew: bool) {
        if let Some(replica) = &self.replica {
            replica.loading(anew);
        }
    }

    fn present(&self, kind: &str, id: &[u8], stored: &Stored) {
        if kind == self.kind
            && let Some(replica) = &self.replica
            && let Ok(id) = V::Id::try_from(id)
            && let Some(value) = replica.unpack(stored)
            && let Some(shard) = self.shard(index(self.hash(&id)))
        {
            let mut shard = shard.write();
            // A read that began before may not put an older state over it, should it be thrown out again meanwhile.
            shard.epoch += 1;
            self.insert(&mut shard, Arc::new(value));
        }
    }
}

impl<V> std::fmt::Debug for Near<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Near({})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is remembered here: a name, a state, and a value.
    #[derive(Debug)]
    pub(super) struct Thing<const N: usize>(pub(super) [u8; N], pub(super) u64, pub(super) u32);

    impl<const N: usize> Thing<N> {
        pub(super) const WEIGHT: usize = 10;
    }

    impl<const N: usize> Remembered for Thing<N> {
        type Id = [u8; N];

        fn id(&self) -> [u8; N] {
            self.0
        }

        fn version(&self) -> Version {
            Version(self.1)
        }

        fn weight(&self) -> usize {
            Self::WEIGHT
        }
    }

    /// The value that is remembered.
    pub(super) fn value<const N: usize>(near: &Near<Thing<N>>, id: [u8; N]) -> Option<u32> {
        near.get(&id).map(|thing| thing.2)
    }

    fn near(budget: usize) -> Near<Thing<1>> {
        Near::new("thing", budget)
    }

    #[test]
    fn a_read_that_began_before_a_change_is_not_remembered_after_it() {
        let near = near(1 << 20);
        let ticket = near.ticket(&[1]);
        near.changed("thing", &[1], Some(Version(2)));
        near.offer(ticket, Arc::new(Thing([1], 1, 1)));
        assert_eq!(value(&near, [1]), None);
        near.offer(near.ticket(&[1]), Arc::new(Thing([1], 2, 2)));
        assert_eq!(value(&near, [1]), Some(2));
    }

    #[test]
    fn an_own_write_overtaken_by_another_is_not_remembered() {
        let near = near(1 << 20);
        near.changed("thing", &[1], Some(Version(6)));
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 5, 5)));
        assert_eq!(value(&near, [1]), None);
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 6, 6)));
        near.changed("thing", &[1], Some(Version(6)));
        assert_eq!(value(&near, [1]), Some(6), "the notice of the own write does not evict it");
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 5, 5)));
        assert_eq!(value(&near, [1]), Some(6));
    }

    #[test]
    fn a_change_without_a_name_beats_whatever_was_read_or_written_before_it() {
        let near = near(1 << 20);
        let (reading, writing) = (near.ticket(&[1]), near.ticket(&[1]));
        near.put(writing, Arc::new(Thing([1], 5, 5)));
        near.changed("thing", &[1], None);
        assert_eq!(value(&near, [1]), None);
        near.offer(reading, Arc::new(Thing([1], 5, 5)));
        near.put(writing, Arc::new(Thing([1], 5, 5)));
        assert_eq!(value(&near, [1]), None, "the change may have been a later one");
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 6, 6)));
        assert_eq!(value(&near, [1]), Some(6));
    }

    #[test]
    fn a_lost_feed_silences_memory_at_once() {
        let near = near(1 << 20);
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 1, 1)));
        near.lost();
        assert_eq!(value(&near, [1]), None);
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 2, 2)));
        near.restored();
        assert_eq!(value(&near, [1]), None, "nothing from before the gap is believed");
        near.put(near.ticket(&[1]), Arc::new(Thing([1], 3, 3)));
        assert_eq!(value(&near, [1]), Some(3));
        near.changed("other kind", &[1], Some(Version(9)));
        assert_eq!(value(&near, [1]), Some(3));
    }

    #[test]
    fn the_byte_budget_holds() {
        let near: Near<Thing<4>> = Near::new("thing", 256 * 10_000);
        for number in 0..100_000_u32 {
            let id = number.to_be_bytes();
            near.put(near.ticket(&id), Arc::new(Thing(id, 1, number)));
            // The first hundred stay in use all the time.
            near.get(&(number % 100).to_be_bytes());
        }
        let figures = near.figures();
        assert!(figures.bytes <= 256 * 10_000, "{figures:?}");
        assert!(figures.entries > 8_000, "{figures:?}");
        let kept = (0..100_u32).filter(|number| near.get(&number.to_be_bytes()).is_some()).count();
        assert!(kept > 90, "what is used stays: {kept}");
    }
}
