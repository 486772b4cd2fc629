//! Tokens in forms.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use gateward_guard::bearer::Bearer;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::issuer::Issuer;

const FORM: &str = "application/x-www-form-urlencoded";

/// Answers with who came, and with the form and its length as the application sees them.
fn routes() -> Router {
    let echo = |Bearer(who): Bearer, headers: HeaderMap, body: String| async move {
        let length = headers.get("content-length").map_or("none", |length| length.to_str().unwrap());
        format!("{} {length} {body}", who.subject())
    };
    Router::new().route("/", any(echo))
}

async fn send(
    app: &Router,
    method: &str,
    uri: &str,
    kind: &str,
    header: Option<&str>,
    body: &str,
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, kind);
    if let Some(token) = header {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_form_carries_a_token_where_it_is_switched_on() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    let body = format!("a=1&access_token={token}&b=%20");
    let off = routes().layer(verifier.layer());
    assert_eq!(send(&off, "POST", "/", FORM, None, &body).await.status(), StatusCode::UNAUTHORIZED);
    let on = routes().layer(verifier.layer().form());
    for kind in
        [FORM, "application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded"]
    {
        let response = send(&on, "POST", "/", kind, None, &body).await;
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(text(response).await, "person 9 a=1&b=%20", "the token ends here");
    }
    // Other methods and types hold none; those without one pass with the header, untouched.
    assert_eq!(send(&on, "GET", "/", FORM, None, &body).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(&on, "POST", "/", "text/plain", None, &body).await.status(), StatusCode::UNAUTHORIZED);
    let by_header = send(&on, "POST", "/", FORM, Some(&token), "a=1&b=2").await;
    assert_eq!(text(by_header).await, "person none a=1&b=2");
    let by_header = send(&on, "POST", "/", "text/plain", Some(&token), &body).await;
    assert_eq!(text(by_header).await, format!("person none {body}"));
}

#[tokio::test]
async fn two_ways_at_once_are_refused() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    let app = routes().layer(verifier.layer().query().form());
    let body = format!("access_token={token}");
    let uri = format!("/?access_token={token}");
    for (uri, header, body) in [
        ("/", Some(token.as_str()), body.clone()),
        (&uri, None, body.clone()),
        (&uri, Some(&token), body.clone()),
        (&uri, Some(&token), "a=1".into()),
        ("/", None, format!("{body}&{body}")),
        ("/", None, "access_token=".into()),
    ] {
        let response = send(&app, "POST", uri, FORM, header, &body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri} {header:?} {body}");
    }
    assert_eq!(
        send(&app, "POST", "/", FORM, None, "access_token=a.b.c").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn large_forms_are_not_looked_through() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    let app = routes().layer(verifier.layer().form().largest(1000));
    let at = |length: usize| "x".repeat(length);
    assert_eq!(send(&app, "POST", "/", FORM, Some(&token), &at(1000)).await.status(), StatusCode::OK);
    let response = send(&app, "POST", "/", FORM, Some(&token), &at(1001)).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(&app, "POST", "/", "text/plain", Some(&token), &at(1001)).await.status(), StatusCode::OK);
}
