//! All that is known of revocations by listening.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gateward_kernel::jose::BadClaims;
use gateward_kernel::status::{Bits, LIST_SIZE, SubjectTag};
use gateward_kernel::time::Moment;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::Deserialize;

use super::Place;
use crate::verify::seen::Seen;
use crate::verify::{Denied, Outage, age};

/// What maps cost for an entry, beside the list itself.
const OVERHEAD: usize = 64;

/// News that cannot be taken. What was known before them is as old as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum BadNews {
    #[error("an event is not understood")]
    NotUnderstood,
    #[error("a change came before there was anything to change")]
    NothingToChange,
    #[error("there is more to know than the budget for status lists holds")]
    TooMuch,
}

#[derive(Deserialize)]
struct Snapshot {
    lists: BTreeMap<Box<str>, Packed>,
    cuts: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Packed {
    bits: u8,
    lst: String,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    lists: BTreeMap<Box<str>, Vec<u32>>,
    #[serde(default)]
    cuts: BTreeMap<String, i64>,
}

pub(crate) struct Knowledge {
    whole: RwLock<Whole>,
    /// Up to when it is whole.
    at: AtomicI64,
    /// How old it may be.
    limit: Duration,
    budget: usize,
}

#[derive(Default)]
struct Whole {
    lists: HashMap<Box<str>, Bits>,
    cuts: HashMap<SubjectTag, Moment>,
    bytes: usize,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.whole.read();
        write!(f, "Knowledge({} lists, {} cuts)", whole.lists.len(), whole.cuts.len())
    }
}

impl Knowledge {
    /// Nothing is known yet. What is older than `limit` counts as not known; `budget` bytes are its room.
    pub(crate) fn new(limit: Duration, budget: usize) -> Self {
        let at = AtomicI64::new(Moment::DAWN.micros());
        Knowledge { whole: RwLock::default(), at, limit, budget }
    }

    /// The most bytes it takes, and that one event may have.
    pub(super) const fn budget(&self) -> usize {
        self.budget
    }

    /// How old it is.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        age(now, Moment::from_micros(self.at.load(Ordering::Acquire)))
    }

    /// Whether the token still counts. No allocation, one lock for reading, three look-ups.
    pub(crate) fn check(&self, seen: &Seen, now: Moment) -> Result<(), Denied> {
        if self.age(now) > self.limit {
            return Err(Denied::Unavailable(Outage::Status));
        }
        let whole = self.whole.read();
        let is_cut = |tag| whole.cuts.get(tag).is_some_and(|at| seen.claims.issued() <= *at);
        if is_cut(&seen.subject) || seen.client.as_ref().is_some_and(is_cut) {
            return Err(Denied::Revoked);
        }
        let Some(Place { uri, index }) = &seen.place else { return Ok(()) };
        match whole.lists.get(uri) {
            Some(bits) if bits.status(*index) != Some(0) => Err(Denied::Revoked),
            Some(_) => Ok(()),
            // Nobody in that list was revoked, or it is gone because all its tokens have expired.
            None if now < seen.claims.expires() => Ok(()),
            None => Err(BadClaims::Expired.into()),
        }
    }

    /// Learns what an event says; from then on, everything up to `now` is known.
    pub(super) fn learn(&self, kind: &str, data: &str, now: Moment) -> Result<(), BadNews> {
        match kind {
            "snapshot" => *self.whole.write() = self.snapshot(data)?,
            "change" => self.change(data)?,
            "beat" if self.is_empty() => return Err(BadNews::NothingToChange),
            "beat" => {}
            // Kinds that later versions may send say nothing of what is known.
            _ => return Ok(()),
        }
        self.at.store(now.micros(), Ordering::Release);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.at.load(Ordering::Acquire) == Moment::DAWN.micros()
    }

    fn snapshot(&self, data: &str) -> Result<Whole, BadNews> {
        let snapshot: Snapshot = serde_json::from_str(data).map_err(|_| BadNews::NotUnderstood)?;
        let mut whole = Whole::default();
        for (uri, packed) in snapshot.lists {
            let bits = Bits::inflate(packed.bits, &packed.lst).map_err(|_| BadNews::NotUnderstood)?;
            whole.add(uri, bits);
            whole.is_within(self.budget)?;
        }
        whole.cut(snapshot.cuts)?;
        whole.is_within(self.budget)?;
        Ok(whole)
    }

    fn change(&self, data: &str) -> Result<(), BadNews> {
        if self.is_empty() {
            return Err(BadNews::NothingToChange);
        }
        let change: Change = serde_json::from_str(data).map_err(|_| BadNews::NotUnderstood)?;
        let mut whole = self.whole.write();
        whole.cut(change.cuts)?;
        for (uri, indexes) in change.lists {
            if !whole.lists.contains_key(&uri) {
                whole.add(uri.clone(), Bits::empty(LIST_SIZE));
                whole.is_within(self.budget)?;
            }
            if let Some(bits) = whole.lists.get_mut(&uri) {
                indexes.into_iter().for_each(|index| bits.revoke(index));
            }
        }
        whole.is_within(self.budget)
    }
}

impl Whole {
    fn add(&mut self, uri: Box<str>, bits: Bits) {
        self.bytes += uri.len() + bits.bytes().len() + OVERHEAD;
        self.lists.insert(uri, bits);
    }

    fn cut(&mut self, cuts: BTreeMap<String, i64>) -> Result<(), BadNews> {
        for (subject, at) in cuts {
            let subject = SubjectTag::read(&subject).ok_or(BadNews::NotUnderstood)?;
            let at = Moment::from_micros(at);
            let before = self.cuts.get(&subject).copied();
            if before.is_none() {
                self.bytes += OVERHEAD;
            }
            // A cut never moves back.
            self.cuts.insert(subject, before.map_or(at, |before| before.max(at)));
        }
        Ok(())
    }

    fn is_within(&self, budget: usize) -> Result<(), BadNews> {
        if self.bytes > budget { Err(BadNews::TooMuch) } else { Ok(()) }
    }
}
