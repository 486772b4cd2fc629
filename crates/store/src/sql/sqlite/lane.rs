//! The way from the asynchronous callers to the threads that own the connections: one bounded queue each.

use std::collections::VecDeque;
use std::time::Duration;

use gateward_kernel::ports::{Fault, FaultKind};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::ENGINE;

/// A bounded queue of jobs. Callers wait for room without holding a thread; threads wait for jobs.
pub(super) struct Lane<J> {
    queue: Mutex<Queue<J>>,
    filled: Condvar,
    room: Semaphore,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

impl<J> Lane<J> {
    /// An empty queue with room for so many jobs.
    pub(super) fn new(room: usize) -> Self {
        Lane {
            queue: Mutex::new(Queue { jobs: VecDeque::new(), closed: false }),
            filled: Condvar::new(),
            room: Semaphore::new(room.max(1)),
        }
    }

    /// Queues a job, when there is room for it.
    pub(super) async fn put(&self, job: J) -> Result<(), Fault> {
        let place = self.room.acquire().await.map_err(|_| gone())?;
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(gone());
        }
        // Given back by `take`.
        place.forget();
        queue.jobs.push_back(job);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for a job and takes it, and whatever else is waiting up to `most`. `false` when the lane was closed and
    /// nothing is left to do.
    pub(super) fn take(&self, most: usize, into: &mut Vec<J>) -> bool {
        let mut queue = self.queue.lock();
        while queue.jobs.is_empty() {
            if queue.closed {
                return false;
            }
            self.filled.wait(&mut queue);
        }
        let count = queue.jobs.len().min(most);
        into.extend(queue.jobs.drain(..count));
        drop(queue);
        self.room.add_permits(count);
        true
    }

    /// No more jobs are taken on; those that wait are still done.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.room.close();
        self.filled.notify_all();
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().jobs.len()
    }
}

/// Waits for an answer, but not for ever. Must be called within a tokio runtime that has its timer.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::new(ENGINE, FaultKind::TimedOut, format!("waited {} ms", patience.as_millis()))),
    }
}

/// What is said when a thread that owns a connection has ended.
pub(super) fn gone() -> Fault {
    Fault::new(ENGINE, FaultKind::Unavailable, "the store is closed")
}
