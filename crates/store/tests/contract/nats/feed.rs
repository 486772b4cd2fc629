//! What others write is heard of, or nothing is believed.

use gateward_engines::Proxy;
use gateward_kernel::record::{Book, Decision};

use super::*;

pub(super) const NOW: Moment = Moment::from_micros(1);

pub(super) async fn write(book: &Book<Note>, id: SessionId, text: &str) {
    let change = |note: &Note| Decision::Write(Note { text: text.into(), ..note.clone() }, ());
    book.change(id, NOW, change).await.unwrap().unwrap();
}

pub(super) async fn text(book: &Book<Note>, id: SessionId) -> Option<String> {
    book.load(id, NOW).await.unwrap().map(|note| note.record.text.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_cache_follows_what_another_handle_does() {
    let server = Server::start();
    let (near, far) = (open(&server.url()).await, open(&server.url()).await);
    let (near, far) = (Book::<Note>::with_near_cache(near.kv(), 1 << 20), Book::<Note>::new(far.kv()));
    let id = SessionId::from_bytes([1; 16]);
    near.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=20 {
        assert!(near.hit(&id, NOW).is_some(), "an own write is remembered, and its echo does not evict it");
        let new = round.to_string();
        write(&far, id, &new).await;
        within(Duration::from_secs(1), "the other's change", || async {
            text(&near, id).await == Some(new.clone())
        })
        .await;
        write(&near, id, "own").await;
        assert_eq!(text(&near, id).await.as_deref(), Some("own"), "never behind its own writes");
    }
    far.remove(id).await.unwrap().unwrap();
    within(Duration::from_secs(1), "the removal", || async { text(&near, id).await.is_none() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_the_feed_is_cut_is_never_hidden() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let near = open(&format!("nats://{}", proxy.addr())).await;
    let far = open(&server.url()).await;
    let (near, far) = (Book::<Note>::with_near_cache(near.kv(), 1 << 20), Book::<Note>::new(far.kv()));
    let id = SessionId::from_bytes([1; 16]);
    near.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=5 {
        within(LONG, "it is remembered", || async {
            near.load(id, NOW).await.is_ok() && near.hit(&id, NOW).is_some()
        })
        .await;
        if round % 2 == 0 {
            proxy.cut()
        } else {
            proxy.silence()
        };
        let new = round.to_string();
        write(&far, id, &new).await;
        within(Duration::from_secs(2), "memory is not believed", || async { near.hit(&id, NOW).is_none() })
            .await;
        proxy.heal();
        // Whatever answers from here on is the new state.
        within(LONG, "it works again", || async {
            match near.load(id, NOW).await {
                Ok(note) => {
                    assert_eq!(note.unwrap().record.text, new);
                    near.hit(&id, NOW).is_some()
                }
                Err(_) => false,
            }
        })
        .await;
    }
}

/// How many consumers the stream has.
fn consumers(server: &Server) -> usize {
    let said = server.ask("$JS.API.STREAM.INFO.KV_gateward", "").unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    said["state"]["consumer_count"].as_u64().unwrap().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnecting_leaves_no_consumers_behind() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let nats = open(&format!("nats://{}", proxy.addr())).await;
    let kv = nats.kv();
    let ear = Ear::on(&kv);
    let mut most = 0;
    for _ in 0..20 {
        ear.0.lock().clear();
        proxy.hang_up();
        within(LONG, "the feed is cut and back", || async { ear.ends_with("restored") }).await;
        most = most.max(consumers(&server));
    }
    assert!(most <= 21, "{most}");
    within(LONG, "only the one in use is left", || async { consumers(&server) == 1 }).await;
    drop((kv, nats));
    within(LONG, "and that one goes with its handle", || async { consumers(&server) == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_somebody_deletes_is_noticed() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    let ear = Ear::on(&kv);
    let said = server.ask("$JS.API.CONSUMER.NAMES.KV_gateward", "").unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let name = said["consumers"][0].as_str().unwrap();
    server.ask(&format!("$JS.API.CONSUMER.DELETE.KV_gateward.{name}"), "").unwrap();
    within(Duration::from_secs(2), "the feed is lost", || async { ear.has("lost") }).await;
    within(LONG, "the feed is back", || async { ear.ends_with("restored") }).await;
    kv.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_while_the_feed_is_cut_is_told_so() {
    let mut server = Server::start();
    let kv = open_impatient(&server.url()).await.kv();
    let ear = Ear::on(&kv);
    assert!(ear.told().is_empty());
    server.kill();
    within(Duration::from_secs(2), "the loss", || async { ear.told() == ["lost"] }).await;
    let late = Ear::on(&kv);
    assert_eq!(late.told(), ["lost"]);
    server.restart();
    within(LONG, "the return", || async { late.told() == ["lost", "restored"] }).await;
    within(LONG, "for all", || async { ear.told() == ["lost", "restored"] }).await;
}
