//! Records: the [`Kv`] port.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;
use tokio_postgres::Row;

use super::feed::Change;
use super::lines::Length;
use super::trouble::strange;
use super::work::Value;
use super::{ENGINE, Engine};
use crate::sql::{Scope, count, text};

const CREATE: &str = concat!(text::create!("nextval('change_version')"), " RETURNING version");

/// Yields the new version, if it was written, and whether there was such a record.
const REPLACE: &str = concat!(
    "WITH done AS (",
    text::replace!("nextval('change_version')"),
    " RETURNING version)
     SELECT (SELECT version FROM done), EXISTS (SELECT 1 FROM kv WHERE kind = $3 AND id = $4)"
);

const REMOVE: &str = concat!(text::remove!(), ", nextval('change_version')");

const SWEEP: &str = concat!(text::sweep!(), " RETURNING 1");

impl Kv for Engine {
    fn traits(&self) -> Traits {
        Traits {
            engine: ENGINE,
            durable: true,
            shared: true,
            pages: true,
            pushes: true,
            expires: false,
            largest: crate::LARGEST_VALUE,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            let rows = self.lines.ask(Length::Short, text::GET, &[&key.kind, &&*key.id]).await?;
            rows.first().map(|row| stored(row, 0)).transpose()
        })
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move {
            crate::fits(ENGINE, key, &value)?;
            let values = vec![
                Value::Text(Cow::Borrowed(key.kind)),
                Value::bytes(&key.id),
                Value::Number(death.micros()),
                Value::Bytes(value),
            ];
            let key = key.clone();
            self.write(CREATE, values, move |rows, changes| match rows.first() {
                None => Ok(Created::Exists),
                Some(row) => changed(&key, number(row, 0)?, changes).map(Created::Done),
            })
            .await
        })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move {
            crate::fits(ENGINE, key, &value)?;
            let values = vec![
                Value::Number(death.micros()),
                Value::Bytes(value),
                Value::Text(Cow::Borrowed(key.kind)),
                Value::bytes(&key.id),
                Value::Number(expected.0.cast_signed()),
            ];
            let key = key.clone();
            self.write(REPLACE, values, move |rows, changes| {
                let row = rows.first().ok_or_else(nothing)?;
                let version: Option<i64> = row.try_get(0).map_err(|error| strange(&error))?;
                let there: bool = row.try_get(1).map_err(|error| strange(&error))?;
                match version {
                    Some(version) => changed(&key, version, changes).map(Replaced::Done),
                    None if there => Ok(Replaced::Stale),
                    None => Ok(Replaced::Absent),
                }
            })
            .await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            let values = vec![Value::Text(Cow::Borrowed(key.kind)), Value::bytes(&key.id)];
            let key = key.clone();
            self.write(REMOVE, values, move |rows, changes| {
                let Some(row) = rows.first() else { return Ok(None) };
                changed(&key, number(row, 3)?, changes)?;
                stored(row, 0).map(Some)
            })
            .await
        })
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            // One more than wanted shows whether there is a next page.
            let most = count(limit).saturating_add(1);
            let rows = match after {
                None => self.lines.ask(Length::Long, text::FIRST_PAGE, &[&kind, &most]).await?,
                Some(after) => self.lines.ask(Length::Long, text::NEXT_PAGE, &[&kind, &after, &most]).await?,
            };
            let items = rows.iter().take(limit).map(|row| {
                let id: Vec<u8> = row.try_get(0).map_err(|error| strange(&error))?;
                Ok((id.into_boxed_slice(), stored(row, 1)?))
            });
            let items: Vec<_> = items.collect::<Result<_, Fault>>()?;
            let next = items.last().filter(|_| rows.len() > limit).map(|(id, _)| id.clone());
            Ok(Page { items, next })
        })
    }

    /// The swept are not told: they were dead to every reader before, and memory judges death by its own clock.
    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        let values = vec![Value::Number(before.micros()), Value::Number(count(limit))];
        Box::pin(self.write(SWEEP, values, |rows, _| Ok(rows.len())))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.feed.join(Scope::All, listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.answers())
    }
}

/// Names a change, and yields its version.
pub(super) fn changed(key: &Key, version: i64, changes: &mut Vec<Change>) -> Result<Version, Fault> {
    let version = version.cast_unsigned();
    changes.push(Change { version, kind: key.kind, id: key.id.clone() });
    Ok(Version(version))
}

/// The number in this column.
pub(super) fn number(row: &Row, at: usize) -> Result<i64, Fault> {
    row.try_get(at).map_err(|error| strange(&error))
}

/// A statement that always yields a row has yielded none.
fn nothing() -> Fault {
    Fault::new(ENGINE, FaultKind::Unreadable, "a statement yielded nothing")
}

fn stored(row: &Row, from: usize) -> Result<Stored, Fault> {
    let value: &[u8] = row.try_get(from + 2).map_err(|error| strange(&error))?;
    Ok(Stored {
        version: Version(number(row, from)?.cast_unsigned()),
        death: Moment::from_micros(number(row, from + 1)?),
        value: Bytes::copy_from_slice(value),
    })
}
