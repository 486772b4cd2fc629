//! Tokens whose signatures were checked before, by the SHA-256 of the whole token.
//!
//! One that comes again costs a look-up. What can change (expiry, revocation, the issuer's keys) is asked at every use.

use std::sync::Arc;

use gateward_kernel::secret::Digest;
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::Moment;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::claims::Claims;
use super::status::Place;

/// What the map itself costs for an entry, about.
const OVERHEAD: usize = 128;

/// A token that was accepted once.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) claims: Arc<Claims>,
    /// Whom cuts about it name.
    pub(crate) subject: SubjectTag,
    /// What cuts of everything of its client name.
    pub(crate) client: Option<SubjectTag>,
    /// Where its revocation is published.
    pub(crate) place: Option<Place>,
    /// With which state of the issuer's keys it was verified.
    pub(crate) generation: u64,
    /// Until when the check is good at all: introspected tokens are asked about again.
    pub(crate) recheck: Moment,
    /// How long the token is, in bytes.
    pub(crate) length: usize,
}

pub(crate) struct SeenTokens(Cache<[u8; 32], Arc<Seen>, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<[u8; 32], Arc<Seen>> for ByBytes {
    fn weight(&self, _: &[u8; 32], seen: &Arc<Seen>) -> u64 {
        // The claims as a tree of values take about three times the room of their text.
        (size_of::<Seen>() + size_of::<Claims>() + OVERHEAD + 3 * seen.length) as u64
    }
}

impl SeenTokens {
    /// A memory of up to about `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        SeenTokens(Cache::with_weighter(budget / 2048, budget as u64, ByBytes))
    }

    pub(crate) fn get(&self, key: &Digest) -> Option<Arc<Seen>> {
        self.0.get(key.as_bytes())
    }

    pub(crate) fn put(&self, key: &Digest, seen: Arc<Seen>) {
        self.0.insert(*key.as_bytes(), seen);
    }

    pub(crate) fn forget(&self, key: &Digest) {
        self.0.remove(key.as_bytes());
    }

    /// How many there are, and how many bytes they take, about.
    pub(crate) fn figures(&self) -> (usize, u64) {
        (self.0.len(), self.0.weight())
    }
}

impl std::fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SeenTokens")
    }
}
