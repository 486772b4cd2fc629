//! People. What must be unique is looked up under the lock of all writers, so it holds under races and across nodes.

use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{Fault, NotReplaced, PeopleQuery, Taken, Version};
use gateward_kernel::record::Loaded;
use tokio::sync::oneshot;
use tokio_postgres::{Error, Row};

use super::feed::Change;
use super::lines::Length;
use super::session::Session;
use super::trouble::{gone, strange};
use super::work::{Job, Steps, Value, bound, in_order};
use super::{ENGINE, Engine, storable};
use crate::sql::people::{PeopleSearch, PersonRow, taken};
use crate::sql::{PERSON, text, unreadable};

const CREATE: &str = concat!(text::create_person!("nextval('change_version')"), " RETURNING version");
const REPLACE: &str = concat!(text::replace_person!("nextval('change_version')"), " RETURNING version");
const REMOVE: &str = concat!(text::remove_person!(), " RETURNING nextval('change_version')");

impl Engine {
    pub(super) async fn person_by_id(&self, id: PersonId) -> Result<Option<Loaded<Person>>, Fault> {
        let rows = self.lines.ask(Length::Short, text::PERSON_BY_ID, &[&&id.as_bytes()[..]]).await?;
        rows.first().map(decode).transpose()
    }

    pub(super) async fn person_by(&self, login: &Login) -> Result<Option<Loaded<Person>>, Fault> {
        let (text, key) = match login {
            Login::Name(key) => (text::PERSON_BY_NAME, key),
            Login::Email(email) => (text::PERSON_BY_EMAIL, email),
        };
        if !storable(key) {
            return Ok(None);
        }
        let rows = self.lines.ask(Length::Short, text, &[key]).await?;
        rows.first().map(decode).transpose()
    }

    pub(super) async fn list_people(&self, query: &PeopleQuery) -> Result<Vec<Loaded<Person>>, Fault> {
        let Some(search) = PeopleSearch::new(query) else { return Ok(Vec::new()) };
        if !storable(&search.pattern) || !storable(&search.after) {
            return Ok(Vec::new());
        }
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&search.after, &search.pattern, &search.limit];
        let rows = self.lines.ask(Length::Long, text::PEOPLE, &values).await?;
        rows.iter().map(decode).collect()
    }

    pub(super) async fn has_members(&self, group: &str) -> Result<bool, Fault> {
        Ok(storable(group) && !self.lines.ask(Length::Short, text::MEMBER, &[&group]).await?.is_empty())
    }

    /// Writes a new person, or one whose state is `expected`.
    pub(super) async fn put_person(
        &self,
        person: &Person,
        expected: Option<Version>,
    ) -> Result<Result<Version, NotReplaced>, Fault> {
        let mut row = PersonRow::new(ENGINE, person)?;
        // The document keeps it; it cannot be searched for.
        row.search.retain(|character| character != '\0');
        self.wait(|reply| Box::new(PutPerson { row, expected, outcome: None, reply })).await
    }

    pub(super) async fn take_person(&self, id: PersonId) -> Result<bool, Fault> {
        self.write(REMOVE, vec![Value::bytes(id.as_bytes())], move |rows, changes| {
            let version = rows.first().map(|row| super::records::number(row, 0)).transpose()?;
            changes.extend(version.map(|version| change(id, version)));
            Ok(version.is_some())
        })
        .await
    }
}

fn change(id: PersonId, version: i64) -> Change {
    Change { version: version.cast_unsigned(), kind: PERSON, id: id.as_bytes()[..].into() }
}

type Put = Result<Version, NotReplaced>;

/// Writes a person: what is in the way is asked first, then all rows are written.
struct PutPerson {
    row: PersonRow,
    expected: Option<Version>,
    outcome: Option<Put>,
    reply: oneshot::Sender<Result<Put, Fault>>,
}

impl PutPerson {
    async fn put(&self, session: &Session, changes: &mut Vec<Change>) -> Result<Result<Put, Fault>, Error> {
        let row = &self.row;
        let body = match self.look(session).await? {
            Err(hindrance) => return Ok(Ok(Err(hindrance))),
            Ok(None) => row.body.clone(),
            Ok(Some(stored)) => match row.body_over(ENGINE, &stored) {
                Ok(body) => body,
                Err(fault) => return Ok(Err(fault)),
            },
        };
        let id = Value::bytes(row.id.as_bytes());
        let person = vec![
            id.clone(),
            Value::text(&row.name_key),
            Value::text(&row.skeleton),
            Value::Number(row.plain.into()),
            Value::MaybeText(row.email.clone()),
            Value::Number(row.disabled.into()),
            Value::text(&row.search),
            Value::text(&body),
        ];
        let text = if self.expected.is_some() { REPLACE } else { CREATE };
        let mut statements = vec![(text, person), (text::LEAVE_GROUPS, vec![id.clone()])];
        statements
            .extend(row.groups.iter().map(|group| (text::JOIN_GROUP, vec![Value::text(group), id.clone()])));
        let written = ask(session, &statements).await?;
        let version = written.first().and_then(|rows| rows.first()).map(|row| row.try_get::<_, i64>(0));
        match version.transpose()? {
            None => Ok(Ok(Err(NotReplaced::Absent))),
            Some(version) => {
                changes.push(change(row.id, version));
                Ok(Ok(Ok(Version(version.cast_unsigned()))))
            }
        }
    }

    /// What is in the way; otherwise the document that is to be replaced, if one is.
    async fn look(&self, session: &Session) -> Result<Result<Option<String>, NotReplaced>, Error> {
        let row = &self.row;
        let id = Value::bytes(row.id.as_bytes());
        let asked = vec![
            Value::text(&row.name_key),
            id.clone(),
            Value::text(&row.skeleton),
            Value::Number(row.plain.into()),
            Value::MaybeText(row.email.clone()),
        ];
        let answers = ask(session, &[(text::PERSON_BY_ID, vec![id]), (text::TAKEN, asked)]).await?;
        let first = |at: usize| answers.get(at).and_then(|rows| rows.first());
        let mut stored = None;
        if let Some(expected) = self.expected {
            let Some(row) = first(0) else { return Ok(Err(NotReplaced::Absent)) };
            if row.try_get::<_, i64>(0)?.cast_unsigned() != expected.0 {
                return Ok(Err(NotReplaced::Stale));
            }
            stored = Some(row.try_get(1)?);
        }
        let Some(found) = first(1) else { return Ok(Ok(stored)) };
        let found = (found.try_get(0)?, found.try_get(1)?, found.try_get(2)?);
        Ok(taken(found).map_or(Ok(stored), |taken| Err(NotReplaced::Taken(taken))))
    }
}

impl Job for PutPerson {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn single(&self) -> Option<(&'static str, &[Value])> {
        None
    }

    fn read(&mut self, _: &[Row], _: &mut Vec<Change>) -> Result<(), Fault> {
        Ok(())
    }

    fn steps<'a>(&'a mut self, session: &'a Session, changes: &'a mut Vec<Change>) -> Steps<'a> {
        Box::pin(async move { Ok(self.put(session, changes).await?.map(|put| self.outcome = Some(put))) })
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let PutPerson { outcome, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| outcome.ok_or_else(gone)));
    }
}

/// Sends all of them at once.
async fn ask(session: &Session, statements: &[(&'static str, Vec<Value>)]) -> Result<Vec<Vec<Row>>, Error> {
    for (text, _) in statements {
        // Known after the first time.
        session.statement(text).await?;
    }
    let sent = statements.iter().map(|(text, values)| {
        Box::pin(async move {
            let statement = session.statement(text).await?;
            session.client.query(&statement, &bound(values)).await
        })
    });
    in_order(sent.collect()).await.into_iter().collect()
}

/// What [`taken`] says of a new person.
pub(super) fn only_taken(put: Put) -> Result<Result<Version, Taken>, Fault> {
    match put {
        Ok(version) => Ok(Ok(version)),
        Err(NotReplaced::Taken(taken)) => Ok(Err(taken)),
        Err(NotReplaced::Stale | NotReplaced::Absent) => Err(gone()),
    }
}

fn decode(row: &Row) -> Result<Loaded<Person>, Fault> {
    let version = super::records::number(row, 0)?.cast_unsigned();
    let body: &str = row.try_get(1).map_err(|error| strange(&error))?;
    let record = serde_json::from_str(body).map_err(|error| unreadable(ENGINE, PERSON, &error))?;
    Ok(Loaded::new(record, Version(version)))
}
