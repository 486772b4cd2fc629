//! The near cache: decoded records in memory, believed only while the store's feed of changes is whole.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::RwLock;

use crate::ports::{Listener, Stored, Version};
use crate::time::Clock;

mod replica;

use replica::Replica;
pub use replica::Unpack;

/// So many independent parts: two requests seldom meet at one lock.
const SHARDS: usize = 256;

/// What the map itself costs for an entry, beside what the record says of itself.
const OVERHEAD: usize = 96;

/// A bounded memory of values by id.
///
/// It stops answering the moment its feed is lost ([`Listener::lost`]) and starts empty when the feed is restored.
/// It is bounded by bytes, not by entries; what is thrown out is chosen by a clock hand over each shard, sparing what
/// was used since the hand last passed.
pub struct Near<I, V> {
    kind: &'static str,
    shards: Box<[RwLock<Shard<I, V>>]>,
    hasher: DefaultHashBuilder,
    budget_per_shard: usize,
    whole: AtomicBool,
    misses: AtomicU64,
    evictions: AtomicU64,
    /// Set when it holds everything that the feed carries.
    replica: Option<Replica<V>>,
}

struct Shard<I, V> {
    map: HashMap<I, Entry<V>>,
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
    version: Version,
    weight: usize,
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

impl<I: Copy + Eq + Hash, V> Near<I, V> {
    /// A cache for records of `kind` that holds up to about `budget` bytes.
    pub fn new(kind: &'static str, budget: usize) -> Self {
        let shard = || {
            let (map, newest) = (HashMap::new(), Version(0));
            RwLock::new(Shard { map, bytes: 0, epoch: 0, newest, nameless: 0 })
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
    pub fn get(&self, id: &I) -> Option<Arc<V>> {
        if self.whole.load(Ordering::Acquire) || self.replica.as_ref().is_some_and(Replica::endures) {
            let shard = self.shard(self.index(id))?.read();
            if let Some(entry) = shard.map.get(id) {
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
    pub fn ticket(&self, id: &I) -> Ticket {
        let index = self.index(id);
        let (epoch, nameless) = self.shard(index).map_or((0, 0), |shard| {
            let shard = shard.read();
            (shard.epoch, shard.nameless)
        });
        Ticket { shard: index, epoch, nameless }
    }

    /// Remembers what a read found, unless something changed since the ticket was taken: the read may have been of
    /// the older state.
    pub fn offer(&self, ticket: Ticket, id: I, version: Version, weight: usize, value: Arc<V>) {
        if let Some(shard) = self.shard(ticket.shard) {
            let mut shard = shard.write();
            if shard.epoch == ticket.epoch && self.whole.load(Ordering::Acquire) {
                self.insert(&mut shard, id, version, weight, value);
            }
        }
    }

    /// Remembers what this process has just written, unless a newer change of this shard was heard of meanwhile: by its
    /// version, or by one without a name since the ticket was taken.
    pub fn put(&self, ticket: Ticket, id: I, version: Version, weight: usize, value: Arc<V>) {
        if let Some(shard) = self.shard(ticket.shard) {
            let mut shard = shard.write();
            let is_newest = shard.newest <= version && shard.nameless == ticket.nameless;
            if is_newest && self.whole.load(Ordering::Acquire) {
                self.insert(&mut shard, id, version, weight, value);
            }
        }
    }

    /// Forgets the state of `id` before `version`, or whatever is known of it.
    pub fn forget(&self, id: &I, version: Option<Version>) {
        if let Some(shard) = self.shard(self.index(id)) {
            let mut shard = shard.write();
            shard.epoch += 1;
            match version {
                Some(version) => shard.newest = shard.newest.max(version),
                None => shard.nameless += 1,
            }
            let is_old = |entry: &Entry<V>| version.is_none_or(|version| entry.version < version);
            if shard.map.get(id).is_some_and(is_old) {
                shard.remove(id);
            }
        }
    }

    /// How full it is.
    pub fn figures(&self) -> NearFigures {
        let (mut entries, mut bytes) = (0, 0);
        for shard in &self.shards {
            let shard = shard.read();
            entries += shard.map.len();
            bytes += shard.bytes;
        }
        let misses = self.misses.load(Ordering::Relaxed);
        let evictions = self.evictions.load(Ordering::Relaxed);
        NearFigures { entries, bytes, misses, evictions, whole: self.whole.load(Ordering::Acquire) }
    }

    fn insert(&self, shard: &mut Shard<I, V>, id: I, version: Version, weight: usize, value: Arc<V>) {
        if shard.map.get(&id).is_some_and(|entry| entry.version > version) {
            return;
        }
        let weight = weight + OVERHEAD;
        shard.remove(&id);
        shard.bytes += weight;
        let generation = self.replica.as_ref().map_or(0, Replica::generation);
        shard.map.insert(id, Entry { value, version, weight, generation, used: AtomicBool::new(false) });
        if shard.bytes > self.budget_per_shard {
            let before = shard.map.len();
            shard.evict(self.budget_per_shard);
            let evicted = before.saturating_sub(shard.map.len()) as u64;
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    /// Forgets what came before this loading of the whole content.
    fn keep_only(&self, generation: u32) {
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.epoch += 1;
            let mut freed = 0;
            shard.map.retain(|_, entry| {
                let stays = entry.generation >= generation;
                freed += if stays { 0 } else { entry.weight };
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
            shard.map = HashMap::new();
        }
    }

    fn index(&self, id: &I) -> usize {
        // The high bits: the map inside the shard uses the low ones.
        (self.hasher.hash_one(id) >> 48) as usize % SHARDS
    }

    fn shard(&self, index: usize) -> Option<&RwLock<Shard<I, V>>> {
        self.shards.get(index)
    }
}

impl<I: Copy + Eq + Hash, V> Shard<I, V> {
    fn remove(&mut self, id: &I) {
        if let Some(entry) = self.map.remove(id) {
            self.bytes -= entry.weight;
        }
    }

    /// Throws out what was not used since the last time, down to seven eighths of the budget, so that this walk is
    /// rare; when everything was used, a second walk takes whatever comes first.
    fn evict(&mut self, budget: usize) {
        let target = budget - budget / 8;
        for sparing in [true, false] {
            let mut bytes = self.bytes;
            self.map.retain(|_, entry| {
                if bytes <= target || (sparing && entry.used.swap(false, Ordering::Relaxed)) {
                    return true;
                }
                bytes -= entry.weight;
                false
            });
            self.bytes = bytes;
            if self.bytes <= target {
                return;
            }
        }
    }
}

impl<I, V> Listener for Near<I, V>
where
    I: Copy + Eq + Hash + Send + Sync + for<'a> TryFrom<&'a [u8]>,
    V: Send + Sync,
{
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        if kind == self.kind
            && let Ok(id) = I::try_from(id)
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
            && let Ok(id) = I::try_from(id)
            && let Some((weight, value)) = replica.unpack(stored)
            && let Some(shard) = self.shard(self.index(&id))
        {
            let mut shard = shard.write();
            // A read that began before may not put an older state over it, should it be thrown out again meanwhile.
            shard.epoch += 1;
            self.insert(&mut shard, id, stored.version, weight, Arc::new(value));
        }
    }
}

impl<I, V> std::fmt::Debug for Near<I, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Near({})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(budget: usize) -> Near<[u8; 1], u32> {
        Near::new("thing", budget)
    }

    #[test]
    fn a_read_that_began_before_a_change_is_not_remembered_after_it() {
        let near = near(1 << 20);
        let ticket = near.ticket(&[1]);
        near.changed("thing", &[1], Some(Version(2)));
        near.offer(ticket, [1], Version(1), 10, Arc::new(1));
        assert_eq!(near.get(&[1]), None);
        near.offer(near.ticket(&[1]), [1], Version(2), 10, Arc::new(2));
        assert_eq!(near.get(&[1]).as_deref(), Some(&2));
    }

    #[test]
    fn an_own_write_overtaken_by_another_is_not_remembered() {
        let near = near(1 << 20);
        near.changed("thing", &[1], Some(Version(6)));
        near.put(near.ticket(&[1]), [1], Version(5), 10, Arc::new(5));
        assert_eq!(near.get(&[1]), None);
        near.put(near.ticket(&[1]), [1], Version(6), 10, Arc::new(6));
        near.changed("thing", &[1], Some(Version(6)));
        assert_eq!(near.get(&[1]).as_deref(), Some(&6), "the notice of the own write does not evict it");
        near.put(near.ticket(&[1]), [1], Version(5), 10, Arc::new(5));
        assert_eq!(near.get(&[1]).as_deref(), Some(&6));
    }

    #[test]
    fn a_change_without_a_name_beats_whatever_was_read_or_written_before_it() {
        let near = near(1 << 20);
        let (reading, writing) = (near.ticket(&[1]), near.ticket(&[1]));
        near.put(writing, [1], Version(5), 10, Arc::new(5));
        near.changed("thing", &[1], None);
        assert_eq!(near.get(&[1]), None);
        near.offer(reading, [1], Version(5), 10, Arc::new(5));
        near.put(writing, [1], Version(5), 10, Arc::new(5));
        assert_eq!(near.get(&[1]), None, "the change may have been a later one");
        near.put(near.ticket(&[1]), [1], Version(6), 10, Arc::new(6));
        assert_eq!(near.get(&[1]).as_deref(), Some(&6));
    }

    #[test]
    fn a_lost_feed_silences_memory_at_once() {
        let near = near(1 << 20);
        near.put(near.ticket(&[1]), [1], Version(1), 10, Arc::new(1));
        near.lost();
        assert_eq!(near.get(&[1]), None);
        near.put(near.ticket(&[1]), [1], Version(2), 10, Arc::new(2));
        near.restored();
        assert_eq!(near.get(&[1]), None, "nothing from before the gap is believed");
        near.put(near.ticket(&[1]), [1], Version(3), 10, Arc::new(3));
        assert_eq!(near.get(&[1]).as_deref(), Some(&3));
        near.changed("other kind", &[1], Some(Version(9)));
        assert_eq!(near.get(&[1]).as_deref(), Some(&3));
    }

    #[test]
    fn the_byte_budget_holds() {
        let near: Near<[u8; 4], u32> = Near::new("thing", 256 * 10_000);
        for number in 0..100_000_u32 {
            near.put(
                near.ticket(&number.to_be_bytes()),
                number.to_be_bytes(),
                Version(1),
                100,
                Arc::new(number),
            );
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
