//! The [`Directory`] port: people (see `people.rs`), audit events and sealed keys.

use std::borrow::Cow;
use std::sync::Arc;

use gateward_kernel::event::{Event, EventQuery, Fact};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{
    Answer, Directory, Fault, Key, Listener, NotReplaced, PeopleQuery, SealedKey, Taken, Version,
};
use gateward_kernel::record::Loaded;
use gateward_kernel::time::Moment;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lines::Length;
use super::records::{changed, number};
use super::trouble::strange;
use super::work::Value;
use super::{ENGINE, Engine, people, storable};
use crate::sql::{KEY, Scope, count, text, unreadable};

const SWEEP_EVENTS: &str = concat!(text::sweep_events!(), " RETURNING 1");
const ADD_KEY: &str = concat!(text::add_key!(), " RETURNING nextval('change_version')");
const REPLACE_KEY: &str = concat!(text::replace_key!(), " RETURNING nextval('change_version')");
const REMOVE_KEY: &str = concat!(text::remove_key!(), " RETURNING nextval('change_version')");

impl Directory for Engine {
    fn person(&self, id: PersonId) -> Answer<'_, Option<Loaded<Person>>> {
        Box::pin(self.person_by_id(id))
    }

    fn person_by_login<'a>(&'a self, login: &'a Login) -> Answer<'a, Option<Loaded<Person>>> {
        Box::pin(self.person_by(login))
    }

    fn people<'a>(&'a self, query: &'a PeopleQuery) -> Answer<'a, Vec<Loaded<Person>>> {
        Box::pin(self.list_people(query))
    }

    fn group_has_members<'a>(&'a self, group: &'a str) -> Answer<'a, bool> {
        Box::pin(self.has_members(group))
    }

    fn create_person<'a>(&'a self, person: &'a Person) -> Answer<'a, Result<Version, Taken>> {
        Box::pin(async move { people::only_taken(self.put_person(person, None).await?) })
    }

    fn replace_person<'a>(
        &'a self,
        person: &'a Person,
        expected: Version,
    ) -> Answer<'a, Result<Version, NotReplaced>> {
        Box::pin(self.put_person(person, Some(expected)))
    }

    fn remove_person(&self, id: PersonId) -> Answer<'_, bool> {
        Box::pin(self.take_person(id))
    }

    fn record_event<'a>(&'a self, event: &'a Event) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = serde_json::to_string(event)
                .map_err(|error| unreadable(ENGINE, "an event to write", &error))?;
            let values = vec![
                Value::Number(event.at.micros()),
                Value::MaybeBytes(event.person.as_ref().map(|id| id.as_bytes().to_vec())),
                Value::Text(event.fact.name().into()),
                Value::Text(Cow::Owned(body)),
            ];
            self.write(text::RECORD_EVENT, values, |_, _| Ok(())).await
        })
    }

    fn events<'a>(&'a self, query: &'a EventQuery) -> Answer<'a, Vec<Event>> {
        Box::pin(async move {
            let before = query.before.unwrap_or(Moment::NEVER).micros();
            let (fact, limit) = (query.fact.map(Fact::name), count(query.limit));
            let person = query.person.as_ref().map(|id| &id.as_bytes()[..]);
            let common: [&(dyn ToSql + Sync); 3] = [&before, &fact, &limit];
            let rows = match &person {
                None => self.lines.ask(Length::Long, text::EVENTS, &common).await?,
                Some(person) => {
                    let [before, fact, limit] = common;
                    self.lines
                        .ask(Length::Long, text::EVENTS_OF_PERSON, &[person, before, fact, limit])
                        .await?
                }
            };
            rows.iter().map(event).collect()
        })
    }

    fn sweep_events(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        let values = vec![Value::Number(before.micros()), Value::Number(count(limit))];
        Box::pin(self.write(SWEEP_EVENTS, values, |rows, _| Ok(rows.len())))
    }

    fn sealed_keys<'a>(&'a self, purpose: &'a str) -> Answer<'a, Vec<SealedKey>> {
        Box::pin(async move {
            if !storable(purpose) {
                return Ok(Vec::new());
            }
            let rows = self.lines.ask(Length::Short, text::KEYS, &[&purpose]).await?;
            rows.iter().map(|row| sealed_key(row).map_err(|error| strange(&error))).collect()
        })
    }

    fn add_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool> {
        let values = vec![
            Value::text(&key.purpose),
            Value::text(&key.id),
            Value::Number(key.created.micros()),
            Value::bytes(&key.sealed),
        ];
        Box::pin(self.change_keys(ADD_KEY, &key.purpose, values))
    }

    fn replace_sealed_key<'a>(&'a self, key: &'a SealedKey) -> Answer<'a, bool> {
        let values = vec![
            Value::bytes(&key.sealed),
            Value::text(&key.purpose),
            Value::text(&key.id),
            Value::Number(key.created.micros()),
        ];
        Box::pin(self.change_keys(REPLACE_KEY, &key.purpose, values))
    }

    fn remove_sealed_key<'a>(&'a self, purpose: &'a str, id: &'a str) -> Answer<'a, bool> {
        Box::pin(self.change_keys(REMOVE_KEY, purpose, vec![Value::text(purpose), Value::text(id)]))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.feed.join(Scope::Directory, listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.answers())
    }
}

impl Engine {
    /// Runs a statement that yields a version if it changed a key. Who hears of it reads all keys of the purpose again.
    async fn change_keys(
        &self,
        text: &'static str,
        purpose: &str,
        values: Vec<Value>,
    ) -> Result<bool, Fault> {
        let key = Key::new(KEY, purpose);
        self.write(text, values, move |rows, changes| match rows.first() {
            None => Ok(false),
            Some(row) => changed(&key, number(row, 0)?, changes).map(|_| true),
        })
        .await
    }
}

fn sealed_key(row: &Row) -> Result<SealedKey, tokio_postgres::Error> {
    Ok(SealedKey {
        purpose: row.try_get(0)?,
        id: row.try_get(1)?,
        created: Moment::from_micros(row.try_get(2)?),
        sealed: row.try_get(3)?,
    })
}

fn event(row: &Row) -> Result<Event, Fault> {
    let body: &str = row.try_get(0).map_err(|error| strange(&error))?;
    serde_json::from_str(body).map_err(|error| unreadable(ENGINE, "event", &error))
}
