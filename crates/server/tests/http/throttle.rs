//! Guessing is slowed for accounts and networks, exactly, and nobody is locked out by others.

use std::time::Duration;

use serde_json::json;

use crate::house::{House, PASSWORD, at_once, count};
use crate::wire::Answer;

const WRONG: &str = "a wrong password";

async fn guesses(house: &House, names: Vec<String>, headers: fn(usize) -> Option<String>) -> Vec<Answer> {
    let tasks = names.into_iter().enumerate().map(|(n, name)| {
        let mut browser = house.browser();
        if let Some(address) = headers(n) {
            browser = browser.with("X-Forwarded-For", &address);
        }
        async move { browser.log_in(&name, WRONG).await }
    });
    at_once(tasks).await
}

fn no_proxy(_: usize) -> Option<String> {
    None
}

/// Every guess from a network of its own.
fn each_own(n: usize) -> Option<String> {
    Some(format!("203.0.113.{n}"))
}

const BEHIND_PROXY: &str = "trusted_proxies = [\"127.0.0.1/32\"]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_guesses_count_exactly() {
    let house = House::with(BEHIND_PROXY).await;
    house
        .person_like("ann", |person| {
            person.email = Some(gateward_kernel::person::Email::parse("ann@example.org").unwrap())
        })
        .await;
    for name in ["ann", "nobody"] {
        let names: Vec<String> = (0..50)
            .map(|n| match n % 4 {
                0 => name.to_owned(),
                1 => name.to_uppercase(),
                2 => format!("  {name} "),
                // Full-width letters are the same name (NFKC).
                _ => name.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect(),
            })
            .collect();
        let answers = guesses(&house, names, each_own).await;
        assert_eq!((count(&answers, 401), count(&answers, 429)), (10, 40), "{name}");
        for answer in answers.iter().filter(|answer| answer.status == 429) {
            assert_eq!(answer.problem(), "throttled");
            assert_eq!(answer.header("retry-after"), Some("30"));
        }
        house.advance(Duration::from_secs(30) - Duration::from_micros(1));
        house.browser().log_in(name, WRONG).await.expect(429);
        house.tick();
        house.browser().log_in(name, WRONG).await.expect(401);
        house.browser().log_in(name, WRONG).await.expect(429);
    }
}

#[tokio::test]
async fn a_right_password_is_not_compared_once_the_account_is_exhausted() {
    let house = House::new().await;
    house.person("ann").await;
    for _ in 0..10 {
        house.browser().log_in("ann", WRONG).await.expect(401);
    }
    house.browser().log_in("ann", PASSWORD).await.expect(429);
    let fields = [("username", "ann"), ("password", PASSWORD)];
    let page = house.browser().fill("/login", "/login", &fields).await.expect(429);
    assert!(page.header("retry-after").is_some());
    assert!(page.text().contains("login-form"), "the form is there for later");
    house.advance(Duration::from_secs(30));
    house.browser().log_in("ann", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_success_gives_its_attempt_back() {
    let house = House::with("[throttle]\naccount_burst = 2\nnetwork_burst = 2").await;
    house.person("ann").await;
    for _ in 0..20 {
        house.browser().log_in("ann", PASSWORD).await.expect(200);
    }
    house.browser().log_in("ann", WRONG).await.expect(401);
    house.browser().log_in("ann", WRONG).await.expect(401);
    house.browser().log_in("ann", PASSWORD).await.expect(429);
}

#[tokio::test]
async fn a_known_device_is_not_held_up_by_strangers() {
    let house = House::with(BEHIND_PROXY).await;
    house.person("ann").await;
    house.person("bob").await;
    let mut known = house.signed_in("ann").await;
    known.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    let answers = guesses(&house, vec!["ann".into(); 12], each_own).await;
    assert_eq!(count(&answers, 429), 2);
    house.browser().log_in("ann", PASSWORD).await.expect(429);
    known.clone().log_in("ann", PASSWORD).await.expect(200);
    // It is known for ann only, and guesses of its own count for itself.
    let answers = guesses(&house, vec!["bob".into(); 12], each_own).await;
    assert_eq!(count(&answers, 429), 2);
    known.clone().log_in("bob", PASSWORD).await.expect(429);
    let mut own = Vec::new();
    for _ in 0..12 {
        own.push(known.log_in("ann", WRONG).await);
    }
    assert_eq!((count(&own, 401), count(&own, 429)), (10, 2));
    // The cookie of another installation, or a made-up one, knows nobody.
    let mut forged = house.browser();
    forged.set("gateward-device", &"A".repeat(43));
    forged.log_in("ann", PASSWORD).await.expect(429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_guesses_only_so_often_whomever_it_guesses() {
    let house = House::with("[throttle]\nnetwork_burst = 20").await;
    house.person("ann").await;
    let names: Vec<String> = (0..50).map(|n| format!("person{n}")).collect();
    let answers = guesses(&house, names, no_proxy).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (20, 30));
    let mut elsewhere = house.browser();
    elsewhere.from = Some("127.0.0.2".parse().unwrap());
    elsewhere.log_in("ann", PASSWORD).await.expect(200);
    house.browser().log_in("ann", PASSWORD).await.expect(429);
    house.advance(Duration::from_secs(1));
    house.browser().log_in("ann", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_network_of_an_ipv6_address_is_its_64_bits() {
    let house = House::with(&format!("{BEHIND_PROXY}[throttle]\nnetwork_burst = 4")).await;
    house.person("ann").await;
    let from = async |address: &str, n: usize| {
        house.browser().with("X-Forwarded-For", address).log_in(&format!("person{n}"), WRONG).await.status
    };
    for (n, (address, status)) in [
        ("2001:db8:1:2::1", 401),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", 401),
        ("2001:0db8:0001:0002:abcd::1", 401),
        ("2001:db8:1:2::1", 401),
        ("2001:db8:1:2::5", 429),
        ("2001:db8:1:3::5", 401),
        ("192.0.2.1", 401),
        ("::ffff:192.0.2.1", 401),
        ("192.0.2.1", 401),
        ("::ffff:192.0.2.1", 401),
        ("192.0.2.1", 429),
        ("192.0.2.2", 401),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(from(address, n).await, status, "{n}: {address}");
    }
}

#[tokio::test]
async fn a_stranger_cannot_choose_the_address_it_is_counted_under() {
    let house = House::with("[throttle]\nnetwork_burst = 3").await;
    let mut answers = Vec::new();
    for n in 0..6 {
        let mut browser = house
            .browser()
            .with("X-Forwarded-For", &format!("198.51.100.{n}"))
            .with("X-Real-IP", &format!("198.51.100.{n}"))
            .with("Forwarded", &format!("for=198.51.100.{n}"));
        answers.push(browser.log_in(&format!("person{n}"), WRONG).await);
    }
    assert_eq!((count(&answers, 401), count(&answers, 429)), (3, 3));

    // Behind a trusted proxy the right-most address that is not the proxy's counts; what a client put before does not.
    let house = House::with(&format!("{BEHIND_PROXY}[throttle]\nnetwork_burst = 3")).await;
    let mut answers = Vec::new();
    for n in 0..6 {
        let list = format!("198.51.100.{n}, 203.0.113.9");
        answers
            .push(house.browser().with("X-Forwarded-For", &list).log_in(&format!("person{n}"), WRONG).await);
    }
    assert_eq!((count(&answers, 401), count(&answers, 429)), (3, 3));
    for odd in ["198.51.100.1:x", "nonsense", "198.51.100.1,,203.0.113.9", "1.2.3"] {
        house.browser().with("X-Forwarded-For", odd).log_in("ann", WRONG).await.expect(400);
    }
}

#[tokio::test]
async fn a_guess_of_the_current_password_counts_too() {
    let house = House::with("[throttle]\naccount_burst = 3").await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let next = "marble lantern orchard";
    for _ in 0..3 {
        let fields = [("current_password", WRONG), ("password", next), ("password_again", next)];
        browser.fill("/account", "/account/password", &fields).await.expect(422);
    }
    let fields = [("current_password", PASSWORD), ("password", next), ("password_again", next)];
    browser.fill("/account", "/account/password", &fields).await.expect(422);
    house.tick();
    assert!(browser.is_signed_in().await);
    house.advance(Duration::from_secs(30));
    browser.fill("/account", "/account/password", &fields).await.expect(303);
}

#[tokio::test]
async fn strangers_do_not_keep_the_owner_from_changing_the_password() {
    let house = House::with(BEHIND_PROXY).await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let answers = guesses(&house, vec!["ann".into(); 12], each_own).await;
    assert_eq!(count(&answers, 429), 2);
    let next = "marble lantern orchard";
    let fields = [("current_password", PASSWORD), ("password", next), ("password_again", next)];
    browser.fill("/account", "/account/password", &fields).await.expect(303);
}

#[tokio::test]
async fn guesses_survive_a_restart() {
    let house = House::with("[throttle]\naccount_burst = 3").await;
    house.person("ann").await;
    for _ in 0..3 {
        house.browser().log_in("ann", WRONG).await.expect(401);
    }
    let again = house.second().await;
    again.browser().log_in("ann", PASSWORD).await.expect(429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_hashing_queue_is_said_at_once_and_costs_no_attempt() {
    let house = House::with("[passwords]\nthreads = 1\nqueue = 1\n[throttle]\naccount_burst = 2").await;
    house.person("ann").await;
    let pool = house.app.passwords.pool().clone();
    let (started, is_started) = tokio::sync::oneshot::channel();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let held = pool.clone();
    let first = tokio::spawn(async move {
        held.run(move || {
            started.send(()).unwrap();
            gate.recv().unwrap();
        })
        .await
    });
    is_started.await.unwrap();
    let queued = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(|| ()).await }
    });
    while pool.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        let answer = house.browser().log_in("ann", WRONG).await.expect(503);
        assert_eq!((answer.problem().as_str(), answer.header("retry-after")), ("busy", Some("1")));
    }
    let fields = [("username", "ann"), ("password", PASSWORD)];
    let page = house.browser().fill("/login", "/login", &fields).await.expect(503);
    assert!(page.header("retry-after").is_some());
    let strength = json!({"password": "x"});
    house.browser().json("POST", "/api/v1/password/strength", &strength).await.expect(503);
    house.browser().get("/healthz").await.expect(200);
    open.send(()).unwrap();
    first.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    house.browser().log_in("ann", WRONG).await.expect(401);
    house.browser().log_in("ann", PASSWORD).await.expect(200);
}
