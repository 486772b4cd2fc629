//! What the ring is at a moment: nothing in it changes, and it says for how long it holds.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::{
    Jwk, JwkSet, KeyAlgorithm, KeyError, KeySet, SignatureAlgorithm, Signer, SigningKey, VerifyingKey,
};
use gateward_kernel::keyring::{self, RotationPolicy, Stage, Term};
use gateward_kernel::ports::SealedKey;
use gateward_kernel::secret::Digest;
use gateward_kernel::time::Moment;
use parking_lot::RwLock;

use super::stored::{self, AtRest};
use super::{Jwks, RingFault};

/// What is signed most, and made ready first.
pub(super) const FIRST_TYPE: &str = "at+jwt";

/// A signing key that is ready for work.
pub struct RingKey {
    term: Term,
    kid: String,
    key: Jwk,
    verifying: VerifyingKey,
    signers: RwLock<Vec<(&'static str, Arc<Signer>)>>,
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingKey({}, {})", self.id(), self.kid)
    }
}

impl RingKey {
    /// A private key under this term. Its id is its thumbprint (RFC 7638), whatever it was called before.
    pub fn new(term: Term, key: Jwk) -> Result<Self, KeyError> {
        let kid = key.thumbprint();
        let key = key.with_kid(kid.clone()).for_algorithm(KeyAlgorithm::Signature(term.alg))?;
        let signer = Signer::new(SigningKey::new(&key, term.alg)?, FIRST_TYPE);
        let verifying = VerifyingKey::new(&key, term.alg)?;
        Ok(RingKey { term, kid, key, verifying, signers: RwLock::new(vec![(FIRST_TYPE, Arc::new(signer))]) })
    }

    /// Its name in the directory, such as `ES256-1`.
    pub fn id(&self) -> String {
        stored::id(self.term.alg, self.term.number)
    }

    /// Under which id tokens name it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its algorithm, and its moments.
    pub const fn term(&self) -> &Term {
        &self.term
    }

    /// The key itself, with its private part.
    pub const fn jwk(&self) -> &Jwk {
        &self.key
    }

    /// What signs with it tokens of this type; made at the first use, and kept.
    pub fn signer(&self, typ: &'static str) -> Option<Arc<Signer>> {
        let find = |signers: &[(&'static str, Arc<Signer>)]| {
            signers.iter().find(|(name, _)| *name == typ).map(|(_, signer)| signer.clone())
        };
        if let Some(signer) = find(&self.signers.read()) {
            return Some(signer);
        }
        let mut signers = self.signers.write();
        if let Some(signer) = find(&signers) {
            return Some(signer);
        }
        // It was ready for work once, so it is again.
        let signer = Arc::new(Signer::new(SigningKey::new(&self.key, self.term.alg).ok()?, typ));
        signers.push((typ, signer.clone()));
        Some(signer)
    }
}

/// The signing keys of the directory, as they were read.
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: Vec<Entry>,
    keys: Vec<Arc<RingKey>>,
}

#[derive(Clone, Debug)]
struct Entry {
    row: SealedKey,
    key: Option<Arc<RingKey>>,
    opens: bool,
}

impl Held {
    /// Opens these rows; what `before` holds already is taken from there. Yields also what is new and does not open.
    pub(super) fn read(rows: Vec<SealedKey>, before: &Held, at_rest: &AtRest) -> (Held, Vec<RingFault>) {
        let mut problems = Vec::new();
        let mut entry = |row: SealedKey| {
            let mut known = before.entries.iter().filter(|entry| entry.row.id == row.id);
            if let Some(same) = known.clone().find(|entry| entry.row == row) {
                return same.clone();
            }
            let damaged = |reason| RingFault::Damaged(row.id.clone(), reason);
            match at_rest.open(&row).and_then(|(term, key)| RingKey::new(term, key).map_err(damaged)) {
                Ok(key) => Entry { key: Some(Arc::new(key)), opens: true, row },
                Err(problem) => {
                    problems.push(problem);
                    // Encrypted anew under another key: what is in it is what it was.
                    let known = known.find(|entry| entry.row.created == row.created);
                    Entry { key: known.and_then(|entry| entry.key.clone()), opens: false, row }
                }
            }
        };
        let entries: Vec<Entry> = rows.into_iter().map(&mut entry).collect();
        let keys = entries.iter().filter_map(|entry| entry.key.clone()).collect();
        (Held { entries, keys }, problems)
    }

    /// Whether these are the rows it was read from.
    pub(super) fn is_of(&self, rows: &[SealedKey]) -> bool {
        self.entries.iter().map(|entry| &entry.row).eq(rows)
    }

    /// Whether some of them are encrypted under another key than ours by now.
    pub(super) fn is_estranged(&self) -> bool {
        self.entries.iter().any(|entry| !entry.opens)
    }

    pub(super) fn terms(&self) -> Vec<Term> {
        self.keys.iter().map(|key| key.term).collect()
    }
}

/// The ring at a moment, and until the next one at which anything changes by itself.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) held: Arc<Held>,
    from: Moment,
    until: Moment,
    keys: Vec<(Arc<RingKey>, Stage)>,
    signing: Vec<Arc<RingKey>>,
    verifying: Arc<KeySet>,
    jwks: Jwks,
}

impl Snapshot {
    pub(super) fn new(held: Arc<Held>, now: Moment, policy: &RotationPolicy) -> Self {
        let terms = held.terms();
        let keys: Vec<(Arc<RingKey>, Stage)> = held
            .keys
            .iter()
            .map(|key| (key.clone(), keyring::stage(&key.term, &terms, now, policy)))
            .collect();
        // A key becomes active at a moment of its own, and gone so long after that of another.
        let turns = || terms.iter().flat_map(|term| [term.active_from, term.active_from + policy.overlap]);
        let published = || keys.iter().filter(|(_, stage)| *stage != Stage::Gone).map(|(key, _)| key);
        let mut verifying = KeySet::new();
        published().for_each(|key| verifying.insert(key.verifying.clone()));
        let public = published().filter_map(|key| key.key.public()).collect();
        Snapshot {
            from: turns().filter(|turn| *turn <= now).max().unwrap_or(Moment::DAWN),
            until: turns().filter(|turn| *turn > now).min().unwrap_or(Moment::NEVER),
            signing: signing(&held.keys, &terms, now),
            verifying: Arc::new(verifying),
            jwks: jwks(public),
            keys,
            held,
        }
    }

    /// Whether it is what the ring is at this moment.
    pub(super) fn covers(&self, now: Moment) -> bool {
        self.from <= now && now < self.until
    }

    /// All keys, the oldest first, and their stages.
    pub fn keys(&self) -> &[(Arc<RingKey>, Stage)] {
        &self.keys
    }

    /// The key that signs for this algorithm.
    pub fn signing(&self, alg: SignatureAlgorithm) -> Option<&Arc<RingKey>> {
        self.signing.iter().find(|key| key.term.alg == alg)
    }

    /// The keys that sign, one for each algorithm.
    pub fn all_signing(&self) -> &[Arc<RingKey>] {
        &self.signing
    }

    /// What verifies tokens of this installation.
    pub const fn verifying(&self) -> &Arc<KeySet> {
        &self.verifying
    }

    /// The published key set.
    pub const fn jwks(&self) -> &Jwks {
        &self.jwks
    }
}

fn signing(keys: &[Arc<RingKey>], terms: &[Term], now: Moment) -> Vec<Arc<RingKey>> {
    let mut signing: Vec<Arc<RingKey>> = Vec::new();
    for key in keys {
        let alg = key.term.alg;
        if signing.iter().any(|other| other.term.alg == alg) {
            continue;
        }
        // Where none is active the clock of whoever made the first one is ahead of ours: better early than none.
        let early =
            || terms.iter().filter(|term| term.alg == alg).min_by_key(|term| term.active_from).copied();
        let term = keyring::signing(alg, terms, now).or_else(early);
        signing.extend(keys.iter().find(|key| Some(key.term) == term).cloned());
    }
    signing
}

fn jwks(keys: Vec<Jwk>) -> Jwks {
    let json = JwkSet { keys, skipped: Vec::new() }.to_json();
    let digest = Digest::of(json.as_bytes());
    let short = digest.as_bytes().first_chunk::<16>().map(|bytes| BASE64URL_NOPAD.encode(bytes));
    Jwks { body: Bytes::from(json), etag: format!("\"{}\"", short.unwrap_or_default()).into() }
}
