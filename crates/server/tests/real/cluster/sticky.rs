//! Where each node has the sessions of its own people: exactly the dead node's people have to sign in again.

use std::net::Ipv4Addr;

use super::{Balancer, Cluster, NODES, Person, node_of};
use crate::browser::Browser;
use crate::chromium;
use crate::machine::until;
use crate::site::PASSWORD;

/// By the name of the node in the cookie.
const BY_COOKIE: [Balancer; 2] = [Balancer::Nginx, Balancer::Haproxy];

#[tokio::test(flavor = "multi_thread")]
async fn in_files_they_are_back_when_the_node_is() {
    nodes_come_and_go("sqlite", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_they_are_gone_for_good() {
    nodes_come_and_go("memory", false).await;
}

async fn nodes_come_and_go(store: &str, are_kept: bool) {
    let changes = [("store = \"sqlite\"", &*format!("store = \"{store}\""))];
    let mut cluster = Cluster::start("cluster-sticky", &BY_COOKIE, &changes).await;
    says_what_is_lost(&cluster, are_kept);
    cluster.nodes[0].add("ann", PASSWORD, &[]);
    let people = spread(&cluster).await;
    let browser = Browser::open().await;
    cluster.sign_in(&browser, "ann").await;
    let hers = node_of(&browser).await;

    // Another node than hers: she does not notice, and only its people do.
    let other = (hers + 1) % NODES.len();
    cluster.nodes[other].kill();
    only_its_people_are_out(&cluster, &people, BY_COOKIE.len(), Some(other), None).await;
    let page = cluster.at(0, "/account");
    for _ in 0..NODES.len() {
        browser.goto(&page).await;
        assert_eq!(browser.address().await.as_str(), page);
    }
    cluster.nodes[other].start().await;
    let out = (!are_kept).then_some(other);
    only_its_people_are_out(&cluster, &people, BY_COOKIE.len(), out, Some(other)).await;

    // Hers: she signs in again, which takes her to another node, and stays there when her first one is back.
    cluster.nodes[hers].kill();
    browser.goto(&page).await;
    browser.find("#login-form").await;
    chromium::sign_in(&browser, "ann", PASSWORD).await;
    browser.arrives_at(&page).await;
    let next = node_of(&browser).await;
    assert_ne!(next, hers);
    cluster.nodes[hers].start().await;
    let of_hers: Vec<&Person> = people.iter().filter(|person| person.node() == hers).collect();
    for person in of_hers {
        for through in 0..BY_COOKIE.len() {
            becomes(&cluster, person, through, if are_kept { 200 } else { 401 }).await;
        }
    }
    browser.goto(&page).await;
    assert_eq!(browser.address().await.as_str(), page);
    assert_eq!(node_of(&browser).await, next);
    assert_eq!(browser.trouble(&[]).await, [""; 0], "{}", cluster.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn by_their_addresses_alone() {
    let mut cluster = Cluster::start("cluster-sticky", &[Balancer::NginxIpHash], &[]).await;
    cluster.nodes[0].add("ann", PASSWORD, &[]);
    let people = spread(&cluster).await;
    only_its_people_are_out(&cluster, &people, 1, None, None).await;
    for dead in 0..NODES.len() {
        cluster.nodes[dead].kill();
        only_its_people_are_out(&cluster, &people, 1, Some(dead), None).await;
        cluster.nodes[dead].start().await;
        // They come to their node again, and it knows them.
        only_its_people_are_out(&cluster, &people, 1, None, Some(dead)).await;
    }
}

/// Each node said at its start what it alone has, and `doctor` says it, too.
fn says_what_is_lost(cluster: &Cluster, are_kept: bool) {
    for (node, name) in cluster.nodes.iter().zip(NODES) {
        let said = node.said();
        let place = if are_kept { "the data directory of this node" } else { "the memory of this node" };
        assert!(said.contains(&format!("Sessions are kept in {place} only (\"{name}\")")), "{said}");
        assert!(said.contains("have to sign in again"), "{said}");
        assert_eq!(said.contains("when it is back"), are_kept, "{said}");
        let examined = node.ask_json(&["doctor"]).to_string();
        assert!(examined.contains(&format!("Sessions are kept in {place} only")), "{examined}");
    }
}

/// People from many networks, at least two on every node.
async fn spread(cluster: &Cluster) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    let on = |people: &[Person], node: usize| people.iter().filter(|person| person.node() == node).count();
    for network in 1..=60 {
        people.push(cluster.sign_in_from(Ipv4Addr::new(127, 0, network, 1), 0, "ann").await);
        if (0..NODES.len()).all(|node| on(&people, node) >= 2) {
            return people;
        }
    }
    panic!("sixty networks are not enough: {:?}", [0, 1, 2].map(|node| on(&people, node)));
}

/// Through each of so many proxies, the people of one node have to sign in again, and nobody else has at any moment. A proxy may take
/// a moment to find that a node is back.
async fn only_its_people_are_out(
    cluster: &Cluster,
    people: &[Person],
    through: usize,
    out: Option<usize>,
    back: Option<usize>,
) {
    for person in people {
        let expected = if Some(person.node()) == out { 401 } else { 200 };
        for number in 0..through {
            if Some(person.node()) == back {
                becomes(cluster, person, number, expected).await;
            }
            let reply = cluster.ask(person, number, "GET", "/api/v1/session").await;
            assert_eq!(reply.status, expected, "of {} at {number}: {}", NODES[person.node()], reply.text());
        }
    }
}

async fn becomes(cluster: &Cluster, person: &Person, through: usize, status: u16) {
    until(&format!("{status} for a person of {}", NODES[person.node()]), async || {
        let reply = cluster.ask(person, through, "GET", "/api/v1/session").await;
        assert!(matches!(reply.status, 200 | 401), "{}: {}", reply.status, reply.text());
        (reply.status == status).then_some(())
    })
    .await;
}
