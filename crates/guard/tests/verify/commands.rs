//! One-time commands.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use gateward_guard::command::{CommandName, Commanded, Commands};
use gateward_guard::verify::{BadClaims, Denied, Refused};
use gateward_kernel::ports::Kv;
use gateward_store::Memory;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::issuer::{AUDIENCE, Issuer, START, merge};

fn command(issuer: &Issuer, changes: Value) -> String {
    let mut claims = json!({
        "iss": issuer.url, "sub": "person", "aud": AUDIENCE, "iat": START, "exp": START + 60, "jti": "1",
        "command": "open-gate", "parameters": { "gate": 7 },
    });
    merge(&mut claims, changes);
    issuer.sign("command+jwt", &claims)
}

fn commands(issuer: &Issuer, kv: &Arc<Memory>) -> Commands {
    Commands::new(issuer.told(), kv.clone() as Arc<dyn Kv>).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_on_two_nodes_one_gets_it() {
    let issuer = Issuer::open().await;
    let kv = Arc::new(Memory::new());
    let nodes = [commands(&issuer, &kv), commands(&issuer, &kv)];
    let token = command(&issuer, json!({}));
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (node, token) = (nodes[number % 2].clone(), token.clone());
        tries.spawn(async move { node.consume(&token, "open-gate").await });
    }
    let mut winners = Vec::new();
    while let Some(tried) = tries.join_next().await {
        match tried.unwrap() {
            Ok(command) => winners.push(command),
            Err(denied) => assert_eq!(denied, Denied::Used),
        }
    }
    let [winner] = winners.as_slice() else { panic!("{} winners", winners.len()) };
    assert_eq!((winner.subject(), winner.parameters()), ("person", &json!({ "gate": 7 })));
    // Another one of the same kind is another command.
    assert!(nodes[0].consume(&command(&issuer, json!({ "jti": "2" })), "open-gate").await.is_ok());
}

#[tokio::test]
async fn a_used_command_stays_used_until_nobody_would_accept_it() {
    let issuer = Issuer::open().await;
    let commands = commands(&issuer, &Arc::new(Memory::new()));
    let token = command(&issuer, json!({}));
    commands.consume(&token, "open-gate").await.unwrap();
    issuer.clock.advance(Duration::from_millis(89_999));
    assert_eq!(commands.consume(&token, "open-gate").await.err(), Some(Denied::Used));
    issuer.clock.advance(Duration::from_millis(1));
    let expired = Some(Denied::Refused(Refused::Claims(BadClaims::Expired)));
    assert_eq!(commands.consume(&token, "open-gate").await.err(), expired);
}

#[tokio::test]
async fn only_the_very_command_counts() {
    let issuer = Issuer::open().await;
    let commands = commands(&issuer, &Arc::new(Memory::new()));
    let claims = |reason| Denied::Refused(Refused::Claims(reason));
    for (changes, expected) in [
        (json!({ "command": "close-gate" }), Denied::OtherCommand),
        (json!({ "command": null }), claims(BadClaims::Missing("command"))),
        (json!({ "command": 1 }), claims(BadClaims::Type("command"))),
        (json!({ "jti": null }), claims(BadClaims::Missing("jti"))),
        (json!({ "aud": "https://other.example" }), claims(BadClaims::Audience)),
        (json!({ "exp": START - 30 }), claims(BadClaims::Expired)),
        (json!({ "exp": START + 3601 }), claims(BadClaims::FarFuture("exp"))),
    ] {
        let answer = commands.consume(&command(&issuer, changes.clone()), "open-gate").await;
        assert_eq!(answer.err(), Some(expected), "{changes}");
    }
    // Access tokens are no commands, and commands no access tokens.
    let access = issuer.token(1, json!({ "command": "open-gate" }));
    assert_eq!(commands.consume(&access, "open-gate").await.err(), Some(claims(BadClaims::Typ)));
    let token = command(&issuer, json!({}));
    let verifier = issuer.told().build().unwrap();
    assert_eq!(verifier.verify(&token).await.err(), Some(claims(BadClaims::Typ)));
    // None of this has used it up.
    assert!(commands.consume(&token, "open-gate").await.is_ok());
}

struct OpenGate;
impl CommandName for OpenGate {
    const NAME: &'static str = "open-gate";
}

#[tokio::test]
async fn the_extractor_consumes_it() {
    let issuer = Issuer::open().await;
    let commands = commands(&issuer, &Arc::new(Memory::new()));
    let open = |command: Commanded<OpenGate>| async move { command.parameters()["gate"].to_string() };
    let app = Router::new().route("/", post(open)).layer(Extension(commands));
    let token = command(&issuer, json!({}));
    let ask = async |header: Option<String>| {
        let mut request = Request::post("/");
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(ask(None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(format!("Bearer {token}"))).await.status(), StatusCode::OK);
    let again = ask(Some(format!("Bearer {token}"))).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(again.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
}
