//! The port to long-lived, searched, human things.

use std::sync::Arc;

use super::{Answer, Listener, Version};
use crate::event::{Event, EventQuery};
use crate::id::PersonId;
use crate::person::{Login, Person};
use crate::record::Loaded;
use crate::time::Moment;

/// Why a person could not be written: somebody else has what must be unique.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// The user name, in some spelling.
    Name,
    /// A user name that looks the same (Unicode TS #39 skeleton).
    LookAlike,
    /// The e-mail address.
    Email,
}

/// Why a person was not replaced; nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotReplaced {
    /// Somebody else changed the person since.
    Stale,
    /// There is no such person (any more).
    Absent,
    /// What must be unique is taken.
    Taken(Taken),
}

/// Which people to list, in the order of their normalised names.
#[derive(Clone, Debug, Default)]
pub struct PeopleQuery {
    /// Only those whose name, display name or e-mail address holds this, whatever the case.
    pub search: Option<String>,
    /// Only those whose normalised name comes after this.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A key that the installation keeps in its directory, encrypted under one that is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedKey {
    /// What it is for, such as `pepper`.
    pub purpose: String,
    /// Its name among its purpose; unique.
    pub id: String,
    /// When it was made.
    pub created: Moment,
    /// The encrypted bytes.
    pub sealed: Vec<u8>,
}

/// People and what belongs to them, audit events, and the installation's sealed keys.
pub trait Directory: Send + Sync + 'static {
    /// The person with this id.
    fn person(&self, id: PersonId) -> Answer<'_, Option<Loaded<Person>>>;
    /// The person who signs in by this name or address.
    fn person_by_login<'a>(&'a self, login: &'a Login) -> Answer<'a, Option<Loaded<Person>>>;
    /// People in the order of their normalised names.
    fn people<'a>(&'a self, query: &'a PeopleQuery) -> Answer<'a, Vec<Loaded<Person>>>;
    /// Whether any person who is not disabled belongs to this group.
    fn group_has_members<'a>(&'a self, group: &'a str) -> Answer<'a, bool>;
    /// Writes a new person, exactly if name, look-alikes and address are free.
    fn create_person<'a>(&'a self, person: &'a Person) -> Answer<'a, Result<Version, Taken>>;
    /// Writes a person whose state is `expected`.
    fn replace_person<'a>(
        &'a self,
        person: &'a Person,
        expected: Version,
    ) -> Answer<'a, Result<Version, NotReplaced>>;
    /// Takes a person away; whether there was one.
    fn remove_person(&self, id: PersonId) -> Answer<'_, bool>;
    /// Writes an audit event.
    fn record_event<'a>(&'a self, event: &'a Event) -> Answer<'a, ()>;
    /// Audit events, newest first.
    fn events<'a>(&'a self, query: &'a EventQuery) -> Answer<'a, Vec<Event>>;
    /// Takes away up to `limit` audit events older than `before`, and says how many.
    fn sweep_events(&self, before: Moment, limit: usize) -> Answer<'_, usize>;
    /// The installation's keys of a purpose, oldest first.
    fn sealed_keys<'a>(&'a self, purpose: &'a str) -> Answer<'a, Vec<SealedKey>>;
    /// Writes a key unless its purpose already has one of that id; whether it was written.
    fn add_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool>;
    /// Encrypts a key anew: writes other `sealed` bytes for the key of this purpose, id and `created`; whether there is
    /// (still) such a key. Never brings back what was removed.
    fn replace_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool>;
    /// Takes a key away; whether there was one.
    fn remove_sealed_key<'a>(&'a self, purpose: &'a str, id: &'a str) -> Answer<'a, bool>;
    /// Tells `listener` of every changed person (kind `person`, with the person's id) and of every added, replaced and
    /// removed key (kind `key`, with its purpose as id), as [`Kv::changes`](super::Kv::changes) does.
    fn changes(&self, listener: Arc<dyn Listener>);
    /// Whether the directory answers: for readiness.
    fn ping(&self) -> Answer<'_, ()>;
}
