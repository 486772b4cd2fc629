//! What people do with keys: rotate, import, remove, and encrypt them under another key.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::event::Actor;
use gateward_kernel::jose::{Jwk, KeyMaterial, SignatureAlgorithm, SigningKey};
use gateward_kernel::keyring::{self, Stage, Term};
use gateward_kernel::ports::SealedKey;
use gateward_kernel::time::Moment;

use super::stored::{AtRest, PURPOSE};
use super::{KeyRing, RingFault, RingKey};

/// How often is tried again when others take the number of a new key.
const ATTEMPTS: usize = 8;
/// How often all keys are looked at again, while others are made, before they are all found under the new key.
const ROUNDS: usize = 8;

/// When a new key takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takeover {
    /// After it was published for as long as verifiers may cache the key set.
    AfterLead,
    /// Now: the present key must not be used any more.
    AtOnce,
}

/// The key that takes over.
#[derive(Clone, Debug)]
pub struct Added {
    /// The key.
    pub key: Arc<RingKey>,
    /// Whether it was made or added now. If not, it had been waiting for its turn.
    pub is_new: bool,
}

/// What came of encrypting keys anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resealed {
    /// So many were encrypted under the other key now.
    pub changed: usize,
    /// So many were already.
    pub already: usize,
}

impl KeyRing {
    /// Lets a new key of this algorithm take over. After the lead, a key that waits for its turn already is the one.
    pub async fn rotate(
        &self,
        alg: SignatureAlgorithm,
        takeover: Takeover,
        actor: Actor,
        now: Moment,
    ) -> Result<Added, RingFault> {
        if alg.is_hmac() {
            return Err(RingFault::NotPublic(alg));
        }
        let _busy = self.busy.lock().await;
        self.current(now).await?;
        if takeover == Takeover::AfterLead
            && let Some(key) = self.waiting(alg, now)
        {
            return Ok(Added { key, is_new: false });
        }
        let key = self.generate(alg).await?;
        self.add_next(alg, &key, takeover, actor, now).await
    }

    /// Adds a key that was made elsewhere; it takes over from the present one of this algorithm.
    pub async fn import(
        &self,
        key: &Jwk,
        alg: SignatureAlgorithm,
        takeover: Takeover,
        actor: Actor,
        now: Moment,
    ) -> Result<Added, RingFault> {
        match key.material() {
            _ if alg.is_hmac() => return Err(RingFault::NotPublic(alg)),
            KeyMaterial::Oct(_) => return Err(RingFault::SharedSecret),
            _ if !key.is_private() => return Err(RingFault::PublicOnly),
            // Asked of the key as it was given, with what it says about its purpose.
            _ => SigningKey::new(key, alg)?,
        };
        let _busy = self.busy.lock().await;
        self.current(now).await?;
        self.add_next(alg, key, takeover, actor, now).await
    }

    /// Takes a key away at once: what it signed is not verified any more. Refused for the key that signs, while its
    /// algorithm is in use.
    pub async fn remove(&self, key: &RingKey, actor: Actor, now: Moment) -> Result<(), RingFault> {
        let _busy = self.busy.lock().await;
        self.current(now).await?;
        let alg = key.term().alg;
        let snapshot = self.snapshot(now);
        if !snapshot.keys().iter().any(|(other, _)| other.kid() == key.kid()) {
            return Err(RingFault::Unknown(key.kid().to_owned()));
        }
        let signs = snapshot.signing(alg).is_some_and(|signing| signing.kid() == key.kid());
        if signs && self.settings.in_use.contains(&alg) {
            return Err(RingFault::Signs { id: key.id(), alg });
        }
        self.take_away(key, actor, now).await
    }

    /// The key of this id or name.
    pub fn find(&self, name: &str, now: Moment) -> Result<Arc<RingKey>, RingFault> {
        let snapshot = self.snapshot(now);
        let found = snapshot.keys().iter().find(|(key, _)| key.kid() == name || key.id() == name);
        found.map(|(key, _)| key.clone()).ok_or_else(|| RingFault::Unknown(name.to_owned()))
    }

    /// Encrypts every key under `to`; those that are not yet must open with one of `from`. Nothing is changed when any does
    /// not. Done again after an interruption, it goes on where it was.
    pub async fn reseal(&self, from: &[&AtRest], to: &AtRest) -> Result<Resealed, RingFault> {
        let _busy = self.busy.lock().await;
        let mut done = Resealed::default();
        // A running server may still add one under the former key.
        for round in 0..ROUNDS {
            let rows = self.directory.sealed_keys(PURPOSE).await?;
            let (under, others): (Vec<SealedKey>, Vec<SealedKey>) =
                rows.into_iter().partition(|row| to.opens(row));
            if round == 0 {
                done.already = under.len();
            }
            if others.is_empty() {
                return Ok(done);
            }
            let resealed = others.into_iter().map(|row| {
                let found = from.iter().find_map(|from| to.reseal(&row, from, &*self.entropy).ok());
                let place = from.first().map_or_else(|| to.place(), |from| from.place());
                found.ok_or_else(|| RingFault::sealed(&row, place))
            });
            for row in resealed.collect::<Result<Vec<_>, _>>()? {
                done.changed += usize::from(self.directory.replace_sealed_key(&row).await?);
            }
        }
        Err(RingFault::Contended)
    }

    /// Reads what is there, and refuses to write beside keys that are encrypted under another key.
    async fn current(&self, now: Moment) -> Result<(), RingFault> {
        if let Some(problem) = self.read(now).await?.into_iter().next() {
            return Err(problem);
        }
        match self.snapshot(now).held.is_estranged() {
            true => Err(RingFault::Estranged),
            false => Ok(()),
        }
    }

    /// The key that is published, and signs next.
    fn waiting(&self, alg: SignatureAlgorithm, now: Moment) -> Option<Arc<RingKey>> {
        let snapshot = self.snapshot(now);
        let waits =
            |(key, stage): &&(Arc<RingKey>, Stage)| key.term().alg == alg && *stage == Stage::Published;
        snapshot
            .keys()
            .iter()
            .filter(waits)
            .map(|(key, _)| key.clone())
            .min_by_key(|key| key.term().active_from)
    }

    async fn add_next(
        &self,
        alg: SignatureAlgorithm,
        key: &Jwk,
        takeover: Takeover,
        actor: Actor,
        now: Moment,
    ) -> Result<Added, RingFault> {
        let lead = match takeover {
            Takeover::AfterLead => self.settings.policy.lead,
            Takeover::AtOnce => Duration::ZERO,
        };
        let kid = key.thumbprint();
        for _ in 0..ATTEMPTS {
            let snapshot = self.snapshot(now);
            if let Some((same, _)) = snapshot.keys().iter().find(|(other, _)| other.kid() == kid) {
                return Err(RingFault::AlreadyThere { id: same.id(), kid });
            }
            let first = Term { alg, number: 1, created: now, active_from: now };
            let term = keyring::successor(alg, &snapshot.held.terms(), now, lead).unwrap_or(first);
            if let Some(key) = self.add(term, key.clone(), actor.clone(), now).await? {
                return Ok(Added { key, is_new: true });
            }
        }
        Err(RingFault::Contended)
    }
}
