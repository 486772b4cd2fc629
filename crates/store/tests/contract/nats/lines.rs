//! Lines that are cut or silent, and servers that are killed.

use gateward_engines::Proxy;
use gateward_kernel::ports::{FaultKind, Replaced};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_is_a_fault_and_heals() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let kv = open(&format!("nats://{}", proxy.addr())).await.kv();
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
        assert!(begun.elapsed() < Duration::from_secs(3), "soon: {:?}", begun.elapsed());
        within(Duration::from_secs(1), "the feed is lost", || async { ear.has("lost") }).await;
        proxy.heal();
        within(LONG, "it works again", || async { kv.ping().await.is_ok() }).await;
        assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
        within(LONG, "the feed is back", || async { ear.ends_with("restored") }).await;
        ear.0.lock().clear();
    }
    let beside = open(&server.url()).await.kv();
    assert!(
        beside.get(&Key::new("test", "b")).await.unwrap().is_none(),
        "what was not sent is not done later"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_line_is_a_fault_within_patience_and_its_feed_is_lost() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let kv = open_impatient(&format!("nats://{}", proxy.addr())).await.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    proxy.silence();
    let begun = Instant::now();
    let (key, other) = (Key::new("test", "a"), Key::new("test", "b"));
    let (read, written) = tokio::join!(kv.get(&key), kv.create(&other, "b".into(), LATE));
    let (read, written) = (read.unwrap_err(), written.unwrap_err());
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert!(matches!(read.kind, FaultKind::TimedOut | FaultKind::Unavailable), "{read}");
    assert!(written.cause.contains("whether a write happened is unknown"), "{written}");
    within(Duration::from_secs(2).saturating_sub(begun.elapsed()), "the feed is lost", || async {
        ear.has("lost")
    })
    .await;
    proxy.heal();
    within(LONG, "it works again", || async { kv.get(&key).await.is_ok() }).await;
    within(LONG, "the feed is back", || async { ear.ends_with("restored") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_killed_and_restarted_works_again() {
    let mut server = Server::start();
    let kv = open_impatient(&server.url()).await.kv();
    let before = create(&kv, "a").await;
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
    let stored = kv.get(&Key::new("test", "a")).await.unwrap().expect("the end of a process loses nothing");
    assert_eq!(stored.version, before);
    let replaced = kv.replace(&Key::new("test", "a"), before, "new".into(), LATE).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(version) if version > before));
    within(LONG, "the feed is back", || async { ear.ends_with("restored") || ear.told().len() > 2 }).await;
}

/// The headers and the number of the last message of a record, as the server has them.
fn message(server: &Server, subject: &str) -> String {
    let question = format!("{{\"last_by_subj\":\"$KV.gateward.r.{subject}\"}}");
    server.ask("$JS.API.STREAM.MSG.GET.KV_gateward", &question).unwrap()
}

fn headers(server: &Server, subject: &str) -> String {
    let said: serde_json::Value = serde_json::from_str(&message(server, subject)).unwrap();
    let coded = said["message"]["hdrs"].as_str().unwrap_or_default();
    String::from_utf8(data_encoding::BASE64.decode(coded.as_bytes()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_removals_are_taken_away_some_time_after_their_death() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    let in_an_hour = Wall.now() + Duration::from_secs(3600);
    // The ids are spelt in digits of five bits each.
    for (id, death) in [([0_u8], in_an_hour), ([1], Moment::from_micros(1)), ([2], Moment::NEVER)] {
        kv.create(&Key::new("test", id), "x".into(), death).await.unwrap();
    }
    let left = |subject: &str| {
        let headers = headers(&server, subject);
        let (_, rest) = headers.split_once("Nats-TTL: ")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    assert!(left("test.0.0.-").is_some_and(|left| (3655..=3661).contains(&left)), "{:?}", left("test.0.0.-"));
    assert_eq!(left("test.0.4.-"), Some(61), "a minute after a death in the past");
    assert_eq!(left("test.0.8.-"), None);
    kv.remove(&Key::new("test", [0])).await.unwrap().unwrap();
    assert_eq!(left("test.0.0.-"), Some(120), "a removal is remembered for two minutes");
    // A removal that was forgotten, or whose record the server took away, gives way to a new record.
    let subject = "$KV.gateward.r.test.0.0.-";
    let purged = server.ask("$JS.API.STREAM.PURGE.KV_gateward", &format!("{{\"filter\":\"{subject}\"}}"));
    assert!(purged.unwrap().contains("\"purged\":1"));
    let again = kv.create(&Key::new("test", [0]), "y".into(), LATE).await.unwrap();
    assert!(matches!(again, Created::Done(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_takes_away_is_told_and_counts_as_absent() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    let ear = Ear::on(&kv);
    // As another program would write it, with a second to live.
    let written = server.ask("$JS.API.STREAM.INFO.KV_gateward", "").unwrap();
    assert!(written.contains("\"subject_delete_marker_ttl\":120000000000"), "{written}");
    let version = create(&kv, "a").await;
    server.write_for_a_second("$KV.gateward.r.test.C.4.-", "12345678short-lived");
    within(LONG, "it is gone", || async { kv.get(&Key::new("test", "a")).await.unwrap().is_none() }).await;
    within(LONG, "that is told", || async { ear.told().len() == 3 }).await;
    let told = ear.told();
    let versions: Vec<u64> =
        told.iter().map(|told| told.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert!(versions[0] == version.0 && versions.is_sorted(), "{told:?}");
    let absent = kv.replace(&Key::new("test", "a"), version, "x".into(), LATE).await.unwrap();
    assert_eq!(absent, Replaced::Absent);
    assert!(kv.remove(&Key::new("test", "a")).await.unwrap().is_none());
    assert!(create(&kv, "a").await.0 > *versions.last().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_wrote_is_unreadable_and_not_absent() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    server.ask("$KV.gateward.r.test.C.4.-", "short").unwrap();
    let fault = kv.get(&Key::new("test", "a")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreadable, "{fault}");
    assert!(kv.remove(&Key::new("test", "a")).await.is_err());
    assert_eq!(create(&kv, "b").await, create_again(&kv, "b").await, "others are not touched by that");
}

async fn create_again(kv: &Arc<dyn Kv>, id: &str) -> Version {
    kv.get(&Key::new("test", id)).await.unwrap().unwrap().version
}
