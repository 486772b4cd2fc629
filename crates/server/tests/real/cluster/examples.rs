//! The examples as a person starts them: one command, a link to choose the administrator's password, nodes to kill.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use url::form_urlencoded::Serializer;

use super::{COOKIE, NODES, examples, node_in, open};
use crate::client::{Ask, Client};
use crate::machine::{Running, command, free_hundred, until};
use crate::site::PASSWORD;

/// The last two digits of the ports that examples use.
const ENDS: [u16; 11] = [0, 1, 2, 3, 10, 11, 12, 13, 21, 22, 23];

#[tokio::test(flavor = "multi_thread")]
async fn persistent() {
    starts_and_lives_on("cluster-persistent", "nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared() {
    starts_and_lives_on("cluster-shared", "haproxy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memcached() {
    starts_and_lives_on("cluster-memcached", "nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicated() {
    starts_and_lives_on("cluster-replicated", "nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sticky() {
    starts_and_lives_on("cluster-sticky", "nginx").await;
}

async fn starts_and_lives_on(example: &str, proxy: &str) {
    let directory = tempfile::tempdir().unwrap();
    // PostgreSQL and nginx work as other users when root starts them.
    open(directory.path());
    let ports = free_hundred(&ENDS);
    let mut running =
        Running::start("start.sh", script(example, proxy, ports, directory.path()), directory.path());
    let said = until("the example runs", async || {
        running.must_live();
        Some(running.said()).filter(|said| said.contains("Gateward answers on"))
    })
    .await;
    let client = Client::plain((Ipv4Addr::LOCALHOST, ports * 100).into());
    let host = format!("localhost:{ports}00");
    let cookie = choose_administrator(&client, &host, &said).await;
    let session = Ask::new("GET", &host, "/api/v1/session").cookie(&cookie);
    assert_eq!(client.send(&session).await.json()["user"]["username"], "grace");
    let body = json!({ "username": "grace", "password": PASSWORD }).to_string();
    let again = Ask::new("POST", &host, "/api/v1/login").body("application/json", body);
    assert_eq!(client.send(&again).await.status, 200);

    kill(&said, &format!("node-{}", NODES[node_in(&cookie)]));
    // Whose node it was is out only where nobody else has the session.
    let expected = if example == "cluster-sticky" { 401 } else { 200 };
    for _ in 0..NODES.len() {
        let reply = client.send(&session).await;
        assert_eq!(reply.status, expected, "{}", reply.text());
    }
    assert_eq!(client.send(&again).await.status, 200);

    assert!(running.stop(), "it does not end: {}", running.said());
    for end in ENDS {
        let port = ports * 100 + end;
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "something is left on {port}");
    }
}

/// The command, with the program under test.
fn script(example: &str, proxy: &str, ports: u16, directory: &Path) -> Command {
    let gateward = Path::new(env!("CARGO_BIN_EXE_gateward"));
    let mut command = command(&examples().join(example).join("start.sh"), directory);
    // Where `cargo xtask test` puts what Debian does not have.
    let built = gateward.ancestors().nth(2).unwrap().join("engines/nats/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}:/usr/sbin:/usr/bin:/sbin:/bin", built.display()));
    command.env("GATEWARD", gateward).env("PROXY", proxy).env("PORTS", ports.to_string());
    command.env("CLUSTER_DATA", directory.join("cluster-data"));
    command
}

/// Follows the link that was printed; the session cookie as `name=value`.
async fn choose_administrator(client: &Client, host: &str, said: &str) -> String {
    let link = said.split_whitespace().find(|word| word.contains("/setup?code="));
    let link = url::Url::parse(link.unwrap_or_else(|| panic!("no link in {said}"))).unwrap();
    assert_eq!(format!("{}:{}", link.host_str().unwrap(), link.port().unwrap()), host);
    let target = format!("{}?{}", link.path(), link.query().unwrap());
    let page = client.send(&Ask::page(host, &target)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let cookies: Vec<&str> =
        page.headers("set-cookie").map(|set| set.split(';').next().unwrap_or_default()).collect();
    let text = page.text();
    let value = |name: &str| {
        let (_, rest) =
            text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{text}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut fields = Serializer::new(String::new());
    fields.append_pair("csrf", &value("csrf")).append_pair("code", &value("code"));
    fields.append_pair("username", "grace");
    fields.append_pair("password", PASSWORD).append_pair("password_again", PASSWORD);
    let ask = Ask::new("POST", host, "/setup")
        .cookie(&cookies.join("; "))
        .line(&format!("Origin: http://{host}"))
        .body("application/x-www-form-urlencoded", fields.finish());
    let reply = client.send(&ask).await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    reply.cookie(COOKIE).unwrap_or_else(|| panic!("no session cookie: {reply:?}"))
}

/// `kill -9`, of a process that the script named.
fn kill(said: &str, name: &str) {
    let (_, rest) = said.split_once(&format!("{name}: process ")).unwrap_or_else(|| panic!("{said}"));
    let id = rest.split(',').next().unwrap_or_default();
    let status = Command::new("kill").args(["-KILL", id]).status().unwrap();
    assert!(status.success(), "there was no process {id}");
}
