//! Passwords: hashing them within bounds, judging new ones, changing them, and choosing a new one by a one-time code.

mod argon;
mod common;
pub mod flow;
pub mod hasher;
pub mod pepper;
pub mod pool;
pub mod reset;
pub mod web;

use std::sync::Arc;

use gateward_kernel::person::password::{Password, PasswordProblem, judge};
use gateward_kernel::person::{Detail, Person, StoredPassword};
use gateward_kernel::refusal::Refusal;
use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Moment;
use parking_lot::RwLock;

use self::common::Blocklist;
use self::hasher::{Cost, Hasher, Verified};
use self::pepper::Peppers;
use self::pool::Pool;
use crate::config::Passwords as Settings;

/// Everything that is done with passwords, off the threads that serve requests.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
    hasher: Hasher,
    peppers: Arc<RwLock<Arc<Peppers>>>,
    blocklist: Arc<Blocklist>,
    min_length: usize,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    /// As the settings say; with these peppers, and these further refused passwords.
    pub fn start(
        settings: &Settings,
        peppers: Peppers,
        refused: &str,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let cost = Cost {
            memory: u32::try_from(settings.memory.count() / 1024)?,
            iterations: settings.iterations,
            parallelism: settings.parallelism,
        };
        let hasher = Hasher::new(cost)
            .ok_or_else(|| anyhow::anyhow!("passwords.memory is too small for passwords.parallelism"))?;
        Ok(Passwords {
            pool: Pool::start(settings.threads as usize, settings.queue as usize, argon::release)?,
            hasher,
            peppers: Arc::new(RwLock::new(Arc::new(peppers))),
            blocklist: Arc::new(Blocklist::with(refused)),
            min_length: settings.min_length as usize,
            entropy,
        })
    }

    /// Takes over peppers that were added meanwhile.
    pub fn replace_peppers(&self, peppers: Peppers) {
        *self.peppers.write() = Arc::new(peppers);
    }

    /// Whether the pepper of this hash is known.
    pub fn knows_pepper_of(&self, stored: &StoredPassword) -> bool {
        stored.pepper.as_ref().is_none_or(|id| self.peppers.read().find(id).is_some())
    }

    /// Compares. Nobody's password, and a hash that is not there, take the same time as a wrong one.
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<StoredPassword>,
    ) -> Result<Verified, Refusal> {
        let (hasher, peppers, password) = (self.hasher, self.peppers.read().clone(), password.clone());
        let compare = move || match stored {
            Some(stored) => hasher.verify(&password, &stored, &peppers),
            None => {
                hasher.pretend(&password, &peppers);
                Verified::Wrong
            }
        };
        self.pool.run(compare).await
    }

    /// The hash to keep of a password that was judged before.
    pub async fn hash(&self, password: &Password, now: Moment) -> Result<StoredPassword, Refusal> {
        let (hasher, peppers, password) = (self.hasher, self.peppers.read().clone(), password.clone());
        let entropy = self.entropy.clone();
        self.pool.run(move || hasher.hash(&password, &peppers, &*entropy, now)).await
    }

    /// Judges a new password for this person.
    pub fn judge(&self, password: &Password, person: &Person) -> Result<(), PasswordProblem> {
        let words = [
            Some(person.name.key()),
            person.email.as_ref().map(|email| email.as_str()),
            person.display_name.as_deref(),
            person.profile.get(Detail::GivenName),
            person.profile.get(Detail::MiddleName),
            person.profile.get(Detail::FamilyName),
            person.profile.get(Detail::Nickname),
        ];
        judge(password, self.min_length, |lower| self.blocklist.holds(lower), words.into_iter().flatten())
    }

    /// How strong a password seems, 0 to 4 (zxcvbn). Advice, not a rule.
    pub async fn strength(&self, password: String, words: Vec<String>) -> Result<u8, Refusal> {
        let judge = move || {
            let start: String = password.chars().take(100).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            u8::from(zxcvbn::zxcvbn(&start, &words).score())
        };
        self.pool.run(judge).await
    }

    /// The shortest password in bytes.
    pub fn min_length(&self) -> usize {
        self.min_length
    }

    /// The pool, for its figures.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
