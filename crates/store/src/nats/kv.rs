//! The port on a bucket.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::HeaderMap;
use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;

use super::api::{self, Last, Published};
use super::dial::Live;
use super::names;
use super::trouble::{Trouble, Why};
use super::{Core, ENGINE, bucket};

/// How long the server keeps a record after its death: more than the clocks of our nodes may differ.
const GRACE: Duration = Duration::from_secs(60);
/// What lives longer is kept for ever, or until its death is moved.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Before something that passes is tried again.
const PAUSE: Duration = Duration::from_millis(30);
/// Before a write that met another one under way looks again.
const MOMENT: Duration = Duration::from_millis(2);

impl Core {
    /// Does it within the deadline of a call.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience, work).await {
            Ok(done) => done.map_err(Trouble::fault),
            Err(_) => {
                let live = self.link.live().await;
                let complaint = live.map(|live| live.complaint()).unwrap_or_default();
                Err(Trouble::late(self.patience, &complaint).fault())
            }
        }
    }

    /// Reads what the leader has as the last message of a subject.
    pub(super) async fn last(&self, subject: &str) -> Result<Option<Last>, Trouble> {
        let mut again = true;
        loop {
            let read = async {
                let live = self.link.live().await?;
                api::last(&live, &self.names.stream, subject).await
            };
            match read.await {
                Ok(last) => {
                    if self.replicas > 1 {
                        self.link.proof()?;
                    }
                    return Ok(last);
                }
                Err(trouble) if trouble.passes() => tokio::time::sleep(PAUSE).await,
                // Reading twice does no harm.
                Err(trouble) if again && matches!(trouble.why, Why::Cut | Why::Unreached) => again = false,
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Writes; again only when the server has said that nobody was there to do it.
    async fn publish(
        &self,
        subject: &str,
        expected: u64,
        headers: &HeaderMap,
        payload: &Bytes,
    ) -> Result<Published, Trouble> {
        loop {
            let live: Arc<Live> = self.link.live().await?;
            let published =
                api::publish(&live, subject, Some(expected), headers.clone(), payload.clone()).await;
            match published {
                Err(trouble) if trouble.passes() => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    fn fits(&self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        crate::fits(ENGINE, key, value)?;
        if value.len() > self.largest {
            let said = format!("{} value of {} bytes, limit {}", key.kind, value.len(), self.largest);
            return Err(Fault::new(ENGINE, FaultKind::TooLarge, said));
        }
        Ok(())
    }

    /// The headers that let the server take the record away some time after its death.
    fn expiry(&self, death: Moment) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let left = death.since(self.clock.now());
        if left < LONGEST {
            headers.insert("Nats-TTL", ((left + GRACE).as_secs() + 1).to_string());
        }
        headers
    }

    async fn add(&self, key: &Key, value: Bytes, death: Moment) -> Result<Created, Trouble> {
        let subject = self.names.of(key);
        let (headers, payload) = (self.expiry(death), names::pack(&value, death));
        let own = self.hub.writing(key, &subject);
        let mut expected = 0;
        loop {
            if let Published::At(sequence) = self.publish(&subject, expected, &headers, &payload).await? {
                let version = names::living(sequence);
                own.done(version, Some(&Stored { value, version, death }));
                return Ok(Created::Done(version));
            }
            let found = self.last(&subject).await?;
            if found.as_ref().is_some_and(|last| last.stored.is_some()) {
                return Ok(Created::Exists);
            }
            let now = found.map_or(0, |last| last.sequence);
            if now == expected {
                // Another write is under way; the server has refused this one for it.
                tokio::time::sleep(MOMENT).await;
            }
            expected = now;
        }
    }

    async fn change(
        &self,
        key: &Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Result<Replaced, Trouble> {
        let subject = self.names.of(key);
        let (headers, payload) = (self.expiry(death), names::pack(&value, death));
        let own = self.hub.writing(key, &subject);
        loop {
            if let Some(sequence) = names::sequence(expected)
                && let Published::At(sequence) = self.publish(&subject, sequence, &headers, &payload).await?
            {
                let version = names::living(sequence);
                own.done(version, Some(&Stored { value, version, death }));
                return Ok(Replaced::Done(version));
            }
            match self.last(&subject).await?.and_then(|last| last.stored) {
                None => return Ok(Replaced::Absent),
                Some(stored) if stored.version != expected => return Ok(Replaced::Stale),
                Some(_) => tokio::time::sleep(MOMENT).await,
            }
        }
    }

    async fn take(&self, key: &Key) -> Result<Option<Stored>, Trouble> {
        let subject = self.names.of(key);
        let own = self.hub.writing(key, &subject);
        let mut seen = 0;
        loop {
            let Some(last) = self.last(&subject).await? else { return Ok(None) };
            let Some(stored) = last.stored else { return Ok(None) };
            if seen == last.sequence {
                tokio::time::sleep(MOMENT).await;
            }
            seen = last.sequence;
            let published = self.publish(&subject, seen, &api::removal(), &Bytes::new()).await?;
            if let Published::At(sequence) = published {
                own.done(names::gone(sequence), None);
                return Ok(Some(stored));
            }
        }
    }
}

impl Kv for Core {
    fn traits(&self) -> Traits {
        Traits {
            engine: ENGINE,
            durable: false,
            shared: true,
            pages: true,
            pushes: true,
            expires: true,
            largest: self.largest,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            let subject = self.names.of(key);
            let last = self.within(self.last(&subject)).await?;
            Ok(last.and_then(|last| last.stored))
        })
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move {
            self.fits(key, &value)?;
            self.within(self.add(key, value, death)).await
        })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move {
            self.fits(key, &value)?;
            self.within(self.change(key, expected, value, death)).await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.within(self.take(key)))
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(self.list(kind, after, limit))
    }

    fn sweep(&self, _: Moment, _: usize) -> Answer<'_, usize> {
        // The server does it by itself, a minute after the death.
        Box::pin(std::future::ready(Ok(0)))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.hub.join(listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.within(async {
            let live = self.link.live().await?;
            bucket::info(&live, &self.names).await?;
            if self.replicas > 1 { self.link.proof() } else { Ok(()) }
        }))
    }
}
