//! A connection to a server that many callers share: questions go out as they come, answers come back in their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gateward_kernel::ports::{Fault, FaultKind, Key, Listener, Version};
use parking_lot::RwLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::ENGINE;
use super::address::{Login, ServerName};
use super::greeting::{Conversation, Life, Unusable, greet};
use super::wire::{self, Question, Reply};

/// Questions that wait for a connection; more callers wait until there is room.
const QUEUE: usize = 1024;
/// Questions that were sent and not answered.
const DEPTH: usize = 1024;
/// Bytes that are to be sent.
const BACKLOG: usize = 1 << 20;
/// After a failed attempt to connect, whoever comes within this time is told so without another attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// A server, as its connections know it.
pub(super) struct Site {
    pub(super) server: ServerName,
    /// Its place among the servers.
    pub(super) mark: usize,
    pub(super) login: Option<Login>,
    pub(super) patience: Duration,
    pub(super) connecting: Duration,
    pub(super) listeners: Arc<Listeners>,
}

/// Who is told of this process's own writes.
#[derive(Default)]
pub(super) struct Listeners(pub(super) RwLock<Vec<Arc<dyn Listener>>>);

impl Listeners {
    fn tell(&self, key: &Key, version: Option<Version>) {
        for listener in self.0.read().iter() {
            listener.changed(key.kind, &key.id, version);
        }
    }
}

/// What is wanted of a server.
#[derive(Debug)]
pub(super) enum Wish {
    Get,
    Add { value: Bytes, live: u64 },
    Replace { expected: Version, value: Bytes, live: u64 },
    Delete { expected: Version },
    Ping,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Found(Version, Bytes),
    Done(Version),
    Missing,
    /// Something is there, or something else.
    Otherwise,
}

/// A wish, and whom to answer.
pub(super) struct Request {
    pub(super) key: Key,
    /// The key as the server has it.
    pub(super) wire_key: Bytes,
    pub(super) wish: Wish,
    pub(super) answer: oneshot::Sender<Result<Outcome, Fault>>,
}

/// The way to a connection. It is made when it is needed, and again after it broke.
#[derive(Clone)]
pub(super) struct Line(mpsc::Sender<Request>);

impl Line {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let (sender, requests) = mpsc::channel(QUEUE);
        tokio::spawn(run(site, requests));
        Line(sender)
    }

    pub(super) async fn send(&self, request: Request) -> Result<(), Fault> {
        let gone = |_| Fault::new(ENGINE, FaultKind::Unavailable, "the runtime of this store has ended");
        self.0.send(request).await.map_err(gone)
    }
}

impl Site {
    /// A fault of this server.
    fn fault(&self, kind: FaultKind, cause: impl std::fmt::Display) -> Fault {
        Fault::new(ENGINE, kind, format_args!("{}: {cause}", self.server))
    }

    /// Connects within the time for that.
    pub(super) async fn greet(&self) -> Result<Conversation, Unusable> {
        let greeting = greet(&self.server, self.mark, self.login.as_ref());
        match tokio::time::timeout(self.connecting, greeting).await {
            Ok(greeted) => greeted,
            Err(_) => Err(Unusable::Silent(self.connecting.as_millis())),
        }
    }
}

async fn run(site: Arc<Site>, mut requests: mpsc::Receiver<Request>) {
    let mut was_away = false;
    while let Some(first) = requests.recv().await {
        match site.greet().await {
            Ok(conversation) => {
                if std::mem::take(&mut was_away) {
                    tracing::info!(server = %site.server, "memcached is back");
                }
                let Some(fault) = converse(&site, conversation, first, &mut requests).await else { return };
                tracing::debug!(%fault, "a connection has ended");
            }
            Err(unusable) => {
                if !std::mem::replace(&mut was_away, true) {
                    tracing::warn!(server = %site.server, %unusable, "memcached is away: what is on this server is refused");
                }
                let fault = site.fault(FaultKind::Unavailable, unusable);
                refuse(first, &fault);
                let until = Instant::now() + PAUSE;
                while let Ok(Some(request)) = tokio::time::timeout_at(until, requests.recv()).await {
                    refuse(request, &fault);
                }
            }
        }
    }
}

fn refuse(request: Request, fault: &Fault) {
    // Who gave up needs no answer.
    let _gave_up = request.answer.send(Err(fault.clone()));
}

/// What was sent and is not answered.
struct Waiting {
    since: Instant,
    key: Key,
    sent: Sent,
    answer: oneshot::Sender<Result<Outcome, Fault>>,
}

/// What an answer means depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Read,
    Look,
    Write,
    /// Of this state.
    Delete(u64),
    Noop,
}

/// Asks and answers until the connection ends, and says why; `None` when nobody will ask any more.
async fn converse(
    site: &Site,
    conversation: Conversation,
    first: Request,
    requests: &mut mpsc::Receiver<Request>,
) -> Option<Fault> {
    let Conversation { mut stream, life, said } = conversation;
    let (mut reader, mut writer) = stream.split();
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let mut talk = Talk { site, life, largest: said.largest(), waiting: VecDeque::new() };
    talk.ask(first, &mut output);
    let mut may_come = true;
    let mut watch = tokio::time::interval((site.patience / 8).max(Duration::from_millis(1)));
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let broken = |cause: &dyn std::fmt::Display| site.fault(FaultKind::Unavailable, cause);
    let fault = loop {
        if !may_come && talk.waiting.is_empty() {
            return None;
        }
        let has_room = may_come && talk.waiting.len() < DEPTH && output.len() < BACKLOG;
        tokio::select! {
            read = reader.read_buf(&mut input) => match read {
                Ok(0) => break broken(&"the connection was closed"),
                Ok(_) => if let Err(fault) = talk.hear(&mut input) { break fault },
                Err(error) => break broken(&error),
            },
            written = writer.write_buf(&mut output), if !output.is_empty() => match written {
                Ok(0) => break broken(&"the connection was closed"),
                Ok(_) => {}
                Err(error) => break broken(&error),
            },
            request = requests.recv(), if has_room => match request {
                Some(request) => {
                    talk.ask(request, &mut output);
                    // Who came with it is sent with it.
                    while talk.waiting.len() < DEPTH && output.len() < BACKLOG
                        && let Ok(request) = requests.try_recv()
                    {
                        talk.ask(request, &mut output);
                    }
                }
                None => may_come = false,
            },
            _ = watch.tick() => if talk.is_silent() {
                let waited = site.patience.as_millis();
                break site.fault(FaultKind::TimedOut, format_args!("no answer for {waited} ms"));
            },
        }
    };
    talk.give_up(&fault);
    Some(fault)
}

/// The state of a connection.
struct Talk<'a> {
    site: &'a Site,
    life: Life,
    largest: usize,
    waiting: VecDeque<Waiting>,
}

impl Talk<'_> {
    /// Writes down what is to be sent. What its caller gave up meanwhile is never sent.
    fn ask(&mut self, request: Request, output: &mut BytesMut) {
        let Request { key, wire_key, wish, answer } = request;
        if answer.is_closed() {
            return;
        }
        let size = match &wish {
            Wish::Add { value, .. } | Wish::Replace { value, .. } => value.len(),
            _ => 0,
        };
        if size > self.largest {
            let cause = format_args!("{} value of {size} bytes, limit {}", key.kind, self.largest);
            let _gave_up = answer.send(Err(self.site.fault(FaultKind::TooLarge, cause)));
            return;
        }
        let now = || self.life.now();
        let key_of = &wire_key[..];
        // The version of another run of the server, or of a removal, is no state's: only whether there is a record is asked.
        let (question, sent) = match &wish {
            Wish::Get => (Question::Get { key: key_of }, Sent::Read),
            Wish::Add { value, live } => {
                (Question::Add { key: key_of, value, expires: wire::expires(*live, now()) }, Sent::Write)
            }
            Wish::Replace { expected, value, live } => match self.life.cas(*expected) {
                Some(cas) => {
                    let expires = wire::expires(*live, now());
                    (Question::Swap { key: key_of, cas, value, expires }, Sent::Write)
                }
                None => (Question::Look { key: key_of }, Sent::Look),
            },
            Wish::Delete { expected } => match self.life.cas(*expected) {
                Some(cas) => (Question::Delete { key: key_of, cas }, Sent::Delete(cas)),
                None => (Question::Look { key: key_of }, Sent::Look),
            },
            Wish::Ping => (Question::Noop, Sent::Noop),
        };
        question.write(output);
        self.waiting.push_back(Waiting { since: Instant::now(), key, sent, answer });
    }

    /// Hands out what was answered.
    fn hear(&mut self, input: &mut BytesMut) -> Result<(), Fault> {
        let confused = |cause: &dyn std::fmt::Display| self.site.fault(FaultKind::Unavailable, cause);
        while let Some(reply) = wire::take(input).map_err(|error| confused(&error))? {
            let Some(waiting) = self.waiting.pop_front() else {
                return Err(confused(&"it answered what nobody asked"));
            };
            let life = &self.life;
            let outcome = match (waiting.sent, reply) {
                (Sent::Read, Reply::Value { cas, value }) => Ok(Outcome::Found(life.version(cas), value)),
                (Sent::Read | Sent::Look | Sent::Write | Sent::Delete(_), Reply::Missing) => {
                    Ok(Outcome::Missing)
                }
                (Sent::Look, Reply::Done { .. }) => Ok(Outcome::Otherwise),
                (Sent::Write, Reply::Done { cas: Some(cas) }) => Ok(Outcome::Done(life.version(cas))),
                (Sent::Write, Reply::NotStored | Reply::Changed) => Ok(Outcome::Otherwise),
                (Sent::Delete(cas), Reply::Done { .. }) => Ok(Outcome::Done(life.removal(cas))),
                (Sent::Delete(_), Reply::Changed) => Ok(Outcome::Otherwise),
                (Sent::Noop, Reply::Noop) => Ok(Outcome::Missing),
                (sent, Reply::Failed(said)) => {
                    if matches!(sent, Sent::Write) {
                        // A server that has no room for the new state has thrown away the old one.
                        self.site.listeners.tell(&waiting.key, None);
                    }
                    Err(self.site.fault(FaultKind::Unavailable, said))
                }
                (_, reply) => {
                    let fault = confused(&format_args!("{reply:?} answers another question"));
                    self.waiting.push_front(waiting);
                    return Err(fault);
                }
            };
            if let Ok(Outcome::Done(version)) = &outcome {
                self.site.listeners.tell(&waiting.key, Some(*version));
            }
            let _gave_up = waiting.answer.send(outcome);
        }
        Ok(())
    }

    /// Whether an answer is overdue.
    fn is_silent(&self) -> bool {
        self.waiting.front().is_some_and(|waiting| waiting.since.elapsed() >= self.site.patience)
    }

    /// Tells everybody who waits that there will be no answer. Whether what was asked was done, nobody knows.
    fn give_up(&mut self, fault: &Fault) {
        for waiting in self.waiting.drain(..) {
            let is_write = matches!(waiting.sent, Sent::Write | Sent::Delete(_));
            let mut fault = fault.clone();
            if is_write {
                fault.cause.push_str("; whether it was written is not known");
                self.site.listeners.tell(&waiting.key, None);
            }
            let _gave_up = waiting.answer.send(Err(fault));
        }
    }
}
