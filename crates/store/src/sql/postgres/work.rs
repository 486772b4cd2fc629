//! Pieces of work for the writer: most are one conditional statement, which is sent without waiting for the one before.

use std::borrow::Cow;
use std::error::Error;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use gateward_kernel::ports::Fault;
use tokio::sync::oneshot;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::feed::Change;
use super::session::Session;
use super::trouble::gone;

/// A value of a statement.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    MaybeText(Option<String>),
    Bytes(Bytes),
    MaybeBytes(Option<Vec<u8>>),
    Number(i64),
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Text(text) => text.to_sql(kind, out),
            Value::MaybeText(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.as_ref().to_sql(kind, out),
            Value::MaybeBytes(bytes) => bytes.to_sql(kind, out),
            Value::Number(number) => number.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::BYTEA | Type::INT8)
    }

    to_sql_checked!();
}

impl Value {
    /// Bytes of somebody else's.
    pub(super) fn bytes(bytes: &[u8]) -> Value {
        Value::Bytes(Bytes::copy_from_slice(bytes))
    }

    /// Text of somebody else's.
    pub(super) fn text(text: &str) -> Value {
        Value::Text(Cow::Owned(text.to_owned()))
    }
}

/// The values as the library wants them.
pub(super) fn bound(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// What becomes of a piece of work within a transaction: done, or an error that has undone the transaction.
pub(super) type Steps<'a> =
    Pin<Box<dyn Future<Output = Result<Result<(), Fault>, tokio_postgres::Error>> + Send + 'a>>;

/// A piece of work that waits for the writer. It may be done again after a rollback.
pub(super) trait Job: Send + Sync {
    /// Whether anybody still waits for the answer.
    fn is_wanted(&self) -> bool;
    /// The statement and its values, if it is only one.
    fn single(&self) -> Option<(&'static str, &[Value])>;
    /// Reads what its one statement yielded, keeps what it came to, and names the changes.
    fn read(&mut self, rows: &[Row], changes: &mut Vec<Change>) -> Result<(), Fault>;
    /// Does what is more than one statement, in a transaction where nobody else writes.
    fn steps<'a>(&'a mut self, session: &'a Session, changes: &'a mut Vec<Change>) -> Steps<'a>;
    /// Answers the caller, now that the fate of the transaction is known.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// One statement, and how its rows are read.
pub(super) struct Single<T, F> {
    pub(super) text: &'static str,
    pub(super) values: Vec<Value>,
    pub(super) read: F,
    pub(super) outcome: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Single<T, F>
where
    T: Send + Sync,
    F: Fn(&[Row], &mut Vec<Change>) -> Result<T, Fault> + Send + Sync,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn single(&self) -> Option<(&'static str, &[Value])> {
        Some((self.text, &self.values))
    }

    fn read(&mut self, rows: &[Row], changes: &mut Vec<Change>) -> Result<(), Fault> {
        self.outcome = Some((self.read)(rows, changes)?);
        Ok(())
    }

    fn steps<'a>(&'a mut self, _: &'a Session, _: &'a mut Vec<Change>) -> Steps<'a> {
        Box::pin(std::future::ready(Ok(Ok(()))))
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let Single { outcome, reply, .. } = *self;
        // Whoever asked may have gone away meanwhile; the write stands.
        let _ = reply.send(committed.and_then(|()| outcome.ok_or_else(gone)));
    }
}

/// Lets all of them go on at once and waits for all. Each is begun in its turn, so that what they send is sent in their order,
/// and answers come in that order too.
pub(super) async fn in_order<F: Future + Unpin>(mut all: Vec<F>) -> Vec<F::Output> {
    let mut done: Vec<F::Output> = Vec::with_capacity(all.len());
    let mut early: Vec<Option<F::Output>> = Vec::with_capacity(all.len());
    std::future::poll_fn(|context| {
        if early.is_empty() {
            early.extend(all.iter_mut().map(|each| match Pin::new(each).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            }));
        }
        while let (Some(each), Some(output)) = (all.get_mut(done.len()), early.get_mut(done.len())) {
            match output.take() {
                Some(output) => done.push(output),
                None => match Pin::new(each).poll(context) {
                    std::task::Poll::Ready(output) => done.push(output),
                    std::task::Poll::Pending => return std::task::Poll::Pending,
                },
            }
        }
        std::task::Poll::Ready(())
    })
    .await;
    done
}
