//! The layers around a store that misbehaves on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;
use gateward_store::Memory;
use gateward_store::layers::{BOUNDS, Deadline, Meter, Metered, Operation, Outcome};

use super::LATE;

/// A store whose first calls fail, or whose calls never end.
struct Shaky {
    memory: Memory,
    failures: AtomicUsize,
    kind: FaultKind,
    hangs: bool,
    calls: AtomicUsize,
}

impl Shaky {
    fn new(failures: usize, kind: FaultKind, hangs: bool) -> Arc<Self> {
        let (memory, calls) = (Memory::new(), AtomicUsize::new(0));
        Arc::new(Shaky { memory, failures: AtomicUsize::new(failures), kind, hangs, calls })
    }

    fn shake<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let left =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Box::pin(async move {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            if left.is_ok() { Err(Fault::new("shaky", self.kind, "as told")) } else { answer.await }
        })
    }
}

impl Kv for Shaky {
    fn traits(&self) -> Traits {
        self.memory.traits()
    }
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        self.shake(self.memory.get(key))
    }
    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        self.shake(self.memory.create(key, value, death))
    }
    fn replace<'a>(
        &'a self,
        key: &'a Key,
        seen: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        self.shake(self.memory.replace(key, seen, value, death))
    }
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        self.shake(self.memory.remove(key))
    }
    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        self.shake(self.memory.page(kind, after, limit))
    }
    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        self.shake(self.memory.sweep(before, limit))
    }
    fn changes(&self, listener: Arc<dyn Listener>) {
        self.memory.changes(listener);
    }
    fn ping(&self) -> Answer<'_, ()> {
        self.shake(self.memory.ping())
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn reads_are_tried_twice_and_writes_once() {
    let key = Key::new("a", "a");
    for (failures, kind, heals) in [
        (1, FaultKind::Unavailable, true),
        (2, FaultKind::Unavailable, false),
        (1, FaultKind::Unreadable, false),
        (1, FaultKind::TimedOut, false),
    ] {
        let kv = Deadline::new(Shaky::new(failures, kind, false), SECOND);
        let answer = kv.get(&key).await;
        assert_eq!(answer.is_ok(), heals, "{failures} times {kind:?}");
        assert!(answer.is_ok() || answer.unwrap_err().kind == kind);
    }
    let shaky = Shaky::new(3, FaultKind::Unavailable, false);
    let kv = Deadline::new(shaky.clone(), SECOND);
    assert!(kv.create(&key, Bytes::new(), LATE).await.is_err());
    assert!(kv.replace(&key, Version(1), Bytes::new(), LATE).await.is_err());
    assert!(kv.remove(&key).await.is_err());
    assert_eq!(shaky.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_takes_longer_than_the_deadline() {
    let shaky = Shaky::new(0, FaultKind::Unavailable, true);
    let kv = Deadline::new(shaky.clone(), SECOND);
    let key = Key::new("a", "a");
    let kinds = [
        kv.get(&key).await.map(|_| ()),
        kv.create(&key, Bytes::new(), LATE).await.map(|_| ()),
        kv.replace(&key, Version(1), Bytes::new(), LATE).await.map(|_| ()),
        kv.remove(&key).await.map(|_| ()),
        kv.page("a", None, 1).await.map(|_| ()),
        kv.sweep(LATE, 1).await.map(|_| ()),
        kv.ping().await,
    ];
    for answer in kinds {
        assert_eq!(answer.unwrap_err().kind, FaultKind::TimedOut);
    }
    assert_eq!(shaky.calls.load(Ordering::Relaxed), 7, "what took too long is not tried again");
}

#[tokio::test]
async fn calls_are_counted_by_what_they_came_to() {
    let meter = Arc::new(Meter::default());
    let kv = Metered::new(Shaky::new(1, FaultKind::Unavailable, false), meter.clone());
    let key = Key::new("a", "a");
    assert!(meter.figures().is_empty());
    assert!(kv.get(&key).await.is_err());
    assert!(kv.get(&key).await.unwrap().is_none());
    let Created::Done(version) = kv.create(&key, Bytes::new(), LATE).await.unwrap() else { panic!() };
    kv.create(&key, Bytes::new(), LATE).await.unwrap();
    kv.get(&key).await.unwrap().unwrap();
    kv.get(&key).await.unwrap().unwrap();
    kv.replace(&key, Version(version.0 + 1), Bytes::new(), LATE).await.unwrap();
    kv.remove(&key).await.unwrap().unwrap();
    kv.replace(&key, version, Bytes::new(), LATE).await.unwrap();
    let counts: Vec<_> = meter
        .figures()
        .iter()
        .map(|figure| {
            assert_eq!(figure.buckets.iter().sum::<u64>(), figure.count);
            (figure.operation.name(), figure.outcome.name(), figure.count)
        })
        .collect();
    let expected = [
        ("get", "done", 2),
        ("get", "absent", 1),
        ("get", "fault", 1),
        ("create", "done", 1),
        ("create", "exists", 1),
        ("replace", "stale", 1),
        ("replace", "absent", 1),
        ("remove", "done", 1),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_bucket_takes_what_is_at_most_its_bound() {
    let meter = Meter::default();
    for micros in [0, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[11], BOUNDS[11] + 1] {
        meter.count(Operation::Get, Outcome::Done, Duration::from_micros(micros));
    }
    let buckets = meter.figures()[0].buckets;
    assert_eq!((buckets[0], buckets[1], buckets[11], buckets[12]), (2, 1, 1, 1));
}
