//! The keys a verifier holds, found by the id a token names.

use hashbrown::HashMap;

use super::alg::SignatureAlgorithm;
use super::jwk::{JwkSet, KeyMaterial};
use super::keys::VerifyingKey;

/// How many keys are tried for one token. More than one is meant only when keys share an id or have none.
pub const MAX_TRIED: usize = 4;

/// Verifying keys by their id. An id is an opaque name: it is compared, never interpreted.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    named: HashMap<String, Vec<VerifyingKey>>,
    nameless: Vec<VerifyingKey>,
}

/// Why a set has no key to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// There is none under this id, or none at all for this algorithm.
    Unknown,
    /// There is one under this id, but for another algorithm.
    OtherAlgorithm,
    /// There are more than [`MAX_TRIED`] that could be meant.
    TooMany,
}

impl KeySet {
    /// A set without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys of a public set that serve an algorithm of `allowed`. A key that names no algorithm of its own serves each
    /// allowed one of its type. Shared secrets are passed over: they have no place in a public set, and are added
    /// with [`insert`](Self::insert) by whoever knows them to be secret.
    pub fn from_jwks(set: &JwkSet, allowed: &[SignatureAlgorithm]) -> Self {
        let mut keys = KeySet::new();
        let public = set.keys.iter().filter(|key| !matches!(key.material(), KeyMaterial::Oct(_)));
        for key in public {
            for algorithm in allowed.iter().filter(|algorithm| key.fits(**algorithm)) {
                if let Ok(ready) = VerifyingKey::new(key, *algorithm) {
                    keys.insert(ready);
                }
            }
        }
        keys
    }

    /// Adds a key.
    pub fn insert(&mut self, key: VerifyingKey) {
        match key.kid() {
            Some(kid) => self.named.entry_ref(kid).or_default().push(key),
            None => self.nameless.push(key),
        }
    }

    /// Whether there is a key with this id.
    pub fn contains(&self, kid: &str) -> bool {
        self.named.contains_key(kid)
    }

    /// How many keys there are; one that serves two algorithms counts twice.
    pub fn len(&self) -> usize {
        self.nameless.len() + self.named.values().map(Vec::len).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nameless.is_empty() && self.named.is_empty()
    }

    /// Hands the keys a token with this id and algorithm can mean to `verifies`, until one does.
    ///
    /// With an id that is known: the keys of that id. With another id: the keys that have none. Without an id: all.
    pub(super) fn any(
        &self,
        kid: Option<&str>,
        algorithm: SignatureAlgorithm,
        verifies: impl Fn(&VerifyingKey) -> bool,
    ) -> Result<bool, NoKey> {
        let (named, others): (&[VerifyingKey], &[VerifyingKey]) = match kid.map(|kid| self.named.get(kid)) {
            Some(Some(keys)) => (keys, &[]),
            _ => (&[], &self.nameless),
        };
        let everything = self.named.values().flatten().filter(|_| kid.is_none());
        let of_algorithm = |key: &&VerifyingKey| key.algorithm() == algorithm;
        let candidates = || named.iter().chain(others).chain(everything.clone()).filter(of_algorithm);
        match candidates().take(MAX_TRIED + 1).count() {
            0 if named.is_empty() => Err(NoKey::Unknown),
            0 => Err(NoKey::OtherAlgorithm),
            1..=MAX_TRIED => Ok(candidates().any(verifies)),
            _ => Err(NoKey::TooMany),
        }
    }
}
