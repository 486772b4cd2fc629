//! A server that follows, and takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateward_engines::Postgres as Server;
use gateward_kernel::ports::{FaultKind, Key, Kv};
use gateward_store::checkup::Level;
use gateward_store::postgres::{PostgresAddress, PostgresOptions};
use tokio::task::{JoinSet, block_in_place};

use super::super::{LATE, create};
use super::{Ear, Postgres, Told, open, open_with, within};

/// Longer than anything may take to notice or to heal.
const SOON: Duration = Duration::from_secs(10);

/// A server, one that follows it, and the address of both for a database.
struct Pair {
    primary: Server,
    standby: Server,
    name: String,
    url: String,
}

fn pair() -> Pair {
    block_in_place(|| {
        let primary = Server::start();
        let standby = primary.standby();
        let name = primary.fresh_database();
        standby.catch_up(&primary);
        let url = format!("postgres://postgres@{},{}/{name}", standby.addr(), primary.addr());
        Pair { primary, standby, name, url }
    })
}

/// Creates records until it is told to stop, and yields the ids of those that were acknowledged.
async fn keep_creating(kv: Arc<dyn Kv>, writer: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{writer}-{number}");
        if kv.create(&Key::new("test", &id), "x".into(), LATE).await.is_ok() {
            acknowledged.push(id);
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_and_nothing_that_was_acknowledged_is_lost() {
    let mut pair = pair();
    pair.primary.wait_for_standby(true);
    let options = PostgresOptions { patience: Duration::from_secs(1), ..PostgresOptions::default() };
    let nodes = [open_with(&pair.url, &options).await, open_with(&pair.url, &options).await];
    let ear = Arc::new(Ear::default());
    nodes[0].kv().changes(ear.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: JoinSet<_> =
        (0..8).map(|writer| keep_creating(nodes[writer % 2].kv(), writer, stop.clone())).collect();
    within(SOON, "much is written", || async { nodes[1].figures().writes > 200 }).await;
    block_in_place(|| {
        pair.primary.kill();
        pair.standby.promote();
    });
    let before = nodes[1].figures().writes;
    within(SOON, "both write again", || async {
        nodes[1].figures().writes > before + 100 && nodes[0].kv().ping().await.is_ok()
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let acknowledged = writers.join_all().await.concat();
    assert!(acknowledged.len() > 200);
    for node in &nodes {
        for id in &acknowledged {
            let found = node.kv().get(&Key::new("test", id)).await.unwrap();
            assert!(found.is_some(), "{id} was acknowledged, and is gone");
        }
    }
    let told = ear.told();
    let (lost, back) =
        (told.iter().position(|it| *it == Told::Lost), told.iter().rposition(|it| *it == Told::Restored));
    assert!(lost.unwrap() < back.unwrap(), "memory starts over");
    let version = create(&nodes[1].kv(), "after").await.unwrap();
    ear.hears(&Told::Changed("after".into(), version.0), SOON).await;
}

/// As in a planned change: the one takes no more writes, then the other does. A node that writes nothing itself follows too, and
/// does not go on reading what was.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_writes_is_left_by_those_who_only_read() {
    let pair = pair();
    let node = open(&pair.url).await;
    let (kv, ear) = (node.kv(), Arc::new(Ear::default()));
    kv.changes(ear.clone());
    create(&kv, "a").await.unwrap();
    let key = Key::new("test", "a");
    assert!(kv.get(&key).await.unwrap().is_some());
    block_in_place(|| {
        pair.standby.catch_up(&pair.primary);
        pair.primary.set("default_transaction_read_only", "on");
    });
    ear.hears(&Told::Lost, Duration::from_secs(3)).await;
    within(SOON, "nobody is believed who may be out of date", || async { kv.get(&key).await.is_err() }).await;
    let fault = kv.create(&Key::new("test", "b"), "x".into(), LATE).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.cause.contains("does not allow writes"), "{fault}");
    block_in_place(|| pair.standby.promote());
    let other = open(&pair.standby.url(&pair.name)).await;
    other.kv().remove(&key).await.unwrap().expect("it was copied");
    ear.hears(&Told::Restored, SOON).await;
    assert!(kv.get(&key).await.unwrap().is_none(), "what was removed is removed");
    create(&kv, "b").await.unwrap();
    assert_eq!(pair.standby.sql(&pair.name, "SELECT count(*) FROM kv"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_alone_is_refused_and_one_that_is_promoted_is_not() {
    let pair = pair();
    drop(open(&pair.primary.url(&pair.name)).await);
    block_in_place(|| pair.standby.catch_up(&pair.primary));
    let alone = PostgresAddress::parse(&pair.standby.url(&pair.name)).unwrap();
    let error = Postgres::connect(&alone, &PostgresOptions::default()).await.unwrap_err().to_string();
    assert!(error.contains("does not allow writes") && error.contains("that it takes writes"), "{error}");
    block_in_place(|| pair.standby.promote());
    create(&open(&pair.standby.url(&pair.name)).await.kv(), "a").await.unwrap();
}

/// A wait for the standby that is broken off is answered by PostgreSQL with success and a warning.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_standby_may_not_have_is_not_acknowledged() {
    let pair = pair();
    let kv = open(&pair.url).await.kv();
    pair.primary.wait_for_standby(true);
    create(&kv, "a").await.unwrap();
    pair.standby.pause();
    let cancelled = kv.clone();
    let write = tokio::spawn(async move { create(&cancelled, "b").await });
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    within(SOON, "it waits for the standby, and is cancelled", || async {
        block_in_place(|| pair.primary.sql(&pair.name, cancel)) == "1"
    })
    .await;
    let fault = write.await.unwrap().unwrap_err();
    assert_eq!(fault.kind, FaultKind::TimedOut, "{fault}");
    assert!(fault.cause.contains("maybe not by the servers that follow"), "{fault}");
    pair.standby.resume();
    within(SOON, "it answers again", || async { kv.ping().await.is_ok() }).await;
    create(&kv, "c").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_says_what_a_fail_over_would_lose() {
    let pair = pair();
    let node = open(&pair.url).await;
    let replication = async || {
        let findings = node.checkup().await.unwrap();
        let found = findings.into_iter().find(|finding| finding.said.contains("servers follow it"));
        found.expect("it says how it is followed")
    };
    let finding = replication().await;
    assert_eq!(
        (finding.level, &*finding.said),
        (Level::Warning, "1 servers follow it, none of them synchronously")
    );
    let advice = finding.advice.unwrap();
    assert!(
        advice.contains("loses the last sign-ins") && advice.contains("brings back what was ended last"),
        "{advice}"
    );
    block_in_place(|| pair.primary.wait_for_standby(true));
    assert_eq!(replication().await.level, Level::Good);
}
