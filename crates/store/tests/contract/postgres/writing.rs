//! Group commit, failures in the middle, nodes that write at the same time, and what is told of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::person::Login;
use gateward_kernel::ports::{FaultKind, Key, PeopleQuery, Replaced};
use tokio::task::JoinSet;

use super::super::{LATE, create};
use super::{Database, Ear, Told, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_writes_at_once_share_few_transactions() {
    let database = Database::fresh();
    let postgres = database.open().await;
    let kv = postgres.kv();
    let begun = tokio::time::Instant::now();
    let writes: JoinSet<_> = (0..1000)
        .map(|number| {
            let kv = kv.clone();
            async move { create(&kv, &number.to_string()).await }
        })
        .collect();
    let mut versions: Vec<_> = writes.join_all().await.into_iter().map(Result::unwrap).collect();
    println!("1000 creates at once took {:?}", begun.elapsed());
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 1000, "each has a version of its own");
    let figures = postgres.figures();
    assert_eq!(figures.writes, 1000);
    assert!((4..=100).contains(&figures.transactions), "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_harms_no_other() {
    let database = Database::fresh();
    let postgres = database.open().await;
    let kv = postgres.kv();
    database.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'as told'; END $$;
         CREATE TRIGGER refuses AFTER INSERT ON kv FOR EACH ROW WHEN (NEW.kind = 'bad') EXECUTE FUNCTION refuse()",
    );
    let mut set = JoinSet::new();
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
async fn what_cannot_be_told_is_not_written() {
    let database = Database::fresh();
    let postgres = database.open().await;
    // A deferred trigger fails when the transaction is committed.
    database.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'at the end'; END $$;
         CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON kv DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         WHEN (NEW.kind = 'test') EXECUTE FUNCTION refuse()",
    );
    let kv = postgres.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    let fault = create(&kv, "a").await.unwrap_err();
    assert!(fault.kind == FaultKind::Unavailable && fault.cause.contains("at the end"), "{fault}");
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_none());
    assert_eq!(ear.told(), []);
    database.sql("DROP TRIGGER refuses ON kv");
    create(&kv, "a").await.unwrap();
}

/// Three nodes write the same few records at once: each hears of every record's states in their order, and at last of the newest.
#[tokio::test(flavor = "multi_thread")]
async fn every_node_hears_of_every_change_in_order() {
    const NODES: usize = 3;
    const RECORDS: u8 = 4;
    let database = Database::fresh();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(database.open().await);
    }
    let ears: Vec<_> = nodes
        .iter()
        .map(|node| {
            let ear = Arc::new(Ear::default());
            node.kv().changes(ear.clone());
            ear
        })
        .collect();
    for number in 0..RECORDS {
        create(&nodes[0].kv(), &number.to_string()).await.unwrap();
    }
    let writers: JoinSet<Vec<(String, u64)>> = (0..NODES * 4)
        .map(|writer| {
            let kv = nodes[writer % NODES].kv();
            async move {
                let mut done = Vec::new();
                for round in 0..40_usize {
                    let id = ((writer + round) % usize::from(RECORDS)).to_string();
                    let key = Key::new("test", &id);
                    let stored = kv.get(&key).await.unwrap().unwrap();
                    let answer = kv.replace(&key, stored.version, "x".into(), LATE).await.unwrap();
                    if let Replaced::Done(version) = answer {
                        done.push((id, version.0));
                    }
                }
                done
            }
        })
        .collect();
    let done: Vec<_> = writers.join_all().await.concat();
    let mut newest = HashMap::new();
    for (id, version) in &done {
        let last = newest.entry(id.clone()).or_insert(0);
        *last = (*last).max(*version);
    }
    for ear in &ears {
        for (id, version) in &newest {
            ear.hears(&Told::Changed(id.clone(), *version), Duration::from_secs(1)).await;
        }
        let mut last = HashMap::new();
        for told in ear.told() {
            let Told::Changed(id, version) = told else { panic!("{told:?}") };
            let before = last.insert(id.clone(), version);
            assert!(before.is_none_or(|before| before < version), "{id}: {version} after {before:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_writing_at_once_agree_on_who_was_first() {
    let database = Database::fresh();
    let nodes = [database.open().await, database.open().await];
    let racers: JoinSet<u32> = nodes
        .iter()
        .cloned()
        .map(|node| async move {
            let mut won = 0;
            for number in 0..200_u8 {
                let created = node.kv().create(&Key::new("race", [number]), "x".into(), LATE).await.unwrap();
                won += u32::from(matches!(created, gateward_kernel::ports::Created::Done(_)));
            }
            won
        })
        .collect();
    let won = racers.join_all().await;
    assert_eq!(won.iter().sum::<u32>(), 200, "each was won by exactly one: {won:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_cannot_hold_is_not_found() {
    let database = Database::fresh();
    let directory = database.open().await.directory();
    for login in [Login::Name("a\0b".into()), Login::Email("a\0b@example.com".into())] {
        assert!(directory.person_by_login(&login).await.unwrap().is_none());
    }
    let query = PeopleQuery { search: Some("\0".into()), after: None, limit: 10 };
    assert!(directory.people(&query).await.unwrap().is_empty());
    let query = PeopleQuery { search: None, after: Some("\0".into()), limit: 10 };
    assert!(directory.people(&query).await.unwrap().is_empty());
    assert!(!directory.group_has_members("\0").await.unwrap());
    assert!(directory.sealed_keys("\0").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_finishes_what_waits_and_ends_the_connections() {
    let database = Database::fresh();
    let postgres = database.open().await;
    let kv = postgres.kv();
    drop(postgres);
    create(&kv, "a").await.unwrap();
    kv.get(&Key::new("test", "a")).await.unwrap().unwrap();
    drop(kv);
    let open = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database.name);
    within(Duration::from_secs(5), "all connections end", || async {
        database.server.sql("postgres", &open) == "0"
    })
    .await;
}

/// The plans of what is asked most must not depend on how full the tables are.
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_and_sweeps_are_led_by_indexes() {
    let database = Database::fresh();
    drop(database.open().await);
    for (text, index) in [
        ("SELECT version, death, value FROM kv WHERE kind = 'a' AND id = ''", "kv_kind_id_key"),
        ("SELECT id FROM kv WHERE kind = 'a' AND id > '' ORDER BY id LIMIT 9", "kv_kind_id_key"),
        ("SELECT row FROM kv WHERE death < 5 ORDER BY death LIMIT 9", "kv_death"),
        ("SELECT body FROM person WHERE name_key = 'a'", "person_name_key_key"),
        ("SELECT body FROM person WHERE email = 'a'", "person_email_key"),
        (
            "SELECT body FROM event WHERE person = '' AND at < 9 ORDER BY at DESC, row DESC LIMIT 9",
            "event_person",
        ),
    ] {
        let plan =
            database.sql(&format!("SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN {text}"));
        assert!(plan.contains(index), "{text}: {plan}");
    }
}
