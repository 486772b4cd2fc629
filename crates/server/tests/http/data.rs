//! The application's data in a session: merge patches on known versions, within limits.

use serde_json::json;

use crate::house::{House, at_once, count};
use crate::wire::Answer;

const PATH: &str = "/api/v1/session/data";
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn patches_merge_and_every_change_has_a_version() {
    let house = House::new().await;
    let mut guest = house.browser();
    guest.get(PATH).await.expect(401);
    let first = guest.json("PATCH", PATH, &json!({"a": {"b": 1, "c": 2}, "d": "x"})).await.expect(200);
    assert_eq!(first.header("etag"), Some("\"1\""));
    assert!(guest.cookie("gateward").is_some(), "a guest gets a session");
    let secret = guest.secret();
    let second = guest
        .send(
            "PATCH",
            PATH,
            &[("Content-Type", "application/merge-patch+json; charset=utf-8")],
            br#"{"a":{"b":null},"d":[1]}"#,
        )
        .await
        .expect(200);
    assert_eq!((second.json(), second.header("etag")), (json!({"a": {"c": 2}, "d": [1]}), Some("\"2\"")));
    assert_eq!(guest.secret(), secret, "and keeps it");
    let shown = guest.get(PATH).await.expect(200);
    assert_eq!((shown.json(), shown.header("etag")), (second.json(), Some("\"2\"")));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    for whole in [json!("text"), json!([1, null]), json!(null), json!(1.5), json!({})] {
        guest.json("PATCH", PATH, &whole).await.expect(200);
        assert_eq!(guest.get(PATH).await.expect(200).json(), whole);
    }
}

#[tokio::test]
async fn a_change_on_a_stale_version_is_refused() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let put = async |browser: &mut crate::wire::Browser, tags: &[&str]| -> Answer {
        let tags = tags.iter().map(|tag| ("If-Match", *tag));
        let headers: Vec<_> = [JSON].into_iter().chain(tags).collect();
        browser.send("PATCH", PATH, &headers, br#"{"n":1}"#).await
    };
    put(&mut browser, &["\"0\""]).await.expect(200);
    let stale = put(&mut browser, &["\"0\""]).await.expect(412);
    assert_eq!(stale.problem(), "stale");
    assert!(stale.json()["detail"].as_str().unwrap().contains("version 1"));
    put(&mut browser, &["\"2\""]).await.expect(412);
    put(&mut browser, &["\"1\""]).await.expect(200);
    put(&mut browser, &["*"]).await.expect(200);
    for odd in [
        "3",
        "\"x\"",
        "W/\"3\"",
        "\"\"",
        "\"+3\"",
        "\"3\", \"4\"",
        "\"-1\"",
        "\"99999999999999999999\"",
        "\"3",
    ] {
        assert_eq!(put(&mut browser, &[odd]).await.expect(400).problem(), "malformed", "{odd}");
    }
    put(&mut browser, &["\"3\"", "\"3\""]).await.expect(400);
    assert_eq!(browser.get(PATH).await.header("etag"), Some("\"3\""), "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_on_one_version_one_is_made() {
    let house = House::new().await;
    house.person("ann").await;
    let browser = house.signed_in("ann").await;
    let changes = (0..20).map(|_| {
        let mut browser = browser.clone();
        async move { browser.send("PATCH", PATH, &[JSON, ("If-Match", "\"0\"")], br#"{"n":1}"#).await }
    });
    let answers = at_once(changes).await;
    assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 19));
    let unconditional = (0..20).map(|n| {
        let mut browser = browser.clone();
        async move { browser.json("PATCH", PATH, &json!({format!("k{n}"): n})).await }
    });
    let answers = at_once(unconditional).await;
    assert_eq!(count(&answers, 200), 20);
    let end = browser.clone().get(PATH).await.expect(200);
    assert_eq!(end.header("etag"), Some("\"21\""));
    assert_eq!(end.json().as_object().unwrap().len(), 21, "no change is lost");
}

#[tokio::test]
async fn the_limit_is_exact() {
    for (settings, limit) in [("", 64 * 1024), ("[sessions]\ndata_limit = \"1KiB\"", 1024)] {
        let house = House::with(settings).await;
        let mut guest = house.browser();
        // {"a":"…"} has eight bytes around the text.
        let full = json!({"a": "x".repeat(limit - 8)});
        guest.json("PATCH", PATH, &full).await.expect(200);
        let over = guest.json("PATCH", PATH, &json!({"a": "x".repeat(limit - 7)})).await.expect(413);
        assert_eq!(over.problem(), "too-large");
        assert_eq!(over.json()["detail"], format!("At most {limit} bytes are taken."));
        guest.json("PATCH", PATH, &json!({"b": 1})).await.expect(413);
        let kept = guest.get(PATH).await.expect(200);
        assert_eq!((kept.json(), kept.header("etag")), (full, Some("\"1\"")));
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_makes_no_session() {
    let house = House::new().await;
    let deep = "[".repeat(65) + &"]".repeat(65);
    let abyss = "[".repeat(60_000) + &"]".repeat(60_000);
    for (media_type, body, status) in [
        ("application/json", "", 400),
        ("application/json", "{", 400),
        ("application/json", "{\"a\":1}}", 400),
        ("application/json", "{\"a\":\u{0}}", 400),
        ("application/json", "\u{feff}{}", 400),
        ("application/json", "NaN", 400),
        ("application/json", &deep, 400),
        ("application/json", &abyss, 400),
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "{}", 415),
        ("multipart/form-data; boundary=x", "{}", 415),
        ("application/jsonp", "{}", 415),
        ("", "{}", 415),
    ] {
        let mut guest = house.browser();
        let answer = guest.send("PATCH", PATH, &[("Content-Type", media_type)], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{media_type} {}", &body[..body.len().min(20)]);
        assert_eq!(guest.cookie("gateward"), None, "{media_type}");
    }
    let mut guest = house.browser();
    guest.send("PATCH", PATH, &[JSON], b"{\"a\":\"\xff\"}").await.expect(400);
    guest.send("PATCH", PATH, &[], b"{}").await.expect(415);
    guest.send("PATCH", PATH, &[JSON, JSON], b"{}").await.expect(415);
    guest.send("PATCH", PATH, &[JSON, ("Origin", "https://evil.example")], b"{}").await.expect(403);
    guest.send("PATCH", PATH, &[JSON, ("Sec-Fetch-Site", "cross-site")], b"{}").await.expect(403);
    assert_eq!(guest.cookie("gateward"), None);
}

#[tokio::test]
async fn guests_cannot_fill_the_store() {
    let house = House::with("[throttle]\nnetwork_burst = 5").await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(house.browser().json("PATCH", PATH, &json!({})).await);
    }
    assert_eq!((count(&answers, 200), count(&answers, 429)), (5, 3));
    house.person("ann").await;
    house.browser().log_in("ann", crate::house::PASSWORD).await.expect(200);
}
