//! An axum application with Gateward's cookie sessions, kept in SQLite: see README.md.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use gateward_guard::{
    CookieSpec, Door, Doorway, Fresh, MaybeSignedIn, Rejection, RootKey, SignedIn, SystemEntropy, csrf,
};
use gateward_store::{Sqlite, SqliteOptions};
use serde::Deserialize;
use serde_json::json;

const ADDRESS: &str = "127.0.0.1:3000";
const DATA: &str = "example-data";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (data, database) = (Path::new(DATA), Path::new(DATA).join("sessions.sqlite"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let store = Sqlite::open(database, &SqliteOptions::default())?;
    let root = root_key(&data.join("root.key"))?;
    let doorway = Doorway::new(store.kv(), &root, CookieSpec::for_plain_http("example")?);
    let app = Router::new()
        .route("/", get(front))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-others", post(sign_out_others))
        .route("/secret", get(secret))
        .route("/very-secret", get(very_secret))
        .layer(doorway.layer())
        .layer(middleware::from_fn(from_here_only));
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    println!("http://{ADDRESS}/ — any name; the password is \"open sesame\"");
    Ok(axum::serve(listener, app).await?)
}

/// Counts visits in the session: of guests, too, and the count stays when they sign in.
async fn front(door: Door, who: MaybeSignedIn) -> Result<Html<String>, Rejection> {
    let data: serde_json::Value = serde_json::from_str(door.data().json()).unwrap_or_default();
    let visits = data.get("visits").and_then(serde_json::Value::as_u64).unwrap_or(0) + 1;
    door.patch_data(&json!({ "visits": visits }), None).await?;
    let form = match who.0 {
        Some(who) => format!("<p>Hello {}.</p>{SIGNED_IN}", escaped(who.name())),
        None => SIGNED_OUT.to_owned(),
    };
    Ok(Html(format!("<!doctype html><title>Sessions</title><p>Visit {visits}.</p>{form}")))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// The application checks who it is, in its own way; then one line signs in, under a new session secret.
async fn sign_in(door: Door, Form(form): Form<Credentials>) -> Result<Response, Rejection> {
    if form.password != "open sesame" || form.name.is_empty() {
        return Ok((StatusCode::FORBIDDEN, "That is not the password.").into_response());
    }
    door.sign_in(&form.name).await?;
    Ok(Redirect::to("/").into_response())
}

async fn sign_out(door: Door) -> Result<Redirect, Rejection> {
    door.sign_out().await?;
    Ok(Redirect::to("/"))
}

async fn sign_out_others(door: Door) -> Result<String, Rejection> {
    Ok(format!("{} other sessions were ended.\n", door.end_others().await?))
}

/// 401 for who is not signed in.
async fn secret(who: SignedIn) -> String {
    format!("Only {} and others who are signed in see this.\n", who.name())
}

/// 403 for who signed in more than ten minutes ago.
async fn very_secret(Fresh(who): Fresh) -> String {
    format!("{} signed in a moment ago.\n", who.name())
}

/// Forms of other sites do not count.
async fn from_here_only(request: Request, next: Next) -> Response {
    let safe = request.method().is_safe();
    if safe || csrf::same_origin(request.headers(), &format!("http://{ADDRESS}")).is_ok() {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "That came from another site.").into_response()
}

/// The key that session secrets are checked with: 32 bytes in a file of their own, made at the first start.
fn root_key(file: &Path) -> anyhow::Result<RootKey> {
    if !file.exists() {
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        new.write_all(RootKey::random(&SystemEntropy).expose())?;
    }
    let bytes = fs::read(file)?;
    let key = bytes.try_into().ok().with_context(|| format!("{} has not 32 bytes", file.display()))?;
    Ok(RootKey::from_bytes(key))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const SIGNED_OUT: &str = r#"<form method="post" action="/sign-in">
<label>Name <input name="name" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form>"#;

const SIGNED_IN: &str = r#"<p><a href="/secret">Secret</a> · <a href="/very-secret">Very secret</a></p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
<form method="post" action="/sign-out-others"><button>Sign out everywhere else</button></form>"#;
