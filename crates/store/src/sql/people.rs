//! People as both databases keep them: the whole person is one JSON document; beside it stand the columns by which people
//! are found and kept apart.

use gateward_kernel::id::PersonId;
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Fault, PeopleQuery, Taken};
use gateward_kernel::record::carried;
use unicode_normalization::UnicodeNormalization;

use super::count;

/// The longest text that is searched for, in bytes: nothing that is searched is longer.
const LONGEST_SEARCH: usize = 1024;

/// A person as the columns of a row.
#[derive(Clone)]
pub(super) struct PersonRow {
    pub(super) id: PersonId,
    pub(super) name_key: String,
    pub(super) skeleton: String,
    pub(super) plain: bool,
    pub(super) email: Option<String>,
    pub(super) disabled: bool,
    pub(super) search: String,
    pub(super) body: String,
    pub(super) groups: Vec<String>,
}

impl PersonRow {
    pub(super) fn new(engine: &'static str, person: &Person) -> Result<Self, Fault> {
        let body = serde_json::to_string(person)
            .map_err(|error| super::unreadable(engine, "a person to write", &error))?;
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

    /// The document to be written in the place of `stored`, with all that a newer version of the program has added to that.
    pub(super) fn body_over(&self, engine: &'static str, stored: &str) -> Result<String, Fault> {
        let merge = || -> serde_json::Result<String> {
            let (known, next): (Person, Person) =
                (serde_json::from_str(stored)?, serde_json::from_str(&self.body)?);
            serde_json::to_string(&carried(stored.as_bytes(), &known, &next)?)
        };
        merge().map_err(|error| super::unreadable(engine, "a person to change", &error))
    }
}

/// A search for people as its statement has it.
pub(super) struct PeopleSearch {
    pub(super) after: String,
    pub(super) pattern: String,
    pub(super) limit: i64,
}

impl PeopleSearch {
    /// `None` when nobody can be found by it.
    pub(super) fn new(query: &PeopleQuery) -> Option<Self> {
        let search = query.search.as_deref().map(searched).unwrap_or_default();
        (search.len() <= LONGEST_SEARCH).then(|| PeopleSearch {
            after: query.after.clone().unwrap_or_default(),
            pattern: format!("%{}%", literal(&search)),
            limit: count(query.limit),
        })
    }
}

/// What of a person somebody else has, the name first: see [`super::text::TAKEN`].
pub(super) fn taken((name, look_alike, email): (bool, bool, bool)) -> Option<Taken> {
    match (name, look_alike, email) {
        (true, _, _) => Some(Taken::Name),
        (_, true, _) => Some(Taken::LookAlike),
        (_, _, true) => Some(Taken::Email),
        _ => None,
    }
}

/// The form in which texts are compared when people are searched: whatever the case and the width.
fn searched(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// The pattern that is found where this very text is.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
