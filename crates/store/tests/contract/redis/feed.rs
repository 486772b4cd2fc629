//! What others write is heard of, or nothing is believed.

use gateward_engines::Proxy;
use gateward_kernel::record::{Book, Decision};

use super::*;

const NOW: Moment = Moment::from_micros(1);

async fn write(book: &Book<Note>, id: SessionId, text: &str) {
    let change = |note: &Note| Decision::Write(Note { text: text.into(), ..note.clone() }, ());
    book.change(id, NOW, change).await.unwrap().unwrap();
}

async fn text(book: &Book<Note>, id: SessionId) -> Option<String> {
    book.load(id, NOW).await.unwrap().map(|note| note.record.text.clone())
}

/// One book behind a line that can be cut, and one beside it.
async fn near_and_far(url: &str, server: &Server) -> (Book<Note>, Book<Note>) {
    let (near, far) = (open(url).await, open(&server.url()).await);
    (Book::with_near_cache(near.kv(), 1 << 20), Book::new(far.kv()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_cache_follows_what_another_handle_does() {
    let server = Server::start();
    let (near, far) = near_and_far(&server.url(), &server).await;
    let id = SessionId::from_bytes([1; 16]);
    near.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=20 {
        // Its own notice of an earlier write may still come and evict it.
        within(Duration::from_secs(1), "it is remembered", || async {
            near.load(id, NOW).await.unwrap();
            near.hit(&id, NOW).is_some()
        })
        .await;
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
    let (near, far) = near_and_far(&format!("redis://{}", proxy.addr()), &server).await;
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
        let begun = Instant::now();
        let new = round.to_string();
        write(&far, id, &new).await;
        within(Duration::from_secs(2), "memory is not believed", || async { near.hit(&id, NOW).is_none() })
            .await;
        assert!(begun.elapsed() < Duration::from_secs(2));
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

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_makes_memory_start_over() {
    let server = Server::start();
    let (near, _far) = near_and_far(&server.url(), &server).await;
    let kv = open(&server.url()).await.kv();
    let ear = Ear::on(&kv);
    let id = SessionId::from_bytes([1; 16]);
    near.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    within(Duration::from_secs(1), "it is remembered", || async {
        near.load(id, NOW).await.unwrap();
        near.hit(&id, NOW).is_some()
    })
    .await;
    assert_eq!(server.ask(&["FLUSHALL"]), "OK");
    within(Duration::from_secs(1), "the flush", || async { near.hit(&id, NOW).is_none() }).await;
    assert!(near.load(id, NOW).await.unwrap().is_none());
    within(Duration::from_secs(1), "the flush is told", || async {
        ear.told().ends_with(&["lost".into(), "restored".into()])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_and_foreign_writes_are_told_and_other_prefixes_are_not() {
    let server = Server::start();
    let kv = open(&server.url()).await.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    server.ask(&["SET", "other:test:x", "1"]);
    server.ask(&["PEXPIRE", "gw:test:a", "1"]);
    within(LONG, "the expiry", || async {
        // The server looks for the dead now and then, or when they are asked for.
        server.ask(&["EXISTS", "gw:test:a"]);
        ear.told().iter().filter(|told| *told == "test a ?").count() >= 2
    })
    .await;
    assert!(ear.told().iter().all(|told| told == "test a ?"), "{:?}", ear.told());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_given_up_is_told_without_a_name() {
    let server = Server::start();
    let kv = open_impatient(&server.url()).await.kv();
    create(&kv, "a").await;
    let ear = Ear::on(&kv);
    server.pause();
    let key = Key::new("test", "a");
    let given_up = tokio::time::timeout(Duration::from_millis(50), kv.remove(&key)).await;
    assert!(given_up.is_err());
    assert!(ear.has("test a ?"), "at once: {:?}", ear.told());
    server.resume();
}
