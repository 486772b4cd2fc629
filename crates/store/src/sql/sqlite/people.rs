//! People. What must be unique is checked in the transaction that writes, so it holds under races and across processes.

use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{NotReplaced, PeopleQuery, Taken, Version};
use gateward_kernel::record::Loaded;
use rusqlite::{Connection, OptionalExtension, Params, named_params, params};

use super::ENGINE;
use super::trouble::{Outcome, Trouble};
use super::writer::Tx;
use crate::sql::people::{self, PeopleSearch, PersonRow};
use crate::sql::{PERSON, text};

pub(super) fn by_id(conn: &Connection, id: PersonId) -> Outcome<Option<Loaded<Person>>> {
    one(conn, text::PERSON_BY_ID, params![id.as_bytes()])
}

pub(super) fn by_login(conn: &Connection, login: &Login) -> Outcome<Option<Loaded<Person>>> {
    match login {
        Login::Name(key) => one(conn, text::PERSON_BY_NAME, params![key]),
        Login::Email(email) => one(conn, text::PERSON_BY_EMAIL, params![email]),
    }
}

pub(super) fn list(conn: &Connection, query: &PeopleQuery) -> Outcome<Vec<Loaded<Person>>> {
    let Some(search) = PeopleSearch::new(query) else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(text::PEOPLE)?;
    let mut rows = statement.query(params![search.after, search.pattern, search.limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

pub(super) fn group_has_members(conn: &Connection, group: &str) -> Outcome<bool> {
    Ok(conn.prepare_cached(text::MEMBER)?.exists(params![group])?)
}

pub(super) fn create(tx: &mut Tx<'_>, row: &PersonRow) -> Outcome<Result<Version, Taken>> {
    if let Some(taken) = taken(tx, row)? {
        return Ok(Err(taken));
    }
    put(tx, row, &row.body, text::create_person!("$9")).map(Ok)
}

pub(super) fn replace(
    tx: &mut Tx<'_>,
    row: &PersonRow,
    expected: Version,
) -> Outcome<Result<Version, NotReplaced>> {
    let mut statement = tx.conn.prepare_cached(text::PERSON_BY_ID)?;
    let stored = statement
        .query_row(params![row.id.as_bytes()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    drop(statement);
    let body = match stored {
        None => return Ok(Err(NotReplaced::Absent)),
        Some((version, _)) if version.cast_unsigned() != expected.0 => return Ok(Err(NotReplaced::Stale)),
        Some((_, body)) => row.body_over(ENGINE, &body).map_err(Trouble)?,
    };
    if let Some(taken) = taken(tx, row)? {
        return Ok(Err(NotReplaced::Taken(taken)));
    }
    put(tx, row, &body, text::replace_person!("$9")).map(Ok)
}

pub(super) fn remove(tx: &mut Tx<'_>, id: PersonId) -> Outcome<bool> {
    let removed = tx.execute(text::remove_person!(), params![id.as_bytes()])? != 0;
    if removed {
        tx.log(PERSON, id.as_bytes())?;
    }
    Ok(removed)
}

/// What somebody else already has.
fn taken(tx: &Tx<'_>, row: &PersonRow) -> Outcome<Option<Taken>> {
    let mut statement = tx.conn.prepare_cached(text::TAKEN)?;
    let id = row.id.as_bytes();
    let found = statement
        .query_row(params![row.name_key, id, row.skeleton, row.plain, row.email], |found| {
            Ok((found.get(0)?, found.get(1)?, found.get(2)?))
        })?;
    Ok(people::taken(found))
}

/// Writes the row with this document by this statement, its groups, and the change.
fn put(tx: &mut Tx<'_>, row: &PersonRow, body: &str, text: &str) -> Outcome<Version> {
    let id = row.id.as_bytes();
    tx.execute(
        text,
        named_params! {
            "$1": id,
            "$2": row.name_key,
            "$3": row.skeleton,
            "$4": row.plain,
            "$5": row.email,
            "$6": row.disabled,
            "$7": row.search,
            "$8": body,
            "$9": tx.upcoming().0.cast_signed(),
        },
    )?;
    tx.execute(text::LEAVE_GROUPS, params![id])?;
    for group in &row.groups {
        tx.execute(text::JOIN_GROUP, params![group, id])?;
    }
    tx.log(PERSON, id)
}

fn one(conn: &Connection, text: &str, values: impl Params) -> Outcome<Option<Loaded<Person>>> {
    let mut statement = conn.prepare_cached(text)?;
    let mut rows = statement.query(values)?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => decode(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?).map(Some),
    }
}

fn decode(version: i64, body: &str) -> Outcome<Loaded<Person>> {
    let record = serde_json::from_str(body).map_err(|error| Trouble::unreadable(PERSON, &error))?;
    Ok(Loaded::new(record, Version(version.cast_unsigned())))
}
