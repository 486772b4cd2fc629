//! How long sessions live, to the microsecond, and what their cookie says.

use std::time::Duration;

use serde_json::json;

use crate::house::{House, PASSWORD};
use crate::wire::Browser;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const TICK: Duration = Duration::from_micros(1);

async fn remembered(house: &House) -> Browser {
    let mut browser = house.browser();
    let body = json!({"username": "ann", "password": PASSWORD, "remember": true});
    browser.json("POST", "/api/v1/login", &body).await.expect(200);
    browser
}

#[tokio::test]
async fn unused_sessions_end_exactly_at_their_idle_time() {
    let house = House::new().await;
    house.person("ann").await;
    for (remember, idle) in [(false, 30 * MINUTE), (true, 14 * DAY)] {
        let begin = async || if remember { remembered(&house).await } else { house.signed_in("ann").await };
        let (mut early, mut late) = (begin().await, begin().await);
        house.advance(idle - TICK);
        assert!(early.is_signed_in().await, "remembered: {remember}");
        house.advance(TICK);
        assert!(!late.is_signed_in().await, "remembered: {remember}");
        assert!(early.is_signed_in().await, "the use just now counts");
    }
}

#[tokio::test]
async fn a_use_prolongs_once_it_is_worth_a_write() {
    let house = House::new().await;
    house.person("ann").await;
    // Five per cent of thirty minutes are ninety seconds.
    for (used_after, lives) in
        [(90 * Duration::from_secs(1) - TICK, false), (90 * Duration::from_secs(1), true)]
    {
        let mut browser = house.signed_in("ann").await;
        house.advance(used_after);
        assert!(browser.is_signed_in().await);
        house.advance(30 * MINUTE - used_after);
        assert_eq!(browser.is_signed_in().await, lives, "used after {used_after:?}");
    }
    let mut browser = house.signed_in("ann").await;
    house.advance(90 * Duration::from_secs(1));
    assert!(browser.is_signed_in().await);
    house.advance(30 * MINUTE);
    assert!(!browser.is_signed_in().await, "prolonged by the idle time from that use, and no longer");
}

#[tokio::test]
async fn no_traffic_prolongs_a_session_beyond_its_absolute_end() {
    let house = House::new().await;
    house.person("ann").await;
    for (remember, step, whole) in [(false, 20 * MINUTE, DAY), (true, DAY, 30 * DAY)] {
        let mut browser = if remember { remembered(&house).await } else { house.signed_in("ann").await };
        let mut age = Duration::ZERO;
        while age + step < whole {
            house.advance(step);
            age += step;
            assert!(browser.is_signed_in().await, "after {age:?}");
        }
        house.advance(whole - age - TICK);
        assert!(browser.is_signed_in().await);
        house.advance(TICK);
        assert!(!browser.is_signed_in().await, "remembered: {remember}");
    }
}

#[tokio::test]
async fn guests_have_times_of_their_own() {
    let house = House::new().await;
    let mut guest = house.browser();
    guest.json("PATCH", "/api/v1/session/data", &json!({"a": 1})).await.expect(200);
    house.advance(2 * HOUR - TICK);
    guest.get("/api/v1/session/data").await.expect(200);
    house.advance(2 * HOUR);
    guest.get("/api/v1/session/data").await.expect(401);
}

#[tokio::test]
async fn the_answer_tells_when_the_session_ends() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.browser();
    let session = browser.log_in("ann", PASSWORD).await.expect(200).json()["session"].clone();
    // 1 800 000 000 seconds after the epoch.
    assert_eq!(session["created_at"], "2027-01-15T08:00:00Z");
    assert_eq!(session["expires_at"], "2027-01-15T08:30:00Z");
    assert_eq!(session["ends_at"], "2027-01-16T08:00:00Z");
    assert_eq!((&session["current"], &session["remembered"]), (&json!(true), &json!(false)));
    assert_eq!(session["device"], "Firefox 140 on Linux");
    assert_eq!(session["address"], "127.0.0.1");
    house.advance(10 * MINUTE);
    let shown = browser.get("/api/v1/session").await.expect(200).json()["session"].clone();
    assert_eq!(shown["expires_at"], "2027-01-15T08:40:00Z");
    assert_eq!(shown["ends_at"], "2027-01-16T08:00:00Z");
    assert_eq!(shown["id"], session["id"]);
}

#[tokio::test]
async fn cookies_are_what_the_settings_make_of_them() {
    let https = "public_url = \"https://login.example.com\"\n";
    for (settings, remember, name, attributes) in [
        ("", false, "gateward", vec!["HttpOnly", "SameSite=Lax", "Path=/"]),
        ("", true, "gateward", vec!["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"]),
        (
            "[cookie]\nbrowser_session = false",
            false,
            "gateward",
            vec!["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=86400"],
        ),
        (
            "[cookie]\nsame_site = \"strict\"\nprefix = \"none\"",
            false,
            "gateward",
            vec!["HttpOnly", "SameSite=Strict", "Path=/"],
        ),
        (https, false, "__Host-gateward", vec!["HttpOnly", "SameSite=Lax", "Secure", "Path=/"]),
        (
            &format!("{https}[cookie]\ndomain = \"example.com\""),
            false,
            "__Secure-gateward",
            vec!["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Domain=example.com"],
        ),
        (
            &format!("{https}[cookie]\nsame_site = \"none\"\npartitioned = true"),
            false,
            "__Host-gateward",
            vec!["HttpOnly", "SameSite=None", "Partitioned", "Secure", "Path=/"],
        ),
    ] {
        let house = House::with(settings).await;
        house.person("ann").await;
        let body = json!({"username": "ann", "password": PASSWORD, "remember": remember});
        let answer = house.browser().json("POST", "/api/v1/login", &body).await.expect(200);
        let cookie = answer.set_cookie(name).unwrap_or_else(|| panic!("{:?}", answer.headers));
        let mut found: Vec<&str> = cookie.split("; ").skip(1).collect();
        let mut wanted = attributes;
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{settings}");
    }
}

#[tokio::test]
async fn a_person_has_so_many_sessions_and_the_least_used_one_makes_room() {
    let house = House::with("[sessions]\nper_person = 3").await;
    house.person("ann").await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(house.signed_in("ann").await);
        house.advance(MINUTE);
    }
    let mut living = Vec::new();
    for browser in &mut browsers {
        living.push(browser.is_signed_in().await);
    }
    assert_eq!(living, [false, true, true, true]);
    let listed = browsers[3].get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 3);
}
