//! The list of a person's sessions: one record per person, so that every engine can list them.
//!
//! It is a finding aid, not the authority. A listed session may be gone, and what ends all sessions is the person's
//! `valid_from`, which reaches the unlisted too.

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, SessionId};
use crate::record::Record;
use crate::time::Moment;

/// One session in the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub id: SessionId,
    /// Its absolute end, after which it need not be looked for.
    pub ends: Moment,
}

/// A person's sessions, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Roster {
    /// Whose.
    pub person: PersonId,
    /// Which.
    pub entries: Vec<Entry>,
}

impl Roster {
    /// A list with one session.
    pub fn of(person: PersonId, entry: Entry) -> Self {
        Roster { person, entries: vec![entry] }
    }

    /// With this session, without those whose end has come; and the oldest that no longer fit into `limit`.
    pub fn with(&self, entry: Entry, limit: usize, now: Moment) -> (Roster, Vec<SessionId>) {
        let mut entries: Vec<Entry> =
            self.entries.iter().filter(|other| other.ends > now && other.id != entry.id).copied().collect();
        entries.push(entry);
        let surplus = entries.len().saturating_sub(limit.max(1));
        let dropped = entries.drain(..surplus).map(|entry| entry.id).collect();
        (Roster { person: self.person, entries }, dropped)
    }

    /// Without these sessions.
    #[must_use]
    pub fn without(&self, ids: &[SessionId]) -> Roster {
        let entries = self.entries.iter().filter(|entry| !ids.contains(&entry.id)).copied().collect();
        Roster { person: self.person, entries }
    }
}

impl Record for Roster {
    const KIND: &'static str = "roster";
    const SCHEMA: u8 = 1;
    type Id = PersonId;

    fn id(&self) -> PersonId {
        self.person
    }

    /// With its last session.
    fn death(&self) -> Moment {
        self.entries.iter().map(|entry| entry.ends).max().unwrap_or(Moment::DAWN)
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.entries.len() * size_of::<Entry>()
    }
}
