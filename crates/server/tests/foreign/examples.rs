//! The examples that people copy to verify tokens in other languages, against the real program: they let in whom they should,
//! notice within the `ttl` of the status list that access was cut, and refuse what is not for them.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::house::PASSWORD;
use crate::machine::{Machine, Running};
use crate::packages::{beside_node_packages, installed};
use crate::wire::Browser;

const AUDIENCE: &str = "https://api.example.com";
const OTHER: &str = "https://other.example.com";
const SETTINGS: &str = "
[[resource]]
audience = \"https://api.example.com\"
scopes = [\"read\", \"write\"]

[[resource]]
audience = \"https://other.example.com\"

[tokens]
status_ttl = \"1s\"
";

/// How long a revocation may take on a slow machine before it counts as never noticed.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn node() {
    let programs = ["verify.mjs", "api.mjs"].map(|name| example("verify-node").join(name));
    let folder = beside_node_packages("node", &programs);
    let mut command = Command::new("node");
    command.arg(folder.path().join("api.mjs"));
    lets_in_and_refuses(command, Some(folder)).await;
}

#[tokio::test]
async fn python() {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg("-B").arg(example("verify-python").join("api.py"));
    lets_in_and_refuses(command, None).await;
}

#[tokio::test]
async fn go() {
    lets_in_and_refuses(Command::new(installed("go/verify-go")), None).await;
}

async fn lets_in_and_refuses(command: Command, _folder: Option<TempDir>) {
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("gateward.toml"), SETTINGS).unwrap();
    machine.add(&["ann"]).await;
    let server = machine.serve().await;
    let api = Api::start(command, &machine, &server).await;
    assert_eq!(api.shown(None).await, (401, "Bearer".into()));

    // For whom it is, and as what it is.
    let (first, second) = (sign_in(&server, AUDIENCE).await, sign_in(&server, AUDIENCE).await);
    let claims = claims(&first.access);
    let hello = api.hello(&first.access).await;
    assert_eq!((&hello["hello"], &hello["scope"]), (&claims["sub"], &json!("read write")));
    for wrong in [
        sign_in(&server, OTHER).await.access,
        first.refresh.clone(),
        command_for_the_api(&server).await,
        with_other_scope(&first.access),
        without_signature(&first.access),
        format!("{}x", first.access),
        "garbage".into(),
    ] {
        let refused = (401, "Bearer error=\"invalid_token\"".to_owned());
        assert_eq!(api.shown(Some(&wrong)).await, refused, "{wrong}");
    }

    // Cut off, and noticed; the other stays.
    let out = json!({ "refresh_token": first.refresh });
    server.browser().json("POST", "/api/v1/logout", &out).await.expect(204);
    api.until(&first.access, 401).await;
    assert_eq!(api.hello(&second.access).await["hello"], claims["sub"]);

    // A key that the example has never seen, used at once.
    let rotated = machine.run(&["key", "rotate", "--now"]).await;
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let third = signed_by_another_key(&server, &second.access).await;
    api.until(&third, 200).await;
    assert_eq!(api.hello(&second.access).await["hello"], claims["sub"], "the old key still counts");

    // With nobody to ask it lets nobody in, and says that it is not the token's fault.
    server.kill().await;
    api.until(&second.access, 503).await;
}

/// What an app gets.
struct Tokens {
    access: String,
    refresh: String,
}

async fn sign_in(server: &Running, audience: &str) -> Tokens {
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token", "audience": audience});
    let body = server.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

/// A token of the same issuer for the same audience, by the same key: but no access token.
async fn command_for_the_api(server: &Running) -> String {
    let mut browser = server.browser();
    let body = json!({"username": "ann", "password": PASSWORD});
    browser.json("POST", "/api/v1/login", &body).await.expect(200);
    let body = json!({"audience": AUDIENCE, "command": "open-gate"});
    let body = browser.json("POST", "/api/v1/commands", &body).await.expect(200).json();
    body["command"].as_str().unwrap().to_owned()
}

/// The server may take a moment to notice that another process has rotated its keys.
async fn signed_by_another_key(server: &Running, known: &str) -> String {
    let key = |token: &str| part(token, 0)["kid"].clone();
    let begun = Instant::now();
    loop {
        let token = sign_in(server, AUDIENCE).await.access;
        if key(&token) != key(known) {
            return token;
        }
        assert!(begun.elapsed() < PATIENCE, "the new key signs nothing");
    }
}

fn with_other_scope(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = part(token, 1);
    claims["scope"] = json!("everything");
    format!("{}.{}.{}", parts[0], encoded(&claims), parts[2])
}

fn without_signature(token: &str) -> String {
    format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "at+jwt"})), encoded(&part(token, 1)))
}

fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// A running example. It is ended when this is dropped.
struct Api {
    address: SocketAddr,
    log: PathBuf,
    _child: Child,
}

impl Drop for Api {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the example said:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

impl Api {
    async fn start(mut command: Command, machine: &Machine, issuer: &Running) -> Api {
        let log = machine.folder.path().join("api.log");
        let mut child = command
            .env("ISSUER", format!("http://{}", issuer.address))
            .env("AUDIENCE", AUDIENCE)
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; see cargo xtask install"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("{command:?} ended"));
        let (_, address) = line.rsplit_once(' ').unwrap();
        Api { address: address.parse().unwrap(), log, _child: child }
    }

    /// The status, and what the example asks for.
    async fn shown(&self, token: Option<&str>) -> (u16, String) {
        let answer = self.browser(token).get("/").await;
        (answer.status, answer.header("www-authenticate").unwrap_or_default().to_owned())
    }

    async fn hello(&self, token: &str) -> Value {
        self.browser(Some(token)).get("/").await.expect(200).json()
    }

    /// Shows a token again and again until this is the answer.
    async fn until(&self, token: &str, status: u16) {
        let begun = Instant::now();
        loop {
            let (now, _) = self.shown(Some(token)).await;
            if now == status {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "still {now}, and not {status}");
        }
    }

    fn browser(&self, token: Option<&str>) -> Browser {
        let browser = Browser::new(self.address);
        match token {
            Some(token) => browser.with("Authorization", &format!("Bearer {token}")),
            None => browser,
        }
    }
}
