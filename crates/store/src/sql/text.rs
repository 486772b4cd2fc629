//! The statements that both databases understand, word for word: numbered placeholders, conditions within the statement.
//!
//! To SQLite `$1` is a name, and names count in the order in which they first appear. So placeholders appear in the order of
//! their numbers, except for the version, where SQLite's side binds by name.
//!
//! How a change gets its version differs: SQLite's writer knows it before the statement and binds it as the last value,
//! PostgreSQL draws it within the statement. So the texts that write a version are made by macros, with a place for it.

/// A record: kind, id.
pub(super) const GET: &str = "SELECT version, death, value FROM kv WHERE kind = $1 AND id = $2";

/// The first records of a kind: kind, limit.
pub(super) const FIRST_PAGE: &str =
    "SELECT id, version, death, value FROM kv WHERE kind = $1 ORDER BY id LIMIT $2";

/// The records of a kind after one: kind, id, limit.
pub(super) const NEXT_PAGE: &str =
    "SELECT id, version, death, value FROM kv WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3";

/// Takes away dead records: before, limit.
macro_rules! sweep {
    () => {
        "DELETE FROM kv WHERE row IN (SELECT row FROM kv WHERE death < $1 ORDER BY death LIMIT $2)"
    };
}

/// Writes a record that is not there: kind, id, death, value, version.
macro_rules! create {
    ($version:literal) => {
        concat!(
            "INSERT INTO kv (kind, id, death, value, version) VALUES ($1, $2, $3, $4, ",
            $version,
            ") ON CONFLICT (kind, id) DO NOTHING"
        )
    };
}

/// Writes a record that has this version: death, value, kind, id, expected, version.
macro_rules! replace {
    ($version:literal) => {
        concat!(
            "UPDATE kv SET death = $1, value = $2, version = ",
            $version,
            " WHERE kind = $3 AND id = $4 AND version = $5"
        )
    };
}

/// Takes a record away and yields it: kind, id.
macro_rules! remove {
    () => {
        "DELETE FROM kv WHERE kind = $1 AND id = $2 RETURNING version, death, value"
    };
}

/// A person: id.
pub(super) const PERSON_BY_ID: &str = "SELECT version, body FROM person WHERE id = $1";

/// A person: normalised name.
pub(super) const PERSON_BY_NAME: &str = "SELECT version, body FROM person WHERE name_key = $1";

/// A person: address.
pub(super) const PERSON_BY_EMAIL: &str = "SELECT version, body FROM person WHERE email = $1";

/// People in the order of their names: after, pattern, limit.
pub(super) const PEOPLE: &str =
    "SELECT version, body FROM person WHERE name_key > $1 AND search LIKE $2 ESCAPE '\\'
     ORDER BY name_key LIMIT $3";

/// Whether a group has members: name.
pub(super) const MEMBER: &str = "SELECT 1 FROM person_group JOIN person ON person.id = person_group.person
     WHERE person_group.name = $1 AND person.disabled = 0 LIMIT 1";

/// Whether somebody else has the name, a name that looks the same, the address: name, id, skeleton, plain, address. Two plain
/// names are told apart by their readers, whatever their skeletons: "cl" and "d".
pub(super) const TAKEN: &str = "SELECT
     EXISTS (SELECT 1 FROM person WHERE name_key = $1 AND id <> $2),
     EXISTS (SELECT 1 FROM person WHERE skeleton = $3 AND id <> $2 AND (plain = 0 OR CAST($4 AS BIGINT) = 0)),
     EXISTS (SELECT 1 FROM person WHERE email = $5 AND id <> $2)";

/// Writes a new person: id, name, skeleton, plain, address, disabled, search, body, version.
macro_rules! create_person {
    ($version:literal) => {
        concat!(
            "INSERT INTO person (id, name_key, skeleton, plain, email, disabled, search, body, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ",
            $version,
            ")"
        )
    };
}

/// Writes a person who is there: the same values.
macro_rules! replace_person {
    ($version:literal) => {
        concat!(
            "UPDATE person SET name_key = $2, skeleton = $3, plain = $4, email = $5, disabled = $6, search = $7,
                 body = $8, version = ",
            $version,
            " WHERE id = $1"
        )
    };
}

/// Takes a person away: id.
macro_rules! remove_person {
    () => {
        "DELETE FROM person WHERE id = $1"
    };
}

/// Takes a person out of all groups: id.
pub(super) const LEAVE_GROUPS: &str = "DELETE FROM person_group WHERE person = $1";

/// Puts a person into a group: name, id.
pub(super) const JOIN_GROUP: &str =
    "INSERT INTO person_group (name, person) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Writes an event: at, person, fact, body.
pub(super) const RECORD_EVENT: &str = "INSERT INTO event (at, person, fact, body) VALUES ($1, $2, $3, $4)";

/// Events, newest first: before, fact or nothing, limit.
pub(super) const EVENTS: &str =
    "SELECT body FROM event WHERE at < $1 AND (CAST($2 AS TEXT) IS NULL OR fact = $2)
     ORDER BY at DESC, row DESC LIMIT $3";

/// Events of a person, newest first: person, before, fact or nothing, limit.
pub(super) const EVENTS_OF_PERSON: &str =
    "SELECT body FROM event WHERE person = $1 AND at < $2 AND (CAST($3 AS TEXT) IS NULL OR fact = $3)
     ORDER BY at DESC, row DESC LIMIT $4";

/// Takes away old events: before, limit.
macro_rules! sweep_events {
    () => {
        "DELETE FROM event WHERE row IN (SELECT row FROM event WHERE at < $1 ORDER BY at LIMIT $2)"
    };
}

/// The keys of a purpose: purpose.
pub(super) const KEYS: &str =
    "SELECT purpose, id, created, sealed FROM sealed_key WHERE purpose = $1 ORDER BY created, id";

/// Writes a key that is not there: purpose, id, created, sealed.
macro_rules! add_key {
    () => {
        "INSERT INTO sealed_key (purpose, id, created, sealed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (purpose, id) DO NOTHING"
    };
}

/// Encrypts a key anew that is there: sealed, purpose, id, created.
macro_rules! replace_key {
    () => {
        "UPDATE sealed_key SET sealed = $1 WHERE purpose = $2 AND id = $3 AND created = $4"
    };
}

/// Takes a key away: purpose, id.
macro_rules! remove_key {
    () => {
        "DELETE FROM sealed_key WHERE purpose = $1 AND id = $2"
    };
}

pub(super) use {
    add_key, create, create_person, remove, remove_key, remove_person, replace, replace_key, replace_person,
    sweep, sweep_events,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// See above: SQLite counts placeholders as they appear.
    #[test]
    fn placeholders_appear_in_the_order_of_their_numbers() {
        for text in [
            GET,
            FIRST_PAGE,
            NEXT_PAGE,
            sweep!(),
            create!("$5"),
            remove!(),
            PERSON_BY_ID,
            PERSON_BY_NAME,
            PERSON_BY_EMAIL,
            PEOPLE,
            MEMBER,
            TAKEN,
            create_person!("$9"),
            remove_person!(),
            LEAVE_GROUPS,
            JOIN_GROUP,
            RECORD_EVENT,
            EVENTS,
            EVENTS_OF_PERSON,
            sweep_events!(),
            KEYS,
            add_key!(),
            replace_key!(),
            remove_key!(),
        ] {
            let mut seen = 0;
            for number in text.split('$').skip(1).map(|rest| rest[..1].parse::<u32>().unwrap()) {
                assert!(number <= seen + 1, "{text}");
                seen = seen.max(number);
            }
            assert!(seen > 0, "{text}");
        }
    }
}
