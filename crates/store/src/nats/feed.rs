//! The feed of changes: a consumer of the stream, followed over the connection that the calls use too.
//!
//! A line that is open proves little: the server behind it may have been left behind by the others, and then goes on saying that
//! nothing happens. So this handle writes a message of its own into the same stream twice a second. That it is acknowledged
//! proves that most servers agree with this one; that the feed brings it soon afterwards proves that it brings everything.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::HeaderMap;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{self, Published};
use super::dial::Live;
use super::hub::Hub;
use super::link::Link;
use super::names::{self, Names};
use super::trouble::{Trouble, Why};

/// How often is shown that the feed is whole.
const BEAT: Duration = Duration::from_millis(500);
/// How long the acknowledgement and the echo of a beat may take. With the time between beats it is below two seconds.
const SILENCE: Duration = Duration::from_millis(1300);
/// How often is looked whether anything is late.
const GLANCE: Duration = Duration::from_millis(50);
/// How long making a consumer may take.
const MAKING: Duration = Duration::from_secs(5);
/// The server takes a consumer away that nobody has listened to for so long.
const INACTIVE: Duration = Duration::from_secs(5);
/// The server forgets a beat after so many seconds.
const BEAT_SECONDS: u64 = 30;
/// After a longer time away, the server may have forgotten removals: everything is loaded anew.
const FORGETS: Duration = Duration::from_secs(api::TOMBSTONE_SECONDS / 2);
/// The number of a beat.
const NUMBER: &str = "Gateward-Beat";

/// Follows the changes of one bucket.
pub(super) struct Feed {
    pub(super) hub: Arc<Hub>,
    pub(super) link: Arc<Link>,
    pub(super) names: Names,
    /// The name of this handle among all handles.
    pub(super) handle: String,
    consumers: u64,
    beats: u64,
    mark: Option<Mark>,
    hasher: RandomState,
}

/// The last message that was heard, to go on from there.
struct Mark {
    sequence: u64,
    digest: u64,
    heard: Instant,
}

/// Why following has ended.
pub(super) enum Ended {
    /// Somebody wants to hold everything, and must be loaded.
    Wanted,
    /// The connection is not good.
    Line(Trouble),
    /// The connection may be good, and the feed is not there.
    Feed(Trouble),
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        match trouble.why {
            Why::Unreached | Why::Cut | Why::Late | Why::NoLeader => Ended::Line(trouble),
            _ => Ended::Feed(trouble),
        }
    }
}

type Beat = Pin<Box<dyn Future<Output = Result<Published, Trouble>> + Send>>;

/// One run of the feed.
struct Run {
    holders: usize,
    /// The number of the last message that the consumer has sent us.
    delivered: u64,
    heard: Instant,
    up: bool,
    /// Beats whose echo is to come, and when they were sent.
    pending: VecDeque<(u64, Instant)>,
}

impl Feed {
    pub(super) fn new(hub: Arc<Hub>, link: Arc<Link>, names: Names, handle: String) -> Self {
        let hasher = RandomState::new();
        Feed { hub, link, names, handle, consumers: 0, beats: 0, mark: None, hasher }
    }

    /// Follows until something ends it; `up` is called when the feed is whole.
    pub(super) async fn follow(&mut self, live: &Arc<Live>, up: impl FnOnce() + Send) -> Ended {
        self.hub.following();
        let consumer = format!("gw-{}-{}", self.handle, self.consumers);
        self.consumers += 1;
        let ended = match self.begin(live, &consumer).await {
            Ok((mut run, messages)) => self.listen(live, &mut run, messages, up).await,
            Err(trouble) => trouble.into(),
        };
        self.hub.lost();
        // The server would take it away by itself a little later. When this connection is gone too, it does.
        let (live, question) = (live.clone(), format!("CONSUMER.DELETE.{}.{consumer}", self.names.stream));
        tokio::spawn(async move {
            let _ = tokio::time::timeout(SILENCE, api::ask(&live, &question, &Value::Null)).await;
        });
        ended
    }

    async fn begin(&mut self, live: &Arc<Live>, consumer: &str) -> Result<(Run, Subscriber), Trouble> {
        let holders = self.hub.holders();
        let from = if holders > 0 { self.resumable(live).await? } else { None };
        let inbox = live.client.new_inbox();
        let subscribed = live.client.subscribe(inbox.clone()).await;
        let messages = subscribed.map_err(|error| Trouble::new(Why::Cut, error.to_string()))?;
        let policy = match (holders, from) {
            (0, _) => "new",
            (_, None) => "last_per_subject",
            (_, Some(_)) => "by_start_sequence",
        };
        if holders > 0 {
            self.hub.loading(from.is_none());
        }
        self.mark = None;
        let mut config = json!({
            "name": consumer,
            "deliver_subject": inbox,
            "deliver_policy": policy,
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "filter_subjects": [self.names.records(), self.names.beat(&self.handle)],
            "flow_control": true,
            "idle_heartbeat": 500_000_000_u64,
            "headers_only": holders == 0,
            "inactive_threshold": INACTIVE.as_nanos() as u64,
            "num_replicas": 1,
            "mem_storage": true,
        });
        if let (Some(from), Some(config)) = (from, config.as_object_mut()) {
            config.insert("opt_start_seq".into(), from.into());
        }
        let stream = &self.names.stream;
        let body = json!({ "stream_name": stream, "config": config, "action": "create" });
        let question = format!("CONSUMER.CREATE.{stream}.{consumer}");
        let making = tokio::time::timeout(MAKING, api::ask(live, &question, &body));
        making.await.map_err(|_| Trouble::late(MAKING, &live.complaint()))??;
        let run = Run { holders, delivered: 0, heard: Instant::now(), up: false, pending: VecDeque::new() };
        Ok((run, messages))
    }

    /// The number of the message to go on with, when the stream still is the one that was followed up to there: a server that
    /// lost its newest messages in a crash gives their numbers to others.
    async fn resumable(&mut self, live: &Live) -> Result<Option<u64>, Trouble> {
        let Some(mark) = &self.mark else { return Ok(None) };
        if mark.heard.elapsed() > FORGETS {
            return Ok(None);
        }
        let question = json!({ "seq": mark.sequence });
        let asking = tokio::time::timeout(MAKING, api::message(live, &self.names.stream, &question));
        let raw = asking.await.map_err(|_| Trouble::late(MAKING, &live.complaint()))??;
        let is_same = raw.is_some_and(|raw| self.digest(&raw.subject, &raw.payload) == mark.digest);
        Ok(is_same.then_some(mark.sequence + 1))
    }

    fn digest(&self, subject: &str, payload: &[u8]) -> u64 {
        self.hasher.hash_one((subject, payload))
    }

    async fn listen(
        &mut self,
        live: &Arc<Live>,
        run: &mut Run,
        mut messages: Subscriber,
        up: impl FnOnce(),
    ) -> Ended {
        let (mut up, mut next) = (Some(up), Instant::now());
        let mut beat: Option<(Instant, Beat)> = None;
        let mut glance = tokio::time::interval(GLANCE);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else {
                        return Trouble::new(Why::Cut, "the feed has ended").into();
                    };
                    match self.take(live, run, message).await {
                        Ok(()) => {}
                        Err(trouble) => return trouble.into(),
                    }
                    if run.up && let Some(up) = up.take() {
                        self.hub.restored(run.holders);
                        up();
                    }
                }
                (begun, acknowledged) = acknowledged(&mut beat), if beat.is_some() => {
                    beat = None;
                    match acknowledged {
                        Ok(_) => self.link.proved(begun),
                        Err(trouble) => return trouble.into(),
                    }
                }
                _ = glance.tick() => {
                    if let Err(trouble) = in_time(run, beat.as_ref().map(|(begun, _)| *begun), live) {
                        return trouble.into();
                    }
                    if beat.is_none() && Instant::now() >= next {
                        next = Instant::now() + BEAT;
                        beat = Some(self.beat(live, run));
                    }
                }
                () = live.ended() => {
                    return Trouble::new(Why::Cut, format!("the connection to {} has ended", live.host)).into();
                }
                () = self.hub.wanted.notified() => {
                    if self.hub.holders() != run.holders {
                        return Ended::Wanted;
                    }
                }
            }
        }
    }

    fn beat(&mut self, live: &Arc<Live>, run: &mut Run) -> (Instant, Beat) {
        self.beats += 1;
        let begun = Instant::now();
        run.pending.push_back((self.beats, begun));
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", BEAT_SECONDS.to_string());
        headers.insert(NUMBER, self.beats.to_string());
        let (live, subject) = (live.clone(), self.names.beat(&self.handle));
        // The number stands in the value too, so that no two beats are alike.
        let payload = Bytes::from(self.beats.to_string());
        let beat = async move { api::publish(&live, &subject, None, headers, payload).await };
        (begun, Box::pin(beat))
    }

    async fn take(&mut self, live: &Live, run: &mut Run, message: Message) -> Result<(), Trouble> {
        run.heard = Instant::now();
        if let Some(status) = message.status {
            return notice(live, status, &message).await;
        }
        let odd = || Trouble::new(Why::Odd, "a message of the feed has no place in it");
        let (sequence, delivered) = message.reply.as_deref().and_then(place).ok_or_else(odd)?;
        run.delivered += 1;
        if delivered != run.delivered {
            return Err(Trouble::new(Why::Odd, "messages of the feed are missing"));
        }
        let subject = message.subject.as_str();
        let digest = self.digest(subject, &message.payload);
        let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str().to_owned());
        if let Some((kind, id)) = self.names.parse(subject) {
            if api::is_removal(message.headers.as_ref()) {
                self.hub.heard(subject, (kind, &id), names::gone(sequence), None);
            } else {
                let version = names::living(sequence);
                let stored = (run.holders > 0).then(|| api::stored(message.payload.clone(), version).ok());
                self.hub.heard(subject, (kind, &id), version, stored.flatten().as_ref());
            }
        } else if let Some(number) = header(NUMBER).and_then(|number| number.parse::<u64>().ok()) {
            // One of an earlier run proves nothing of this one.
            if run.pending.front().is_some_and(|(first, _)| *first <= number) {
                run.pending.retain(|(pending, _)| *pending > number);
                run.up = true;
            }
        }
        if run.up && run.holders > 0 {
            self.mark = Some(Mark { sequence, digest, heard: run.heard });
        }
        Ok(())
    }
}

async fn acknowledged(beat: &mut Option<(Instant, Beat)>) -> (Instant, Result<Published, Trouble>) {
    match beat {
        Some((begun, beat)) => (*begun, beat.await),
        None => std::future::pending().await,
    }
}

/// An error when something takes too long.
fn in_time(run: &Run, beat: Option<Instant>, live: &Live) -> Result<(), Trouble> {
    let echo = run.pending.front().map(|(_, sent)| *sent).filter(|_| run.up);
    // While everything is loaded, the echo comes behind it.
    let heard = (!run.up).then_some(run.heard);
    for since in [beat, echo, heard].into_iter().flatten() {
        if since.elapsed() > SILENCE {
            return Err(Trouble::late(SILENCE, &live.complaint()));
        }
    }
    Ok(())
}

/// What the server says of the feed itself.
async fn notice(live: &Live, status: StatusCode, message: &Message) -> Result<(), Trouble> {
    if status != StatusCode::IDLE_HEARTBEAT {
        return Err(Trouble::new(Why::Odd, format!("the server ended the feed ({status})")));
    }
    // It waits for us: that we are as far as this.
    let stalled = message.headers.as_ref().and_then(|headers| headers.get("Nats-Consumer-Stalled"));
    let answer = message.reply.as_ref().map(ToString::to_string);
    if let Some(answer) = answer.or_else(|| stalled.map(|subject| subject.as_str().to_owned())) {
        let answered = live.client.publish(answer, Bytes::new()).await;
        answered.map_err(|error| Trouble::new(Why::Cut, error.to_string()))?;
    }
    Ok(())
}

/// The number of a message in the stream and in the feed, as the subject for its acknowledgement has them.
fn place(reply: &str) -> Option<(u64, u64)> {
    let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    // <stream>.<consumer>.<tries>.<stream number>.<feed number>.<time>.<rest>, with domain and account before it since 2.2.
    let first = if parts.len() >= 9 { 2 } else { 0 };
    let number = |at: usize| parts.get(first + at)?.parse::<u64>().ok();
    Some((number(3)?, number(4)?))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_place_of_a_message_is_read() {
        assert_eq!(place("$JS.ACK.KV_b.gw-1.1.77.5.1700000000.3"), Some((77, 5)));
        assert_eq!(place("$JS.ACK.dom.acc.KV_b.gw-1.1.77.5.1700000000.3.x"), Some((77, 5)));
        for odd in ["", "$JS.ACK.", "$JS.ACK.KV_b.gw-1.1.x.5.1.3", "_INBOX.a.b"] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }
}
