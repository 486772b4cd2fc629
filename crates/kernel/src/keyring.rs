//! The key ring: which signing key is at which stage of its life.
//!
//! A key is written once and never changed. Its stage follows from its own two moments and those of its successor, so
//! that every node comes to the same answer without talking to any other:
//!
//! * *published* from `created` on: whoever verifies can learn it before it signs;
//! * *active* from `active_from` on, until its successor is: the newest active key of an algorithm signs;
//! * *retired* from then on: it signs nothing more, and stays published until the last token it signed has expired;
//! * *gone* after that: nobody needs it, and it is taken away.
//!
//! Keys of one algorithm are numbered. A node that finds a successor due adds the key with the next number; of many
//! nodes that do so at once, one wins, because a number exists once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jose::SignatureAlgorithm;
use crate::time::Moment;

/// At what stage a key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It can be learnt, and does not sign yet.
    Published,
    /// It signs.
    Active,
    /// It verifies what it signed, and signs nothing more.
    Retired,
    /// Nothing that it signed is valid any more.
    Gone,
}

/// What the ring knows of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// For what it signs.
    pub alg: SignatureAlgorithm,
    /// Which key of this algorithm it is.
    pub number: u32,
    /// When it was made, and published.
    pub created: Moment,
    /// From when on it signs.
    pub active_from: Moment,
}

/// How keys follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RotationPolicy {
    /// A key signs for so long before its successor takes over. Zero: only when asked.
    pub every: Duration,
    /// A key is published for so long before it signs: at least as long as verifiers remember a key set.
    pub lead: Duration,
    /// A retired key stays published for so long: at least the longest life of what it signed.
    pub overlap: Duration,
}

/// The stage of one of these keys at a moment.
pub fn stage(key: &Term, all: &[Term], now: Moment, policy: &RotationPolicy) -> Stage {
    if now < key.active_from {
        return Stage::Published;
    }
    match retired_at(key, all, now) {
        None => Stage::Active,
        Some(at) if now < at + policy.overlap => Stage::Retired,
        Some(_) => Stage::Gone,
    }
}

/// When the first of its active successors took over.
fn retired_at(key: &Term, all: &[Term], now: Moment) -> Option<Moment> {
    let successors = all.iter().filter(|other| other.alg == key.alg && other.number > key.number);
    successors.map(|other| other.active_from).filter(|from| *from <= now).min()
}

/// The key that signs for this algorithm now: the newest of those that are active.
pub fn signing(alg: SignatureAlgorithm, all: &[Term], now: Moment) -> Option<Term> {
    let active = all.iter().filter(|key| key.alg == alg && key.active_from <= now);
    active.max_by_key(|key| key.number).copied()
}

/// The key that is to be made now, if any: the very first, which signs at once because nobody can have cached a set
/// without it, or the next successor, early enough to be published for its whole lead.
pub fn due(alg: SignatureAlgorithm, all: &[Term], now: Moment, policy: &RotationPolicy) -> Option<Term> {
    let Some(newest) = newest(alg, all) else {
        return Some(Term { alg, number: 1, created: now, active_from: now });
    };
    if policy.every.is_zero() {
        return None;
    }
    let takes_over = newest.active_from + policy.every;
    (now >= takes_over - policy.lead).then(|| Term {
        alg,
        number: newest.number.saturating_add(1),
        created: now,
        active_from: takes_over.max(now + policy.lead),
    })
}

/// The successor when somebody asks for one: after the usual lead, or at once when the present key must not be used
/// again. `None` while there is none to succeed.
pub fn successor(alg: SignatureAlgorithm, all: &[Term], now: Moment, lead: Duration) -> Option<Term> {
    let newest = newest(alg, all)?;
    let number = newest.number.saturating_add(1);
    Some(Term { alg, number, created: now, active_from: now + lead })
}

fn newest(alg: SignatureAlgorithm, all: &[Term]) -> Option<Term> {
    all.iter().filter(|key| key.alg == alg).max_by_key(|key| key.number).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALG: SignatureAlgorithm = SignatureAlgorithm::Es256;
    const START: Moment = Moment::from_micros(1_000_000_000_000);
    const POLICY: RotationPolicy = RotationPolicy {
        every: Duration::from_secs(1000),
        lead: Duration::from_secs(100),
        overlap: Duration::from_secs(50),
    };

    fn at(seconds: u64) -> Moment {
        START + Duration::from_secs(seconds)
    }

    fn key(number: u32, created: u64, active_from: u64) -> Term {
        Term { alg: ALG, number, created: at(created), active_from: at(active_from) }
    }

    #[test]
    fn the_life_of_a_key() {
        let all = [key(1, 0, 0), key(2, 900, 1000)];
        let [first, second] = all;
        let stages = |seconds| {
            let of = |key| stage(key, &all, at(seconds), &POLICY);
            (of(&first), of(&second))
        };
        assert_eq!(stages(900), (Stage::Active, Stage::Published));
        assert_eq!(stages(999), (Stage::Active, Stage::Published));
        assert_eq!(stages(1000), (Stage::Retired, Stage::Active));
        assert_eq!(stages(1049), (Stage::Retired, Stage::Active));
        assert_eq!(stages(1050), (Stage::Gone, Stage::Active));
        assert_eq!(signing(ALG, &all, at(999)), Some(first));
        assert_eq!(signing(ALG, &all, at(1000)), Some(second));
        assert_eq!(signing(SignatureAlgorithm::Rs256, &all, at(1000)), None);
    }

    #[test]
    fn the_first_signs_at_once_and_the_next_is_made_a_lead_before_its_turn() {
        assert_eq!(due(ALG, &[], START, &POLICY), Some(key(1, 0, 0)));
        let one = [key(1, 0, 0)];
        assert_eq!(due(ALG, &one, at(899), &POLICY), None);
        assert_eq!(due(ALG, &one, at(900), &POLICY), Some(key(2, 900, 1000)));
        // A machine that was off for long publishes first all the same.
        assert_eq!(due(ALG, &one, at(5000), &POLICY), Some(key(2, 5000, 5100)));
        let two = [key(1, 0, 0), key(2, 900, 1000)];
        assert_eq!(due(ALG, &two, at(1000), &POLICY), None);
        let never = RotationPolicy { every: Duration::ZERO, ..POLICY };
        assert_eq!(due(ALG, &one, at(1_000_000), &never), None);
    }

    #[test]
    fn one_that_was_asked_for_at_once_retires_all_before_it() {
        let all = [key(1, 0, 0), key(2, 900, 1000)];
        let asked = successor(ALG, &all, at(950), Duration::ZERO).unwrap();
        assert_eq!(asked, key(3, 950, 950));
        let all = [all[0], all[1], asked];
        assert_eq!(signing(ALG, &all, at(950)), Some(asked));
        assert_eq!(stage(&all[0], &all, at(950), &POLICY), Stage::Retired);
        // One that was overtaken before its turn has signed nothing.
        assert_eq!(stage(&all[1], &all, at(1000), &POLICY), Stage::Gone);
        assert_eq!(signing(ALG, &all, at(2000)), Some(asked));
        assert_eq!(successor(ALG, &[], START, POLICY.lead), None);
    }

    proptest! {
        /// However irregularly anybody looks: there is always exactly one signing key, and none ever signs before it was
        /// published for its lead, save the first.
        #[test]
        fn no_gap(pauses in prop::collection::vec(1u64..700, 1..60)) {
            let mut all = Vec::new();
            let mut now = START;
            for pause in pauses {
                all.extend(due(ALG, &all, now, &POLICY));
                let active: Vec<_> =
                    all.iter().filter(|key| stage(key, &all, now, &POLICY) == Stage::Active).collect();
                prop_assert_eq!(active.len(), 1);
                prop_assert_eq!(signing(ALG, &all, now), Some(*active[0]));
                now = now + Duration::from_secs(pause);
            }
            for key in all.iter().filter(|key| key.number > 1) {
                prop_assert!(key.active_from >= key.created + POLICY.lead);
            }
        }
    }
}
