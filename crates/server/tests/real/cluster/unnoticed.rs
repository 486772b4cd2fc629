//! Where any node will do, nobody notices that one dies: persistent, shared, replicated.

use std::net::Ipv4Addr;

use serde_json::json;

use super::{Balancer, Cluster, NODES, node_of, restarting};
use crate::browser::Browser;
use crate::client::{Ask, Client};
use crate::machine::until;
use crate::site::PASSWORD;

const BOTH: [Balancer; 2] = [Balancer::Nginx, Balancer::Haproxy];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_over_postgresql() {
    nodes_come_and_go("cluster-persistent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_over_redis() {
    nodes_come_and_go("cluster-shared").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_over_nats() {
    nodes_come_and_go("cluster-replicated").await;
}

/// A browser is signed in, and nodes die, until one is left; that one dies when the others are back. Then each is restarted while
/// there is much to do.
async fn nodes_come_and_go(example: &str) {
    let mut cluster = Cluster::start(example, &BOTH, &[]).await;
    for name in ["ann", "ben"] {
        cluster.nodes[0].add(name, PASSWORD, &[]);
    }
    let browser = Browser::open().await;
    cluster.sign_in(&browser, "ann").await;
    write(&browser, 1).await;
    // The one that signed her in dies first.
    let first = node_of(&browser).await;
    let [second, last] = [(first + 1) % NODES.len(), (first + 2) % NODES.len()];
    for (dead, change) in [(first, 2), (second, 3)] {
        cluster.nodes[dead].kill();
        sees_her_account(&cluster, &browser).await;
        write(&browser, change).await;
    }
    // Everything works on the one that is left: a form, and signing in.
    browser.fill("#display_name", "Ann Weber").await;
    browser.click("#profile-submit").await;
    browser.arrives_at(&cluster.at(0, "/account?done=profile")).await;
    let ben = cluster.sign_in_from(Ipv4Addr::LOCALHOST, 1, "ben").await;
    assert_eq!(ben.node(), last);
    for back in [first, second] {
        cluster.nodes[back].start().await;
    }
    cluster.nodes[last].kill();
    sees_her_account(&cluster, &browser).await;
    assert_eq!(browser.text(".menu-person").await, "Ann Weber");
    assert_eq!(read(&browser).await, json!({ "change": 3 }), "what was acknowledged is there");
    for through in 0..BOTH.len() {
        assert_eq!(cluster.ask(&ben, through, "GET", "/api/v1/session").await.status, 200);
    }
    cluster.nodes[last].start().await;
    assert_eq!(browser.trouble(&[]).await, [""; 0], "{}", cluster.said());

    restarting::under_load(&mut cluster, &BOTH).await;
    sees_her_account(&cluster, &browser).await;

    // And who leaves is out on every node, also those that were away.
    let cookies = browser.cookies().await;
    let cookie = cookies.iter().find(|cookie| cookie.name() == super::COOKIE).unwrap();
    let cookie = format!("{}={}", cookie.name(), cookie.value());
    browser.goto(&cluster.at(0, "/logout")).await;
    browser.click("#logout-confirm").await;
    for node in &cluster.nodes {
        let ask = Ask::new("GET", &cluster.host(0), "/api/v1/session").cookie(&cookie);
        let client = Client::plain(node.listen);
        until("she is out", async || (client.send(&ask).await.status == 401).then_some(())).await;
    }
}

/// Loads the page often enough to come to every node that lives, through each proxy.
async fn sees_her_account(cluster: &Cluster, browser: &Browser) {
    for through in (0..BOTH.len()).rev() {
        let page = cluster.at(through, "/account");
        for _ in 0..2 * NODES.len() {
            browser.goto(&page).await;
            assert_eq!(browser.address().await.as_str(), page, "{}", cluster.said());
            assert_eq!(browser.text("#account-username").await, "ann");
        }
    }
}

/// Changes the data of the browser's session by a script of the page.
async fn write(browser: &Browser, change: u32) {
    let script = format!(
        "const answer = await fetch('/api/v1/session/data', {{ method: 'PATCH', \
         headers: {{ 'content-type': 'application/json' }}, body: '{{\"change\":{change}}}' }}); return answer.status"
    );
    assert_eq!(browser.run(&script).await, json!(200));
}

async fn read(browser: &Browser) -> serde_json::Value {
    browser.run("return (await fetch('/api/v1/session/data')).json()").await
}
