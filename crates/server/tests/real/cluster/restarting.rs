//! A rolling restart: each node is told to end and started again, while there is much to do.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Balancer, Cluster, Person};
use crate::client::{Ask, Client};
use crate::machine::until;

/// How many look at their session all the time, through each proxy.
const READERS: usize = 3;

/// What came of the requests of somebody.
#[derive(Default, Debug)]
struct Tally {
    answered: usize,
    /// Changes that a proxy could not say anything about.
    unknown: usize,
}

/// Restarts all nodes, one after the other. Nobody may be signed out and nothing that only reads may fail; a change may be answered
/// with 502, when a node went while it was under way, and is never made twice or lost after it was acknowledged.
pub async fn under_load(cluster: &mut Cluster, balancers: &[Balancer]) {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for through in 0..balancers.len() {
        for number in 0..=READERS {
            let person = cluster.sign_in_from(Ipv4Addr::LOCALHOST, through, "ann").await;
            let host = cluster.host(through);
            match number {
                READERS => writers.push((person, host)),
                _ => readers.push((person, host)),
            }
        }
    }
    let done = AtomicBool::new(false);
    let reading =
        futures_util::future::join_all(readers.iter().map(|(person, host)| read(person, host, &done)));
    let writing =
        futures_util::future::join_all(writers.iter().map(|(person, host)| write(person, host, &done)));
    let nodes = &mut cluster.nodes;
    let restarting = async {
        for node in nodes {
            tokio::task::block_in_place(|| node.stop());
            node.start().await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (read, written, ()) = tokio::join!(reading, writing, restarting);
    let enough = read.iter().chain(&written).all(|tally| tally.answered > 5);
    assert!(enough, "there was little to do: {read:?} {written:?}");
    // A connection that is closed in the very moment is rare: at most one a restart.
    assert!(written.iter().all(|tally| tally.unknown <= super::NODES.len()), "{written:?}");
}

/// Looks at the session until it is done: always 200.
async fn read(person: &Person, host: &str, done: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !done.load(Ordering::Relaxed) {
        let ask = Ask::new("GET", host, "/api/v1/session").cookie(&person.cookie);
        let reply = person.client.send(&ask).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        tally.answered += 1;
    }
    tally
}

/// Counts upwards in the data of the session until it is done: what was acknowledged is there, and nothing else.
async fn write(person: &Person, host: &str, done: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut acknowledged = 0;
    for next in 1_u64.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let body = format!("{{\"count\":{next}}}");
        let ask = Ask::new("PATCH", host, "/api/v1/session/data").cookie(&person.cookie);
        let reply = person.client.send(&ask.body("application/json", body)).await;
        match reply.status {
            200 => tally.answered += 1,
            502 => tally.unknown += 1,
            other => panic!("{other}: {}", reply.text()),
        }
        // Another node is told of a change a moment after it was acknowledged.
        let expected = if reply.status == 200 { next..=next } else { acknowledged..=next };
        let there = until("a change is seen", async || {
            let there = count(&person.client, host, &person.cookie).await;
            assert!((acknowledged..=next).contains(&there), "{there} between {acknowledged} and {next}");
            expected.contains(&there).then_some(there)
        })
        .await;
        acknowledged = there;
    }
    tally
}

async fn count(client: &Client, host: &str, cookie: &str) -> u64 {
    let reply = client.send(&Ask::new("GET", host, "/api/v1/session/data").cookie(cookie)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["count"].as_u64().unwrap_or(0)
}
