//! People. The whole person is one JSON document; beside it stand the columns by which people are found and kept
//! apart. What must be unique is checked in the transaction that writes, so it holds under races and across processes.

use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{Fault, NotReplaced, PeopleQuery, Taken, Version};
use gateward_kernel::record::Loaded;
use rusqlite::{Connection, OptionalExtension, Params, ToSql, named_params, params};
use unicode_normalization::UnicodeNormalization;

use super::feed::PERSON;
use super::trouble::{Outcome, Trouble};
use super::writer::Tx;

/// The longest text that is searched for, in bytes: nothing that is searched is longer.
const LONGEST_SEARCH: usize = 1024;

/// A person as the columns of a row.
pub(super) struct PersonRow {
    id: PersonId,
    name_key: String,
    skeleton: String,
    plain: bool,
    email: Option<String>,
    disabled: bool,
    search: String,
    body: String,
    groups: Vec<String>,
}

impl PersonRow {
    pub(super) fn new(person: &Person) -> Result<Self, Fault> {
        let body = serde_json::to_string(person)
            .map_err(|error| Trouble::unreadable("a person to write", &error).0)?;
        let email = person.email.as_ref().map(|email| email.as_str().to_owned());
        // One line each, so that nothing is found across two of them.
        let fields = [
            Some(person.name.key()),
            Some(person.name.as_str()),
            person.display_name.as_deref(),
            email.as_deref(),
        ];
        let search = fields.iter().flatten().map(|field| searched(field)).collect::<Vec<_>>().join("\n");
        Ok(PersonRow {
            id: person.id,
            name_key: person.name.key().to_owned(),
            skeleton: person.name.skeleton(),
            plain: person.name.is_plain(),
            email,
            disabled: person.disabled,
            search,
            body,
            groups: person.groups.clone(),
        })
    }
}

pub(super) fn by_id(conn: &Connection, id: PersonId) -> Outcome<Option<Loaded<Person>>> {
    one(conn, "SELECT version, body FROM person WHERE id = $1", params![id.as_bytes()])
}

pub(super) fn by_login(conn: &Connection, login: &Login) -> Outcome<Option<Loaded<Person>>> {
    match login {
        Login::Name(key) => one(conn, "SELECT version, body FROM person WHERE name_key = $1", params![key]),
        Login::Email(email) => one(conn, "SELECT version, body FROM person WHERE email = $1", params![email]),
    }
}

pub(super) fn list(conn: &Connection, query: &PeopleQuery) -> Outcome<Vec<Loaded<Person>>> {
    let search = query.search.as_deref().map(searched).unwrap_or_default();
    if search.len() > LONGEST_SEARCH {
        return Ok(Vec::new());
    }
    let pattern = format!("%{}%", literal(&search));
    let after = query.after.as_deref().unwrap_or_default();
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(
        "SELECT version, body FROM person WHERE name_key > $1 AND search LIKE $2 ESCAPE '\\'
         ORDER BY name_key LIMIT $3",
    )?;
    let mut rows = statement.query(params![after, pattern, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

pub(super) fn group_has_members(conn: &Connection, group: &str) -> Outcome<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM person_group JOIN person ON person.id = person_group.person
         WHERE person_group.name = $1 AND person.disabled = 0 LIMIT 1",
    )?;
    Ok(statement.exists(params![group])?)
}

pub(super) fn create(tx: &mut Tx<'_>, row: &PersonRow) -> Outcome<Result<Version, Taken>> {
    if let Some(taken) = taken(tx, row)? {
        return Ok(Err(taken));
    }
    put(
        tx,
        row,
        "INSERT INTO person (id, version, name_key, skeleton, plain, email, disabled, search, body)
         VALUES ($id, $version, $name_key, $skeleton, $plain, $email, $disabled, $search, $body)",
    )
    .map(Ok)
}

pub(super) fn replace(
    tx: &mut Tx<'_>,
    row: &PersonRow,
    expected: Version,
) -> Outcome<Result<Version, NotReplaced>> {
    let mut statement = tx.conn.prepare_cached("SELECT version FROM person WHERE id = $1")?;
    match statement.query_row(params![row.id.as_bytes()], |row| row.get::<_, i64>(0)).optional()? {
        None => return Ok(Err(NotReplaced::Absent)),
        Some(version) if version.cast_unsigned() != expected.0 => return Ok(Err(NotReplaced::Stale)),
        Some(_) => {}
    }
    drop(statement);
    if let Some(taken) = taken(tx, row)? {
        return Ok(Err(NotReplaced::Taken(taken)));
    }
    put(
        tx,
        row,
        "UPDATE person SET version = $version, name_key = $name_key, skeleton = $skeleton, plain = $plain,
             email = $email, disabled = $disabled, search = $search, body = $body
         WHERE id = $id",
    )
    .map(Ok)
}

pub(super) fn remove(tx: &mut Tx<'_>, id: PersonId) -> Outcome<bool> {
    let removed = tx.execute("DELETE FROM person WHERE id = $1", params![id.as_bytes()])? != 0;
    if removed {
        tx.log(PERSON, id.as_bytes())?;
    }
    Ok(removed)
}

/// What somebody else already has.
fn taken(tx: &Tx<'_>, row: &PersonRow) -> Outcome<Option<Taken>> {
    let anybody = |text: &str, values: &[&dyn ToSql]| -> Outcome<bool> {
        Ok(tx.conn.prepare_cached(text)?.exists(values)?)
    };
    let id = row.id.as_bytes();
    if anybody("SELECT 1 FROM person WHERE name_key = $1 AND id <> $2", &[&row.name_key, id])? {
        return Ok(Some(Taken::Name));
    }
    // Two plain names are told apart by their readers, whatever their skeletons: "cl" and "d".
    if anybody(
        "SELECT 1 FROM person WHERE skeleton = $1 AND id <> $2 AND (plain = 0 OR $3 = 0)",
        &[&row.skeleton, id, &row.plain],
    )? {
        return Ok(Some(Taken::LookAlike));
    }
    match &row.email {
        Some(email) if anybody("SELECT 1 FROM person WHERE email = $1 AND id <> $2", &[email, id])? => {
            Ok(Some(Taken::Email))
        }
        _ => Ok(None),
    }
}

/// Writes the row by this statement, its groups, and the change.
fn put(tx: &mut Tx<'_>, row: &PersonRow, text: &str) -> Outcome<Version> {
    let id = row.id.as_bytes();
    tx.execute(
        text,
        named_params! {
            "$id": id,
            "$version": tx.upcoming().0.cast_signed(),
            "$name_key": row.name_key,
            "$skeleton": row.skeleton,
            "$plain": row.plain,
            "$email": row.email,
            "$disabled": row.disabled,
            "$search": row.search,
            "$body": row.body,
        },
    )?;
    tx.execute("DELETE FROM person_group WHERE person = $1", params![id])?;
    for group in &row.groups {
        tx.execute(
            "INSERT INTO person_group (name, person) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![group, id],
        )?;
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
    Ok(Loaded { record, version: Version(version.cast_unsigned()) })
}

/// The form in which texts are compared when people are searched: whatever the case and the width.
fn searched(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// The pattern that is found where this very text is.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
