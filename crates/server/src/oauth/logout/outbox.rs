//! What clients are yet to be told, written down before the session ends: no accident loses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateward_kernel::oauth::{Claim, LogoutNote, NoteId, note_id};
use gateward_kernel::ports::{Fault, Kv};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::oauth::clients::Clients;

/// So many notes wait at most; more than that are not written, and that is logged.
const MOST: usize = 10_000;
/// So many are read at once.
const PAGE: usize = 100;
/// How often somebody who waits looks whether another node has told.
const LOOK: Duration = Duration::from_millis(200);

/// The notes.
pub struct Outbox {
    notes: Book<LogoutNote>,
    clients: Arc<Clients>,
    /// How many there are: as counted last, and written since.
    waiting: AtomicUsize,
    /// Those whose sessions have just ended here.
    hints: Mutex<Vec<NoteId>>,
    wake: Notify,
    tried: watch::Sender<u64>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbox")
    }
}

impl Outbox {
    /// Notes in this durable store, to these clients.
    pub fn new(kv: Arc<dyn Kv>, clients: Arc<Clients>) -> Self {
        Outbox {
            notes: Book::new(kv),
            clients,
            waiting: AtomicUsize::new(0),
            hints: Mutex::default(),
            wake: Notify::new(),
            tried: watch::Sender::new(0),
        }
    }

    /// Writes a note to each party of a session that wants to be told. To be repeated without harm.
    pub async fn write(&self, session: &Session, now: Moment) -> Result<(), Fault> {
        let Some(person) = session.person() else { return Ok(()) };
        for name in session.parties() {
            let client = self.clients.find_any(name, now).await?;
            if client.is_none_or(|client| client.record.metadata.backchannel_logout_uri.is_none()) {
                continue;
            }
            if self.waiting.load(Ordering::Relaxed) >= MOST {
                tracing::error!(
                    client = name,
                    most = MOST,
                    "too many clients wait to be told of a logout: this one will not be"
                );
                continue;
            }
            let note = LogoutNote::new(session.id, person, name, now);
            let id = note_id(session.id, name);
            if self.notes.create(note, now).await?.is_some() {
                self.waiting.fetch_add(1, Ordering::Relaxed);
            } else {
                self.notes.change(id, now, |note| Decision::Write(note.renewed(now), ())).await?;
            }
        }
        Ok(())
    }

    /// Has the notes of this session looked at now, which has ended.
    pub fn hint(&self, session: &Session) {
        let mut hints = self.hints.lock();
        if hints.len() < MOST {
            hints.extend(session.parties().map(|client| note_id(session.id, client)));
        }
        drop(hints);
        self.wake.notify_one();
    }

    /// Has all that is due looked at now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Until there is a hint.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// What is to be tried now; those with `true` at once.
    pub async fn due(&self, now: Moment) -> Result<Vec<(NoteId, bool)>, Fault> {
        let hints = std::mem::take(&mut *self.hints.lock());
        let mut all: Vec<(NoteId, bool)> = hints.into_iter().map(|id| (id, true)).collect();
        let notes = self.all(now).await?;
        self.waiting.store(notes.len(), Ordering::Relaxed);
        all.extend(notes.iter().filter(|note| note.is_due(now)).map(|note| (note.id(), false)));
        Ok(all)
    }

    /// All that wait.
    pub async fn all(&self, now: Moment) -> Result<Vec<LogoutNote>, Fault> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.notes.page(after, PAGE, now).await?;
            all.extend(page.into_iter().map(|note| note.record));
            match next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Takes a note in hand, for one node at a time.
    pub async fn claim(
        &self,
        id: NoteId,
        at_once: bool,
        now: Moment,
    ) -> Result<Option<(LogoutNote, Claim)>, Fault> {
        let claimed = self.notes.change(id, now, |note| note.claim(at_once, now)).await?;
        Ok(claimed.map(|(note, claim)| (note.record.clone(), claim)))
    }

    /// Changes a note that is in hand.
    pub async fn put_back(&self, note: LogoutNote, now: Moment) -> Result<(), Fault> {
        let id = note.id();
        // What was renewed meanwhile stays so.
        let back = |own: &LogoutNote| {
            Decision::Write(LogoutNote { begun: own.begun.max(note.begun), ..note.clone() }, ())
        };
        self.notes.change(id, now, back).await.map(drop)
    }

    /// Takes away a note that is done with; whether this call did.
    pub async fn done(&self, note: &LogoutNote) -> Result<bool, Fault> {
        Ok(self.notes.remove(note.id()).await?.is_some())
    }

    /// Says that something was tried.
    pub fn tell_tried(&self) {
        self.tried.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until each party of this session was told, or could not be at the first attempt; for no longer than `patience`.
    pub async fn settled(&self, session: &Session, patience: Duration, now: Moment) -> Result<(), Fault> {
        let mut tried = self.tried.subscribe();
        let all_tried = async {
            for client in session.parties() {
                let id = note_id(session.id, client);
                while self.notes.load(id, now).await?.is_some_and(|note| !note.record.was_tried()) {
                    let _news_or_not = tokio::time::timeout(LOOK, tried.changed()).await;
                }
            }
            Ok(())
        };
        tokio::time::timeout(patience, all_tried).await.unwrap_or(Ok(()))
    }
}
