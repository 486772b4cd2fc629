//! Three servers: one may be away, and what is acknowledged is seen.

use gateward_kernel::ports::{FaultKind, Replaced};

use super::*;

const STREAM: &str = "KV_gateward";

/// Like [`open`], with the patience that calls have by default.
async fn three(cluster: &NatsCluster) -> Nats {
    let url = format!("{}?replicas=3", cluster.url());
    // Makes the bucket, for which a cluster that was just started may need its time.
    drop(open(&url).await);
    try_open(&url, NatsOptions::default()).await.unwrap()
}

async fn leader(cluster: &NatsCluster) -> usize {
    let begun = Instant::now();
    loop {
        if let Some(leader) = cluster.leader_of(STREAM) {
            return leader;
        }
        assert!(begun.elapsed() < LONG, "no leader");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Creates, again while there is a fault; an unknown one may have been done.
async fn create_in_the_end(kv: &Arc<dyn Kv>, id: &str) {
    within(LONG, "a write", || async {
        kv.create(&Key::new("test", id), id.as_bytes().to_vec().into(), LATE).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_through_any_server_sees_what_was_acknowledged_by_another() {
    let cluster = NatsCluster::start();
    drop(three(&cluster).await);
    let mut handles = Vec::new();
    for number in 0..3 {
        let nats = open(&format!("{}?replicas=3", cluster.node(number).url())).await;
        handles.push(nats.kv());
    }
    let mut versions = Vec::new();
    let key = |round: usize| Key::new("test", format!("seen {round}"));
    for round in 0..150_usize {
        let writer = &handles[round % 3];
        let Created::Done(version) = writer.create(&key(round), "new".into(), LATE).await.unwrap() else {
            panic!("it exists")
        };
        for reader in &handles {
            let stored = reader.get(&key(round)).await.unwrap().expect("an acknowledged write is seen");
            assert_eq!(stored.version, version);
        }
        versions.push(version);
        let other = &handles[(round + 1) % 3];
        let replaced = other.replace(&key(round), version, "newer".into(), LATE).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(_)));
        assert_eq!(handles[(round + 2) % 3].remove(&key(round)).await.unwrap().unwrap().value, "newer");
        for reader in &handles {
            assert!(reader.get(&key(round)).await.unwrap().is_none(), "an acknowledged end is seen");
        }
    }
    assert!(versions.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_may_be_killed_and_nothing_acknowledged_is_lost() {
    let mut cluster = NatsCluster::start();
    let kv = three(&cluster).await.kv();
    for number in 0..50 {
        create(&kv, &number.to_string()).await;
    }
    for round in 0..2 {
        // The leader first, then whoever leads after it.
        let victim = leader(&cluster).await;
        cluster.node_mut(victim).kill();
        create_in_the_end(&kv, &format!("after {round}")).await;
        for number in 0..50 {
            let key = Key::new("test", number.to_string());
            within(LONG, "a read", || async { kv.get(&key).await.is_ok() }).await;
            assert!(kv.get(&key).await.unwrap().is_some(), "{number} is lost");
        }
        cluster.heal();
    }
    within(LONG, "a ping", || async { kv.ping().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_everything_is_a_fault_and_nothing_absent() {
    let mut cluster = NatsCluster::start();
    let nats = three(&cluster).await;
    let kv = nats.kv();
    let version = create(&kv, "a").await;
    let ear = Ear::on(&kv);
    let leader = leader(&cluster).await;
    let key = Key::new("test", "a");
    // The one that stays has led until now, and does not know yet that it does no more.
    let others: Vec<usize> = (0..3).filter(|number| *number != leader).collect();
    for other in &others {
        cluster.node_mut(*other).kill();
    }
    let begun = Instant::now();
    within(Duration::from_secs(2), "the feed is lost", || async { ear.has("lost") }).await;
    let written = kv.replace(&key, version, "new".into(), LATE).await.unwrap_err();
    assert!(matches!(written.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{written}");
    while begun.elapsed() < Duration::from_secs(12) {
        match kv.get(&key).await {
            Ok(stored) => {
                assert!(begun.elapsed() < Duration::from_secs(5), "believed for too long");
                assert!(stored.is_some(), "never absent");
            }
            Err(fault) => {
                assert!(matches!(fault.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{fault}")
            }
        }
    }
    assert!(kv.ping().await.is_err());
    cluster.heal();
    within(LONG, "it works again", || async { kv.ping().await.is_ok() }).await;
    assert!(kv.get(&key).await.unwrap().is_some());
    within(LONG, "the feed is back", || async { ear.ends_with("restored") || ear.told().len() > 2 }).await;
    create_in_the_end(&kv, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_is_left_for_another() {
    let mut cluster = NatsCluster::start();
    let kv = three(&cluster).await.kv();
    create(&kv, "a").await;
    for number in 0..3 {
        cluster.node(number).pause();
        create_in_the_end(&kv, &format!("while {number} is paused")).await;
        cluster.node(number).resume();
        within(LONG, "a read", || async { kv.get(&Key::new("test", "a")).await.is_ok() }).await;
        assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
    }
    cluster.heal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_sees_who_is_away() {
    let mut cluster = NatsCluster::start();
    let nats = three(&cluster).await;
    let said = |findings: Vec<gateward_store::checkup::Finding>| {
        findings.into_iter().map(|finding| finding.said).collect::<Vec<_>>().join("\n")
    };
    within(LONG, "all are there", || async {
        said(nats.checkup().await.unwrap()).contains("3 replicas, all there; 1 may be away")
    })
    .await;
    let away = (leader(&cluster).await + 1) % 3;
    cluster.node_mut(away).kill();
    within(LONG, "one is away", || async {
        let findings = nats.checkup().await.map(said).unwrap_or_default();
        findings.contains("1 is away or behind") && findings.contains(&format!("node-{away}"))
    })
    .await;
}
