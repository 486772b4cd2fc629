//! Any request may hit any node: what is begun on one goes on upon another, and what counts once counts once for all.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use gateward_engines::{Postgres, Redis};
use serde_json::{Value, json};

use super::{Cluster, REACH};
use crate::house::{PASSWORD, at_once, count};
use crate::wire::{Answer, Browser};

const WRONG: &str = "a wrong password";
const NEW: &str = "granite walnut harbour";

/// Three nodes over PostgreSQL and Redis.
struct Installation {
    cluster: Cluster,
    _engines: (Postgres, Redis),
}

async fn three(settings: &[(&'static str, &str)]) -> Installation {
    let engines = (Postgres::start(), Redis::start());
    let (directory, sessions) = (engines.0.url(&engines.0.fresh_database()), engines.1.url());
    let stores = [("GATEWARD_DIRECTORY__STORE", &*directory), ("GATEWARD_SESSIONS__STORE", &*sessions)];
    let cluster = Cluster::start(3, &[&stores, settings].concat()).await;
    Installation { cluster, _engines: engines }
}

/// Wrong passwords for these names at once, one node after the other, each from a network of its own or all from one.
async fn guess(cluster: &Cluster, names: Vec<String>, from_one: bool) -> Vec<Answer> {
    let guesses = names.into_iter().enumerate().map(|(number, name)| {
        let network = if from_one { "198.51.100.7".to_owned() } else { format!("203.0.113.{number}") };
        let mut browser = Browser::new(cluster.nodes[number % 3].address).with("X-Forwarded-For", &network);
        async move { browser.log_in(&name, WRONG).await }
    });
    at_once(guesses).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_on_all_nodes_count_together_and_exactly() {
    let installation = three(&[
        ("GATEWARD_TRUSTED_PROXIES", "127.0.0.1/32"),
        ("GATEWARD_THROTTLE__ACCOUNT_EVERY", "1h"),
        ("GATEWARD_THROTTLE__NETWORK_BURST", "20"),
        ("GATEWARD_THROTTLE__NETWORK_EVERY", "1h"),
    ])
    .await;
    let cluster = &installation.cluster;
    for name in ["ann", "ben"] {
        cluster.add(name).await;
    }
    let of_one_account = guess(cluster, vec!["ann".into(); 45], false).await;
    assert_eq!((count(&of_one_account, 401), count(&of_one_account, 429)), (10, 35));
    for node in 0..3 {
        let mut browser = Browser::new(cluster.nodes[node].address).with("X-Forwarded-For", "192.0.2.9");
        browser.log_in("ann", PASSWORD).await.expect(429);
        browser.log_in("ben", PASSWORD).await.expect(200);
    }
    let names = (0..45).map(|number| format!("person{number}")).collect();
    let of_one_network = guess(cluster, names, true).await;
    assert_eq!((count(&of_one_network, 401), count(&of_one_network, 429)), (20, 25));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_on_one_node_and_spent_on_all() {
    let installation = three(&[]).await;
    let cluster = &installation.cluster;
    cluster.add("ann").await;
    let before = cluster.signed_in(1, "ann").await;
    let issued = cluster.nodes[2].machine.json(&["user", "reset", "ann"]).await;
    let code = issued["code"].as_str().unwrap_or_else(|| panic!("{issued}")).to_owned();
    let mut tries = Vec::new();
    for number in 0..12 {
        // The form from one node, the answer to the next.
        let mut browser = Browser::new(cluster.nodes[number % 3].address);
        let token = browser.get(&format!("/reset?code={code}")).await.expect(200).token("/reset");
        let (mut browser, code) = (cluster.at(&browser, (number + 1) % 3), code.clone());
        tries.push(async move {
            let fields = [("csrf", &*token), ("code", &*code), ("password", NEW), ("password_again", NEW)];
            browser.form("/reset", &fields).await
        });
    }
    let answers = at_once(tries).await;
    assert_eq!((count(&answers, 200), count(&answers, 403)), (1, 11));
    for node in 0..3 {
        let mut browser = Browser::new(cluster.nodes[node].address);
        browser.get(&format!("/reset?code={code}")).await.expect(403);
        browser.log_in("ann", PASSWORD).await.expect(401);
        browser.log_in("ann", NEW).await.expect(200);
        cluster.soon(&before, node, 401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_wanders_over_the_nodes() {
    let installation = three(&[]).await;
    let cluster = &installation.cluster;
    cluster.add("ann").await;
    // The form from the first, the answer to the second.
    let mut browser = Browser::new(cluster.nodes[0].address);
    let token = browser.get("/login").await.expect(200).token("/login");
    let fields = [("csrf", token.as_str()), ("username", "ann"), ("password", PASSWORD)];
    let mut browser = cluster.at(&browser, 1);
    browser.form("/login", &fields).await.expect(303);
    // Proved again on the third: another secret, the same session.
    let known = browser.get("/api/v1/session").await.expect(200).json();
    let before = browser.clone();
    let mut browser = cluster.at(&browser, 2);
    browser.log_in("ann", PASSWORD).await.expect(200);
    assert_ne!(browser.secret(), before.secret());
    for node in 0..3 {
        cluster.soon(&before, node, 401).await;
        let now = cluster.at(&browser, node).get("/api/v1/session").await.expect(200).json();
        assert_eq!(now["session"]["id"], known["session"]["id"]);
    }
    // Data goes around, each change on what the node before has answered.
    for round in 0..9 {
        let mut here = cluster.at(&browser, round % 3);
        let read = here.get("/api/v1/session/data").await.expect(200);
        let etag = read.header("etag").unwrap().to_owned();
        let body = json!({"round": round, "more": {round.to_string(): true}}).to_string();
        let headers = [("Content-Type", "application/json"), ("If-Match", &*etag)];
        here.send("PATCH", "/api/v1/session/data", &headers, body.as_bytes()).await.expect(200);
        let mut next = cluster.at(&browser, (round + 1) % 3);
        next.send("PATCH", "/api/v1/session/data", &headers, body.as_bytes()).await.expect(412);
        let found = next.get("/api/v1/session/data").await.expect(200).json();
        assert_eq!(
            (found["round"].as_u64(), found["more"].as_object().unwrap().len()),
            (Some(round as u64), round + 1)
        );
    }
    // The account page of one, its form to another.
    let token = cluster.at(&browser, 0).get("/account").await.expect(200).token("/logout");
    cluster.at(&browser, 1).form("/logout", &[("csrf", &token)]).await.expect(200);
    for node in 0..3 {
        cluster.soon(&browser, node, 401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_link_counts_once_on_all_nodes() {
    let mut installation = three(&[]).await;
    let cluster = &mut installation.cluster;
    let printed = cluster.nodes[0].running.as_mut().unwrap().prints("/setup?code=").await;
    let (_, code) = printed.split_once("code=").unwrap();
    for node in 1..3 {
        let told = cluster.nodes[node].running.as_mut().unwrap().prints("no administrator yet").await;
        assert!(told.contains("The link that was printed at an earlier start"), "{told}");
    }
    let mut tries = Vec::new();
    for number in 0..12 {
        let mut browser = Browser::new(cluster.nodes[number % 3].address);
        let token = browser.get(&format!("/setup?code={code}")).await.expect(200).token("/setup");
        let (mut browser, code) = (cluster.at(&browser, (number + 1) % 3), code.to_owned());
        tries.push(async move {
            let name = format!("root{number}");
            let person = [("username", &*name), ("password", NEW), ("password_again", NEW)];
            let answer =
                browser.form("/setup", &[&[("csrf", &*token), ("code", &*code)], &person[..]].concat()).await;
            (answer, browser)
        });
    }
    let (answers, browsers): (Vec<_>, Vec<_>) = at_once(tries).await.into_iter().unzip();
    assert_eq!((count(&answers, 303), count(&answers, 403)), (1, 11));
    let winner = &browsers[answers.iter().position(|answer| answer.status == 303).unwrap()];
    for node in 0..3 {
        cluster.at(winner, node).get("/admin").await.expect(200);
        Browser::new(cluster.nodes[node].address).get(&format!("/setup?code={code}")).await.expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_changed_beside_one_node_signs_on_another_and_is_published_by_all() {
    let installation = three(&[]).await;
    let cluster = &installation.cluster;
    cluster.add("ann").await;
    let before = app(cluster, 1).await;
    cluster.nodes[0].machine.json(&["key", "rotate", "--alg", "ES256", "--now"]).await;
    let mut kids = BTreeSet::new();
    let reached = async {
        for node in 0..3 {
            kids = BTreeSet::new();
            // Both are published: tokens of the old one still live.
            while kids.len() != 2 {
                kids = published(cluster, node).await;
            }
            while signed_by(&app(cluster, node).await) == signed_by(&before) {}
        }
    };
    tokio::time::timeout(REACH * 3, reached).await.expect("every node follows within a second");
    let after: Vec<String> = [app(cluster, 0).await, app(cluster, 1).await, app(cluster, 2).await].into();
    let signing: BTreeSet<String> = after.iter().map(|token| signed_by(token)).collect();
    assert_eq!(signing.len(), 1, "all nodes sign with the same key");
    assert!(signing.is_subset(&kids));
    for token in after.iter().chain([&before]) {
        for node in 0..3 {
            let mut resource = Browser::new(cluster.nodes[node].address);
            let bearer = format!("Bearer {token}");
            resource.get_with("/api/v1/session", &[("Authorization", &bearer)]).await.expect(200);
        }
    }
}

/// The access token of an app that signs in there.
async fn app(cluster: &Cluster, node: usize) -> String {
    let asked = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
    let mut app = Browser::new(cluster.nodes[node].address);
    let begun = app.json("POST", "/api/v1/login", &asked).await.expect(200).json();
    begun["access_token"].as_str().unwrap().to_owned()
}

fn signed_by(token: &str) -> String {
    let header = BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// The keys for ES256: those for other algorithms are made meanwhile.
async fn published(cluster: &Cluster, node: usize) -> BTreeSet<String> {
    let set = Browser::new(cluster.nodes[node].address).get("/oauth/jwks").await.expect(200).json();
    let es256 = set["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
    es256.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}
