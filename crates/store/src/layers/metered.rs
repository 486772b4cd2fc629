//! Figures: how often each operation came to what, and how long it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;
use tokio::time::Instant;

/// The upper bounds of the latency buckets, in microseconds; one more bucket takes what is slower.
pub const BOUNDS: [u64; 12] =
    [10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// What was asked of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// [`Kv::get`].
    Get,
    /// [`Kv::create`].
    Create,
    /// [`Kv::replace`].
    Replace,
    /// [`Kv::remove`].
    Remove,
    /// [`Kv::page`].
    Page,
    /// [`Kv::sweep`].
    Sweep,
    /// [`Kv::ping`].
    Ping,
}

/// What it came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was already such a record.
    Exists,
    /// Somebody else was faster.
    Stale,
    /// There was no such record.
    Absent,
    /// The store failed.
    Fault,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 7] = [
        Operation::Get,
        Operation::Create,
        Operation::Replace,
        Operation::Remove,
        Operation::Page,
        Operation::Sweep,
        Operation::Ping,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Create => "create",
            Operation::Replace => "replace",
            Operation::Remove => "remove",
            Operation::Page => "page",
            Operation::Sweep => "sweep",
            Operation::Ping => "ping",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] =
        [Outcome::Done, Outcome::Exists, Outcome::Stale, Outcome::Absent, Outcome::Fault];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Exists => "exists",
            Outcome::Stale => "stale",
            Outcome::Absent => "absent",
            Outcome::Fault => "fault",
        }
    }
}

/// The figures of one operation with one outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figure {
    /// What was asked.
    pub operation: Operation,
    /// What it came to.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
    /// How long it took altogether, in microseconds.
    pub micros: u64,
    /// How often it took at most as long as the bound at the same place in [`BOUNDS`] and longer than the bound before;
    /// the last place counts what was slower than all bounds.
    pub buckets: [u64; BOUNDS.len() + 1],
}

/// Counts, without locks.
#[derive(Default)]
pub struct Meter {
    cells: [[Cell; Outcome::ALL.len()]; Operation::ALL.len()],
}

#[derive(Default)]
struct Cell {
    micros: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
}

impl Meter {
    /// Counts one call.
    pub fn count(&self, operation: Operation, outcome: Outcome, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let row = self.cells.get(operation as usize);
        if let Some(cell) = row.and_then(|row| row.get(outcome as usize)) {
            cell.micros.fetch_add(micros, Ordering::Relaxed);
            if let Some(bucket) = cell.buckets.get(bucket) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The figures of everything that has happened at least once.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (operation, row) in Operation::ALL.into_iter().zip(&self.cells) {
            for (outcome, cell) in Outcome::ALL.into_iter().zip(row) {
                let buckets = cell.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
                let count = buckets.iter().sum();
                if count > 0 {
                    let micros = cell.micros.load(Ordering::Relaxed);
                    figures.push(Figure { operation, outcome, count, micros, buckets });
                }
            }
        }
        figures
    }
}

/// A store whose every call is counted.
pub struct Metered {
    inner: Arc<dyn Kv>,
    meter: Arc<Meter>,
}

impl Metered {
    /// Counts the calls to `inner` in `meter`.
    pub fn new(inner: Arc<dyn Kv>, meter: Arc<Meter>) -> Self {
        Metered { inner, meter }
    }

    /// A call that its caller gives up is not counted.
    async fn counted<T>(
        &self,
        operation: Operation,
        call: Answer<'_, T>,
        judge: impl FnOnce(&T) -> Outcome + Send,
    ) -> Result<T, Fault> {
        let begun = Instant::now();
        let answer = call.await;
        let outcome = answer.as_ref().map_or(Outcome::Fault, judge);
        self.meter.count(operation, outcome, begun.elapsed());
        answer
    }
}

impl Kv for Metered {
    fn traits(&self) -> Traits {
        self.inner.traits()
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.counted(Operation::Get, self.inner.get(key), found))
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        let judge = |created: &Created| match created {
            Created::Done(_) => Outcome::Done,
            Created::Exists => Outcome::Exists,
        };
        Box::pin(self.counted(Operation::Create, self.inner.create(key, value, death), judge))
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        let judge = |replaced: &Replaced| match replaced {
            Replaced::Done(_) => Outcome::Done,
            Replaced::Stale => Outcome::Stale,
            Replaced::Absent => Outcome::Absent,
        };
        Box::pin(self.counted(Operation::Replace, self.inner.replace(key, expected, value, death), judge))
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.counted(Operation::Remove, self.inner.remove(key), found))
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(self.counted(Operation::Page, self.inner.page(kind, after, limit), |_| Outcome::Done))
    }

    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        Box::pin(self.counted(Operation::Sweep, self.inner.sweep(before, limit), |_| Outcome::Done))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.inner.changes(listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.counted(Operation::Ping, self.inner.ping(), |()| Outcome::Done))
    }
}

fn found(stored: &Option<Stored>) -> Outcome {
    if stored.is_some() { Outcome::Done } else { Outcome::Absent }
}

impl std::fmt::Debug for Metered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metered({})", self.inner.traits().engine)
    }
}
