//! What each strategy promises while engines live: who is signed in where, and what is lost with a node.

use gateward_engines::{Memcached, Nats, Postgres, Redis, RedisCluster, Sentinels};
use serde_json::json;

use super::{Cluster, REACH};
use crate::house::PASSWORD;
use crate::wire::Browser;

const SESSIONS: &str = "GATEWARD_SESSIONS__STORE";
const DIRECTORY: &str = "GATEWARD_DIRECTORY__STORE";

/// Any node serves any request, and no node's death is noticed.
async fn any_node_will_do(mut cluster: Cluster) {
    cluster.add("ann").await;
    cluster.add("ben").await;
    // Signed in on one, used and changed on others.
    let ann = cluster.signed_in(0, "ann").await;
    let ben = cluster.signed_in(1, "ben").await;
    for node in 0..3 {
        for browser in [&ann, &ben] {
            let known = cluster.at(browser, node).get("/api/v1/session").await.expect(200).json();
            let name = if std::ptr::eq(browser, &raw const ann) { "ann" } else { "ben" };
            assert_eq!(known["user"]["username"], name);
        }
    }
    cluster.at(&ann, 1).json("PATCH", "/api/v1/session/data", &json!({"cart": [1]})).await.expect(200);
    let arrives = async {
        while cluster.at(&ann, 2).get("/api/v1/session/data").await.expect(200).json() != json!({"cart": [1]})
        {
        }
    };
    tokio::time::timeout(REACH, arrives)
        .await
        .expect("what is written on one node is read on every other soon");
    // Ended on one, ended on all; the other person's session goes on.
    cluster.at(&ann, 2).delete("/api/v1/sessions").await.expect(204);
    for node in 0..3 {
        cluster.soon(&ann, node, 401).await;
        cluster.soon(&ben, node, 200).await;
    }
    // Everything of a person at once, by a change of the password on another node.
    let old = cluster.signed_in(0, "ann").await;
    let mut changing = cluster.signed_in(1, "ann").await;
    cluster.soon(&old, 2, 200).await;
    change_password(&cluster, &mut changing).await;
    for node in 0..3 {
        cluster.soon(&old, node, 401).await;
        cluster.soon(&changing, node, 200).await;
    }
    // Nodes die one after another: who was signed in stays signed in.
    for dead in 0..2 {
        cluster.nodes[dead].kill().await;
        for browser in [&ben, &changing] {
            cluster.soon(browser, 2, 200).await;
        }
    }
    cluster.nodes[2].kill().await;
    cluster.nodes[0].begin().await;
    for (browser, status) in [(&ben, 200), (&changing, 200), (&ann, 401), (&old, 401)] {
        cluster.soon(browser, 0, status).await;
    }
}

/// An app's tokens work on any node, and a refresh token has one successor whichever nodes are asked at once.
async fn apps_refresh_on_any_node(cluster: &Cluster) {
    let mut app = Browser::new(cluster.nodes[0].address);
    let asked = json!({"username": "ben", "password": PASSWORD, "transport": "token"});
    let begun = app.json("POST", "/api/v1/login", &asked).await.expect(200).json();
    let refresh = json!({"refresh_token": begun["refresh_token"]});
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..30 {
        let (mut app, refresh) = (cluster.at(&app, number % 3), refresh.clone());
        asking.spawn(
            async move { app.json("POST", "/api/v1/token/refresh", &refresh).await.expect(200).json() },
        );
    }
    let answers = asking.join_all().await;
    let successor = &answers[0]["refresh_token"];
    assert!(answers.iter().all(|answer| answer["refresh_token"] == *successor), "one successor");
    for (node, answer) in answers.iter().take(3).enumerate() {
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        cluster.at(&app, node).get_with("/api/v1/session", &[("Authorization", &bearer)]).await.expect(200);
    }
}

/// Which ends all other sessions of the person.
async fn change_password(cluster: &Cluster, browser: &mut Browser) {
    let next = format!("{PASSWORD} and more");
    let fields = [("current_password", PASSWORD), ("password", &next), ("password_again", &next)];
    let answer = browser.fill("/account", "/account/password", &fields).await;
    let logs: Vec<_> = cluster.nodes.iter().map(|node| node.machine.log()).collect();
    assert_eq!(answer.status, 303, "{}", logs.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn persistent_in_postgresql() {
    let postgres = Postgres::start();
    let cluster = Cluster::start(3, &[(DIRECTORY, &postgres.url(&postgres.fresh_database()))]).await;
    cluster.add("ben").await;
    apps_refresh_on_any_node(&cluster).await;
    drop(cluster);
    any_node_will_do(Cluster::start(3, &[(DIRECTORY, &postgres.url(&postgres.fresh_database()))]).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_in_redis() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    any_node_will_do(Cluster::start(3, &settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_in_a_redis_cluster() {
    let (postgres, redis) = (Postgres::start(), RedisCluster::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    any_node_will_do(Cluster::start(3, &settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_in_a_redis_with_sentinels() {
    let (postgres, redis) = (Postgres::start(), Sentinels::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    any_node_will_do(Cluster::start(3, &settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_in_memcached() {
    let (postgres, memcached) = (Postgres::start(), Memcached::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*memcached.url())];
    any_node_will_do(Cluster::start(3, &settings).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicated_by_nats() {
    let (postgres, nats) = (Postgres::start(), Nats::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*nats.url())];
    any_node_will_do(Cluster::start(3, &settings).await).await;
}

/// Each node is stopped and started in turn, while browsers ask the others all the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_is_not_noticed() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    let mut cluster = Cluster::start(3, &settings).await;
    cluster.add("ann").await;
    let browser = cluster.signed_in(0, "ann").await;
    let mut answered = 0;
    for node in 0..3 {
        let others: Vec<_> =
            (0..3).filter(|other| *other != node).map(|other| cluster.at(&browser, other)).collect();
        let restarted = std::sync::atomic::AtomicBool::new(false);
        let asking = async {
            let mut answered = 0;
            while !restarted.load(std::sync::atomic::Ordering::Relaxed) {
                for other in &others {
                    other.clone().get("/api/v1/session").await.expect(200);
                    answered += 1;
                }
            }
            answered
        };
        let restarting = async {
            cluster.nodes[node].stop().await;
            cluster.nodes[node].begin().await;
            restarted.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        answered += tokio::join!(asking, restarting).0;
        cluster.at(&browser, node).get("/api/v1/session").await.expect(200);
    }
    assert!(answered > 50, "they were asked only {answered} times");
}

/// Sticky: each node knows its own people's sessions; the route in the cookie says which node that is.
async fn only_its_own_node_will_do(store: &str, back_after_restart: bool) {
    let postgres = Postgres::start();
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, store)];
    let mut cluster = Cluster::start(3, &settings).await;
    cluster.add("ann").await;
    let mut browsers = Vec::new();
    for (node, route) in ["a", "b", "c"].into_iter().enumerate() {
        let browser = cluster.signed_in(node, "ann").await;
        assert!(browser.secret().ends_with(&format!(".{route}")), "the proxy sees which node it is");
        browsers.push(browser);
    }
    cluster.nodes[1].kill().await;
    cluster.soon(&browsers[0], 0, 200).await;
    cluster.soon(&browsers[2], 2, 200).await;
    cluster.soon(&browsers[1], 0, 401).await;
    cluster.nodes[1].begin().await;
    cluster.soon(&browsers[1], 1, if back_after_restart { 200 } else { 401 }).await;
    // The person's end reaches every node, though none knows the sessions of the others.
    let mut changing = cluster.at(&browsers[0], 0);
    change_password(&cluster, &mut changing).await;
    for (node, status) in [(0, 401), (1, 401), (2, 401)] {
        cluster.soon(&browsers[node], node, status).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sticky_in_memory() {
    only_its_own_node_will_do("memory", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sticky_in_a_file() {
    only_its_own_node_will_do("sqlite", true).await;
}
