//! Deadlines: no call waits for ever, and a read that met an outage is tried once more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;

/// A store whose every call ends within a given time, as a [`FaultKind::TimedOut`] if need be.
///
/// Reads that are refused as [`FaultKind::Unavailable`] are tried once more within the same time. Writes are not: whether
/// the first try happened is unknown. Its calls must be made within a tokio runtime that has its timer.
pub struct Deadline {
    inner: Arc<dyn Kv>,
    limit: Duration,
}

impl Deadline {
    /// Puts deadlines around a store.
    pub fn new(inner: Arc<dyn Kv>, limit: Duration) -> Self {
        Deadline { inner, limit }
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
        match tokio::time::timeout(self.limit, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let cause = format!("waited {} ms", self.limit.as_millis());
                Err(Fault::new(self.inner.traits().engine, FaultKind::TimedOut, cause))
            }
        }
    }

    async fn twice<'a, T: Send>(
        &'a self,
        read: impl Fn() -> Answer<'a, T> + Send + Sync,
    ) -> Result<T, Fault> {
        let tried = async {
            match read().await {
                Err(fault) if fault.kind == FaultKind::Unavailable => read().await,
                answer => answer,
            }
        };
        self.within(tried).await
    }
}

impl Kv for Deadline {
    fn traits(&self) -> Traits {
        self.inner.traits()
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.twice(|| self.inner.get(key)))
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(self.within(self.inner.create(key, value, death)))
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(self.within(self.inner.replace(key, expected, value, death)))
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.within(self.inner.remove(key)))
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(self.twice(move || self.inner.page(kind, after, limit)))
    }

    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        Box::pin(self.within(self.inner.sweep(before, limit)))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.inner.changes(listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.twice(|| self.inner.ping()))
    }
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Deadline({}, {:?})", self.inner.traits().engine, self.limit)
    }
}
