//! Group commit, failures in the middle, the change log, and an orderly end.

use std::time::Duration;

use gateward_kernel::ports::{FaultKind, Key};
use gateward_kernel::time::Moment;
use gateward_store::{Sqlite, SqliteOptions};

use super::{LATE, Place, create};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writes_at_once_share_few_transactions() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    let before = sqlite.figures();
    let writes = (0..100).map(|number| {
        let kv = kv.clone();
        async move { create(&kv, &number.to_string()).await }
    });
    let set: tokio::task::JoinSet<_> = writes.collect();
    assert!(set.join_all().await.iter().all(Result::is_ok));
    let after = sqlite.figures();
    assert_eq!(after.writes - before.writes, 100);
    let transactions = after.transactions - before.transactions;
    assert!((1..=40).contains(&transactions), "{transactions} transactions for a hundred writes");
    assert!(after.wal_bytes > 0);
    assert_eq!((after.writes_waiting, after.reads_waiting), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_half_way_harms_no_other() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    // The record is written by then, its change cannot be logged.
    place
        .raw()
        .execute_batch(
            "CREATE TRIGGER fails BEFORE INSERT ON change_log WHEN NEW.kind = 'bad'
             BEGIN SELECT RAISE(ABORT, 'as told'); END",
        )
        .unwrap();
    let mut set = tokio::task::JoinSet::new();
    for number in 0..60_u8 {
        let kv = kv.clone();
        let kind = if number % 10 == 3 { "bad" } else { "good" };
        set.spawn(async move { (kind, kv.create(&Key::new(kind, [number]), "x".into(), LATE).await) });
    }
    for (kind, answer) in set.join_all().await {
        match answer {
            Ok(_) => assert_eq!(kind, "good"),
            Err(fault) => assert_eq!((kind, fault.kind), ("bad", FaultKind::Unavailable), "{fault}"),
        }
    }
    assert!(kv.page("bad", None, 10).await.unwrap().items.is_empty(), "no half of it is there");
    assert_eq!(kv.page("good", None, 100).await.unwrap().items.len(), 54);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_elsewhere_is_a_fault_and_passes() {
    let place = Place::new();
    let options = SqliteOptions { patience: Duration::from_millis(150), ..SqliteOptions::default() };
    let sqlite = Sqlite::open(place.path(), &options).unwrap();
    let kv = sqlite.kv();
    create(&kv, "before").await.unwrap();
    let raw = place.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = create(&kv, "during").await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Unavailable | FaultKind::TimedOut), "{fault}");
    assert!(kv.get(&Key::new("test", "before")).await.unwrap().is_some(), "reading goes on");
    assert!(kv.ping().await.is_err(), "not ready while nothing can be written");
    raw.execute_batch("ROLLBACK").unwrap();
    // The writer may still be waiting out an earlier call.
    while kv.ping().await.is_err() {}
    create(&kv, "after").await.unwrap();
}

#[tokio::test]
async fn the_change_log_is_pruned_in_steps_but_for_the_newest() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    for number in 0..30 {
        create(&kv, &number.to_string()).await.unwrap();
    }
    let raw = place.raw();
    let rows = || raw.query_row("SELECT count(*) FROM change_log", [], |row| row.get::<_, i64>(0)).unwrap();
    kv.sweep(Moment::from_micros(0), 100).await.unwrap();
    assert_eq!(rows(), 30, "the young stay");
    raw.execute("UPDATE change_log SET at = at - 601000000 WHERE version <= 20", []).unwrap();
    kv.sweep(Moment::from_micros(0), 8).await.unwrap();
    assert_eq!(rows(), 22, "at most so many at a time");
    kv.sweep(Moment::from_micros(0), 100).await.unwrap();
    assert_eq!(rows(), 10, "only the old");
    raw.execute("UPDATE change_log SET at = 0", []).unwrap();
    kv.sweep(Moment::from_micros(0), 100).await.unwrap();
    assert_eq!(rows(), 1, "not the newest");
    let last = create(&kv, "last").await.unwrap();
    assert_eq!(last.0, 31, "versions go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_finishes_what_waits_and_frees_the_file() {
    let place = Place::new();
    let sqlite = place.open();
    let (kv, directory) = (sqlite.kv(), sqlite.directory());
    drop(sqlite);
    create(&kv, "a").await.unwrap();
    drop(kv);
    directory.ping().await.unwrap();
    drop(directory);
    assert!(!place.dir.path().join("gateward.db-wal").exists(), "the last connection has closed");
    let kv = place.open().kv();
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_makes_callers_wait_and_not_fail() {
    let place = Place::new();
    let options = SqliteOptions { queue: 2, readers: 1, ..SqliteOptions::default() };
    let sqlite = Sqlite::open(place.path(), &options).unwrap();
    let kv = sqlite.kv();
    let set: tokio::task::JoinSet<_> = (0..200)
        .map(|number| {
            let kv = kv.clone();
            async move {
                let id = number.to_string();
                create(&kv, &id).await.unwrap();
                kv.get(&Key::new("test", &id)).await.unwrap().unwrap().value == id
            }
        })
        .collect();
    assert!(set.join_all().await.into_iter().all(|same| same));
}

#[test]
fn sweeping_finds_the_dead_by_the_index() {
    let place = Place::new();
    drop(place.open());
    let raw = place.raw();
    let plan = |text: &str| -> String {
        let mut statement = raw.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let sweep =
        plan("DELETE FROM kv WHERE row IN (SELECT row FROM kv WHERE death < 5 ORDER BY death LIMIT 9)");
    assert!(sweep.contains("kv_death (death<?)") && !sweep.contains("SCAN kv"), "{sweep}");
    let page = plan("SELECT id, value FROM kv WHERE kind = 'a' AND id > x'00' ORDER BY id LIMIT 9");
    assert!(page.contains("(kind=? AND id>?)") && !page.contains("B-TREE"), "{page}");
    let events =
        plan("SELECT body FROM event WHERE person = x'00' AND at < 9 ORDER BY at DESC, row DESC LIMIT 9");
    assert!(events.contains("event_person (person=? AND at<?)") && !events.contains("B-TREE"), "{events}");
}
