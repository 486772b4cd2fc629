//! Records and books: typed, versioned, changed only by compare-and-set.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

mod form;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use form::carried;
use form::{decode, encode};

use crate::near::{Near, Remembered, Ticket};
use crate::ports::{Created, Fault, FaultKind, Key, Kv, Replaced, Stored, Version};
use crate::time::{Clock, Moment};

/// How often a change is decided again when others keep winning, before it is given up as contended. Each time somebody
/// wins, so it takes as many who change one record at the same moment: more than one person has sessions.
const ATTEMPTS: usize = 1024;

/// A thing that is kept as one record.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind: the name of its shelf in every store.
    const KIND: &'static str;
    /// The form in which this version writes it, from 1 to 15: one more with each change that an older version could not read,
    /// or must not read past. Nodes that know another form refuse the record.
    const SCHEMA: u8;
    /// How often members were added to this form, up to 15: one more with each version that adds some. Older nodes read past
    /// them and keep them; this one must read records without them.
    const ADDED: u8 = 0;
    /// What names it among its kind.
    type Id: Copy + Eq + Hash + AsRef<[u8]> + for<'a> TryFrom<&'a [u8]> + Send + Sync + 'static;

    /// Its name.
    fn id(&self) -> Self::Id;
    /// When it dies; dead by the given moment counts as absent.
    fn death(&self) -> Moment;
    /// About how many bytes it takes in memory, for cache budgets.
    fn weight(&self) -> usize;
}

/// A record as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded<R> {
    /// The record.
    pub record: R,
    /// Its state, for a later compare-and-set.
    pub version: Version,
    /// The bytes in the store, where a newer version of the program has written them: a change keeps what that has added.
    whole: Option<Box<Bytes>>,
}

impl<R> Loaded<R> {
    /// A record in this state.
    pub const fn new(record: R, version: Version) -> Self {
        Loaded { record, version, whole: None }
    }
}

impl<R: Record> Remembered for Loaded<R> {
    type Id = R::Id;

    fn id(&self) -> R::Id {
        self.record.id()
    }

    fn version(&self) -> Version {
        self.version
    }

    fn weight(&self) -> usize {
        self.record.weight() + self.whole.as_ref().map_or(0, |whole| whole.len())
    }
}

/// What a decision about a record comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision<R, T> {
    /// Write this, and answer that.
    Write(R, T),
    /// Leave it as it is, and answer that.
    Leave(T),
}

/// The typed handle over a [`Kv`], with an optional cache of decoded records.
pub struct Book<R: Record> {
    kv: Arc<dyn Kv>,
    near: Option<Arc<Near<Loaded<R>>>>,
}

impl<R: Record> Clone for Book<R> {
    fn clone(&self) -> Self {
        Book { kv: self.kv.clone(), near: self.near.clone() }
    }
}

impl<R: Record> std::fmt::Debug for Book<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Book({})", R::KIND)
    }
}

impl<R: Record> Book<R> {
    /// A book without memory: every read asks the store.
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Book { kv, near: None }
    }

    /// A book that remembers up to `budget` bytes of decoded records, kept honest by the store's feed of changes. It remembers
    /// nothing where others write to the store and it does not tell.
    pub fn with_near_cache(kv: Arc<dyn Kv>, budget: usize) -> Self {
        let traits = kv.traits();
        if traits.shared && !traits.pushes {
            return Self::new(kv);
        }
        let near = Arc::new(Near::new(R::KIND, budget));
        kv.changes(near.clone());
        Book { kv, near: Some(near) }
    }

    /// A book that holds every record up to `budget` bytes, where the store's feed carries them, so that reading asks nobody.
    /// When the feed is lost, it goes on answering for `endurance` what was so when it was lost, and then asks the store.
    pub fn replicated(kv: Arc<dyn Kv>, budget: usize, endurance: Duration, clock: Arc<dyn Clock>) -> Self {
        let traits = kv.traits();
        if traits.shared && !traits.pushes {
            return Self::new(kv);
        }
        let unpack = |stored: &Stored| decode::<R>(stored).ok();
        let near = Arc::new(Near::replica(R::KIND, budget, unpack, endurance, clock));
        kv.changes(near.clone());
        Book { kv, near: Some(near) }
    }

    /// The store beneath.
    pub fn kv(&self) -> &Arc<dyn Kv> {
        &self.kv
    }

    /// The cache, for its figures.
    pub fn near(&self) -> Option<&Arc<Near<Loaded<R>>>> {
        self.near.as_ref()
    }

    /// What memory knows of a living record, without asking the store.
    pub fn hit(&self, id: &R::Id, now: Moment) -> Option<Arc<Loaded<R>>> {
        self.near.as_ref()?.get(id).filter(|loaded| loaded.record.death() > now)
    }

    /// The living record of that id, from memory or from the store.
    pub async fn load(&self, id: R::Id, now: Moment) -> Result<Option<Arc<Loaded<R>>>, Fault> {
        if let Some(loaded) = self.hit(&id, now) {
            return Ok(Some(loaded));
        }
        self.load_from_store(id, now).await
    }

    /// The living record of that id as the store has it, whatever memory knows: for refusing what memory would refuse, which may not
    /// have heard yet of what others have changed.
    pub async fn load_from_store(&self, id: R::Id, now: Moment) -> Result<Option<Arc<Loaded<R>>>, Fault> {
        let ticket = self.ticket(&id);
        let Some(stored) = self.kv.get(&Key::new(R::KIND, id)).await? else { return Ok(None) };
        let loaded = Arc::new(decode::<R>(&stored)?);
        if loaded.record.death() <= now {
            return Ok(None);
        }
        if let (Some(near), Some(ticket)) = (&self.near, ticket) {
            near.offer(ticket, loaded.clone());
        }
        Ok(Some(loaded))
    }

    /// Writes a new record; `None` when a living one has its id. A dead one that was not yet swept gives way.
    pub async fn create(&self, record: R, now: Moment) -> Result<Option<Arc<Loaded<R>>>, Fault> {
        let id = record.id();
        let (key, value) = (Key::new(R::KIND, id), encode(&record, None)?);
        for _ in 0..ATTEMPTS {
            let ticket = self.ticket(&id);
            if let Created::Done(version) = self.kv.create(&key, value.clone(), record.death()).await? {
                return Ok(Some(self.remember(ticket, Loaded::new(record, version))));
            }
            let dead = match self.kv.get(&key).await? {
                Some(stored) if stored.death > now => return Ok(None),
                Some(stored) => stored,
                None => continue,
            };
            if let Replaced::Done(version) =
                self.kv.replace(&key, dead.version, value.clone(), record.death()).await?
            {
                return Ok(Some(self.remember(ticket, Loaded::new(record, version))));
            }
        }
        Err(Fault::new(self.kv.traits().engine, FaultKind::Contended, R::KIND))
    }

    /// Loads, decides and commits by one compare-and-set; when somebody else was faster, loads and decides again. What memory knows
    /// may be out of date: a decision to leave the record as it is, too, is made on what the store has.
    /// `None` when there is no such living record. The decision must be pure: it may run several times.
    pub async fn change<T>(
        &self,
        id: R::Id,
        now: Moment,
        mut decide: impl FnMut(&R) -> Decision<R, T> + Send,
    ) -> Result<Option<(Arc<Loaded<R>>, T)>, Fault> {
        let mut remembered = self.hit(&id, now);
        for _ in 0..ATTEMPTS {
            let is_remembered = remembered.is_some();
            let loaded = match remembered.take() {
                Some(loaded) => loaded,
                None => match self.load_from_store(id, now).await? {
                    Some(loaded) => loaded,
                    None => return Ok(None),
                },
            };
            let (record, answer) = match decide(&loaded.record) {
                Decision::Leave(_) if is_remembered => continue,
                Decision::Leave(answer) => return Ok(Some((loaded, answer))),
                Decision::Write(record, answer) => (record, answer),
            };
            let (key, ticket) = (Key::new(R::KIND, id), self.ticket(&id));
            let value = encode(&record, Some(&loaded))?;
            // What was carried over is carried over by the next change, too.
            let whole = loaded.whole.as_ref().map(|_| Box::new(value.clone()));
            match self.kv.replace(&key, loaded.version, value, record.death()).await? {
                Replaced::Done(version) => {
                    let loaded = Loaded { record, version, whole };
                    return Ok(Some((self.remember(ticket, loaded), answer)));
                }
                Replaced::Absent => return Ok(None),
                Replaced::Stale => {}
            }
        }
        Err(Fault::new(self.kv.traits().engine, FaultKind::Contended, R::KIND))
    }

    /// Takes a record away and yields it, to exactly one of many callers. One that is already dead is yielded too.
    pub async fn remove(&self, id: R::Id) -> Result<Option<Loaded<R>>, Fault> {
        match self.kv.remove(&Key::new(R::KIND, id)).await? {
            None => Ok(None),
            Some(stored) => decode(&stored).map(Some),
        }
    }

    /// Up to `limit` living records with ids after `after`, and where to go on.
    pub async fn page(
        &self,
        after: Option<R::Id>,
        limit: usize,
        now: Moment,
    ) -> Result<(Vec<Loaded<R>>, Option<R::Id>), Fault> {
        let page = self.kv.page(R::KIND, after.as_ref().map(AsRef::as_ref), limit).await?;
        let mut records = Vec::with_capacity(page.items.len());
        for (_, stored) in page.items.iter().filter(|(_, stored)| stored.death > now) {
            records.push(decode(stored)?);
        }
        Ok((records, page.next.and_then(|id| R::Id::try_from(&id).ok())))
    }

    /// To be taken before reading or writing the store.
    fn ticket(&self, id: &R::Id) -> Option<Ticket> {
        self.near.as_ref().map(|near| near.ticket(id))
    }

    fn remember(&self, ticket: Option<Ticket>, loaded: Loaded<R>) -> Arc<Loaded<R>> {
        let loaded = Arc::new(loaded);
        if let (Some(near), Some(ticket)) = (&self.near, ticket) {
            near.put(ticket, loaded.clone());
        }
        loaded
    }
}
