//! Status lists: how a JWT that is checked locally stops working (Token Status List,
//! draft-ietf-oauth-status-list-21).
//!
//! A list has [`LIST_SIZE`] bits. A token names one of them when it is issued; a bit that is set means *revoked*
//! (`INVALID`, §7.1). Indexes are handed out in random order, so that neighbours in time are no neighbours in the list
//! (§12.2): a node claims a whole [block](BLOCK_SIZE) by one write and takes single indexes from it without any. A block
//! without a revoked token is not stored at all.

mod bits;
mod cut;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

pub use bits::{Bits, MAX_LIST_BYTES, NotAList, deflate};
pub use cut::{Cut, SubjectTag};

use crate::id::ListId;
use crate::record::{Decision, Record};
use crate::secret::Entropy;
use crate::time::Moment;

/// Bits of one list: 128 KiB when written out, so that one token hides among a million.
pub const LIST_SIZE: u32 = 1 << 20;
/// Indexes that a node claims at once, and bits that are stored together.
pub const BLOCK_SIZE: u32 = 1 << 12;
/// Blocks of one list.
pub const BLOCKS: u32 = LIST_SIZE / BLOCK_SIZE;
const BLOCK_BYTES: usize = BLOCK_SIZE as usize / 8;

/// Where the revocation of a token is published.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StatusIndex {
    /// In which list.
    pub list: ListId,
    /// At which place.
    pub index: u32,
    /// When the list is closed: what goes on longer takes another place.
    pub closes: Moment,
}

impl StatusIndex {
    /// The block that holds the bit.
    pub fn block(&self) -> BlockId {
        BlockId::new(self.list, self.index / BLOCK_SIZE)
    }

    /// Whether tokens issued at `now` may still name it.
    pub fn is_open(&self, now: Moment) -> bool {
        now < self.closes
    }
}

/// One list: which of its blocks are claimed, and how long it lasts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusList {
    /// Its name.
    pub id: ListId,
    /// When it was opened.
    pub opened: Moment,
    /// From when on no new token names it.
    pub closes: Moment,
    /// When the last token that names it has expired.
    pub dies: Moment,
    /// One bit per block: claimed.
    #[serde(with = "text")]
    claimed: Vec<u8>,
}

impl StatusList {
    /// A new list. It takes new tokens for `open`; `longest` is the longest life of a token that names it.
    pub fn open(id: ListId, now: Moment, open: Duration, longest: Duration) -> Self {
        let closes = now + open;
        StatusList { id, opened: now, closes, dies: closes + longest, claimed: vec![0; BLOCKS as usize / 8] }
    }

    /// Claims a block that nobody has, chosen by chance; `None` when the list is closed or full.
    pub fn claim(&self, chance: u32, now: Moment) -> Decision<StatusList, Option<u32>> {
        if now >= self.closes {
            return Decision::Leave(None);
        }
        let is_free = |block: u32| {
            let byte = self.claimed.get(block as usize / 8).copied().unwrap_or(u8::MAX);
            byte & (1 << (block % 8)) == 0
        };
        let free: Vec<u32> = (0..BLOCKS).filter(|block| is_free(*block)).collect();
        let Some(block) = (chance as usize).checked_rem(free.len()).and_then(|at| free.get(at)).copied()
        else {
            return Decision::Leave(None);
        };
        let mut next = self.clone();
        if let Some(byte) = next.claimed.get_mut(block as usize / 8) {
            *byte |= 1 << (block % 8);
        }
        Decision::Write(next, Some(block))
    }
}

impl Record for StatusList {
    const KIND: &'static str = "status-list";
    const SCHEMA: u8 = 1;
    type Id = ListId;

    fn id(&self) -> ListId {
        self.id
    }

    fn death(&self) -> Moment {
        self.dies
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.claimed.len()
    }
}

/// Names a block: its list and its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlockId([u8; 18]);

impl BlockId {
    /// Block number `number` of this list.
    pub fn new(list: ListId, number: u32) -> Self {
        let mut id = [0; 18];
        let number = u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
        for (to, from) in id.iter_mut().zip(list.as_bytes().iter().chain(&number)) {
            *to = *from;
        }
        BlockId(id)
    }

    /// The list.
    pub fn list(&self) -> ListId {
        let mut list = [0; 16];
        for (to, from) in list.iter_mut().zip(self.0) {
            *to = from;
        }
        ListId::from_bytes(list)
    }

    /// The number within the list.
    pub fn number(&self) -> u32 {
        let [.., high, low] = self.0;
        u32::from(u16::from_be_bytes([high, low]))
    }
}

impl AsRef<[u8]> for BlockId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for BlockId {
    type Error = std::array::TryFromSliceError;
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(BlockId)
    }
}

/// The revoked ones among [`BLOCK_SIZE`] neighbours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusBlock {
    #[serde(with = "block_id")]
    id: BlockId,
    dies: Moment,
    #[serde(with = "text")]
    bits: Vec<u8>,
}

impl StatusBlock {
    /// A block without any revoked token, which dies with its list.
    pub fn empty(id: BlockId, dies: Moment) -> Self {
        StatusBlock { id, dies, bits: vec![0; BLOCK_BYTES] }
    }

    /// With these revoked too; the indexes are those within the whole list, and those of other blocks are left out.
    /// Nothing that is revoked ever comes back.
    pub fn revoke(&self, indexes: &[u32]) -> Decision<StatusBlock, ()> {
        let mut next = self.clone();
        for index in indexes.iter().filter(|index| **index / BLOCK_SIZE == self.id.number()) {
            let place = (index % BLOCK_SIZE) as usize;
            if let Some(byte) = next.bits.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        if next == *self { Decision::Leave(()) } else { Decision::Write(next, ()) }
    }

    /// Its bits, least significant first (§4.1).
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

impl Record for StatusBlock {
    const KIND: &'static str = "status-block";
    const SCHEMA: u8 = 1;
    type Id = BlockId;

    fn id(&self) -> BlockId {
        self.id
    }

    fn death(&self) -> Moment {
        self.dies
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.bits.len()
    }
}

/// The unused places of a claimed block, in random order.
#[derive(Debug)]
pub struct Places {
    list: ListId,
    closes: Moment,
    left: Vec<u32>,
}

impl Places {
    /// All places of a block that was claimed from this list.
    pub fn of(list: &StatusList, block: u32, entropy: &dyn Entropy) -> Self {
        let first = block * BLOCK_SIZE;
        let mut left: Vec<u32> = (first..first + BLOCK_SIZE).collect();
        let mut chance = vec![0; left.len() * 4];
        entropy.fill(&mut chance);
        // Fisher and Yates; the bias of a remainder of 32 bits is below one in a million.
        for (at, chance) in (1..left.len()).rev().zip(chance.as_chunks::<4>().0) {
            left.swap(at, u32::from_be_bytes(*chance) as usize % (at + 1));
        }
        Places { list: list.id, closes: list.closes, left }
    }

    /// The next place; `None` when there is none left or the list is closed.
    pub fn take(&mut self, now: Moment) -> Option<StatusIndex> {
        if now >= self.closes {
            return None;
        }
        let index = self.left.pop()?;
        Some(StatusIndex { list: self.list, index, closes: self.closes })
    }
}

/// Bytes as text in JSON.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::BASE64URL_NOPAD;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64URL_NOPAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(de::Error::custom)
    }
}

/// A block's name as text in JSON.
mod block_id {
    use serde::{Deserializer, Serializer, de};

    use super::{BlockId, text};

    pub(super) fn serialize<S: Serializer>(id: &BlockId, to: S) -> Result<S::Ok, S::Error> {
        text::serialize(id.as_ref(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BlockId, D::Error> {
        BlockId::try_from(text::deserialize(from)?.as_slice()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
