//! One connection, prepared for its purpose, with the statements it knows.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateward_kernel::ports::Fault;
use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage, Statement};

use super::dial::{Dialler, Line, Prepared};
use super::trouble::said;

/// How long a transaction may lie idle before the server ends it: a node that is stopped in the middle of one must not hold
/// up the others for longer.
const IDLE: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Reading,
    Writing,
    /// Its notifications are told.
    Listening,
    /// Its statements may take as long as they do.
    Migrating,
}

/// One connection. Those who use it at the same time share the line: what they send is answered in its order.
pub(super) struct Session {
    pub(super) client: Client,
    /// Which run of which server this is.
    pub(super) server: String,
    /// The schema in which the tables are, as a number.
    pub(super) schema: u32,
    statements: Mutex<HashMap<&'static str, Statement>>,
    warnings: Arc<AtomicU64>,
    line: AbortHandle,
}

impl Session {
    /// Connects and prepares a connection; a listening one calls `notified` with what it hears. The handle ends when the
    /// line does.
    pub(super) async fn open(
        dialler: &Dialler,
        purpose: Purpose,
        patience: Duration,
        notified: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<(Session, JoinHandle<()>), Fault> {
        let prepare = |client, line| -> Prepared<_> {
            Box::pin(Session::prepare(client, line, preparation(purpose, patience), notified.clone()))
        };
        dialler.dial(prepare).await
    }

    async fn prepare(
        client: Client,
        line: Line,
        preparation: String,
        notified: impl Fn(&str) + Send + 'static,
    ) -> Result<(Session, JoinHandle<()>), String> {
        let warnings = Arc::new(AtomicU64::new(0));
        let driver = tokio::spawn(drive(line, notified, warnings.clone()));
        let line = driver.abort_handle();
        let guard = Guard(Some(line.clone()));
        let answer = client.simple_query(&preparation).await.map_err(|error| said(&error))?;
        let (server, schema) = identity(&answer)?;
        guard.keep();
        Ok((Session { client, server, schema, statements: Mutex::default(), warnings, line }, driver))
    }

    /// The prepared statement with this text.
    pub(super) async fn statement(&self, text: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(known) = self.statements.lock().get(text) {
            return Ok(known.clone());
        }
        let prepared = self.client.prepare(text).await?;
        self.statements.lock().insert(text, prepared.clone());
        Ok(prepared)
    }

    /// How often the server has warned so far: also of what it has done with the statement that was answered last.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    /// Breaks the line off at once: whoever waits on it is told.
    pub(super) fn hang_up(&self) {
        self.line.abort();
    }
}

/// Ends the line of a connection whose preparation is given up.
struct Guard(Option<AbortHandle>);

impl Guard {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            line.abort();
        }
    }
}

/// Moves what is sent and received, until the line ends.
async fn drive(mut line: Line, notified: impl Fn(&str), warnings: Arc<AtomicU64>) {
    while let Some(message) = poll_fn(|context| line.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(notification)) => notified(notification.payload()),
            Ok(AsyncMessage::Notice(notice)) => {
                if notice.parsed_severity() == Some(Severity::Warning) {
                    warnings.fetch_add(1, Ordering::AcqRel);
                }
                tracing::debug!(notice = notice.message(), "PostgreSQL says");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = said(&error), "a connection to PostgreSQL has ended");
                return;
            }
        }
    }
}

fn preparation(purpose: Purpose, patience: Duration) -> String {
    // What the administrator has set for everybody may be something that our statements do not expect.
    let mut text = "SET standard_conforming_strings = on; SET bytea_output = hex; SET jit = off;
        SET default_transaction_isolation = 'read committed';"
        .to_owned();
    if purpose != Purpose::Migrating {
        let millis = patience.as_millis();
        text += &format!("SET statement_timeout = {millis}; SET lock_timeout = {millis};");
    }
    if purpose == Purpose::Writing {
        // Acknowledged is durable: what is stricter than `on` stays, what is laxer does not.
        text += &format!(
            "SET idle_in_transaction_session_timeout = {};
             SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');",
            IDLE.as_millis()
        );
    }
    text += "SELECT pg_postmaster_start_time() || ' ' || current_setting('port'), current_schema()::regnamespace::oid";
    text
}

fn identity(answer: &[SimpleQueryMessage]) -> Result<(String, u32), String> {
    let row = answer.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or("the server does not answer")?;
    let schema = row.get(1).and_then(|number| number.parse().ok());
    let schema = schema.ok_or("there is no schema in the user's search path; grant one, or create one")?;
    Ok((row.get(0).unwrap_or_default().to_owned(), schema))
}
