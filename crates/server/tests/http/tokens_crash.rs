//! Refreshing across crashes: whatever was committed or not when the program was killed, the app that asks again goes on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::PASSWORD;
use crate::machine::{Machine, Running};
use crate::wire::Wire;

async fn post(running: &Running, path: &str, body: Value, status: u16) -> Value {
    running.browser().json("POST", path, &body).await.expect(status).json()
}

async fn signed_in(running: &Running) -> String {
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
    let answer = post(running, "/api/v1/login", body, 200).await;
    answer["refresh_token"].as_str().unwrap().to_owned()
}

async fn refreshed(running: &Running, token: &str) -> String {
    let answer = post(running, "/api/v1/token/refresh", json!({ "refresh_token": token }), 200).await;
    answer["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_answer_that_was_lost_with_the_program_is_given_again() {
    let mut machine = Machine::new();
    machine.set("GATEWARD_PUBLIC_URL", "http://localhost:8080");
    machine.add(&["ann"]).await;
    let mut running = machine.serve().await;
    let mut token = signed_in(&running).await;
    // From before anything was read to long after it was committed.
    for wait in [0, 200, 500, 1_000, 2_000, 4_000, 8_000, 50_000] {
        let body = json!({ "refresh_token": token }).to_string();
        let request = format!(
            "POST /api/v1/token/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut wire = Wire::connect(running.address).await;
        wire.send(request.as_bytes()).await;
        tokio::time::sleep(Duration::from_micros(wait)).await;
        running.kill().await;
        running = machine.serve().await;
        let successor = refreshed(&running, &token).await;
        assert_eq!(refreshed(&running, &token).await, successor, "killed after {wait} µs");
        token = successor;
    }
    running.stop().await;
}

#[tokio::test]
async fn what_was_ended_before_a_crash_stays_ended() {
    let mut machine = Machine::new();
    machine.set("GATEWARD_PUBLIC_URL", "http://localhost:8080");
    machine.add(&["ann"]).await;
    let running = machine.serve().await;
    let token = signed_in(&running).await;
    running.browser().json("POST", "/api/v1/logout", &json!({ "refresh_token": token })).await.expect(204);
    running.kill().await;
    let running = machine.serve().await;
    post(&running, "/api/v1/token/refresh", json!({ "refresh_token": token }), 401).await;
    running.stop().await;
}

#[tokio::test]
async fn the_command_line_ends_apps_in_the_running_program_within_a_second() {
    let mut machine = Machine::new();
    machine.set("GATEWARD_PUBLIC_URL", "http://localhost:8080");
    machine.add(&["ann"]).await;
    let running = machine.serve().await;
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
    let answer = post(&running, "/api/v1/login", body, 200).await;
    let value = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let app = running.browser().with("Authorization", &value);
    app.clone().get("/api/v1/session").await.expect(200);
    machine.json(&["session", "end", answer["session"]["id"].as_str().unwrap()]).await;
    crate::house::within_a_second("the JWT still counts", async || {
        app.clone().get("/api/v1/session").await.status == 401
    })
    .await;
    running.stop().await;
}
