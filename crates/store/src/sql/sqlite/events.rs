//! Audit events: only added, listed, and at last swept.

use gateward_kernel::event::{Event, EventQuery};
use gateward_kernel::time::Moment;
use rusqlite::{Connection, params};

use super::trouble::{Outcome, Trouble};
use super::writer::Tx;
use crate::sql::{count, text};

pub(super) fn record(tx: &Tx<'_>, event: &Event) -> Outcome<()> {
    let body = serde_json::to_string(event).map_err(|error| Trouble::unreadable("an event", &error))?;
    tx.execute(
        text::RECORD_EVENT,
        params![
            event.at.micros(),
            event.person.as_ref().map(|id| &id.as_bytes()[..]),
            event.fact.name(),
            body
        ],
    )?;
    Ok(())
}

pub(super) fn list(conn: &Connection, query: &EventQuery) -> Outcome<Vec<Event>> {
    let before = query.before.unwrap_or(Moment::NEVER).micros();
    let limit = count(query.limit);
    let fact = query.fact.map(gateward_kernel::event::Fact::name);
    let mut found = Vec::new();
    let mut read = |mut rows: rusqlite::Rows<'_>| -> Outcome<()> {
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            found.push(serde_json::from_str(body).map_err(|error| Trouble::unreadable("event", &error))?);
        }
        Ok(())
    };
    match &query.person {
        None => read(conn.prepare_cached(text::EVENTS)?.query(params![before, fact, limit])?)?,
        Some(person) => read(conn.prepare_cached(text::EVENTS_OF_PERSON)?.query(params![
            person.as_bytes(),
            before,
            fact,
            limit
        ])?)?,
    }
    Ok(found)
}

pub(super) fn sweep(tx: &Tx<'_>, before: Moment, limit: usize) -> Outcome<usize> {
    tx.execute(text::sweep_events!(), params![before.micros(), count(limit)])
}
