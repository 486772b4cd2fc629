//! The one task that writes, with group commit: whatever waits is done in one transaction, and nobody is answered before it
//! is committed.
//!
//! Writers of all nodes take one advisory lock first. Commits that notify come one after the other in PostgreSQL anyway; so
//! nothing is lost by it, and versions are drawn in the order of the commits, transactions never deadlock, and what is looked up
//! before a write still holds when it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateward_kernel::ports::{Fault, FaultKind};
use tokio::sync::mpsc;
use tokio_postgres::Row;

use super::dial::Dialler;
use super::feed::{Change, Feed, channel, payloads};
use super::session::{Purpose, Session};
use super::trouble::{breaks, fault, late, may_pass, said};
use super::work::{Job, bound, in_order};
use super::{ENGINE, LOCK};

/// What the writer has done since the start.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) transactions: AtomicU64,
    pub(super) writes: AtomicU64,
}

/// The writer's things.
pub(super) struct Writer {
    pub(super) dialler: Arc<Dialler>,
    pub(super) feed: Arc<Feed>,
    pub(super) tally: Arc<Tally>,
    pub(super) patience: Duration,
    pub(super) batch: usize,
    pub(super) session: Option<(u64, Session)>,
}

/// Why nothing was committed, or nobody knows.
enum Broken {
    /// A piece of work failed in the database, and with it the transaction: the others may be done without it.
    ByOne(Fault),
    /// Nothing of it was committed.
    NotDone(Fault, Again),
    /// It may have been committed.
    Unknown(Fault),
}

/// Whether the same may be tried again at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    /// On the same connection.
    Here,
    /// On a fresh connection.
    Afresh,
}

impl Again {
    fn after(error: &tokio_postgres::Error) -> Self {
        if breaks(error) {
            Again::Afresh
        } else if may_pass(error) {
            Again::Here
        } else {
            Again::No
        }
    }
}

impl Broken {
    fn fault(self) -> Fault {
        match self {
            Broken::ByOne(fault) | Broken::NotDone(fault, _) | Broken::Unknown(fault) => fault,
        }
    }
}

impl Writer {
    /// Works until nobody can ask any more and everything is done.
    pub(super) async fn work(mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::new();
        while waiting.recv_many(&mut jobs, self.batch).await > 0 {
            jobs.retain(|job| job.is_wanted());
            let mut batch = std::mem::take(&mut jobs);
            match self.commit(&mut batch).await {
                Err(Broken::ByOne(_)) if batch.len() > 1 => {
                    // Each by itself: only the one that fails is refused.
                    for job in batch {
                        let mut alone = vec![job];
                        let committed = self.commit(&mut alone).await.map_err(Broken::fault);
                        answer(alone, &committed);
                    }
                }
                committed => answer(batch, &committed.map_err(Broken::fault)),
            }
        }
    }

    /// All of them in one transaction, told to the listeners; or nothing at all.
    async fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Broken> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut again = true;
        loop {
            match self.try_to_commit(jobs).await {
                Ok(changes) => {
                    self.tally.transactions.fetch_add(1, Ordering::Relaxed);
                    self.tally.writes.fetch_add(jobs.len() as u64, Ordering::Relaxed);
                    self.feed.committed(&changes);
                    return Ok(());
                }
                Err(Broken::NotDone(_, Again::Here | Again::Afresh)) if again => again = false,
                Err(broken) => return Err(broken),
            }
        }
    }

    async fn try_to_commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Change>, Broken> {
        let (dialler, feed, patience) = (self.dialler.clone(), self.feed.clone(), self.patience);
        let server = feed.server();
        let (_, session) = match &mut self.session {
            Some(open) if open.0 == server && !open.1.client.is_closed() => open,
            place => {
                let opened = Session::open(&dialler, Purpose::Writing, patience, |_| {}).await;
                let (session, _) = opened.map_err(|fault| Broken::NotDone(fault, Again::No))?;
                feed.met(&session.server);
                place.insert((server, session))
            }
        };
        let mut attempt = Attempt { session, sent: false, over: false };
        let done = tokio::time::timeout(patience, attempt.run(jobs)).await;
        let (sent, over) = (attempt.sent, attempt.over);
        let done = done.unwrap_or_else(|_| {
            let fault = late(patience);
            Err(if sent { Broken::Unknown(fault) } else { Broken::NotDone(fault, Again::No) })
        });
        if !over && let Some((_, session)) = self.session.take() {
            // In the middle of a transaction, or broken: the server ends what is not committed.
            session.hang_up();
        }
        done
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, committed: &Result<(), Fault>) {
    for job in jobs {
        job.answer(committed.clone());
    }
}

/// One transaction.
struct Attempt<'s> {
    session: &'s Session,
    /// Whether the word to commit was sent.
    sent: bool,
    /// Whether the transaction has ended, and the connection is as good as before.
    over: bool,
}

impl Attempt<'_> {
    async fn run(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Change>, Broken> {
        for job in jobs.iter() {
            if let Some((text, _)) = job.single() {
                // Known after the first time.
                let prepared = self.session.statement(text).await;
                prepared.map_err(|error| Broken::NotDone(fault(&error), Again::after(&error)))?;
            }
        }
        let done = self.do_all(jobs).await;
        let changes = match done {
            Ok(changes) => changes,
            Err(broken) => {
                let useless = matches!(broken, Broken::NotDone(_, Again::Afresh));
                self.over = !useless && self.session.client.batch_execute("ROLLBACK").await.is_ok();
                return Err(broken);
            }
        };
        self.finish(&changes).await?;
        Ok(changes)
    }

    async fn do_all(&self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Change>, Broken> {
        let mut changes = Vec::with_capacity(jobs.len());
        let mut rest = jobs;
        let mut begun = false;
        while !begun || !rest.is_empty() {
            let count = rest.iter().take_while(|job| job.single().is_some()).count();
            let (singles, others) = rest.split_at_mut(count);
            let answers = self.send(!begun, singles).await?;
            begun = true;
            for (job, rows) in singles.iter_mut().zip(answers) {
                job.read(&rows, &mut changes).map_err(Broken::ByOne)?;
            }
            let Some((job, others)) = others.split_first_mut() else { break };
            let done = job.steps(self.session, &mut changes).await;
            done.map_err(|error| broken(&error))?.map_err(Broken::ByOne)?;
            rest = others;
        }
        Ok(changes)
    }

    /// Sends all their statements at once, after the beginning of the transaction if it has not begun.
    async fn send(&self, begin: bool, singles: &[Box<dyn Job>]) -> Result<Vec<Vec<Row>>, Broken> {
        let session = self.session;
        let mut sent = Vec::with_capacity(singles.len() + 1);
        if begin {
            let begin =
                format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK}, {})", session.schema.cast_signed());
            sent.push(
                Box::pin(async move { session.client.batch_execute(&begin).await.map(|()| Vec::new()) })
                    as std::pin::Pin<Box<dyn Future<Output = _> + Send>>,
            );
        }
        for (text, values) in singles.iter().filter_map(|job| job.single()) {
            sent.push(Box::pin(async move {
                let statement = session.statement(text).await?;
                session.client.query(&statement, &bound(values)).await
            }));
        }
        let mut answers = in_order(sent).await.into_iter();
        if begin && let Some(Err(error)) = answers.next() {
            return Err(Broken::NotDone(fault(&error), Again::after(&error)));
        }
        answers.collect::<Result<_, _>>().map_err(|error| broken(&error))
    }

    /// Tells and commits, sent at once.
    async fn finish(&mut self, changes: &[Change]) -> Result<(), Broken> {
        const NOTIFY: &str = "SELECT pg_notify($1, $2)";
        let session = self.session;
        let (payloads, channel) = (payloads(changes), channel(session.schema));
        if !payloads.is_empty() {
            let prepared = session.statement(NOTIFY).await;
            prepared.map_err(|error| Broken::NotDone(fault(&error), Again::after(&error)))?;
        }
        let channel = &channel;
        let mut sent: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> =
            Vec::with_capacity(payloads.len() + 1);
        for payload in &payloads {
            sent.push(Box::pin(async move {
                let statement = session.statement(NOTIFY).await?;
                session.client.query(&statement, &[channel, payload]).await.map(|_| ())
            }));
        }
        sent.push(Box::pin(session.client.batch_execute("COMMIT")));
        self.sent = true;
        let warnings = session.warnings();
        let mut answers = in_order(sent).await;
        let committed = answers.pop();
        if let Some(error) = answers.into_iter().find_map(Result::err)
            && !breaks(&error)
        {
            // Refused, so that the commit was a rollback.
            self.over = true;
            return Err(Broken::NotDone(fault(&error), Again::after(&error)));
        }
        match committed {
            // It waited for the servers that follow, and was told to stop waiting.
            Some(Ok(())) if session.warnings() != warnings => {
                let cause = "committed, but maybe not by the servers that follow";
                Err(Broken::Unknown(Fault::new(ENGINE, FaultKind::TimedOut, cause)))
            }
            Some(Ok(())) => {
                self.over = true;
                Ok(())
            }
            Some(Err(error)) if !breaks(&error) => {
                self.over = true;
                Err(Broken::NotDone(fault(&error), Again::after(&error)))
            }
            Some(Err(error)) => {
                let cause =
                    format!("the answer to a commit was lost, it may have happened: {}", said(&error));
                Err(Broken::Unknown(Fault::new(ENGINE, FaultKind::TimedOut, cause)))
            }
            None => Err(Broken::Unknown(late(Duration::ZERO))),
        }
    }
}

/// What an error in the middle of a transaction means: the transaction was not committed.
fn broken(error: &tokio_postgres::Error) -> Broken {
    match Again::after(error) {
        Again::No => Broken::ByOne(fault(error)),
        again => Broken::NotDone(fault(error), again),
    }
}
