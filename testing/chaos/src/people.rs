//! The people and their sessions, as all clients know them.

use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::history::NO_SECRET;

/// How many people there are.
pub(crate) const PEOPLE: usize = 6;
/// So many sessions are in use at a time.
const IN_USE: usize = 24;
/// After so many operations a session is left alone: an order of them must be found.
const WORN: usize = 60;
/// Access tokens live for five minutes.
const ACCESS: Duration = Duration::from_secs(240);

/// A session that somebody was told of.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Our own number.
    pub(crate) number: usize,
    pub(crate) person: usize,
    /// Its public id.
    pub(crate) id: String,
    pub(crate) key: Key,
    /// The newest version of its data that anybody was told of.
    pub(crate) version: u64,
    /// Whether anybody asked for its end.
    pub(crate) over: bool,
    /// Whether somebody refreshes its tokens at this moment.
    refreshing: bool,
    uses: usize,
}

/// What opens it.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// The cookie, and which of the session's secrets that is.
    Cookie {
        text: String,
        secret: i64,
        made: i64,
    },
    Tokens(Tokens),
}

#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    /// When they were issued.
    pub(crate) issued: Instant,
    /// When a refresh was first tried of which it is not known whether it was made.
    pub(crate) doubtful: Option<Instant>,
}

impl Held {
    /// The secret that is presented.
    pub(crate) fn secret(&self) -> i64 {
        match &self.key {
            Key::Cookie { secret, .. } => *secret,
            Key::Tokens(_) => NO_SECRET,
        }
    }

    /// The header that presents it.
    pub(crate) fn header(&self) -> (&'static str, String) {
        match &self.key {
            Key::Cookie { text, .. } => ("cookie", format!("gateward={text}")),
            Key::Tokens(tokens) => ("authorization", format!("Bearer {}", tokens.access)),
        }
    }

    /// Whether what opens it has not expired by itself.
    pub(crate) fn is_fresh(&self) -> bool {
        match &self.key {
            Key::Cookie { .. } => true,
            Key::Tokens(tokens) => tokens.issued.elapsed() < ACCESS,
        }
    }

    fn is_in_use(&self) -> bool {
        !self.over && self.uses < WORN
    }
}

/// Every session, in the order in which they began.
#[derive(Default)]
pub(crate) struct Pool {
    all: Vec<Held>,
}

impl Pool {
    /// Takes up a session; its number.
    pub(crate) fn begin(&mut self, person: usize, id: String, key: Key) -> usize {
        let number = self.all.len();
        self.all.push(Held { number, person, id, key, version: 0, over: false, refreshing: false, uses: 0 });
        number
    }

    /// Whether there is room for another.
    pub(crate) fn has_room(&self) -> bool {
        self.all.iter().filter(|held| held.is_in_use()).count() < IN_USE
    }

    /// One that is in use: mostly one of a few, so that many meet at it.
    pub(crate) fn one(&mut self, chance: &mut Chance, fits: impl Fn(&Held) -> bool) -> Option<Held> {
        let mut found: Vec<_> = self.all.iter_mut().filter(|held| held.is_in_use() && fits(held)).collect();
        let few = if chance.percent(50) { found.len().min(3) } else { found.len() };
        if found.is_empty() {
            return None;
        }
        let held = &mut found[chance.below(few)];
        held.uses += 1;
        Some(held.clone())
    }

    /// One with tokens that nobody refreshes: an app that goes on with a successor does not use what was before it any more, which
    /// would be taken for theft. Until [`refreshed`](Self::refreshed) it is this caller's.
    pub(crate) fn one_to_refresh(&mut self, chance: &mut Chance) -> Option<Held> {
        let held = self.one(chance, |held| held.secret() == NO_SECRET && !held.refreshing)?;
        self.change(held.number, |held| held.refreshing = true);
        Some(held)
    }

    /// The successor may be refreshed.
    pub(crate) fn refreshed(&mut self, number: usize) {
        self.change(number, |held| held.refreshing = false);
    }

    /// One of the last whose end was asked for.
    pub(crate) fn one_over(&self, chance: &mut Chance) -> Option<Held> {
        let over: Vec<_> = self.all.iter().filter(|held| held.over && held.uses < WORN + 20).collect();
        let last = over.get(over.len().saturating_sub(10)..)?;
        (!last.is_empty()).then(|| (*chance.one(last)).clone())
    }

    pub(crate) fn change(&mut self, number: usize, change: impl FnOnce(&mut Held)) {
        change(&mut self.all[number]);
    }

    pub(crate) fn change_all_of(&mut self, person: usize, change: impl Fn(&mut Held)) {
        self.all.iter_mut().filter(|held| held.person == person).for_each(change);
    }

    pub(crate) fn all(&self) -> Vec<Held> {
        self.all.clone()
    }
}

/// What somebody is called.
pub(crate) fn name(person: usize) -> String {
    format!("person{person}")
}
