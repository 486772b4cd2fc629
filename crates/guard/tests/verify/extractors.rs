//! The extractors of axum, and the answers of RFC 6750.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, Router};
use gateward_guard::bearer::{Bearer, BearerRejection, Demand, FromClaims, Scoped};
use gateward_guard::verify::{BadClaims, Claims, Verifier};
use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::issuer::{Issuer, START};

struct Write;
impl Demand for Write {
    const SCOPE: &'static str = "write";
}

struct Admin;
impl Demand for Admin {
    const SCOPE: &'static str = "admin";
}

struct Strong;
impl Demand for Strong {
    const ACR: &'static [&'static str] = &["phr", "phrh"];
    const MAX_AGE: Option<Duration> = Some(Duration::from_secs(60));
}

struct Recent;
impl Demand for Recent {
    const MAX_AGE: Option<Duration> = Some(Duration::from_secs(60));
}

struct Tenant(String);
impl FromClaims for Tenant {
    fn from_claims(claims: &Arc<Claims>) -> Result<Self, BadClaims> {
        let tenant = claims.other("tenant").ok_or(BadClaims::Missing("tenant"))?;
        tenant.as_str().map(|name| Tenant(name.to_owned())).ok_or(BadClaims::Type("tenant"))
    }
}

async fn delete(Bearer(who): Bearer) -> Result<&'static str, BearerRejection> {
    who.require_scope("admin")?;
    Ok("deleted")
}

fn routes() -> Router {
    Router::new()
        .route("/me", get(|Bearer(who): Bearer| async move { who.subject().to_owned() }))
        .route("/write", post(|who: Scoped<Write>| async move { who.subject().to_owned() }))
        .route("/admin", post(|_: Scoped<Admin>| async {}))
        .route("/strong", post(|_: Scoped<Strong>| async {}))
        .route("/recent", post(|_: Scoped<Recent>| async {}))
        .route("/delete", post(delete))
        .route("/tenant", get(|Bearer(Tenant(name)): Bearer<Tenant>| async move { name }))
        .route(
            "/any",
            get(|who: Option<Bearer>| async move {
                who.map_or("nobody".to_owned(), |Bearer(who)| who.subject().to_owned())
            }),
        )
}

fn app(verifier: &Verifier) -> Router {
    routes().layer(Extension(verifier.clone()))
}

async fn ask(app: &Router, method: &str, path: &str, tokens: &[&str]) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for token in tokens {
        request = request.header(AUTHORIZATION, *token);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn challenge(response: &Response<Body>) -> Option<&str> {
    response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn who_has_a_good_token_passes() {
    let issuer = Issuer::open().await;
    let app = app(&issuer.told().build().unwrap());
    let token = format!("Bearer {}", issuer.token(1, json!({ "tenant": "north" })));
    for (method, path, body) in [
        ("GET", "/me", "person"),
        ("POST", "/write", "person"),
        ("POST", "/recent", ""),
        ("GET", "/any", "person"),
        ("GET", "/tenant", "north"),
    ] {
        let response = ask(&app, method, path, &[&token]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(text(response).await, body);
    }
    assert_eq!(text(ask(&app, "GET", "/any", &[]).await).await, "nobody");
    assert_eq!(ask(&app, "GET", "/any", &["Bearer x.y.z"]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn everybody_else_is_told_why_as_the_standard_says() {
    let issuer = Issuer::open().await;
    let metadata = "https://api.example.com/.well-known/oauth-protected-resource";
    let app = app(&issuer.told().realm("a \"b\\").resource_metadata(metadata).build().unwrap());
    let good = format!("Bearer {}", issuer.token(1, json!({ "auth_time": START - 61 })));
    let expired = format!("Bearer {}", issuer.token(1, json!({ "exp": START - 100 })));
    let (realm, end) = ("Bearer realm=\"a b\"", format!(", resource_metadata=\"{metadata}\""));
    let malformed = "what is presented has not the form of an access token";
    let twice = "there are several Authorization headers";
    let table: Vec<(&str, Vec<&str>, u16, String)> = vec![
        ("/write", vec![], 401, String::new()),
        ("/write", vec!["Basic YTpi"], 401, String::new()),
        ("/write", vec!["Bearer"], 400, format!(", error=\"invalid_request\", error_description=\"{malformed}\"")),
        ("/write", vec![&good, &good], 400, format!(", error=\"invalid_request\", error_description=\"{twice}\"")),
        ("/write", vec![&good, "Basic YTpi"], 400, format!(", error=\"invalid_request\", error_description=\"{twice}\"")),
        ("/write", vec![&expired], 401, ", error=\"invalid_token\", error_description=\"the token has expired\"".into()),
        (
            "/admin",
            vec![&good],
            403,
            ", error=\"insufficient_scope\", error_description=\"the token lacks the scope `admin`\", scope=\"admin\"".into(),
        ),
        (
            "/delete",
            vec![&good],
            403,
            ", error=\"insufficient_scope\", error_description=\"the token lacks the scope `admin`\", scope=\"admin\"".into(),
        ),
        (
            "/strong",
            vec![&good],
            401,
            ", error=\"insufficient_user_authentication\", error_description=\"the person must prove who they are again\", \
             acr_values=\"phr phrh\", max_age=\"60\"".into(),
        ),
        (
            "/recent",
            vec![&good],
            401,
            ", error=\"insufficient_user_authentication\", error_description=\"the person must prove who they are again\", \
             max_age=\"60\"".into(),
        ),
    ];
    for (path, tokens, status, middle) in table {
        let response = ask(&app, "POST", path, &tokens).await;
        assert_eq!(response.status(), status, "{path} {middle}");
        assert_eq!(challenge(&response), Some(format!("{realm}{middle}{end}").as_str()), "{path}");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["status"], status);
    }
}

#[tokio::test]
async fn a_proof_ages_although_the_token_is_recognised() {
    let issuer = Issuer::open().await;
    let app = app(&issuer.told().build().unwrap());
    let token = format!("Bearer {}", issuer.token(1, json!({})));
    assert_eq!(ask(&app, "POST", "/recent", &[&token]).await.status(), 200);
    issuer.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&app, "POST", "/recent", &[&token]).await.status(), 200);
    issuer.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&app, "POST", "/recent", &[&token]).await.status(), 401);
    let ahead = format!("Bearer {}", issuer.token(2, json!({ "auth_time": START + 1000 })));
    assert_eq!(ask(&app, "POST", "/recent", &[&ahead]).await.status(), 401);
}

#[tokio::test]
async fn our_failures_are_not_the_callers() {
    let issuer = Issuer::open().await;
    let app = app(&issuer.told().build().unwrap());
    let token = format!("Bearer {}", issuer.token(1, json!({})));
    issuer.go_away(true);
    let response = ask(&app, "GET", "/me", &[&token]).await;
    assert_eq!((response.status(), challenge(&response)), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(response.headers().contains_key(RETRY_AFTER));
    let forgotten = ask(&routes(), "GET", "/me", &[&token]).await;
    assert_eq!((forgotten.status(), challenge(&forgotten)), (StatusCode::INTERNAL_SERVER_ERROR, None));
}

#[tokio::test]
async fn claims_the_application_cannot_read_are_403() {
    let issuer = Issuer::open().await;
    let app = app(&issuer.told().build().unwrap());
    for claims in [json!({}), json!({ "tenant": 7 })] {
        let token = format!("Bearer {}", issuer.token(1, claims));
        assert_eq!(ask(&app, "GET", "/tenant", &[&token]).await.status(), StatusCode::FORBIDDEN);
    }
}
