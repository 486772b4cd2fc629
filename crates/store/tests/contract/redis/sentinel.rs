//! Fail-over by Sentinel, and writes that replicas acknowledge.

use gateward_kernel::ports::FaultKind;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_fail_over_is_followed() {
    let mut sentinels = Sentinels::start();
    let kv = open_impatient(&format!("{}?replicas=1&wait=300", sentinels.url())).await.kv();
    for number in 0..20 {
        create(&kv, &number.to_string()).await;
    }
    let ear = Ear::on(&kv);
    let first = sentinels.master();
    sentinels.server_mut(first).kill();
    let lost = Instant::now();
    within(Duration::from_secs(2), "the feed is lost", || async { ear.has("lost") }).await;
    assert!(lost.elapsed() < Duration::from_secs(2));
    assert!(kv.get(&Key::new("test", "0")).await.is_err(), "nobody answers yet");
    within(LONG, "the new master answers", || async { kv.ping().await.is_ok() }).await;
    for number in 0..20 {
        let stored = kv.get(&Key::new("test", number.to_string())).await.unwrap();
        assert!(stored.is_some(), "{number} was acknowledged by the replica");
    }
    within(LONG, "the feed is back", || async { ear.told().last().unwrap() == "restored" }).await;
    let fault = kv.create(&Key::new("test", "alone"), "x".into(), LATE).await.unwrap_err();
    assert!(fault.cause.contains("0 of 1 replicas"), "{fault}");
    sentinels.server_mut(first).restart();
    within(LONG, "the old master follows and acknowledges", || async {
        let key = Key::new("test", "both");
        drop(kv.remove(&key).await);
        kv.create(&key, "x".into(), LATE).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_becomes_a_replica_in_an_orderly_way_is_left() {
    let sentinels = Sentinels::start();
    let kv = open_impatient(&sentinels.url()).await.kv();
    let version = create(&kv, "a").await;
    let ear = Ear::on(&kv);
    let first = sentinels.master();
    let port = sentinels.addrs()[0];
    let said = std::process::Command::new("redis-cli")
        .args(["-p", &port.port().to_string(), "SENTINEL", "FAILOVER", "gateward"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("OK"));
    tokio::task::block_in_place(|| sentinels.wait_for_another_than(first));
    // The old one lives on, and takes writes for some seconds more; we must not be among those that write there.
    within(LONG, "the new one is followed", || async { ear.told().ends_with(&["restored".into()]) }).await;
    create(&kv, "b").await;
    assert_eq!(kv.get(&Key::new("test", "a")).await.unwrap().unwrap().version, version);
    assert_eq!(sentinels.server(1 - first).ask(&["EXISTS", "gw:test:b"]), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_most_sentinels_memory_is_not_believed_and_records_are() {
    let mut sentinels = Sentinels::start();
    let kv = open_impatient(&sentinels.url()).await.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    sentinels.sentinel_mut(0).kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!ear.has("lost"), "two of three are enough");
    sentinels.sentinel_mut(1).kill();
    within(Duration::from_secs(4), "one of three is too few", || async { ear.has("lost") }).await;
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
    create(&kv, "b").await;
    sentinels.sentinel_mut(0).restart();
    within(LONG, "two are enough again", || async { ear.told().last().unwrap() == "restored" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_nobody_knows_is_an_error_that_says_so() {
    let sentinels = Sentinels::start();
    let url = sentinels.url().replace("/gateward", "/unknown");
    let error = try_open(&url, RedisOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("knows no master of this name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_replicas_are_a_fault_that_says_what_is_known() {
    let server = Server::start();
    let kv = open(&format!("{}?replicas=1&wait=50", server.url())).await.kv();
    let fault = kv.create(&Key::new("test", "a"), "a".into(), LATE).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.cause.contains("done on the master") && fault.cause.contains("0 of 1"), "{fault}");
    let stored = kv.get(&Key::new("test", "a")).await.unwrap();
    assert_eq!(stored.unwrap().value, "a", "as it says, it is done here");
    let exists = kv.create(&Key::new("test", "a"), "b".into(), LATE).await.unwrap();
    assert_eq!(exists, Created::Exists, "what changes nothing waits for nobody");
}
