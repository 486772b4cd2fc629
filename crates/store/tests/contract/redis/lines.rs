//! Lines that are cut or silent, servers that are killed, and scripts that are forgotten.

use gateward_engines::Proxy;
use gateward_kernel::ports::FaultKind;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_is_a_fault_and_heals() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let redis = open(&format!("redis://{}", proxy.addr())).await;
    let kv = redis.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    for _ in 0..3 {
        proxy.cut();
        let begun = Instant::now();
        let fault = kv.get(&Key::new("test", "a")).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable, "{fault}");
        let fault = kv.create(&Key::new("test", "b"), "b".into(), LATE).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable, "{fault}");
        assert!(kv.remove(&Key::new("test", "a")).await.is_err() && kv.ping().await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(2), "at once");
        within(Duration::from_secs(1), "the feed is lost", || async { ear.has("lost") }).await;
        proxy.heal();
        within(LONG, "it works again", || async { kv.ping().await.is_ok() }).await;
        assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
        within(LONG, "the feed is back", || async { ear.told().last().unwrap() == "restored" }).await;
        ear.0.lock().clear();
    }
    assert_eq!(server.ask(&["EXISTS", "gw:test:b"]), "0", "what was not sent is not done later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ended_while_idle_costs_no_call() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let redis = open(&format!("redis://{}", proxy.addr())).await;
    let kv = redis.kv();
    let ear = Ear::on(&kv);
    for number in 0..20 {
        create(&kv, &number.to_string()).await;
        proxy.hang_up();
        // The feed and the other connection end at the same time.
        within(LONG, "the end is noticed", || async { ear.has("lost") }).await;
        within(LONG, "the feed is back", || async { ear.told().last().unwrap() == "restored" }).await;
        ear.0.lock().retain(|told| told != "lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_line_is_a_fault_within_patience_and_its_feed_is_lost() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let redis = open_impatient(&format!("redis://{}", proxy.addr())).await;
    let kv = redis.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    proxy.silence();
    let begun = Instant::now();
    let (key, other) = (Key::new("test", "a"), Key::new("test", "b"));
    let (read, written) = tokio::join!(kv.get(&key), kv.create(&other, "b".into(), LATE));
    let (read, written) = (read.unwrap_err(), written.unwrap_err());
    assert!(begun.elapsed() < Duration::from_millis(1800), "{:?}", begun.elapsed());
    assert!(matches!(read.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{read}");
    assert!(written.cause.contains("whether a write happened is unknown"), "{written}");
    within(Duration::from_secs(2).saturating_sub(begun.elapsed()), "the feed is lost", || async {
        ear.has("lost")
    })
    .await;
    proxy.heal();
    within(LONG, "it works again", || async { kv.get(&key).await.is_ok() }).await;
    within(LONG, "the feed is back", || async { ear.told().last().unwrap() == "restored" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_killed_and_restarted_works_again() {
    let mut server = Server::start();
    let redis = open_impatient(&server.url()).await;
    let kv = redis.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    server.pause();
    assert!(kv.get(&Key::new("test", "a")).await.is_err());
    within(Duration::from_secs(2), "the feed is lost", || async { ear.has("lost") }).await;
    server.resume();
    within(LONG, "it works again", || async { kv.ping().await.is_ok() }).await;
    server.kill();
    assert!(kv.get(&Key::new("test", "a")).await.is_err());
    server.restart();
    within(LONG, "it works again", || async { kv.ping().await.is_ok() }).await;
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some(), "it was on disk");
    // The scripts are forgotten: nothing depends on their having been sent before.
    create(&kv, "after").await;
    assert!(kv.remove(&Key::new("test", "after")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica_refuses_and_nothing_is_done() {
    let (server, other) = (Server::start(), Server::start());
    let kv = open(&server.url()).await.kv();
    let port = other.addr().port().to_string();
    assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    let fault = kv.create(&Key::new("test", "a"), "a".into(), LATE).await.unwrap_err();
    assert!(fault.cause.contains("read only"), "{fault}");
    assert_eq!(server.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    create(&kv, "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_were_flushed_are_sent_again() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    for round in 0..3 {
        assert_eq!(server.ask(&["SCRIPT", "FLUSH"]), "OK");
        let version = create(&kv, &round.to_string()).await;
        let key = Key::new("test", round.to_string());
        assert_eq!(server.ask(&["SCRIPT", "FLUSH"]), "OK");
        let replaced = kv.replace(&key, version, "x".into(), LATE).await.unwrap();
        assert!(matches!(replaced, gateward_kernel::ports::Replaced::Done(_)));
        assert_eq!(server.ask(&["SCRIPT", "FLUSH"]), "OK");
        assert_eq!(kv.remove(&key).await.unwrap().unwrap().value, "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_expire_a_minute_after_their_death_and_never_before_they_can_be_read() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    let seconds = server.ask(&["TIME"]).lines().next().unwrap().parse::<i64>().unwrap();
    let in_an_hour = Moment::from_micros((seconds + 3600) * 1_000_000);
    for (id, death) in [("future", in_an_hour), ("past", Moment::from_micros(1)), ("never", Moment::NEVER)] {
        kv.create(&Key::new("test", id), id.into(), death).await.unwrap();
    }
    let left = |id: &str| server.ask(&["TTL", &format!("gw:test:{id}")]).parse::<i64>().unwrap();
    assert!((3655..=3660).contains(&left("future")), "{}", left("future"));
    assert!((55..=60).contains(&left("past")), "{}", left("past"));
    assert_eq!(left("never"), -1);
    let stored = kv.get(&Key::new("test", "future")).await.unwrap().unwrap();
    kv.replace(&Key::new("test", "future"), stored.version, "x".into(), Moment::NEVER).await.unwrap();
    assert_eq!(left("future"), -1, "a later death counts from then on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_memory_has_no_room_for_is_a_fault() {
    let server = Server::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let kv = open(&server.url()).await.kv();
    let value = bytes::Bytes::from(vec![7; 100_000]);
    let mut refused = None;
    for number in 0..100_u8 {
        if let Err(fault) = kv.create(&Key::new("test", [number]), value.clone(), LATE).await {
            refused = Some((number, fault));
            break;
        }
    }
    let (number, fault) = refused.expect("memory is limited");
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.cause.contains("OOM") || fault.cause.contains("maxmemory"), "{fault}");
    assert!(kv.get(&Key::new("test", [number])).await.unwrap().is_none(), "nothing was written");
    assert!(kv.get(&Key::new("test", [0])).await.unwrap().is_some(), "nothing was thrown out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_wrote_under_our_prefix_is_unreadable_and_not_absent() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    server.ask(&["SET", "gw:test:a", "short"]);
    let fault = kv.get(&Key::new("test", "a")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreadable, "{fault}");
    server.ask(&["HSET", "gw:test:b", "x", "y"]);
    assert!(kv.get(&Key::new("test", "b")).await.is_err());
    assert!(kv.remove(&Key::new("test", "b")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_pages_takes_few_walks_and_a_new_list_sees_what_is_new() {
    let server = Server::start();
    let redis = open(&server.url()).await;
    let (kv, writer) = (redis.kv(), redis.kv());
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..2000_u16 {
        let kv = writer.clone();
        writing.spawn(async move {
            kv.create(&Key::new("test", number.to_be_bytes()), "x".into(), LATE).await.unwrap()
        });
    }
    writing.join_all().await;
    let walks = || {
        let info = server.ask(&["INFO", "commandstats"]);
        let line = info.lines().find(|line| line.starts_with("cmdstat_scan:calls=")).unwrap_or("=0,");
        line.split(['=', ',']).nth(1).unwrap().parse::<u32>().unwrap()
    };
    let (mut after, mut seen) = (None::<Box<[u8]>>, Vec::new());
    loop {
        let page = kv.page("test", after.as_deref(), 100).await.unwrap();
        seen.extend(page.items.into_iter().map(|(id, _)| u16::from_be_bytes(id[..].try_into().unwrap())));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..2000).collect::<Vec<_>>());
    assert!(walks() <= 10, "{} steps for twenty pages", walks());
    let middle = 1000_u16.to_be_bytes();
    kv.page("test", None, 1001).await.unwrap();
    kv.create(&Key::new("test", [middle[0], middle[1], 0]), "x".into(), LATE).await.unwrap();
    let fresh = kv.page("test", None, 1002).await.unwrap();
    assert_eq!(fresh.items.last().unwrap().0.len(), 3, "a new list is a new look");
    for number in 0..2000_u16 {
        if number != 1999 {
            kv.remove(&Key::new("test", number.to_be_bytes())).await.unwrap();
        }
    }
    let page = kv.page("test", fresh.next.as_deref(), 5).await.unwrap();
    assert_eq!(page.items.len(), 1, "what has gone meanwhile does not end the list: {page:?}");
}
