//! Sealed keys.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::{Listener, SealedKey, Version};
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Home, create};

fn key(purpose: &str, id: &str, micros: i64, byte: u8) -> SealedKey {
    SealedKey {
        purpose: purpose.into(),
        id: id.into(),
        created: Moment::from_micros(micros),
        sealed: vec![byte; 40],
    }
}

on_both_engines!(
    a_sealed_key_is_written_once,
    a_sealed_key_is_replaced_only_where_it_is,
    a_sealed_key_is_removed_once,
    changed_keys_are_told_here_and_elsewhere,
);

async fn a_sealed_key_is_written_once(home: Home) {
    let directory = home.open().await.directory;
    let (young, old, other) = (key("pepper", "a", 20, 1), key("pepper", "b", 10, 2), key("sign", "a", 5, 3));
    for fresh in [&young, &old, &other] {
        assert!(directory.add_sealed_key(fresh).await.unwrap());
    }
    assert!(!directory.add_sealed_key(&key("pepper", "a", 99, 9)).await.unwrap());
    assert_eq!(directory.sealed_keys("pepper").await.unwrap(), [old, young]);
    assert_eq!(directory.sealed_keys("sign").await.unwrap(), [other]);
    assert_eq!(directory.sealed_keys("none").await.unwrap(), []);

    let racers = (0..20_u8).map(|number| {
        let (directory, key) = (directory.clone(), key("race", "only", number.into(), number));
        async move { directory.add_sealed_key(&key).await.unwrap() }
    });
    let won = racers.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(directory.sealed_keys("race").await.unwrap().len(), 1);
}

async fn a_sealed_key_is_replaced_only_where_it_is(home: Home) {
    let directory = home.open().await.directory;
    let (a, b) = (key("sign", "a", 10, 1), key("sign", "b", 20, 2));
    assert!(!directory.replace_sealed_key(&a).await.unwrap(), "nothing comes into being");
    for fresh in [&a, &b, &key("other", "a", 10, 3)] {
        assert!(directory.add_sealed_key(fresh).await.unwrap());
    }
    assert!(directory.replace_sealed_key(&key("sign", "a", 10, 9)).await.unwrap());
    assert!(!directory.replace_sealed_key(&key("sign", "a", 11, 8)).await.unwrap(), "another key of that id");
    assert!(!directory.replace_sealed_key(&key("sign", "c", 10, 8)).await.unwrap());
    assert_eq!(directory.sealed_keys("sign").await.unwrap(), [key("sign", "a", 10, 9), b]);
    assert_eq!(directory.sealed_keys("other").await.unwrap(), [key("other", "a", 10, 3)]);
    drop(directory);
    let directory = home.open().await.directory;
    assert_eq!(directory.sealed_keys("sign").await.unwrap()[0], key("sign", "a", 10, 9), "it lasts");
}

async fn a_sealed_key_is_removed_once(home: Home) {
    let directory = home.open().await.directory;
    for fresh in [key("sign", "a", 10, 1), key("sign", "b", 20, 2), key("other", "a", 10, 3)] {
        assert!(directory.add_sealed_key(&fresh).await.unwrap());
    }
    let racers = (0..20).map(|_| {
        let directory = directory.clone();
        async move { directory.remove_sealed_key("sign", "a").await.unwrap() }
    });
    let won = racers.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert!(!directory.replace_sealed_key(&key("sign", "a", 10, 9)).await.unwrap(), "it does not come back");
    assert_eq!(directory.sealed_keys("sign").await.unwrap(), [key("sign", "b", 20, 2)]);
    assert_eq!(directory.sealed_keys("other").await.unwrap().len(), 1);
}

/// Remembers the kind and the id of what it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Listener for Ear {
    fn changed(&self, kind: &str, id: &[u8], _: Option<Version>) {
        self.0.lock().push(format!("{kind} {}", String::from_utf8_lossy(id)));
    }

    fn lost(&self) {}

    fn restored(&self) {}
}

async fn changed_keys_are_told_here_and_elsewhere(home: Home) {
    let (here, there) = (home.open().await, home.open().await);
    let (own, others) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
    here.directory.changes(own.clone());
    there.directory.changes(others.clone());
    let directory = here.directory;
    create(&here.kv, "a record").await.unwrap();
    let fresh = key("sign", "a", 10, 1);
    assert!(directory.add_sealed_key(&fresh).await.unwrap());
    assert!(!directory.add_sealed_key(&fresh).await.unwrap());
    assert!(directory.replace_sealed_key(&key("sign", "a", 10, 2)).await.unwrap());
    assert!(directory.add_sealed_key(&key("pepper", "b", 10, 2)).await.unwrap());
    assert!(directory.remove_sealed_key("sign", "a").await.unwrap());
    assert!(!directory.remove_sealed_key("sign", "a").await.unwrap());
    let told = ["key sign", "key sign", "key pepper", "key sign"];
    assert_eq!(*own.0.lock(), told, "what happened, before it was acknowledged, and no records");
    let begun = Instant::now();
    while others.0.lock().len() < told.len() {
        assert!(begun.elapsed() < Duration::from_secs(1), "not within a second");
        tokio::task::yield_now().await;
    }
    assert_eq!(*others.0.lock(), told);
}
