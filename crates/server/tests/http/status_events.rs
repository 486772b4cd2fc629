//! The push channel of revocations: everything first, then what comes, and nothing missed after a cut.

use std::time::Duration;

use gateward_kernel::status::{Bits, SubjectTag};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::house::{House, PASSWORD};

/// Longer than any event takes to come, beats included.
const PATIENCE: Duration = Duration::from_secs(10);

struct Event {
    id: String,
    name: String,
    data: Value,
}

/// Somebody who listens.
struct Listener {
    lines: Lines<BufReader<OwnedReadHalf>>,
    /// Kept, or the server would see the connection half closed.
    _write: OwnedWriteHalf,
    status: String,
}

impl Listener {
    async fn new(house: &House, last: Option<&str>) -> Listener {
        let (read, mut write) = TcpStream::connect(house.address).await.unwrap().into_split();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /oauth/status/events HTTP/1.1\r\nHost: {}\r\n{last}\r\n", house.address);
        write.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(read).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        Listener { lines, _write: write, status }
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("nothing came").unwrap()
    }

    /// The next event; `None` when the server ended the answer. Heads and chunk sizes are read over.
    async fn next(&mut self) -> Option<Event> {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let line = self.line().await?;
            if let Some(value) = line.strip_prefix("id: ") {
                id = value.to_owned();
            } else if let Some(value) = line.strip_prefix("event: ") {
                name = value.to_owned();
            } else if let Some(value) = line.strip_prefix("data: ") {
                return Some(Event { id, name, data: serde_json::from_str(value).unwrap() });
            }
        }
    }

    /// The next event that is no beat.
    async fn news(&mut self) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if event.name != "beat" {
                return event;
            }
        }
    }
}

/// Signs an app in, and yields its session's id, and place and person of its access token.
async fn app(house: &House) -> (String, u64, String) {
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
    let answer = house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
    let payload = answer["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value =
        serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap();
    let index = claims["status"]["status_list"]["idx"].as_u64().unwrap();
    (answer["session"]["id"].as_str().unwrap().to_owned(), index, claims["sub"].as_str().unwrap().to_owned())
}

fn indexes(event: &Event) -> Vec<u64> {
    let lists = event.data["lists"].as_object().unwrap();
    lists.values().flat_map(|list| list.as_array().unwrap()).map(|index| index.as_u64().unwrap()).collect()
}

/// Which places a snapshot tells as revoked.
fn revoked(event: &Event, index: u64) -> bool {
    let lists = event.data["lists"].as_object().unwrap();
    lists.values().any(|list| {
        let bits = Bits::inflate(1, list["lst"].as_str().unwrap()).unwrap();
        bits.status(u32::try_from(index).unwrap()) == Some(1)
    })
}

#[tokio::test]
async fn a_listener_hears_everything_first_and_then_each_revocation() {
    let house = House::new().await;
    house.person("ann").await;
    let (early, early_index, _) = app(&house).await;
    let (late, late_index, _) = app(&house).await;
    let mut ann = house.signed_in("ann").await;
    ann.delete(&format!("/api/v1/sessions/{early}")).await.expect(204);
    let mut listener = Listener::new(&house, None).await;
    assert!(listener.status.contains("200"));
    let first = listener.next().await.unwrap();
    assert_eq!(first.name, "snapshot");
    assert!(revoked(&first, early_index) && !revoked(&first, late_index));
    ann.delete(&format!("/api/v1/sessions/{late}")).await.expect(204);
    let change = listener.news().await;
    assert_eq!((change.name.as_str(), indexes(&change)), ("change", vec![late_index]));
    assert_eq!(change.data["cuts"], json!({}));
    let beat = listener.next().await.unwrap();
    assert_eq!((beat.name.as_str(), beat.id), ("beat", change.id), "nothing came since");
}

#[tokio::test]
async fn ending_all_of_a_person_is_told_as_a_cut_without_naming_them() {
    let house = House::new().await;
    house.person("ann").await;
    let (_, index, subject) = app(&house).await;
    let mut listener = Listener::new(&house, None).await;
    listener.next().await.unwrap();
    house.tick();
    let mut ann = house.signed_in("ann").await;
    ann.delete("/api/v1/sessions").await.expect(204);
    let (mut cut, mut bits) = (None, Vec::new());
    while cut.is_none() || bits.is_empty() {
        let change = listener.news().await;
        assert!(!change.data.to_string().contains(&subject));
        cut = cut.or(change.data["cuts"].get(SubjectTag::of(&subject).to_string()).cloned());
        bits.extend(indexes(&change));
    }
    assert_eq!((cut, bits), (Some(json!(house.now().micros())), vec![index]));
}

#[tokio::test]
async fn who_was_cut_off_is_told_what_they_missed_and_nothing_else() {
    let house = House::new().await;
    house.person("ann").await;
    let mut apps = Vec::new();
    for _ in 0..3 {
        apps.push(app(&house).await);
    }
    let mut listener = Listener::new(&house, None).await;
    listener.next().await.unwrap();
    let mut ann = house.signed_in("ann").await;
    ann.delete(&format!("/api/v1/sessions/{}", apps[0].0)).await.expect(204);
    let heard = listener.news().await;
    drop(listener);
    ann.delete(&format!("/api/v1/sessions/{}", apps[1].0)).await.expect(204);
    ann.delete(&format!("/api/v1/sessions/{}", apps[2].0)).await.expect(204);
    let mut missed = indexes(&Listener::new(&house, Some(&heard.id)).await.next().await.unwrap());
    missed.sort_unstable();
    let mut expected = vec![apps[1].1, apps[2].1];
    expected.sort_unstable();
    assert_eq!(missed, expected);
    // Another run of the program, or nonsense: everything anew.
    for foreign in ["0000000000000000-1", "x", ""] {
        let first = Listener::new(&house, Some(foreign)).await.next().await.unwrap();
        assert_eq!(first.name, "snapshot");
        assert!(apps.iter().all(|(_, index, _)| revoked(&first, *index)));
    }
}

#[tokio::test]
async fn what_another_node_revokes_is_told_here_within_a_second() {
    let house = House::with("public_url = \"http://localhost:8080\"").await;
    let other = house.second().await;
    house.person("ann").await;
    let (session, index, _) = app(&house).await;
    let mut listener = Listener::new(&other, None).await;
    listener.next().await.unwrap();
    let begun = std::time::Instant::now();
    house.app.sessions.end(session.parse().unwrap(), house.now()).await.unwrap();
    assert_eq!(indexes(&listener.news().await), [index]);
    assert!(begun.elapsed() < Duration::from_secs(2), "a second, and as much again for a busy machine");
}

#[tokio::test]
async fn so_many_may_listen_and_no_more() {
    let house = House::with("[tokens]\npush_listeners = 2").await;
    let mut listeners = Vec::new();
    for _ in 0..2 {
        let mut listener = Listener::new(&house, None).await;
        assert!(listener.status.contains("200"));
        listener.next().await.unwrap();
        listeners.push(listener);
    }
    assert!(Listener::new(&house, None).await.status.contains("503"));
    listeners.pop();
    let begun = std::time::Instant::now();
    while !Listener::new(&house, None).await.status.contains("200") {
        assert!(begun.elapsed() < PATIENCE, "the place of one who went away is free again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn listeners_end_with_the_program_and_do_not_hold_it_up() {
    let machine = crate::machine::Machine::new();
    let running = machine.serve().await;
    let (read, mut write) = TcpStream::connect(running.address).await.unwrap().into_split();
    write.write_all(b"GET /oauth/status/events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(read).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("event: snapshot") {}
    let begun = std::time::Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < PATIENCE, "well before the time for unfinished requests");
}
