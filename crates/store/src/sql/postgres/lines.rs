//! The connections that read: each is shared by all callers at once, whose questions follow each other on the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateward_kernel::ports::Fault;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::dial::Dialler;
use super::feed::Feed;
use super::session::{Purpose, Session};
use super::trouble::{breaks, fault, gone, late};

/// How long a question takes.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// A look-up by a key.
    Short,
    /// A list: it goes over a line of its own, so that no look-up waits behind it.
    Long,
}

/// All connections that read.
pub(super) struct Lines {
    short: Box<[Place]>,
    long: Place,
    turn: AtomicUsize,
    room: Semaphore,
    dialler: Arc<Dialler>,
    feed: Arc<Feed>,
    patience: Duration,
}

/// Where a connection is, or will be.
#[derive(Default)]
struct Place {
    session: Mutex<Option<(u64, Arc<Session>)>>,
    /// Held by the one who connects; the last failure and when it was.
    connecting: tokio::sync::Mutex<Option<(Instant, Fault)>>,
}

impl Lines {
    /// So many lines for short questions, and one for long ones; so many questions at once.
    pub(super) fn new(
        dialler: Arc<Dialler>,
        feed: Arc<Feed>,
        count: usize,
        room: usize,
        patience: Duration,
    ) -> Self {
        Lines {
            short: (0..count.max(1)).map(|_| Place::default()).collect(),
            long: Place::default(),
            turn: AtomicUsize::new(0),
            room: Semaphore::new(room.max(1)),
            dialler,
            feed,
            patience,
        }
    }

    /// Asks, and asks again on a fresh connection when the line broke.
    pub(super) async fn ask(
        &self,
        length: Length,
        text: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let asked = async {
            let _room = self.room.acquire().await.map_err(|_| gone())?;
            let place = self.place(length);
            match self.try_once(place, text, values).await {
                Err(Missed::Broken(_)) => self.try_once(place, text, values).await.map_err(Missed::fault),
                answer => answer.map_err(Missed::fault),
            }
        };
        tokio::time::timeout(self.patience, asked).await.unwrap_or_else(|_| Err(late(self.patience)))
    }

    fn place(&self, length: Length) -> &Place {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.short.len();
        match length {
            Length::Short => self.short.get(turn).unwrap_or(&self.long),
            Length::Long => &self.long,
        }
    }

    async fn try_once(
        &self,
        place: &Place,
        text: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Missed> {
        let session = self.session(place).await.map_err(Missed::Refused)?;
        // Whoever gives up while waiting for an answer has met a silent line: nobody else should.
        let mut waiting =
            Waiting { place, session: &session, since: Instant::now(), patience: self.patience };
        let asked = async {
            let statement = session.statement(text).await?;
            session.client.query(&statement, values).await
        };
        let answer = asked.await;
        waiting.patience = Duration::MAX;
        answer.map_err(|error| {
            if breaks(&error) {
                place.discard(&session);
                Missed::Broken(fault(&error))
            } else {
                Missed::Refused(fault(&error))
            }
        })
    }

    async fn session(&self, place: &Place) -> Result<Arc<Session>, Fault> {
        if let Some(session) = place.open(self.feed.server()) {
            return Ok(session);
        }
        let asked = Instant::now();
        let mut failure = place.connecting.lock().await;
        let server = self.feed.server();
        if let Some(session) = place.open(server) {
            return Ok(session);
        }
        // Whoever waited for a failure has it too, instead of trying the same for as long.
        if let Some((_, fault)) = failure.as_ref().filter(|(at, _)| *at > asked) {
            return Err(fault.clone());
        }
        match Session::open(&self.dialler, Purpose::Reading, self.patience, |_| {}).await {
            Ok((session, _)) => {
                self.feed.met(&session.server);
                let session = Arc::new(session);
                *place.session.lock() = Some((server, session.clone()));
                *failure = None;
                Ok(session)
            }
            Err(fault) => {
                *failure = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

impl Place {
    /// The connection that is open, if it is one to the server that tells of changes.
    fn open(&self, server: u64) -> Option<Arc<Session>> {
        let place = self.session.lock();
        let (connected, session) = place.as_ref()?;
        (*connected == server && !session.client.is_closed()).then(|| session.clone())
    }

    fn discard(&self, broken: &Arc<Session>) {
        let mut place = self.session.lock();
        if place.as_ref().is_some_and(|(_, session)| Arc::ptr_eq(session, broken)) {
            *place = None;
        }
        broken.hang_up();
    }
}

/// Hangs up when it is dropped after a wait of nearly the whole patience.
struct Waiting<'a> {
    place: &'a Place,
    session: &'a Arc<Session>,
    since: Instant,
    patience: Duration,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.since.elapsed() >= self.patience / 2 {
            self.place.discard(self.session);
        }
    }
}

/// Why there is no answer.
enum Missed {
    /// The line broke: asked again, there may be one.
    Broken(Fault),
    Refused(Fault),
}

impl Missed {
    fn fault(self) -> Fault {
        match self {
            Missed::Broken(fault) | Missed::Refused(fault) => fault,
        }
    }
}
