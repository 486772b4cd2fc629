//! What a server and a line can do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gateward_engines::Proxy;
use gateward_kernel::id::SessionId;
use gateward_kernel::ports::{Created, FaultKind, Key, Kv};
use gateward_kernel::record::{Book, Decision};
use gateward_kernel::time::Moment;
use gateward_store::postgres::{Postgres, PostgresOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::feed::Note;
use super::super::{LATE, create};
use super::{Database, Ear, Told, open, open_with, within};

/// Longer than anything may take to notice or to heal.
const SOON: Duration = Duration::from_secs(5);

fn through(proxy: &Proxy, database: &Database) -> String {
    format!("postgres://postgres@{}/{}", proxy.addr(), database.name)
}

fn hasty() -> PostgresOptions {
    PostgresOptions { patience: Duration::from_millis(1000), ..PostgresOptions::default() }
}

async fn works(kv: &Arc<dyn Kv>) {
    within(SOON, "it answers again", || async { kv.ping().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_is_a_fault_and_never_absent() {
    let database = Database::fresh();
    let proxy = Proxy::to(database.server.addr());
    let postgres = open(&through(&proxy, &database)).await;
    let kv = postgres.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    let key = Key::new("test", "a");
    create(&kv, "a").await.unwrap();
    for round in 0..3 {
        proxy.cut();
        let begun = Instant::now();
        let faults = [
            kv.get(&key).await.map(drop).unwrap_err(),
            kv.create(&key, "x".into(), LATE).await.map(drop).unwrap_err(),
            kv.remove(&key).await.map(drop).unwrap_err(),
            kv.page("test", None, 5).await.map(drop).unwrap_err(),
            kv.ping().await.unwrap_err(),
            postgres.directory().people(&Default::default()).await.map(drop).unwrap_err(),
        ];
        assert!(faults.iter().all(|fault| fault.kind == FaultKind::Unavailable), "{faults:?}");
        assert!(begun.elapsed() < SOON, "refused, not waited for");
        ear.hears(&Told::Lost, Duration::from_secs(2)).await;
        let late = Arc::new(Ear::default());
        kv.changes(late.clone());
        assert_eq!(late.told(), [Told::Lost], "who comes now is told at once");
        proxy.heal();
        works(&kv).await;
        ear.hears(&Told::Restored, SOON).await;
        assert!(kv.get(&key).await.unwrap().is_some());
        let version = create(&kv, &round.to_string()).await.unwrap();
        assert_eq!(*ear.told().last().unwrap(), Told::Changed(round.to_string(), version.0));
        ear.0.lock().clear();
    }
    // Without an outage that lasts, nobody notices.
    for _ in 0..5 {
        proxy.hang_up();
        assert!(kv.get(&key).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_line_is_a_fault_in_time_and_the_feed_is_lost_within_two_seconds() {
    let database = Database::fresh();
    let proxy = Proxy::to(database.server.addr());
    let postgres = open_with(&through(&proxy, &database), &hasty()).await;
    let kv = postgres.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    create(&kv, "a").await.unwrap();
    let key = Key::new("test", "a");
    kv.get(&key).await.unwrap().unwrap();
    proxy.silence();
    let (begun, listening) = (Instant::now(), ear.clone());
    let lost = tokio::spawn(async move {
        listening.hears(&Told::Lost, Duration::from_millis(2500)).await;
        begun.elapsed()
    });
    let fault = kv.get(&key).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TimedOut, "{fault}");
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    let fault = kv.create(&Key::new("test", "b"), "x".into(), LATE).await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{fault}");
    assert!(lost.await.unwrap() < Duration::from_millis(2200));
    proxy.heal();
    works(&kv).await;
    ear.hears(&Told::Restored, SOON).await;
    assert!(kv.get(&key).await.unwrap().is_some());
    // Nothing that was refused came late.
    assert!(kv.get(&Key::new("test", "b")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_honest_about_what_another_did_while_the_feed_was_cut() {
    let database = Database::fresh();
    let proxy = Proxy::to(database.server.addr());
    let (here, there) = (open(&through(&proxy, &database)).await, database.open().await);
    let ear = Arc::new(Ear::default());
    here.kv().changes(ear.clone());
    create(&there.kv(), "a").await.unwrap();
    within(SOON, "the change", || async { ear.told().len() == 1 }).await;
    proxy.cut();
    ear.hears(&Told::Lost, Duration::from_secs(2)).await;
    let key = Key::new("test", "a");
    there.kv().remove(&key).await.unwrap().unwrap();
    proxy.heal();
    ear.hears(&Told::Restored, SOON).await;
    // Whoever reads after that sees it, and hears of what comes.
    assert!(here.kv().get(&key).await.unwrap().is_none());
    let version = create(&there.kv(), "b").await.unwrap();
    ear.hears(&Told::Changed("b".into(), version.0), Duration::from_secs(1)).await;
    let told = ear.told();
    let at = |what: &Told| told.iter().position(|told| told == what);
    assert!(at(&Told::Lost) < at(&Told::Restored), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_cache_never_hides_what_happened_while_its_line_was_cut() {
    const NOW: Moment = Moment::from_micros(1);
    let database = Database::fresh();
    let proxy = Proxy::to(database.server.addr());
    let (here, there) = (open(&through(&proxy, &database)).await, database.open().await);
    let (near, plain) = (Book::<Note>::with_near_cache(here.kv(), 1 << 20), Book::<Note>::new(there.kv()));
    let id = SessionId::from_bytes([1; 16]);
    plain.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=3 {
        // The word of the last change may come between.
        within(SOON, "it is remembered", || async {
            near.load(id, NOW).await.unwrap().unwrap();
            near.hit(&id, NOW).is_some()
        })
        .await;
        proxy.cut();
        let text = round.to_string();
        let write = |note: &Note| Decision::Write(Note { text: text.clone(), ..note.clone() }, ());
        plain.change(id, NOW, write).await.unwrap().unwrap();
        within(Duration::from_secs(2), "memory is silent", || async { near.hit(&id, NOW).is_none() }).await;
        near.load(id, NOW).await.map(drop).unwrap_err();
        proxy.heal();
        // From the first answer on it is the new state, and it is remembered again.
        let remembers = || async {
            if let Ok(loaded) = near.load(id, NOW).await {
                assert_eq!(loaded.unwrap().record.text, text);
            }
            near.hit(&id, NOW).is_some()
        };
        within(SOON, "it is remembered again", remembers).await;
    }
}

/// A commit that happens while its answer cannot come: a fault that says so, and no second write.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_a_fault_and_the_write_is_not_repeated() {
    let database = Database::fresh();
    let proxy = Proxy::to(database.server.addr());
    let kv = open(&through(&proxy, &database)).await.kv();
    database.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER slows AFTER INSERT ON kv DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         WHEN (NEW.kind = 'slow') EXECUTE FUNCTION slow()",
    );
    kv.ping().await.unwrap();
    let key = Key::new("slow", "a");
    let (writing, written) = (kv.clone(), key.clone());
    let write = tokio::spawn(async move { writing.create(&written, "x".into(), LATE).await });
    let asleep = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        database.name
    );
    within(SOON, "the commit has begun", || async { database.server.sql("postgres", &asleep) == "1" }).await;
    proxy.cut();
    let fault = write.await.unwrap().unwrap_err();
    assert!(fault.kind == FaultKind::TimedOut && fault.cause.contains("may have happened"), "{fault}");
    proxy.heal();
    works(&kv).await;
    let there = || async { kv.get(&key).await.unwrap().is_some() };
    within(SOON, "it was committed", there).await;
    assert_eq!(kv.page("slow", None, 9).await.unwrap().items.len(), 1);
}

/// Writers go on while the server is killed and started again, again and again: what was acknowledged is there, what was refused
/// is there once or not at all, and nothing needs to be opened again.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_kill_9_of_the_server() {
    let mut server = gateward_engines::Postgres::start();
    let name = server.fresh_database();
    let postgres = open(&server.url(&name)).await;
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut writers = JoinSet::new();
    for writer in 0..8_u32 {
        let (kv, over, done) = (postgres.kv(), over.clone(), done.clone());
        writers.spawn(async move {
            let mut answers = Vec::new();
            for number in 0_u32.. {
                if over.load(Ordering::Acquire) {
                    break;
                }
                let id = format!("{writer} {number}");
                let answer = kv.create(&Key::new("test", &id), id.clone().into(), LATE).await;
                if answer.is_err() {
                    // Without a pause, refused connections would be all that is counted.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                done.fetch_add(usize::from(answer.is_ok()), Ordering::Relaxed);
                answers.push((id, answer));
            }
            answers
        });
    }
    for _ in 0..3 {
        // Each time in the middle of writing.
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + 200 {
            tokio::task::yield_now().await;
        }
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.restart();
            server
        })
        .await
        .unwrap();
        works(&postgres.kv()).await;
    }
    over.store(true, Ordering::Release);
    let answers = writers.join_all().await.concat();
    let kv = postgres.kv();
    let (mut kept, mut refused) = (0, 0);
    for (id, answer) in answers {
        let stored = kv.get(&Key::new("test", &id)).await.unwrap();
        match answer {
            Ok(Created::Done(version)) => {
                assert_eq!(stored.unwrap_or_else(|| panic!("{id} is lost")).version, version);
                kept += 1;
            }
            Ok(Created::Exists) => panic!("{id} was written twice"),
            Err(fault) => {
                assert!(matches!(fault.kind, FaultKind::Unavailable | FaultKind::TimedOut), "{fault}");
                refused += 1;
            }
        }
    }
    assert!(kept > 100 && refused > 3, "{kept} kept, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_a_fault_and_goes_on_where_it_was() {
    let server = gateward_engines::Postgres::start();
    let name = server.fresh_database();
    let kv = open_with(&server.url(&name), &hasty()).await.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    create(&kv, "a").await.unwrap();
    server.pause();
    let fault = kv.get(&Key::new("test", "a")).await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{fault}");
    ear.hears(&Told::Lost, Duration::from_millis(2200)).await;
    server.resume();
    works(&kv).await;
    ear.hears(&Told::Restored, SOON).await;
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
}

/// A node that falls silent in the middle of a transaction holds the lock of all writers: not for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_falls_silent_does_not_hold_up_the_others() {
    let database = Database::fresh();
    let other = database.open().await.kv();
    other.ping().await.unwrap();
    for _ in 0..3 {
        let proxy = Proxy::to(database.server.addr());
        let silent: Postgres = open(&through(&proxy, &database)).await;
        let hammering: JoinSet<_> = (0..8)
            .map(|_| {
                let kv = silent.kv();
                async move { while kv.ping().await.is_ok() {} }
            })
            .collect();
        within(SOON, "it writes", || async { silent.figures().writes > 50 }).await;
        proxy.silence();
        for _ in 0..20 {
            let written = timeout(Duration::from_secs(4), other.ping()).await;
            written.expect("within four seconds").unwrap();
        }
        drop(hammering);
    }
}
