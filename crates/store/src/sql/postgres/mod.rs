//! The store in PostgreSQL (13 and newer): records, people, audit events and sealed keys, for many nodes at once.
//!
//! ```text
//! callers ──► queue of writes ──► one task, one connection: everything that waits in one transaction, NOTIFY, commit, answer
//!         └─► a few connections that read, shared by all callers
//!                                 one connection that listens: what has another node changed? ──► listeners
//! ```

mod address;
mod checkup;
mod dial;
mod directory;
mod ear;
mod feed;
mod lines;
mod open;
mod people;
mod records;
mod session;
mod trouble;
mod work;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateward_kernel::ports::{Directory, Fault, Kv};
use gateward_kernel::time::Moment;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_postgres::Row;

pub use address::{PostgresAddress, PostgresAddressError};
use dial::Dialler;
use feed::{Change, Feed};
use lines::{Length, Lines};
pub use open::PostgresOpenError;
use trouble::{gone, late};
use work::{Job, Single, Value};
use writer::{Tally, Writer};

use crate::checkup::Finding;

/// The engine's name in faults and figures.
const ENGINE: &str = "postgres";

/// The first half of the advisory locks' name, "Gate"; the second is the schema.
const LOCK: i32 = 0x4761_7465;

/// How a database is served.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections that read, at least one. Three more are used: for lists, for writing and for listening.
    pub connections: usize,
    /// How many reads, and how many writes, may wait before callers wait for room.
    pub queue: usize,
    /// The most writes in one transaction.
    pub batch: usize,
    /// How long a caller waits for an answer.
    pub patience: Duration,
    /// How long a server may take to be connected to before the next one is tried.
    pub connecting: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            connections: 3,
            queue: 1024,
            batch: 256,
            patience: Duration::from_secs(5),
            connecting: Duration::from_secs(2),
        }
    }
}

/// What a handle has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PostgresFigures {
    /// Transactions committed by this process.
    pub transactions: u64,
    /// Pieces of work done in them.
    pub writes: u64,
}

/// An open database. Clones share it; when the last clone, [`Postgres::kv`] and [`Postgres::directory`] handle is dropped,
/// waiting writes are finished and the connections end.
///
/// It is opened within the tokio runtime that its connections live in, and its calls must be made within one that has its timer.
/// Once opened it heals by itself: every call during an outage is a fault, and after it everything works again.
#[derive(Clone)]
pub struct Postgres {
    engine: Arc<Engine>,
}

impl Postgres {
    /// Opens the database at an address and brings its schema up to date, also when many nodes do that at once.
    pub async fn connect(
        address: &PostgresAddress,
        options: &PostgresOptions,
    ) -> Result<Postgres, PostgresOpenError> {
        let dialler = Dialler::new(address.clone(), options.connecting).map_err(PostgresOpenError::Files)?;
        let (dialler, patience) = (Arc::new(dialler), options.patience);
        open::migrate(&dialler, patience).await?;
        let feed = Arc::new(Feed::new());
        let first = ear::listen(&feed, &dialler, patience).await?;
        let (writes, waiting) = mpsc::channel(options.queue.max(1));
        let tally = Arc::new(Tally::default());
        let writer = Writer {
            dialler: dialler.clone(),
            feed: feed.clone(),
            tally: tally.clone(),
            patience,
            batch: options.batch.max(1),
            session: None,
        };
        tokio::spawn(writer.work(waiting));
        let listening =
            tokio::spawn(ear::keep(feed.clone(), dialler.clone(), patience, first)).abort_handle();
        let lines = Lines::new(dialler, feed.clone(), options.connections, options.queue, patience);
        Ok(Postgres { engine: Arc::new(Engine { lines, writes, feed, listening, tally, patience }) })
    }

    /// The records in it.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.engine.clone()
    }

    /// The people, events and keys in it.
    pub fn directory(&self) -> Arc<dyn Directory> {
        self.engine.clone()
    }

    /// What it does.
    pub fn figures(&self) -> PostgresFigures {
        let tally = &self.engine.tally;
        PostgresFigures {
            transactions: tally.transactions.load(Ordering::Relaxed),
            writes: tally.writes.load(Ordering::Relaxed),
        }
    }

    /// What the server says of itself: version, durability, replication, permissions, connections, latency.
    pub async fn checkup(&self) -> Result<Vec<Finding>, Fault> {
        self.engine.checkup().await
    }

    /// The server's clock, to be compared with one's own.
    pub async fn clock(&self) -> Result<Moment, Fault> {
        const CLOCK: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
        let rows = self.engine.lines.ask(Length::Short, CLOCK, &[]).await?;
        let row = rows.first().ok_or_else(gone)?;
        records::number(row, 0).map(Moment::from_micros)
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Postgres({:?})", self.figures())
    }
}

/// The tasks and the way to them. It is both ports: see `records.rs` and `directory.rs`.
struct Engine {
    lines: Lines,
    writes: mpsc::Sender<Box<dyn Job>>,
    feed: Arc<Feed>,
    listening: AbortHandle,
    tally: Arc<Tally>,
    patience: Duration,
}

impl Engine {
    /// Has one statement done by the writer and committed, and reads what it yields. When the caller goes away before it
    /// began, it is not done; afterwards it is done whole.
    async fn write<T, F>(&self, text: &'static str, values: Vec<Value>, read: F) -> Result<T, Fault>
    where
        T: Send + Sync + 'static,
        F: Fn(&[Row], &mut Vec<Change>) -> Result<T, Fault> + Send + Sync + 'static,
    {
        self.wait(|reply| Box::new(Single { text, values, read, outcome: None, reply })).await
    }

    /// Has a piece of work done by the writer and committed.
    async fn wait<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Box<dyn Job>,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let job = job(reply);
        let done = tokio::time::timeout(self.patience, async {
            self.writes.send(job).await.map_err(|_| gone())?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        });
        done.await.unwrap_or_else(|_| Err(late(self.patience)))
    }

    /// Whether both reading and writing work: a sequence moves only where writing is allowed.
    async fn answers(&self) -> Result<(), Fault> {
        self.lines.ask(Length::Short, "SELECT 1 FROM kv LIMIT 1", &[]).await?;
        self.write("SELECT nextval('change_version')", Vec::new(), |_, _| Ok(())).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The writer ends by itself when its queue is closed and empty.
        self.listening.abort();
    }
}

/// Whether PostgreSQL can hold this text at all; what it cannot hold was never written.
fn storable(text: &str) -> bool {
    !text.contains('\0')
}
