//! An axum API that accepts Gateward's access tokens: see docs/verify.md.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use gateward_guard::bearer::{Bearer, BearerRejection, Demand, Scoped};
use gateward_guard::verify::{Stale, StatusPolicy, Verifier};

const ADDRESS: &str = "127.0.0.1:3001";

/// Only with the scope `write`.
struct Write;

impl Demand for Write {
    const SCOPE: &'static str = "write";
}

/// Only when the person proved who they are within the last five minutes.
struct Recent;

impl Demand for Recent {
    const MAX_AGE: Option<Duration> = Some(Duration::from_secs(300));
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let issuer = env::var("ISSUER").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
    let audience = env::var("AUDIENCE").unwrap_or_else(|_| "https://api.example.com".into());
    let verifier = Verifier::for_issuer(issuer)
        .audience(audience)
        // Revocations arrive by themselves; who is cut off from them for six seconds lets nobody in.
        .status(StatusPolicy::Push(Stale::Deny))
        .build()?;
    let app = Router::new()
        .route("/me", get(me))
        .route("/articles", post(write))
        .route("/account/close", post(close))
        .route("/articles/{id}/publish", post(publish))
        .layer(verifier.layer());
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    println!("http://{ADDRESS}/me");
    Ok(axum::serve(listener, app).await?)
}

/// Everybody with a good token.
async fn me(Bearer(who): Bearer) -> String {
    format!("{} by {}, allowed: {}\n", who.subject(), who.client().unwrap_or("-"), who.scope())
}

/// A demand as a type: it is met before anything here runs.
async fn write(who: Scoped<Write>) -> String {
    format!("written by {}\n", who.subject())
}

async fn close(who: Scoped<Recent>) -> String {
    format!("the account of {} is closed\n", who.subject())
}

/// A demand in the code: where it depends on what is asked for.
async fn publish(Bearer(who): Bearer) -> Result<String, BearerRejection> {
    who.require_scope("publish")?;
    Ok(format!("published by {}\n", who.subject()))
}
