//! Opening a database: refusing what must not be used, and bringing the schema up to date.

use std::time::Duration;

use gateward_kernel::ports::Fault;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::LOCK;
use super::dial::Dialler;
use super::session::{Purpose, Session};
use super::trouble::said;
use crate::sql::migrations::{KNOWN, STEPS};

/// The servers that are supported, as they count themselves: 13 and newer.
pub(super) const SUPPORTED: std::ops::RangeFrom<i32> = 130_000..;

/// The longest time that another node's migration is waited for.
const MIGRATION: Duration = Duration::from_secs(600);

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum PostgresOpenError {
    /// A file that the address names cannot be used.
    #[error("{0}")]
    Files(String),
    /// No server was reached, or none that takes writes, or it refused the user.
    #[error(
        "PostgreSQL cannot be used: {0}; check that it runs, that it takes writes, and the address, user and password"
    )]
    Unreached(String),
    /// The server is too old.
    #[error("the server is PostgreSQL {0}; 13 or newer is needed")]
    OldServer(String),
    /// The schema has other tables with the names of ours.
    #[error(
        "the database belongs to another program (it has a table \"{0}\"); use a database or schema of its own"
    )]
    NotOurs(String),
    /// A newer version of the program has written it.
    #[error(
        "the database has schema {found}, this version of Gateward knows up to {known}; use the newer version"
    )]
    Newer {
        /// The number it has.
        found: i32,
        /// The highest number this version knows.
        known: i32,
    },
    /// The user may not create tables, or not use them.
    #[error("the user may not do what is needed ({0}); let it own the schema: ALTER SCHEMA … OWNER TO …")]
    NotAllowed(String),
    /// Anything else that the server says.
    #[error("the database cannot be opened: {0}")]
    Failed(String),
}

impl From<Fault> for PostgresOpenError {
    fn from(fault: Fault) -> Self {
        PostgresOpenError::Unreached(fault.cause)
    }
}

impl From<tokio_postgres::Error> for PostgresOpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => PostgresOpenError::NotAllowed(said(&error)),
            _ => PostgresOpenError::Failed(said(&error)),
        }
    }
}

/// Brings the schema up to date, in one transaction; of many nodes that start at once, one does it and the others wait.
pub(super) async fn migrate(dialler: &Dialler, patience: Duration) -> Result<(), PostgresOpenError> {
    let (session, _) = Session::open(dialler, Purpose::Migrating, patience, |_| {}).await?;
    let client = &session.client;
    check_version(client).await?;
    if number(client).await? == Some(KNOWN) {
        return Ok(());
    }
    let done = tokio::time::timeout(MIGRATION, async {
        client.batch_execute("BEGIN").await?;
        client
            .batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK}, {})", session.schema.cast_signed()))
            .await?;
        migrate_within(client).await?;
        client.batch_execute("COMMIT").await?;
        Ok(())
    });
    // Dropped otherwise, the transaction ends with its connection.
    done.await.unwrap_or_else(|_| Err(PostgresOpenError::Failed("its migration takes too long".into())))
}

async fn check_version(client: &Client) -> Result<(), PostgresOpenError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
            &[],
        )
        .await?;
    if !SUPPORTED.contains(&row.try_get(0)?) {
        return Err(PostgresOpenError::OldServer(row.try_get(1)?));
    }
    Ok(())
}

/// The number of the schema, if there is one that we know.
async fn number(client: &Client) -> Result<Option<i32>, PostgresOpenError> {
    if !has_table(client, "gateward_schema").await? {
        return Ok(None);
    }
    let found: i32 = client.query_one("SELECT number FROM gateward_schema", &[]).await?.try_get(0)?;
    if found > KNOWN {
        return Err(PostgresOpenError::Newer { found, known: KNOWN });
    }
    Ok(Some(found))
}

/// Refuses a schema that has a table with the name of one of ours.
async fn check_empty(client: &Client) -> Result<(), PostgresOpenError> {
    for table in ["kv", "person", "person_group", "event", "sealed_key"] {
        if has_table(client, table).await? {
            return Err(PostgresOpenError::NotOurs(table.into()));
        }
    }
    Ok(())
}

/// Asked of the catalogue itself: `to_regclass` remembers within a transaction what was not there before.
async fn has_table(client: &Client, table: &str) -> Result<bool, PostgresOpenError> {
    let text = "SELECT 1 FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace";
    Ok(!client.query(text, &[&table]).await?.is_empty())
}

async fn migrate_within(client: &Client) -> Result<(), PostgresOpenError> {
    // Read again under the lock: another node may have just done it.
    let from = number(client).await?;
    if from == Some(KNOWN) {
        return Ok(());
    }
    if from.is_none() {
        check_empty(client).await?;
        client
            .batch_execute(
                "CREATE TABLE gateward_schema (number INT NOT NULL); INSERT INTO gateward_schema VALUES (0)",
            )
            .await?;
    }
    for step in STEPS.iter().skip(usize::try_from(from.unwrap_or(0)).unwrap_or(0)) {
        client.batch_execute(&step.for_postgres()).await?;
    }
    client.execute("UPDATE gateward_schema SET number = $1", &[&KNOWN]).await?;
    Ok(())
}
