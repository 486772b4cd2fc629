//! Status lists as this node knows them: places for new tokens, revocations, and what verifiers are told.
//!
//! The store holds what is true. Memory holds all of it, because it is small (a bit for each token, and only blocks with a
//! revoked one), and is kept honest by the store's feed of changes; while that feed is cut, questions go to the store and
//! verifiers hear nothing, so that they know how old their knowledge is.

mod feed;
mod places;
mod revoke;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::id::ListId;
use gateward_kernel::ports::{Fault, Kv, Version};
use gateward_kernel::record::Book;
use gateward_kernel::secret::Entropy;
use gateward_kernel::status::{
    BLOCK_SIZE, Bits, BlockId, Cut, LIST_SIZE, Places, StatusBlock, StatusIndex, StatusList, SubjectTag,
};
use gateward_kernel::time::Moment;
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::feed::{Change, Ear};
use super::news::News;

/// A list takes new tokens for so long. Tokens that go on longer take another place when they are renewed, so that old
/// lists die.
const OPEN: Duration = Duration::from_secs(24 * 3600);
/// So many records are read at a time.
const STRETCH: usize = 256;

/// The status lists of this installation.
pub struct Status {
    lists: Book<StatusList>,
    blocks: Book<StatusBlock>,
    cuts: Book<Cut>,
    entropy: Arc<dyn Entropy>,
    /// The longest life of a token.
    longest: Duration,
    places: Mutex<Option<Places>>,
    /// Held while a block is claimed: one claim serves everybody who waits.
    claiming: tokio::sync::Mutex<()>,
    /// What is to be revoked and not yet written down.
    pending: Mutex<HashSet<StatusIndex>>,
    /// Held while revocations are written down: one write serves everybody who waits.
    revoking: tokio::sync::Mutex<()>,
    known: RwLock<Known>,
    news: News,
    changed: Mutex<Option<UnboundedReceiver<Change>>>,
}

/// What memory knows.
#[derive(Default)]
struct Known {
    /// Whether it may be believed.
    is_whole: bool,
    lists: HashMap<ListId, KnownList>,
    blocks: HashMap<BlockId, Version>,
    cuts: HashMap<SubjectTag, (Moment, Moment)>,
}

/// One list in memory.
struct KnownList {
    bits: Bits,
    dies: Moment,
    /// One more with every change.
    state: u64,
}

/// A list as it is published.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its bits.
    pub bits: Bits,
    /// Which state of it this is.
    pub state: u64,
}

/// Everything that verifiers must know.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// The lists.
    pub lists: Vec<(ListId, Bits)>,
    /// Whose tokens were cut, and when.
    pub cuts: Vec<(SubjectTag, Moment)>,
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Status")
    }
}

impl Status {
    /// The lists in this store. Nothing is known before [`reload`](Self::reload).
    pub fn new(kv: &Arc<dyn Kv>, entropy: Arc<dyn Entropy>, longest: Duration) -> Arc<Self> {
        let (tell, changed) = unbounded_channel();
        let news = News::new(&*entropy);
        let status = Arc::new(Status {
            lists: Book::new(kv.clone()),
            blocks: Book::new(kv.clone()),
            cuts: Book::new(kv.clone()),
            entropy,
            longest,
            places: Mutex::new(None),
            claiming: tokio::sync::Mutex::new(()),
            pending: Mutex::default(),
            revoking: tokio::sync::Mutex::new(()),
            known: RwLock::new(Known::default()),
            news,
            changed: Mutex::new(Some(changed)),
        });
        kv.changes(Arc::new(Ear { status: Arc::downgrade(&status), tell }));
        status
    }

    /// What verifiers are told.
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Whether memory knows everything up to now.
    pub fn is_whole(&self) -> bool {
        self.known.read().is_whole
    }

    /// Makes tokens of this subject that were issued at `now` or before worthless, listed or not.
    pub async fn cut(&self, subject: SubjectTag, now: Moment) -> Result<(), Fault> {
        let dies = now + self.longest;
        loop {
            if let Some((cut, ())) = self.cuts.change(subject, now, |cut| cut.move_to(now, dies)).await? {
                self.learn_cut(subject, cut.record.at, cut.record.dies);
                return Ok(());
            }
            if self.cuts.create(Cut { subject, at: now, dies }, now).await?.is_some() {
                self.learn_cut(subject, now, dies);
                return Ok(());
            }
        }
    }

    /// Whether what was issued to this subject at that moment was cut.
    pub async fn is_cut(&self, subject: SubjectTag, issued: Moment, now: Moment) -> Result<bool, Fault> {
        if let Some(answer) = self.is_cut_in_memory(subject, issued) {
            return Ok(answer);
        }
        Ok(self.cuts.load(subject, now).await?.is_some_and(|cut| issued <= cut.record.at))
    }

    /// The same from memory alone; `None` when memory cannot tell.
    pub fn is_cut_in_memory(&self, subject: SubjectTag, issued: Moment) -> Option<bool> {
        let known = self.known.read();
        known.is_whole.then(|| known.cuts.get(&subject).is_some_and(|(at, _)| issued <= *at))
    }

    /// Whether a token was revoked, by its place in a list.
    pub async fn is_revoked(&self, list: ListId, index: u32, now: Moment) -> Result<bool, Fault> {
        if let Some(answer) = self.is_revoked_in_memory(list, index) {
            return Ok(answer);
        }
        let block = self.blocks.load(BlockId::new(list, index / BLOCK_SIZE), now).await?;
        let bit = |block: &StatusBlock| {
            let place = (index % BLOCK_SIZE) as usize;
            block.bits().get(place / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0)
        };
        Ok(block.is_some_and(|block| bit(&block.record)))
    }

    /// The same from memory alone; `None` when memory cannot tell.
    pub fn is_revoked_in_memory(&self, list: ListId, index: u32) -> Option<bool> {
        let known = self.known.read();
        if !known.is_whole {
            return None;
        }
        // A list without any revoked token may be unknown. An index beyond its end is nobody's.
        Some(known.lists.get(&list).map_or(index >= LIST_SIZE, |list| list.bits.status(index) != Some(0)))
    }

    /// A list to publish; `None` when there is no such list. One without any revoked token may exist in the store alone.
    pub async fn shown(&self, list: ListId, now: Moment) -> Result<Option<Shown>, Fault> {
        if let Some(known) = self.known.read().lists.get(&list) {
            return Ok(Some(Shown { bits: known.bits.clone(), state: known.state }));
        }
        let Some(found) = self.lists.load(list, now).await? else { return Ok(None) };
        self.known.write().list(list, found.record.dies);
        Ok(Some(Shown { bits: Bits::empty(LIST_SIZE), state: 0 }))
    }

    /// Which state a list is in, from memory.
    pub fn state_of(&self, list: ListId) -> Option<u64> {
        self.known.read().lists.get(&list).map(|list| list.state)
    }

    /// Everything, for a verifier that knows nothing; `None` while memory itself does not know everything.
    pub fn whole(&self) -> Option<Whole> {
        let known = self.known.read();
        known.is_whole.then(|| Whole {
            lists: known.lists.iter().map(|(id, list)| (*id, list.bits.clone())).collect(),
            cuts: known.cuts.iter().map(|(subject, (at, _))| (*subject, *at)).collect(),
        })
    }

    /// The lists there are.
    pub fn lists(&self) -> Vec<ListId> {
        self.known.read().lists.keys().copied().collect()
    }

    fn learn(&self, id: BlockId, dies: Moment, version: Version, block: &StatusBlock) {
        let mut known = self.known.write();
        if known.blocks.get(&id).is_some_and(|own| *own >= version) {
            return;
        }
        known.blocks.insert(id, version);
        let list = known.list(id.list(), dies);
        let first = id.number() * BLOCK_SIZE;
        let fresh: Vec<u32> = ones(block.bits())
            .map(|place| first + place)
            .filter(|index| list.bits.status(*index) == Some(0))
            .collect();
        if fresh.is_empty() {
            return;
        }
        for index in &fresh {
            list.bits.revoke(*index);
        }
        list.state += 1;
        drop(known);
        self.news.revoked(id.list(), &fresh);
    }

    fn learn_cut(&self, subject: SubjectTag, at: Moment, dies: Moment) {
        let mut known = self.known.write();
        if known.cuts.get(&subject).is_some_and(|(own, _)| *own >= at) {
            return;
        }
        known.cuts.insert(subject, (at, dies));
        drop(known);
        self.news.cut(subject, at);
    }

    /// Forgets lists and cuts that no living token can be touched by.
    pub fn forget(&self, now: Moment) {
        let mut known = self.known.write();
        known.lists.retain(|_, list| list.dies > now);
        let Known { lists, blocks, cuts, .. } = &mut *known;
        blocks.retain(|id, _| lists.contains_key(&id.list()));
        cuts.retain(|_, (_, dies)| *dies > now);
    }
}

impl Known {
    fn list(&mut self, id: ListId, dies: Moment) -> &mut KnownList {
        self.lists.entry(id).or_insert_with(|| KnownList { bits: Bits::empty(LIST_SIZE), dies, state: 0 })
    }
}

/// The places of the bits that are set.
fn ones(bits: &[u8]) -> impl Iterator<Item = u32> {
    (0u32..).zip(bits).filter(|(_, byte)| **byte != 0).flat_map(|(at, byte)| {
        (0..8).filter(move |place| byte & (1 << place) != 0).map(move |place| at * 8 + place)
    })
}
