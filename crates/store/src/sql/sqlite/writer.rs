//! The one thread that writes, with group commit: whatever waits is done in one transaction, and nobody is answered
//! before it is on the disk.

use std::sync::atomic::{AtomicU64, Ordering};

use gateward_kernel::ports::{Fault, Version};
use rusqlite::{Connection, Params};
use tokio::sync::oneshot;

use super::Shared;
use super::feed::{Change, newest};
use super::trouble::{Outcome, Trouble};

/// The transaction that a piece of work is done in.
pub(super) struct Tx<'c> {
    pub(super) conn: &'c Connection,
    pub(super) newest: u64,
    pub(super) changes: Vec<Change>,
}

impl Tx<'_> {
    /// The version that the next logged change makes.
    pub(super) fn upcoming(&self) -> Version {
        Version(self.newest + 1)
    }

    /// Runs one statement and says how many rows it changed.
    pub(super) fn execute(&self, text: &str, values: impl Params) -> Outcome<usize> {
        Ok(self.conn.prepare_cached(text)?.execute(values)?)
    }

    /// Logs that this record has the upcoming version now, or lost its life to it.
    pub(super) fn log(&mut self, kind: &'static str, id: &[u8]) -> Outcome<Version> {
        let version = self.upcoming();
        self.execute(
            "INSERT INTO change_log (version, kind, id, at)
             VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS BIGINT))",
            (version.0.cast_signed(), kind, id),
        )?;
        self.newest = version.0;
        self.changes.push(Change { version: version.0, kind, id: id.into() });
        Ok(version)
    }
}

/// A piece of work that waits for the writer.
pub(super) trait Job: Send {
    /// Whether anybody still waits for the answer.
    fn is_wanted(&self) -> bool;
    /// Does it, and keeps what it came to; whether that was an answer. May be called again after a rollback.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller, now that the fate of the transaction is known.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// A closure on its way to the writer and its answer on the way back.
pub(super) struct Work<T, F> {
    pub(super) work: F,
    pub(super) outcome: Option<Result<T, Fault>>,
    pub(super) reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Outcome<T> + Send> Job for Work<T, F> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let outcome = (self.work)(tx).map_err(|Trouble(fault)| fault);
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let outcome = match (committed, self.outcome) {
            // What a piece of work says against itself is more precise than the rollback it caused.
            (_, Some(Err(fault))) | (Err(fault), _) => Err(fault),
            (Ok(()), Some(Ok(answer))) => Ok(answer),
            (Ok(()), None) => Err(super::lane::gone()),
        };
        // Whoever asked may have gone away meanwhile; the write stands.
        let _ = self.reply.send(outcome);
    }
}

/// What the writer has done since the start.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) transactions: AtomicU64,
    pub(super) writes: AtomicU64,
}

/// Works until the lane is closed and everything in it is done.
pub(super) fn work(conn: &Connection, shared: &Shared, batch: usize) {
    let mut jobs: Vec<Box<dyn Job>> = Vec::new();
    while shared.writes.take(batch, &mut jobs) {
        jobs.retain(|job| job.is_wanted());
        match commit(conn, shared, &mut jobs) {
            Err(Broken::ByOne) => {
                // One of them left a half-done change behind, which is rolled back by now and the others with it.
                // Each by itself: only the one that fails is refused.
                for job in jobs.drain(..) {
                    let mut alone = vec![job];
                    let committed = commit(conn, shared, &mut alone).map_err(Broken::fault);
                    answer(alone, &committed);
                }
            }
            Err(Broken::Whole(fault)) => answer(std::mem::take(&mut jobs), &Err(fault)),
            Ok(()) => answer(std::mem::take(&mut jobs), &Ok(())),
        }
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, committed: &Result<(), Fault>) {
    for job in jobs {
        job.answer(committed.clone());
    }
}

/// Why nothing was committed.
enum Broken {
    /// One piece of work failed half-way.
    ByOne,
    /// The transaction could not be begun or committed.
    Whole(Fault),
}

impl Broken {
    fn fault(self) -> Fault {
        match self {
            Broken::ByOne => super::lane::gone(),
            Broken::Whole(fault) => fault,
        }
    }
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Broken::Whole(Trouble::from(error).0)
    }
}

/// All of them in one transaction, told to the listeners; or nothing at all.
fn commit(conn: &Connection, shared: &Shared, jobs: &mut [Box<dyn Job>]) -> Result<(), Broken> {
    if jobs.is_empty() {
        return Ok(());
    }
    let done = run_all(conn, jobs);
    if done.is_err() && !conn.is_autocommit() {
        // A failed rollback leaves no transaction either: the library ends it by itself.
        let _ = conn.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.execute([]));
    }
    let changes = done?;
    shared.tally.transactions.fetch_add(1, Ordering::Relaxed);
    shared.tally.writes.fetch_add(jobs.len() as u64, Ordering::Relaxed);
    shared.feed.committed(conn, &changes);
    Ok(())
}

fn run_all(conn: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Change>, Broken> {
    // The lock is taken at once: what is read in the transaction is what is written upon, also beside other processes.
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut tx = Tx { conn, newest: newest(conn)?, changes: Vec::with_capacity(jobs.len()) };
    for job in jobs {
        let before = conn.total_changes();
        let answered = job.run(&mut tx);
        if !answered && (conn.is_autocommit() || conn.total_changes() != before) {
            return Err(Broken::ByOne);
        }
    }
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(tx.changes)
}
