//! Engines that are away: nobody is signed out, nobody is let in by mistake, and all is well when they are back.

use std::time::Duration;

use gateward_engines::{Memcached, Nats, Postgres, Proxy, Redis};
use serde_json::json;

use super::Cluster;
use crate::house::PASSWORD;
use crate::wire::Browser;

const SESSIONS: &str = "GATEWARD_SESSIONS__STORE";
const DIRECTORY: &str = "GATEWARD_DIRECTORY__STORE";
/// How long a node may need to notice that an engine is away, or back.
const NOTICE: Duration = Duration::from_secs(15);

/// The sessions' engine dies and comes back, with everything it had or with nothing.
async fn the_engine_dies_and_comes_back(
    cluster: &Cluster,
    kill: impl FnOnce(),
    back: impl FnOnce(),
    kept: bool,
) {
    cluster.add("ann").await;
    let ann = cluster.signed_in(0, "ann").await;
    cluster.soon(&ann, 1, 200).await;
    kill();
    for node in 0..2 {
        cluster.within(NOTICE, &ann, node, 503).await;
        let mut browser = cluster.at(&ann, node);
        let answer = browser.get("/api/v1/session").await.expect(503);
        assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
        assert_eq!(answer.set_cookie("gateward"), None, "the cookie is kept");
        let page = browser.get("/account").await.expect(503);
        assert_eq!(page.set_cookie("gateward"), None, "the cookie is kept");
        let ready = browser.get("/readyz").await.expect(503).text();
        assert!(ready.contains("sessions: "), "it says what is away: {ready}");
        browser.get("/healthz").await.expect(200);
        browser.log_in("ann", PASSWORD).await.expect(503);
    }
    back();
    for node in 0..2 {
        cluster.within(NOTICE, &ann, node, if kept { 200 } else { 401 }).await;
        let mut again = Browser::new(cluster.nodes[node].address);
        again.log_in("ann", PASSWORD).await.expect(200);
        again.get("/readyz").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_dies_and_comes_back() {
    let mut postgres = Postgres::start();
    let cluster = Cluster::start(2, &[(DIRECTORY, &postgres.url(&postgres.fresh_database()))]).await;
    let postgres = std::cell::RefCell::new(&mut postgres);
    the_engine_dies_and_comes_back(
        &cluster,
        || postgres.borrow_mut().kill(),
        || postgres.borrow_mut().restart(),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_dies_and_comes_back() {
    let (postgres, mut redis) = (Postgres::start(), Redis::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    let cluster = Cluster::start(2, &settings).await;
    let redis = std::cell::RefCell::new(&mut redis);
    the_engine_dies_and_comes_back(
        &cluster,
        || redis.borrow_mut().kill(),
        || redis.borrow_mut().restart(),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memcached_dies_and_comes_back_empty() {
    let (postgres, mut memcached) = (Postgres::start(), Memcached::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*memcached.url())];
    let cluster = Cluster::start(2, &settings).await;
    let memcached = std::cell::RefCell::new(&mut memcached);
    let (kill, back) = (|| memcached.borrow_mut().kill(), || memcached.borrow_mut().restart());
    the_engine_dies_and_comes_back(&cluster, kill, back, false).await;
}

/// One node's line to the engine is cut while another node ends a session: that node never lets it in again.
async fn what_ended_behind_a_cut_line_stays_ended(near: &str, through: &str, proxy: &Proxy, directory: &str) {
    let settings = [near, through].map(|store| vec![(DIRECTORY, directory), (SESSIONS, store)]);
    let cluster = Cluster::start_each(&settings).await;
    cluster.add("ann").await;
    let (ann, other) = (cluster.signed_in(0, "ann").await, cluster.signed_in(0, "ann").await);
    for browser in [&ann, &other] {
        cluster.soon(browser, 1, 200).await;
    }
    for break_line in [Proxy::cut, Proxy::silence] {
        let (ending, going_on) = (cluster.signed_in(0, "ann").await, &other);
        cluster.soon(&ending, 1, 200).await;
        break_line(proxy);
        cluster.at(&ending, 0).json("POST", "/api/v1/logout", &json!({})).await.expect(204);
        // From its memory it may answer only as long as it cannot know that the line is cut.
        cluster.within(NOTICE, &ending, 1, 503).await;
        cluster.within(NOTICE, going_on, 1, 503).await;
        proxy.heal();
        let mut seen = Vec::new();
        let back = async {
            while seen.last() != Some(&401) {
                seen.push(cluster.at(&ending, 1).get("/api/v1/session").await.status);
            }
        };
        assert!(tokio::time::timeout(NOTICE, back).await.is_ok(), "{seen:?}");
        assert!(!seen.contains(&200), "what ended stays ended: {seen:?}");
        cluster.within(NOTICE, going_on, 1, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_to_redis_hides_no_end() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let proxy = Proxy::to(redis.addr());
    let through = redis.url().replace(&redis.addr().port().to_string(), &proxy.addr().port().to_string());
    what_ended_behind_a_cut_line_stays_ended(
        &redis.url(),
        &through,
        &proxy,
        &postgres.url(&postgres.fresh_database()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_to_postgresql_hides_no_end() {
    let postgres = Postgres::start();
    let proxy = Proxy::to(postgres.addr());
    let near = postgres.url(&postgres.fresh_database());
    let through = near.replace(&postgres.addr().port().to_string(), &proxy.addr().port().to_string());
    what_ended_behind_a_cut_line_stays_ended(&near, &through, &proxy, &near).await;
}

/// After a power cut everything starts at once, in any order.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_an_engine_that_starts_later() {
    let (postgres, mut redis) = (Postgres::start(), Redis::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*redis.url())];
    let mut cluster = Cluster::start(1, &settings).await;
    cluster.add("ann").await;
    cluster.nodes[0].kill().await;
    redis.kill();
    let node = &mut cluster.nodes[0];
    let (log, address) = (node.machine.log_file(), node.address);
    let later = tokio::task::spawn_blocking(move || {
        while !std::fs::read_to_string(&log).unwrap_or_default().contains("waiting for redis://") {
            std::thread::yield_now();
        }
        let refused = std::net::TcpStream::connect(address).expect_err("it cannot answer yet");
        assert_eq!(
            refused.kind(),
            std::io::ErrorKind::ConnectionRefused,
            "so that a balancer asks another node"
        );
        redis.restart();
        redis
    });
    node.begin().await;
    let _redis = later.await.unwrap();
    cluster.signed_in(0, "ann").await;
}

/// Replicated: while the brokers are away nodes go on answering from memory, for a while that is written down.
#[tokio::test(flavor = "multi_thread")]
async fn without_brokers_reads_go_on_from_memory() {
    let (postgres, mut nats) = (Postgres::start(), Nats::start());
    let settings = [(DIRECTORY, &*postgres.url(&postgres.fresh_database())), (SESSIONS, &*nats.url())];
    let cluster = Cluster::start(2, &settings).await;
    cluster.add("ann").await;
    let ann = cluster.signed_in(0, "ann").await;
    for node in 0..2 {
        cluster.soon(&ann, node, 200).await;
    }
    nats.kill();
    for node in 0..2 {
        let mut browser = cluster.at(&ann, node);
        browser.get("/api/v1/session").await.expect(200);
        browser.log_in("ann", PASSWORD).await.expect(503);
        browser.get("/readyz").await.expect(503);
        browser.get("/api/v1/session").await.expect(200);
    }
    nats.restart();
    for node in 0..2 {
        cluster.within(NOTICE, &ann, node, 200).await;
        let mut again = Browser::new(cluster.nodes[node].address);
        let back = async { while again.log_in("ann", PASSWORD).await.status != 200 {} };
        tokio::time::timeout(NOTICE, back).await.expect("sign-in works again");
    }
}
