//! The hashing pool: a fixed number of threads, a bounded queue, and a plain *busy* when it is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use gateward_kernel::refusal::Refusal;
use parking_lot::Mutex;

type Job = Box<dyn FnOnce() + Send>;

/// Runs what takes long without holding up anything else. Memory is bounded by the number of threads; whoever finds
/// the queue full is told at once.
#[derive(Clone, Debug)]
pub struct Pool {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    threads: usize,
}

impl Pool {
    /// A pool of `threads` threads (0: one per core) for up to `queue` waiting jobs.
    ///
    /// A thread that finds nothing more to do calls `rest`, to give back what it keeps between jobs.
    pub fn start(threads: usize, queue: usize, rest: fn()) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores } else { threads };
        let (jobs, inbox) = sync_channel::<Job>(queue);
        let inbox = Arc::new(Mutex::new(inbox));
        let waiting = Arc::new(AtomicUsize::new(0));
        for number in 0..threads {
            let (inbox, waiting) = (inbox.clone(), waiting.clone());
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&inbox, &waiting, rest))?;
        }
        Ok(Pool { jobs, waiting, threads })
    }

    /// Runs `job` on a thread of the pool. A job whose caller went away before its turn is not run.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let job: Job = Box::new(move || {
            if !answer.is_closed() {
                let _gone = answer.send(job());
            }
        });
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.jobs.try_send(job).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(busy());
        }
        // The answer fails to come only when the job panicked.
        answered.await.map_err(|_| busy())
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many threads work.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

fn busy() -> Refusal {
    Refusal::Busy(Duration::from_secs(1))
}

fn work(inbox: &Mutex<Receiver<Job>>, waiting: &AtomicUsize, rest: fn()) {
    loop {
        // The lock is held while waiting for a job, not while doing it.
        let job = inbox.lock().recv();
        let Ok(job) = job else { return };
        waiting.fetch_sub(1, Ordering::Relaxed);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a hashing job failed");
        }
        if waiting.load(Ordering::Relaxed) == 0 {
            rest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_said_at_once_and_nothing_is_lost() {
        let pool = Pool::start(1, 2, || ()).unwrap();
        let (started, is_started) = tokio::sync::oneshot::channel();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let held = pool.clone();
        let first = tokio::spawn(async move {
            held.run(move || {
                started.send(()).unwrap();
                gate.recv().unwrap();
            })
            .await
        });
        is_started.await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                tokio::spawn({
                    let pool = pool.clone();
                    async move { pool.run(|| ()).await }
                })
            })
            .collect();
        while pool.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| ()).await, Err(busy()));
        open.send(()).unwrap();
        for task in waiting.into_iter().chain([first]) {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_ends_one_job_not_the_pool() {
        let pool = Pool::start(1, 2, || ()).unwrap();
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(busy()));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
