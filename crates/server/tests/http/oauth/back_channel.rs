//! Clients are told that a session has ended (OpenID Connect Back-Channel Logout), whatever ended it and whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gateward_kernel::oauth::client::{Metadata, SubjectType};
use gateward_kernel::record::Decision;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Known, SETTINGS, agree, client, redeem, refresh, request, told, verified};
use crate::house::{House, PASSWORD, within_a_second};
use crate::wire::Browser;

/// A client's server: it answers with the status that is set, and hands over what it was sent.
struct Receiver {
    port: u16,
    status: Arc<AtomicU16>,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    async fn new() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(AtomicU16::new(200));
        let (tell, heard) = mpsc::unbounded_channel();
        let answers = status.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = Vec::new();
                let mut part = [0; 4096];
                while !is_whole(&text) {
                    match stream.read(&mut part).await {
                        Ok(count) if count > 0 => text.extend_from_slice(&part[..count]),
                        _ => break,
                    }
                }
                let answer =
                    format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", answers.load(Ordering::SeqCst));
                let _maybe_gone = stream.write_all(answer.as_bytes()).await;
                tell.send(String::from_utf8(text).unwrap()).unwrap();
            }
        });
        Receiver { port, status, heard }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The logout token that comes next.
    async fn next(&mut self) -> String {
        let text =
            tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await.expect("a call").unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /told?x=1 HTTP/1.1\r\n"), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded"),
            "{head}"
        );
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!((pairs.len(), pairs[0].0.as_str()), (1, "logout_token"));
        pairs[0].1.clone()
    }

    fn is_silent(&mut self) -> bool {
        self.heard.try_recv().is_err()
    }
}

fn is_whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

async fn house_that_may_ask(receiver: &Receiver) -> House {
    // Both nodes have one name.
    let allow = format!(
        "public_url = \"http://127.0.0.1:9\"\n{SETTINGS}\n[outbound]\nallow = [\"http://127.0.0.1:{}\"]\n",
        receiver.port
    );
    let house = House::with(&allow).await;
    house.admin("root").await;
    house.person("ann").await;
    house
}

/// A client that is told at the receiver.
async fn told_client(house: &House, id: &str, receiver: &Receiver) -> Known {
    let uri = format!("http://127.0.0.1:{}/told?x=1", receiver.port);
    client(house, id, json!({ "backchannel_logout_uri": uri })).await
}

/// Signs ann in at the client in this browser; the claims of her ID token.
async fn at_client(
    house: &House,
    browser: &mut Browser,
    app: &Known,
    more: &[(&str, &str)],
) -> (Value, Value) {
    let code = told(&agree(browser, &request(app, more)).await)["code"].clone();
    let tokens = redeem(house, app, &code).await.expect(200).json();
    let (_, claims) = verified(house, tokens["id_token"].as_str().unwrap()).await;
    (tokens, claims)
}

/// The claims of a logout token, whose form is checked (§2.4).
async fn checked(house: &House, token: &str, app: &str) -> Value {
    let (header, claims) = verified(house, token).await;
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.app.origin), &json!(app)));
    assert_eq!(claims["iat"], house.now().seconds());
    assert_eq!(claims["exp"], house.now().seconds() + 120);
    assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(claims["jti"].as_str().unwrap().len() >= 22 && claims.get("nonce").is_none());
    claims
}

async fn waiting(house: &House) -> usize {
    house.app.oauth.outbox.all(house.now()).await.unwrap().len()
}

async fn all_told(house: &House) {
    within_a_second("all are told", async || waiting(house).await == 0).await;
}

#[tokio::test]
async fn whatever_ends_a_session_tells_its_clients() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    // One that does not want to be told, and one that got no ID token, hear nothing.
    let silent = client(&house, "silent", json!({})).await;
    let plain = told_client(&house, "plain", &receiver).await;
    let id = house.stored("ann").await.id;
    for way in ["sign-out", "page", "elsewhere", "others", "all", "admin", "disable", "password", "client"] {
        house.advance(Duration::from_secs(2));
        let mut ann = house.signed_in("ann").await;
        let (tokens, claims) = at_client(&house, &mut ann, &app, &[]).await;
        at_client(&house, &mut ann, &silent, &[]).await;
        let code = told(&agree(&mut ann, &request(&plain, &[("scope", "read")])).await)["code"].clone();
        redeem(&house, &plain, &code).await.expect(200);
        let sid = claims["sid"].as_str().unwrap().to_owned();
        house.advance(Duration::from_secs(1));
        match way {
            "sign-out" => drop(ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204)),
            "page" => drop(ann.fill("/logout", "/logout", &[]).await.expect(200)),
            "elsewhere" => {
                let mut other = house.signed_in("ann").await;
                other.delete(&format!("/api/v1/sessions/{sid}")).await.expect(204);
            }
            "others" => {
                let mut other = house.signed_in("ann").await;
                other.delete("/api/v1/sessions?keep=current").await.expect(204);
            }
            "all" => drop(ann.delete("/api/v1/sessions").await.expect(204)),
            "admin" => {
                house
                    .signed_in("root")
                    .await
                    .delete(&format!("/api/v1/admin/sessions/{sid}"))
                    .await
                    .expect(204);
            }
            "disable" => {
                gateward::admin::flow::set_disabled(&house.app, id, true, house.now()).await.unwrap();
                house.tick();
                gateward::admin::flow::set_disabled(&house.app, id, false, house.now()).await.unwrap();
            }
            "password" => {
                let mut other = house.signed_in("ann").await;
                let fields =
                    [("current_password", PASSWORD), ("password", PASSWORD), ("password_again", PASSWORD)];
                other.fill("/account", "/account/password", &fields).await.expect(303);
            }
            _ => {
                let hint = tokens["id_token"].as_str().unwrap();
                drop(ann.get(&format!("/oauth/logout?id_token_hint={hint}")).await.expect(200));
            }
        }
        let heard = checked(&house, &receiver.next().await, "app").await;
        assert_eq!((&heard["sid"], &heard["sub"]), (&json!(sid), &claims["sub"]), "{way}");
        all_told(&house).await;
        assert!(receiver.is_silent(), "{way}");
    }
}

#[tokio::test]
async fn the_answer_to_the_browser_comes_after_the_clients_were_told() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    at_client(&house, &mut ann, &app, &[]).await;
    ann.fill("/logout", "/logout", &[]).await.expect(200);
    assert_eq!(waiting(&house).await, 0);
    checked(&house, &receiver.next().await, "app").await;
}

#[tokio::test]
async fn offline_access_lives_on_and_its_client_is_told_all_the_same() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    let (tokens, claims) = at_client(&house, &mut ann, &app, &[("scope", "openid offline_access")]).await;
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    let heard = checked(&house, &receiver.next().await, "app").await;
    assert_eq!(heard["sid"], claims["sid"]);
    let next = refresh(&house, &app, tokens["refresh_token"].as_str().unwrap()).await.expect(200).json();
    let (_, claims) = verified(&house, next["id_token"].as_str().unwrap()).await;
    assert!(claims.get("sid").is_none(), "that session is over");
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_told_again_until_it_does() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    at_client(&house, &mut ann, &app, &[]).await;
    receiver.answers(503);
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    let first = checked(&house, &receiver.next().await, "app").await;
    for pause in [5, 10] {
        tried(&house, pause).await;
        house.advance(Duration::from_secs(pause - 1));
        look(&house).await;
        assert!(receiver.is_silent(), "it is not due before {pause} seconds");
        house.advance(Duration::from_secs(1));
        house.app.oauth.outbox.wake();
        let again = checked(&house, &receiver.next().await, "app").await;
        assert_eq!((&first["sid"], &first["sub"]), (&again["sid"], &again["sub"]));
        assert_ne!(first["jti"], again["jti"]);
    }
    tried(&house, 20).await;
    receiver.answers(204);
    house.advance(Duration::from_secs(20));
    house.app.oauth.outbox.wake();
    receiver.next().await;
    all_told(&house).await;
}

/// Until the attempt that is under way has been written down: the next one is due after this pause, in seconds.
async fn tried(house: &House, pause: u64) {
    let then = house.now() + Duration::from_secs(pause);
    let is_settled = async || house.app.oauth.outbox.due(then).await.unwrap().len() == 1;
    within_a_second("the attempt is over", is_settled).await;
}

/// Has the outbox looked at: nothing that is due stays unseen.
async fn look(house: &House) {
    assert!(house.app.oauth.outbox.due(house.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_told_for_six_hours_is_given_up_and_written_down() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    at_client(&house, &mut ann, &app, &[]).await;
    receiver.answers(500);
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    receiver.next().await;
    tried(&house, 5).await;
    house.advance(gateward_kernel::oauth::TOLD_FOR);
    house.app.oauth.outbox.wake();
    all_told(&house).await;
    assert!(receiver.is_silent());
    let mut root = house.signed_in("root").await;
    let is_there = async || {
        let events = root.get("/api/v1/admin/events").await.expect(200).json();
        events["events"].as_array().unwrap().iter().any(|event| {
            event["fact"] == "logout-not-told" && event["detail"] == "client app, after 1 attempts"
        })
    };
    within_a_second("the event is there", is_there).await;
}

#[tokio::test]
async fn another_node_tells_what_one_wrote_down_before_it_died() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    let (_, claims) = at_client(&house, &mut ann, &app, &[]).await;
    // The end was announced and decided, and then the program was gone: nothing was tidied up.
    let person = house.stored("ann").await.id;
    house.app.sessions.announce_end(person, None, house.now()).await.unwrap();
    house.app.oauth.outbox.wake();
    within_a_second("the session still lives: nobody is told", async || {
        waiting(&house).await == 1 && house.app.oauth.outbox.due(house.now()).await.unwrap().is_empty()
    })
    .await;
    assert!(receiver.is_silent());
    house
        .change("ann", |person| {
            person.end_everything(gateward_kernel::time::Moment::from_micros(1_800_000_000_000_000))
        })
        .await;
    let second = house.second().await;
    second.advance(Duration::from_secs(5));
    second.app.oauth.outbox.wake();
    house.app.oauth.outbox.wake();
    let heard = checked(&house, &receiver.next().await, "app").await;
    assert_eq!(heard["sid"], claims["sid"]);
    all_told(&house).await;
    assert!(receiver.is_silent(), "one node tells");
}

#[tokio::test]
async fn a_logout_token_is_good_for_nothing_else() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let app = told_client(&house, "app", &receiver).await;
    let mut ann = house.signed_in("ann").await;
    at_client(&house, &mut ann, &app, &[]).await;
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    let token = receiver.next().await;
    let mut again = house.signed_in("ann").await;
    let page = again.get(&format!("/oauth/logout?id_token_hint={token}")).await.expect(200);
    assert!(page.text().contains("id=\"logout-confirm\"") && again.is_signed_in().await);
    assert_eq!(super::userinfo(&house, &token).await.status, 401);
    let asked = again.get(&request(&app, &[("id_token_hint", &token)])).await;
    assert_eq!(told(&asked)["error"], "invalid_request");
}

/// By one name for all, two clients could find out whom they have in common (OpenID Connect Core §17.3).
#[tokio::test]
async fn a_client_knows_sessions_by_names_of_its_sector_where_it_knows_people_so() {
    let mut receiver = Receiver::new().await;
    let house = house_that_may_ask(&receiver).await;
    let mut ann = house.signed_in("ann").await;
    let mut names = Vec::new();
    for (id, other) in [("one", "https://one.example/cb"), ("two", "https://two.example/cb")] {
        let app = told_client(&house, id, &receiver).await;
        let pairwise = |client: &gateward_kernel::oauth::Client| {
            let metadata = Metadata {
                subject_type: Some(SubjectType::Pairwise),
                sector_identifier_uri: Some(other.into()),
                grant_types: serde_json::from_value(json!(["authorization_code", EXCHANGE])).unwrap(),
                ..client.metadata.clone()
            };
            Decision::Write(gateward_kernel::oauth::Client { metadata, ..client.clone() }, ())
        };
        house.app.oauth.clients.change(id, house.now(), pairwise).await.unwrap().unwrap();
        let (tokens, claims) = at_client(&house, &mut ann, &app, &[]).await;
        let (_, again) = at_client(&house, &mut ann, &app, &[]).await;
        assert_eq!(claims["sid"], again["sid"], "it is the same session");
        // An ID token stands for its session all the same.
        let fields = [
            ("grant_type", EXCHANGE),
            ("subject_token", tokens["id_token"].as_str().unwrap()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ];
        super::post(&house, &app, "/oauth/token", &fields).await.expect(200);
        names.push((id, claims["sid"].clone()));
    }
    assert_ne!(names[0].1, names[1].1);
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    for _ in 0..2 {
        let token = receiver.next().await;
        let (_, claims) = verified(&house, &token).await;
        let (_, name) = names.iter().find(|(id, _)| claims["aud"] == *id).unwrap();
        assert_eq!(&claims["sid"], name);
    }
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
