//! The [`Directory`] port: each question to its place.

use std::sync::Arc;

use gateward_kernel::event::{Event, EventQuery};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{
    Answer, Directory, Listener, NotReplaced, PeopleQuery, SealedKey, Taken, Version,
};
use gateward_kernel::record::Loaded;
use gateward_kernel::time::Moment;

use super::{ENGINE, Engine, events, keys, people};
use crate::sql::Scope;
use crate::sql::people::PersonRow;

impl Directory for Engine {
    fn person(&self, id: PersonId) -> Answer<'_, Option<Loaded<Person>>> {
        Box::pin(self.read(move |conn| people::by_id(conn, id)))
    }

    fn person_by_login<'a>(&'a self, login: &'a Login) -> Answer<'a, Option<Loaded<Person>>> {
        let login = login.clone();
        Box::pin(self.read(move |conn| people::by_login(conn, &login)))
    }

    fn people<'a>(&'a self, query: &'a PeopleQuery) -> Answer<'a, Vec<Loaded<Person>>> {
        let query = query.clone();
        Box::pin(self.read(move |conn| people::list(conn, &query)))
    }

    fn group_has_members<'a>(&'a self, group: &'a str) -> Answer<'a, bool> {
        let group = group.to_owned();
        Box::pin(self.read(move |conn| people::group_has_members(conn, &group)))
    }

    fn create_person<'a>(&'a self, person: &'a Person) -> Answer<'a, Result<Version, Taken>> {
        Box::pin(async move {
            let row = PersonRow::new(ENGINE, person)?;
            self.write(move |tx| people::create(tx, &row)).await
        })
    }

    fn replace_person<'a>(
        &'a self,
        person: &'a Person,
        expected: Version,
    ) -> Answer<'a, Result<Version, NotReplaced>> {
        Box::pin(async move {
            let row = PersonRow::new(ENGINE, person)?;
            self.write(move |tx| people::replace(tx, &row, expected)).await
        })
    }

    fn remove_person(&self, id: PersonId) -> Answer<'_, bool> {
        Box::pin(self.write(move |tx| people::remove(tx, id)))
    }

    fn record_event<'a>(&'a self, event: &'a Event) -> Answer<'a, ()> {
        let event = event.clone();
        Box::pin(self.write(move |tx| events::record(tx, &event)))
    }

    fn events<'a>(&'a self, query: &'a EventQuery) -> Answer<'a, Vec<Event>> {
        let query = query.clone();
        Box::pin(self.read(move |conn| events::list(conn, &query)))
    }

    fn sweep_events(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        Box::pin(self.write(move |tx| events::sweep(tx, before, limit)))
    }

    fn sealed_keys<'a>(&'a self, purpose: &'a str) -> Answer<'a, Vec<SealedKey>> {
        let purpose = purpose.to_owned();
        Box::pin(self.read(move |conn| keys::list(conn, &purpose)))
    }

    fn add_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool> {
        let key = key.clone();
        Box::pin(self.write(move |tx| keys::add(tx, &key)))
    }

    fn replace_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool> {
        let key = key.clone();
        Box::pin(self.write(move |tx| keys::replace(tx, &key)))
    }

    fn remove_sealed_key<'a>(&'a self, purpose: &'a str, id: &'a str) -> Answer<'a, bool> {
        let (purpose, id) = (purpose.to_owned(), id.to_owned());
        Box::pin(self.write(move |tx| keys::remove(tx, &purpose, &id)))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.shared.feed.join(Scope::Directory, listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.answers())
    }
}
