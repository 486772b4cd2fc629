//! The four promises by name.

use std::collections::HashMap;

use crate::history::{ANY_VERSION, Kind, NO_SECRET, Operation, Outcome};

/// A promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Promise {
    /// Whose sign-in was acknowledged, and whose session nobody asked to end, is never refused, and is accepted by every node at
    /// the end.
    NoAcknowledgedSessionLost,
    /// What was ended, and acknowledged to be, is accepted by no node any more once it can have heard of it.
    EndedStaysEnded,
    /// Of many who refresh by one token all get one successor; of many who write on one version one does.
    OneWinner,
    /// Every answer names whoever signed in, and shows only what was written in that session.
    NoSessionOfAnotherPerson,
}

impl Promise {
    /// All of them.
    pub const ALL: [Promise; 4] = [
        Promise::NoAcknowledgedSessionLost,
        Promise::EndedStaysEnded,
        Promise::OneWinner,
        Promise::NoSessionOfAnotherPerson,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Promise::NoAcknowledgedSessionLost => "no acknowledged session lost",
            Promise::EndedStaysEnded => "ended stays ended",
            Promise::OneWinner => "one winner",
            Promise::NoSessionOfAnotherPerson => "no session of another person",
        }
    }
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// To which session.
    pub session: i64,
    /// The operation that shows it.
    pub number: usize,
}

/// Every promise that this history shows to be broken.
pub fn broken(history: &[Operation]) -> Vec<Broken> {
    let mut found = Vec::new();
    for life in lives(history) {
        found.extend(life.lost());
        found.extend(life.came_back());
        found.extend(life.several_winners());
    }
    found.extend(history.iter().filter(|one| is_anothers(one)).map(|one| Broken {
        promise: Promise::NoSessionOfAnotherPerson,
        session: one.session,
        number: one.number,
    }));
    found
}

/// All that was done to one session.
struct Life<'a> {
    created: &'a Operation,
    /// With what was done to all of its person.
    operations: Vec<&'a Operation>,
}

fn lives(history: &[Operation]) -> Vec<Life<'_>> {
    let mut by_session: HashMap<i64, Vec<&Operation>> = HashMap::new();
    let mut ends_of_all: HashMap<usize, Vec<&Operation>> = HashMap::new();
    for one in history {
        match one.kind {
            Kind::EndAll => ends_of_all.entry(one.person).or_default().push(one),
            _ => by_session.entry(one.session).or_default().push(one),
        }
    }
    let created = history.iter().filter(|one| one.kind == Kind::Create && one.outcome == Outcome::Ok);
    let life = |created: &'_ Operation| -> Vec<&Operation> {
        let own = by_session.get(&created.session).into_iter().flatten();
        own.chain(ends_of_all.get(&created.person).into_iter().flatten()).copied().collect()
    };
    let mut lives: Vec<_> = created.map(|created| Life { created, operations: life(created) }).collect();
    lives.sort_by_key(|life| life.created.session);
    lives
}

impl Life<'_> {
    fn broken(&self, promise: Promise, one: &Operation) -> Broken {
        Broken { promise, session: self.created.session, number: one.number }
    }

    fn lost(&self) -> Vec<Broken> {
        let refused = |one: &&&Operation| {
            let is_refusal = one.outcome == Outcome::No && one.status == 401;
            let has_no_answer = one.last && one.outcome != Outcome::Ok;
            (is_refusal || has_no_answer) && self.is_owed(one)
        };
        let all = self.operations.iter().filter(refused);
        all.map(|one| self.broken(Promise::NoAcknowledgedSessionLost, one)).collect()
    }

    /// Whether what this one presented was to be accepted, whatever else happened.
    fn is_owed(&self, one: &Operation) -> bool {
        if !matches!(one.kind, Kind::Check | Kind::Read | Kind::Write | Kind::Refresh) {
            return false;
        }
        let before = |other: &&&Operation| other.outcome != Outcome::No && other.call < one.returned;
        // What was over before it began ended others.
        let since = |other: &&&Operation| other.returned >= self.created.call;
        let reached = self.operations.iter().filter(before).filter(since);
        let mut ends = reached.filter(|other| ends(other) || takes(other, one));
        self.made(one.secret).is_some_and(|made| made < one.call) && ends.next().is_none()
    }

    /// When it was acknowledged that this secret opens the session.
    fn made(&self, secret: i64) -> Option<u64> {
        if secret == self.created.secret {
            return Some(self.created.returned);
        }
        let mut acknowledged = self.operations.iter().filter(|one| one.outcome == Outcome::Ok);
        acknowledged.find(|one| one.kind == Kind::Elevate && one.to == secret).map(|one| one.returned)
    }

    fn came_back(&self) -> Vec<Broken> {
        let ended = self.operations.iter().filter(|one| self.has_surely_ended(one));
        let Some(ended) = ended.map(|one| one.returned).min() else { return Vec::new() };
        let accepted = |one: &&&Operation| {
            one.outcome == Outcome::Ok
                && match one.kind {
                    // What is looked at may be remembered from before.
                    Kind::Check | Kind::Read => one.since > ended,
                    // What is written is decided in the store. A sign-in with a session that is over begins another.
                    Kind::Write | Kind::Elevate | Kind::Refresh => one.call > ended,
                    Kind::Create | Kind::End | Kind::SignOut | Kind::EndAll => false,
                }
        };
        let all = self.operations.iter().filter(accepted);
        all.map(|one| self.broken(Promise::EndedStaysEnded, one)).collect()
    }

    /// Whether this is an acknowledged end of this session.
    fn has_surely_ended(&self, one: &Operation) -> bool {
        if one.outcome != Outcome::Ok {
            return false;
        }
        match one.kind {
            Kind::End => true,
            // Signing out by a secret that opens nothing any more ends nothing.
            Kind::SignOut => {
                let before = |other: &&&Operation| other.outcome != Outcome::No && other.call < one.returned;
                let renewed = self.operations.iter().filter(before).any(|other| takes(other, one));
                !renewed && self.made(one.secret).is_some_and(|made| made < one.call)
            }
            // Who signs in while everything is ended may stay.
            Kind::EndAll => {
                let proofs = self.operations.iter().filter(|other| {
                    matches!(other.kind, Kind::Create | Kind::Elevate) && other.outcome != Outcome::No
                });
                let over = |other: &&Operation| other.outcome == Outcome::Ok && other.returned < one.call;
                let later = |other: &&Operation| other.call > one.returned;
                proofs.clone().all(|other| over(other) || later(other)) && self.created.returned < one.call
            }
            _ => false,
        }
    }

    fn several_winners(&self) -> Vec<Broken> {
        let mut found = Vec::new();
        let (mut versions, mut expected) = (HashMap::new(), HashMap::new());
        let mut successors: HashMap<&str, &str> = HashMap::new();
        for one in self.operations.iter().filter(|one| one.outcome == Outcome::Ok) {
            let second = match (one.kind, &one.tokens) {
                (Kind::Write, _) => {
                    let made = versions.insert(one.version, one.number).is_some();
                    let on_same =
                        one.expected != ANY_VERSION && expected.insert(one.expected, one.number).is_some();
                    made || on_same
                }
                (Kind::Refresh, Some((used, Some(given)))) => {
                    *successors.entry(used).or_insert(given) != given.as_str()
                }
                _ => false,
            };
            if second {
                found.push(self.broken(Promise::OneWinner, one));
            }
        }
        found
    }
}

/// Whether it asks for the end of the session.
fn ends(one: &Operation) -> bool {
    matches!(one.kind, Kind::End | Kind::SignOut | Kind::EndAll)
}

/// Whether it asks for another secret in the place of the one that `other` presents.
fn takes(one: &Operation, other: &Operation) -> bool {
    one.kind == Kind::Elevate && one.secret == other.secret && other.secret != NO_SECRET
}

fn is_anothers(one: &Operation) -> bool {
    if one.outcome != Outcome::Ok {
        return false;
    }
    let named = one.named.as_ref().is_some_and(|named| *named != one.expected_name);
    let own = format!("{}-", one.session);
    named || (one.kind == Kind::Read && !one.value.is_empty() && !one.value.starts_with(&own))
}

#[cfg(test)]
mod tests;
