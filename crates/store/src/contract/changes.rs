//! The feed of changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{Listener, Traits, Version};
use gateward_kernel::time::Moment;
use tokio::sync::Notify;

use super::{Checked, Failure, LATE, Subject, create, key, replace};

/// What was told.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Changed(String, Box<[u8]>, Option<Version>),
    Lost,
    Restored,
}

/// A listener that remembers.
#[derive(Default)]
struct Ear {
    told: Mutex<Vec<Told>>,
    news: Notify,
}

impl Ear {
    fn hear(&self, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        self.news.notify_one();
    }

    /// Everything told since the last call, but for what a shared engine says of this handle's own writes a second time
    /// without naming a version.
    fn take_named(&self, traits: &Traits) -> Vec<Told> {
        let mut told = self.take();
        told.retain(|told| !traits.shared || !matches!(told, Told::Changed(_, _, None)));
        told
    }

    /// Everything told since the last call.
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until this change, made through another handle, was told: with its version, or without any. Passes over
    /// everything else.
    async fn wait_for(&self, id: &str, version: Version) -> Checked {
        let found = async {
            while !self.take().iter().any(|told| *told == changed(id, version) || *told == nameless(id)) {
                self.news.notified().await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(1), found).await;
        within.map_err(|_| Failure(format!("{version:?} of {id} was not told within a second")))
    }
}

impl Listener for Ear {
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        self.hear(Told::Changed(kind.into(), id.into(), version));
    }

    fn lost(&self) {
        self.hear(Told::Lost);
    }

    fn restored(&self) {
        self.hear(Told::Restored);
    }
}

fn changed(id: &str, version: Version) -> Told {
    Told::Changed("case".into(), id.as_bytes().into(), Some(version))
}

fn nameless(id: &str) -> Told {
    Told::Changed("case".into(), id.as_bytes().into(), None)
}

pub(super) async fn own(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    create(&*kv, &key("before"), b"").await?;
    let ears = [Arc::new(Ear::default()), Arc::new(Ear::default())];
    for ear in &ears {
        kv.changes(ear.clone());
    }
    let traits = kv.traits();
    let heard = || ears.iter().map(|ear| ear.take_named(&traits)).collect::<Vec<_>>();
    let first = create(&*kv, &key("a"), b"one").await?;
    let told = heard();
    ensure!(told.iter().all(|told| *told == [changed("a", first)]), "after a create: {told:?}");
    let second = replace(&*kv, &key("a"), first, b"two").await?;
    let told = heard();
    ensure!(told.iter().all(|told| *told == [changed("a", second)]), "after a replace: {told:?}");
    kv.remove(&key("a")).await?;
    for told in heard() {
        let newer =
            matches!(&told[..], [Told::Changed(_, id, version)] if **id == *b"a" && *version > Some(second));
        ensure!(newer, "after a removal: {told:?}");
    }
    Ok(())
}

pub(super) async fn in_order(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let kv = kv.clone();
        racers.spawn(async move {
            for _ in 0..20 {
                kv.create(&key("a"), Bytes::new(), LATE).await?;
                if let Some(stored) = kv.get(&key("a")).await? {
                    kv.replace(&key("a"), stored.version, Bytes::new(), LATE).await?;
                }
                kv.remove(&key("a")).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(joined) = racers.join_next().await {
        joined??;
    }
    let mut last = Some(Version(0));
    for told in ear.take_named(&kv.traits()) {
        let Told::Changed(_, _, version) = told else {
            return Err(Failure(format!("the feed of an undisturbed store said {told:?}")));
        };
        ensure!(version > last, "{version:?} was told after {last:?}");
        last = version;
    }
    ensure!(last > Some(Version(0)), "nothing was told");
    Ok(())
}

pub(super) async fn nothing_happened(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let version = create(&*kv, &key("a"), b"one").await?;
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    kv.create(&key("a"), Bytes::new(), LATE).await?;
    kv.replace(&key("a"), Version(version.0 + 7), Bytes::new(), LATE).await?;
    kv.replace(&key("b"), version, Bytes::new(), LATE).await?;
    kv.remove(&key("b")).await?;
    kv.get(&key("a")).await?;
    kv.sweep(Moment::from_micros(0), 10).await?;
    let mut told = ear.take();
    // The create of before may be told once more now.
    if let Some(at) = told.iter().position(|told| kv.traits().shared && *told == nameless("a")) {
        told.remove(at);
    }
    ensure!(told.is_empty(), "without any change {told:?}");
    Ok(())
}

pub(super) async fn elsewhere(subject: &dyn Subject) -> Checked {
    let (here, there) = (subject.open().await?, subject.open().await?);
    let ear = Arc::new(Ear::default());
    here.changes(ear.clone());
    for round in 0..5 {
        let first = create(&*there, &key("a"), b"one").await?;
        ear.wait_for("a", first).await?;
        let own = create(&*here, &key("own"), b"").await?;
        let second = replace(&*there, &key("a"), first, b"two").await?;
        ear.wait_for("a", second).await?;
        ensure!(own > first && second > own, "round {round}: versions do not grow over both handles");
        here.remove(&key("own")).await?;
        there.remove(&key("a")).await?;
        let marker = create(&*there, &key("marker"), b"").await?;
        ear.wait_for("marker", marker).await?;
        there.remove(&key("marker")).await?;
    }
    Ok(())
}
