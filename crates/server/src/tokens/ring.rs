//! The key ring: the keys that sign tokens, from the directory into memory, and each in its turn.
//!
//! The law is [`gateward_kernel::keyring`]: what a key is at a moment follows from what was written once. So the ring reads
//! its keys when they change, and changes from one to the next by the clock alone, at the same moment on every node.

mod edit;
mod fault;
mod settings;
mod snapshot;
mod stored;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use gateward_guard::RootKey;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::jose::{Jwk, KeyError, KeySet, SignatureAlgorithm, SignatureFamily, Signer};
use gateward_kernel::keyring::{self, Stage, Term};
use gateward_kernel::ports::{Directory, Listener, Version};
use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Moment;
use parking_lot::RwLock;
use tokio::sync::{Mutex, Notify};

use crate::telemetry::audit;

pub use edit::{Added, Resealed, Takeover};
pub use fault::RingFault;
pub use settings::RingSettings;
use snapshot::Held;
pub use snapshot::{RingKey, Snapshot};
pub use stored::{AtRest, Place};

/// What the ring may hold: the algorithms whose verifiers need no secret.
const ALGORITHMS: &[SignatureAlgorithm] = &[
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
    SignatureAlgorithm::Rs512,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Ps512,
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::Es512,
    SignatureAlgorithm::EdDsa,
];

/// The published key set (RFC 7517 §5).
#[derive(Clone, Debug)]
pub struct Jwks {
    body: Bytes,
    etag: Arc<str>,
}

impl Jwks {
    /// The document: public keys only.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// A strong entity tag of the document, with its quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

/// The keys that sign tokens.
pub struct KeyRing {
    directory: Arc<dyn Directory>,
    entropy: Arc<dyn Entropy>,
    root: RootKey,
    settings: RingSettings,
    /// The key under which the others are encrypted, once it was needed.
    at_rest: RwLock<Option<Arc<AtRest>>>,
    shown: RwLock<Arc<Snapshot>>,
    /// One at a time reads or writes keys.
    busy: Mutex<()>,
    news: Arc<News>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// Told by the directory that keys have changed.
#[derive(Default)]
struct News(Notify);

impl Listener for News {
    fn changed(&self, kind: &str, _: &[u8], _: Option<Version>) {
        if kind == "key" {
            self.0.notify_one();
        }
    }

    fn lost(&self) {}

    fn restored(&self) {
        self.0.notify_one();
    }
}

impl KeyRing {
    /// A ring without keys: [`load`](Self::load) or [`start`](Self::start) it. Reads nothing yet.
    pub fn new(
        directory: Arc<dyn Directory>,
        root: RootKey,
        settings: RingSettings,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let news = Arc::new(News::default());
        directory.changes(news.clone());
        let nothing = Snapshot::new(Arc::new(Held::default()), Moment::DAWN, &settings.policy);
        Arc::new(KeyRing {
            directory,
            entropy,
            root,
            settings,
            at_rest: RwLock::new(None),
            shown: RwLock::new(Arc::new(nothing)),
            busy: Mutex::new(()),
            news,
        })
    }

    /// Reads the keys of the directory. An error when any of them does not open: nobody should find out later.
    pub async fn load(&self, now: Moment) -> Result<(), RingFault> {
        let _busy = self.busy.lock().await;
        self.read(now).await?.into_iter().next().map_or(Ok(()), Err)
    }

    /// [Loads](Self::load), and makes what is missing or due, but for RSA keys: those take long, and are made by
    /// [`maintain`](Self::maintain).
    pub async fn start(&self, now: Moment) -> Result<(), RingFault> {
        self.load(now).await?;
        let _busy = self.busy.lock().await;
        for alg in self.settings.in_use.iter().filter(|alg| alg.family() != SignatureFamily::Rsa) {
            self.make_due(*alg, now).await?;
        }
        Ok(())
    }

    /// Takes over what others have changed, makes keys that are due, and takes away those that are gone. To be done whenever
    /// [`changed`](Self::changed) says so, and every now and then.
    pub async fn maintain(&self, now: Moment) -> Result<(), RingFault> {
        let _busy = self.busy.lock().await;
        for problem in self.read(now).await? {
            tracing::error!(%problem, "a signing key cannot be taken over");
        }
        if self.snapshot(now).held.is_estranged() {
            // What we would make now could not be read after a restart with the new settings.
            return Ok(());
        }
        // RSA last: it takes long.
        let is_slow = |alg: &&SignatureAlgorithm| alg.family() == SignatureFamily::Rsa;
        let in_use = || self.settings.in_use.iter();
        for alg in in_use().filter(|alg| !is_slow(alg)).chain(in_use().filter(is_slow)) {
            self.make_due(*alg, now).await?;
        }
        for (key, _) in self.snapshot(now).keys().iter().filter(|(_, stage)| *stage == Stage::Gone) {
            self.take_away(key, Actor::System, now).await?;
        }
        Ok(())
    }

    /// Comes when the directory has told of changed keys, here or in another process.
    pub async fn changed(&self) {
        self.news.0.notified().await;
    }

    /// Signs once with every key that signs, so that what the crypto library does at its first signature (its random
    /// generator gathers jitter for some fifty milliseconds) is done before somebody waits for it. Blocks for so long.
    pub fn warm(&self, now: Moment) {
        for key in self.snapshot(now).all_signing() {
            if let Some(signer) = key.signer(snapshot::FIRST_TYPE) {
                // A failure here is one there too, where it is told.
                let _ = signer.key().sign(b"");
            }
        }
    }

    /// What the ring is at this moment: cheap to ask for.
    pub fn snapshot(&self, now: Moment) -> Arc<Snapshot> {
        let present = self.shown.read().clone();
        if present.covers(now) {
            return present;
        }
        let next = Arc::new(Snapshot::new(present.held.clone(), now, &self.settings.policy));
        let mut shown = self.shown.write();
        // Unless other keys were read meanwhile.
        if Arc::ptr_eq(&shown.held, &next.held) {
            *shown = next.clone();
        }
        next
    }

    /// What signs tokens of this `typ` with this algorithm. `None` for an algorithm that is not in use, and until its first
    /// key is made.
    pub fn signer(&self, alg: SignatureAlgorithm, typ: &'static str, now: Moment) -> Option<Arc<Signer>> {
        self.snapshot(now).signing(alg)?.signer(typ)
    }

    /// What verifies tokens of this installation.
    pub fn verifying_keys(&self, now: Moment) -> Arc<KeySet> {
        self.snapshot(now).verifying().clone()
    }

    /// The key set that everybody may see.
    pub fn jwks(&self, now: Moment) -> Jwks {
        self.snapshot(now).jwks().clone()
    }

    /// The algorithms that the ring's keys may have; each key verifies its own only.
    pub const fn algorithms(&self) -> &'static [SignatureAlgorithm] {
        ALGORITHMS
    }

    /// What the settings say.
    pub const fn settings(&self) -> &RingSettings {
        &self.settings
    }

    /// The key under which private keys are encrypted by the settings.
    pub fn at_rest(&self) -> Result<Arc<AtRest>, RingFault> {
        if let Some(known) = &*self.at_rest.read() {
            return Ok(known.clone());
        }
        let found = Arc::new(match &self.settings.encryption_key_file {
            Some(file) => AtRest::file(file)?,
            None => self.at_rest_by_root(),
        });
        *self.at_rest.write() = Some(found.clone());
        Ok(found)
    }

    /// The one that is derived from the root key.
    pub fn at_rest_by_root(&self) -> AtRest {
        AtRest::root(&self.root, &self.settings.root_key_file)
    }

    /// Reads the directory, and shows what it holds. Yields what is new there and does not open.
    async fn read(&self, now: Moment) -> Result<Vec<RingFault>, RingFault> {
        let rows = self.directory.sealed_keys(stored::PURPOSE).await?;
        let before = self.shown.read().held.clone();
        if before.is_of(&rows) {
            return Ok(Vec::new());
        }
        let (held, problems) = Held::read(rows, &before, &*self.at_rest()?);
        *self.shown.write() = Arc::new(Snapshot::new(Arc::new(held), now, &self.settings.policy));
        Ok(problems.into_iter().map(|problem| self.explained(problem)).collect())
    }

    /// Says what helps, where it is known.
    fn explained(&self, problem: RingFault) -> RingFault {
        match problem {
            RingFault::Sealed { row, place: place @ Place::File(_) }
                if self.at_rest_by_root().opens(&row) =>
            {
                RingFault::StillByRoot(row.id, place)
            }
            problem => problem,
        }
    }

    /// Makes the next key of this algorithm, if it is due.
    async fn make_due(&self, alg: SignatureAlgorithm, now: Moment) -> Result<(), RingFault> {
        let terms = self.snapshot(now).held.terms();
        if let Some(term) = keyring::due(alg, &terms, now, &self.settings.policy) {
            let key = self.generate(alg).await?;
            // When another node was faster, its key is read now.
            self.add(term, key, Actor::System, now).await?;
        }
        Ok(())
    }

    async fn generate(&self, alg: SignatureAlgorithm) -> Result<Jwk, RingFault> {
        let entropy = self.entropy.clone();
        let generated = tokio::task::spawn_blocking(move || Jwk::generate(alg, &*entropy)).await;
        Ok(generated.map_err(|_| RingFault::Key(KeyError::NotAKey))??)
    }

    /// Writes a key, unless there is one of that number. Reads what is there then; `None` when it was somebody else's.
    async fn add(
        &self,
        term: Term,
        key: Jwk,
        actor: Actor,
        now: Moment,
    ) -> Result<Option<Arc<RingKey>>, RingFault> {
        let key = RingKey::new(term, key)?;
        let row = self.at_rest()?.seal(&term, key.jwk(), &*self.entropy);
        let is_ours = self.directory.add_sealed_key(&row).await?;
        if is_ours {
            let from = term.active_from.rfc3339();
            let detail = format!("signing key {}, kid {}, signs from {from}", row.id, key.kid());
            self.record(Fact::KeyCreated, detail, actor, now).await;
        }
        for problem in self.read(now).await? {
            tracing::error!(%problem, "a signing key cannot be taken over");
        }
        Ok(is_ours.then(|| Arc::new(key)))
    }

    /// Removes a key from the directory, and reads what is left.
    async fn take_away(&self, key: &RingKey, actor: Actor, now: Moment) -> Result<(), RingFault> {
        if self.directory.remove_sealed_key(stored::PURPOSE, &key.id()).await? {
            let detail = format!("signing key {}, kid {}", key.id(), key.kid());
            self.record(Fact::KeyRemoved, detail, actor, now).await;
        }
        self.read(now).await?;
        Ok(())
    }

    async fn record(&self, fact: Fact, detail: String, actor: Actor, now: Moment) {
        let event = Event { detail: Some(detail), ..Event::new(now, fact, actor) };
        audit(&*self.directory, &event).await;
    }
}
