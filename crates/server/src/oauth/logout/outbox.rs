//! What clients are yet to be told, written down before the session ends: no accident loses it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::oauth::{Claim, Client, LogoutNote, NoteId, note_id};
use gateward_kernel::ports::{Fault, Kv};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::oauth::clients::Clients;

/// So many notes wait at most; more than that are not written, and that is logged.
const MOST: usize = 10_000;
/// So many to one client that an administrator has named: others are told though one never answers.
const MOST_EACH: usize = MOST / 4;
/// So many to one that came by itself, and to all of those together: anybody may have as many of them as may register.
const MOST_BY_ITSELF: usize = 200;
const MOST_BY_THEMSELVES: usize = MOST / 2;
/// So many are read at once.
const PAGE: usize = 100;
/// How often somebody who waits looks whether another node has told.
const LOOK: Duration = Duration::from_millis(200);

/// How many notes wait, for whom.
#[derive(Default)]
struct Waiting {
    all: usize,
    by_themselves: usize,
    each: HashMap<Box<str>, usize>,
}

impl Waiting {
    fn of(notes: &[LogoutNote]) -> Self {
        let mut waiting = Waiting::default();
        for note in notes {
            waiting.add(note);
        }
        waiting
    }

    fn add(&mut self, note: &LogoutNote) {
        self.all += 1;
        self.by_themselves += usize::from(note.by_itself);
        *self.each.entry(note.client.clone()).or_default() += 1;
    }

    /// Whether this one may wait, too.
    fn has_room_for(&self, note: &LogoutNote) -> bool {
        let own = self.each.get(&note.client).copied().unwrap_or_default();
        let has_own_room = match note.by_itself {
            true => own < MOST_BY_ITSELF && self.by_themselves < MOST_BY_THEMSELVES,
            false => own < MOST_EACH,
        };
        has_own_room && self.all < MOST
    }
}

/// The notes.
pub struct Outbox {
    notes: Book<LogoutNote>,
    clients: Arc<Clients>,
    /// How many there are: as counted last, and written since.
    waiting: Mutex<Waiting>,
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
            waiting: Mutex::default(),
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
            let is_told = |client: &Client| client.metadata.backchannel_logout_uri.is_some();
            let Some(client) = client.filter(|client| is_told(&client.record)) else { continue };
            let note = LogoutNote::new(session.id, person, &client.record, now);
            if !self.waiting.lock().has_room_for(&note) {
                tracing::error!(
                    client = name,
                    "too many notes wait to be told of a logout: this client will not hear of it"
                );
                continue;
            }
            let id = note.id();
            if self.notes.create(note.clone(), now).await?.is_some() {
                self.waiting.lock().add(&note);
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
        *self.waiting.lock() = Waiting::of(&notes);
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

#[cfg(test)]
mod tests {
    use gateward_kernel::id::{PersonId, SessionId};

    use super::*;

    fn note(client: &str, by_itself: bool) -> LogoutNote {
        LogoutNote {
            client: client.into(),
            session: SessionId::from_bytes([1; 16]),
            person: PersonId::from_bytes([2; 16]),
            by_itself,
            begun: Moment::DAWN,
            due: Moment::DAWN,
            attempts: 0,
            claimed: None,
        }
    }

    /// As many as have room, of these clients.
    fn fill(waiting: &mut Waiting, clients: usize, by_itself: bool) -> usize {
        let mut count = 0;
        for number in 0..clients {
            let note = note(&format!("{by_itself} {number}"), by_itself);
            while waiting.has_room_for(&note) {
                waiting.add(&note);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn whoever_has_many_clients_keeps_nobody_from_being_told() {
        let mut waiting = Waiting::default();
        assert_eq!(fill(&mut waiting, 1, true), MOST_BY_ITSELF);
        fill(&mut waiting, 1000, true);
        assert_eq!(waiting.all, MOST_BY_THEMSELVES);
        assert_eq!(fill(&mut waiting, 1, false), MOST_EACH);
        assert!(waiting.has_room_for(&note("another", false)));
        fill(&mut waiting, 1000, false);
        assert_eq!(waiting.all, MOST);
        let notes = [note("a", true), note("b", false), note("b", false)];
        let waiting = Waiting::of(&notes);
        assert_eq!((waiting.all, waiting.by_themselves, waiting.each["b"]), (3, 1, 2));
    }
}
