//! The store in one SQLite file: records, people, audit events and sealed keys.
//!
//! ```text
//! callers ──► lane of writes ──► one writer thread: everything that waits in one transaction, commit, tell, answer
//!         └─► lane of reads  ──► reader threads: one statement each
//!                                watcher thread: has another process written? ──► listeners
//! ```

mod directory;
mod events;
mod feed;
mod keys;
mod lane;
mod marks;
mod open;
mod people;
mod records;
mod trouble;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use gateward_kernel::ports::{Directory, Fault, Kv};
use rusqlite::Connection;
use tokio::sync::oneshot;

use feed::Feed;
use lane::{Lane, gone, within};
pub use open::OpenError;
use trouble::{Outcome, Trouble};
use writer::{Job, Tally, Tx, Work};

/// The engine's name in faults and figures.
const ENGINE: &str = "sqlite";

/// How a database is served.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Threads that read, at least one.
    pub readers: usize,
    /// How many reads, and how many writes, may wait before callers wait for room.
    pub queue: usize,
    /// The most writes in one transaction.
    pub batch: usize,
    /// How long a caller waits for an answer, and the writer for another process to finish its transaction.
    pub patience: Duration,
    /// How often is looked whether another process has written.
    pub watch_every: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        SqliteOptions {
            readers: 2,
            queue: 1024,
            batch: 512,
            patience: Duration::from_secs(5),
            watch_every: Duration::from_millis(50),
        }
    }
}

/// What a database has done since it was opened, and how it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SqliteFigures {
    /// Transactions committed by this process.
    pub transactions: u64,
    /// Pieces of work done in them.
    pub writes: u64,
    /// Pieces of work waiting for the writer.
    pub writes_waiting: usize,
    /// Reads waiting for a reader.
    pub reads_waiting: usize,
    /// The size of the write-ahead log in bytes.
    pub wal_bytes: u64,
}

/// One open database file. Clones share it; when the last clone, [`Sqlite::kv`] and [`Sqlite::directory`] handle is
/// dropped, waiting writes are finished and the threads end.
///
/// Its calls must be made within a tokio runtime that has its timer, as each has a deadline.
#[derive(Clone)]
pub struct Sqlite {
    engine: Arc<Engine>,
}

impl Sqlite {
    /// Opens the database at `path`, creating it if nothing is there (mode 0600; the directory must exist), and brings
    /// its schema up to date. Blocks for the time of some disk accesses.
    pub fn open(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Sqlite, OpenError> {
        Engine::start(path.as_ref(), true, options)
    }

    /// Opens the database at `path` only if there is one: [`OpenError::Absent`] otherwise.
    pub fn open_existing(path: impl AsRef<Path>, options: &SqliteOptions) -> Result<Sqlite, OpenError> {
        Engine::start(path.as_ref(), false, options)
    }

    /// The records in it.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.engine.clone()
    }

    /// The people, events and keys in it.
    pub fn directory(&self) -> Arc<dyn Directory> {
        self.engine.clone()
    }

    /// How it does.
    pub fn figures(&self) -> SqliteFigures {
        let shared = &self.engine.shared;
        SqliteFigures {
            transactions: shared.tally.transactions.load(Ordering::Relaxed),
            writes: shared.tally.writes.load(Ordering::Relaxed),
            writes_waiting: shared.writes.waiting(),
            reads_waiting: shared.reads.waiting(),
            wal_bytes: std::fs::metadata(&self.engine.log).map_or(0, |log| log.len()),
        }
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sqlite({:?})", self.figures())
    }
}

/// A read on its way to a reader thread, with the way back inside.
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// What callers and threads share.
struct Shared {
    writes: Lane<Box<dyn Job>>,
    reads: Lane<Read>,
    feed: Feed,
    tally: Tally,
}

/// The threads and the way to them. It is both ports: see `records.rs` and `directory.rs`.
struct Engine {
    shared: Arc<Shared>,
    patience: Duration,
    log: PathBuf,
    /// The readers and the watcher.
    readers: Vec<JoinHandle<()>>,
    /// The writer.
    writer: Vec<JoinHandle<()>>,
}

impl Engine {
    fn start(path: &Path, create: bool, options: &SqliteOptions) -> Result<Sqlite, OpenError> {
        let patience = options.patience;
        let writing = open::open(path, create, patience)?;
        let watching = open::open_reader(path, patience)?;
        let reading: Vec<Connection> = (0..options.readers.max(1))
            .map(|_| open::open_reader(path, patience))
            .collect::<Result<_, _>>()?;
        let shared = Arc::new(Shared {
            writes: Lane::new(options.queue),
            reads: Lane::new(options.queue),
            feed: Feed::new(&writing)?,
            tally: Tally::default(),
        });
        // From here on a failure drops the engine, which ends the threads that were started.
        let log = open::beside(path, "-wal");
        let mut engine =
            Engine { shared: shared.clone(), patience, log, readers: Vec::new(), writer: Vec::new() };
        for conn in reading {
            let shared = shared.clone();
            engine.readers.push(spawn("gateward-read", move || read(&conn, &shared))?);
        }
        let (watched, every) = (shared.clone(), options.watch_every);
        engine.readers.push(spawn("gateward-watch", move || watched.feed.watch(&watching, every))?);
        let batch = options.batch.max(1);
        engine.writer.push(spawn("gateward-write", move || writer::work(&writing, &shared, batch))?);
        Ok(Sqlite { engine: Arc::new(engine) })
    }

    /// Has a piece of work done by the writer and committed. When the caller goes away before it began, it is not
    /// done; afterwards it is done whole.
    async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Work { work, outcome: None, reply });
        within(self.patience, async {
            self.shared.writes.put(job).await?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
        .await
    }

    /// Has something read by one of the readers.
    async fn read<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |conn| {
            if !reply.is_closed() {
                let _ = reply.send(work(conn).map_err(|Trouble(fault)| fault));
            }
        });
        within(self.patience, async {
            self.shared.reads.put(job).await?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
        .await
    }

    /// Whether both reading and writing work: also whether another process holds the lock for too long.
    async fn answers(&self) -> Result<(), Fault> {
        self.read(|conn| Ok(conn.prepare_cached("SELECT 1 FROM change_log LIMIT 1")?.exists([])?)).await?;
        self.write(|_| Ok(())).await
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(body);
    thread.map_err(|error| OpenError::Failed(error.to_string()))
}

/// The life of a reader thread.
fn read(conn: &Connection, shared: &Shared) {
    let mut jobs = Vec::new();
    while shared.reads.take(1, &mut jobs) {
        jobs.drain(..).for_each(|job| job(conn));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.reads.close();
        self.shared.feed.end();
        // The writer's connection closes last: only one that may write can tidy the log away.
        join(&mut self.readers);
        self.shared.writes.close();
        join(&mut self.writer);
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // A thread that panicked has nothing more to say.
        let _ = thread.join();
    }
}
