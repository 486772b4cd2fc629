//! Moving from one store to another with `gateward store copy`: nobody is signed out, and nothing is lost.

use gateward_engines::{Memcached, Nats, Postgres, Redis};
use serde_json::{Value, json};

use crate::house::PASSWORD;
use crate::machine::Machine;
use crate::wire::Browser;

/// Somebody with a browser and an app, on a machine that keeps everything in its file.
struct Moved {
    machine: Machine,
    browser: Browser,
    refresh: Value,
}

impl Moved {
    async fn begin() -> Moved {
        let mut machine = Machine::new();
        // The same whatever port it listens on: tokens are for this address.
        machine.set("GATEWARD_PUBLIC_URL", "http://localhost");
        machine.add(&["ann", "--email", "ann@example.com"]).await;
        let server = machine.serve().await;
        let mut browser = server.browser();
        browser.log_in("ann", PASSWORD).await.expect(200);
        browser.json("PATCH", "/api/v1/session/data", &json!({"cart": [1]})).await.expect(200);
        let asked = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        let app = server.browser().json("POST", "/api/v1/login", &asked).await.expect(200).json();
        server.stop().await;
        Moved { machine, browser, refresh: json!({"refresh_token": app["refresh_token"]}) }
    }

    /// What was written of each kind.
    async fn copy(&self, from: &str, to: &str) -> Vec<(String, u64)> {
        let told = self.machine.json(&["store", "copy", from, to]).await;
        let one = |row: &Value| (row["what"].as_str().unwrap().to_owned(), row["written"].as_u64().unwrap());
        told["copied"].as_array().unwrap().iter().map(one).collect()
    }

    /// Starts with the settings of now: the browser is signed in and has its data, and the app refreshes.
    async fn goes_on(&mut self) {
        let server = self.machine.serve().await;
        self.browser.to = server.address;
        let data = self.browser.get("/api/v1/session/data").await.expect(200).json();
        assert_eq!(data, json!({"cart": [1]}));
        let answer =
            server.browser().json("POST", "/api/v1/token/refresh", &self.refresh).await.expect(200).json();
        self.refresh = json!({"refresh_token": answer["refresh_token"]});
        server.browser().log_in("ann", PASSWORD).await.expect(200);
        server.stop().await;
    }
}

fn written(copied: &[(String, u64)], what: &str) -> u64 {
    copied.iter().find(|(kind, _)| kind == what).unwrap_or_else(|| panic!("no {what} in {copied:?}")).1
}

#[tokio::test]
async fn from_a_file_to_postgresql_and_back_to_another_file() {
    let postgres = Postgres::start();
    let address = postgres.url(&postgres.fresh_database());
    let mut moved = Moved::begin().await;
    let copied = moved.copy("sqlite", &address).await;
    for (what, least) in [("people", 1), ("keys", 2), ("session", 2), ("grant", 1), ("audit events", 2)] {
        assert!(written(&copied, what) >= least, "{what}: {copied:?}");
    }
    let again = moved.copy("sqlite", &address).await;
    assert!(again.iter().all(|(_, written)| *written == 0), "made again it finds nothing to do: {again:?}");
    moved.machine.set("GATEWARD_DIRECTORY__STORE", &address);
    moved.goes_on().await;
    // What happened meanwhile is brought back by another copy.
    let back = moved.copy(&address, "sqlite").await;
    assert!(written(&back, "session") >= 1 && written(&back, "audit events") >= 1, "{back:?}");
    moved.machine.set("GATEWARD_DIRECTORY__STORE", "sqlite");
    moved.goes_on().await;
}

#[tokio::test]
async fn sessions_alone_to_redis_and_on_to_nats() {
    let (redis, nats) = (Redis::start(), Nats::start());
    let mut moved = Moved::begin().await;
    let copied = moved.copy("sqlite", &redis.url()).await;
    assert!(copied.iter().all(|(kind, _)| kind != "people"), "Redis holds no people: {copied:?}");
    assert_eq!(written(&copied, "session"), 2);
    moved.machine.set("GATEWARD_SESSIONS__STORE", &redis.url());
    moved.goes_on().await;
    assert_eq!(written(&moved.copy(&redis.url(), &nats.url()).await, "session"), 3);
    moved.machine.set("GATEWARD_SESSIONS__STORE", &nats.url());
    moved.goes_on().await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_said() {
    let (moved, memcached) = (Moved::begin().await, Memcached::start());
    let url = memcached.url();
    for (from, to, said) in [
        ("sqlite", "sqlite", "the same"),
        ("sqlite", "memory", "cannot be reached from here"),
        ("sqlite", "mongo://host", "is not a session store"),
        ("sqlite", "redis://:hunter2@127.0.0.1/", "?password_file=PATH"),
        (&*url, "sqlite", "cannot list what it holds"),
    ] {
        let output = moved.machine.run(&["store", "copy", from, to]).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{from} to {to}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    assert_eq!(written(&moved.copy("sqlite", &url).await, "session"), 2, "into Memcached it can");
}
