//! The tower layers, around services that know nothing of axum.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use gateward_guard::bearer::RequireScope;
use gateward_guard::verify::{Claims, Denied, Stale, StatusPolicy};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::issuer::{Issuer, until};

type Plain = Full<Bytes>;

/// Answers with who came and by which address.
async fn hello(request: Request<Plain>) -> Result<Response<Plain>, Infallible> {
    let who =
        request.extensions().get::<Arc<Claims>>().map_or("nobody", |claims| claims.subject()).to_owned();
    Ok(Response::new(Full::from(format!("{who} {}", request.uri()))))
}

fn request(uri: &str, token: Option<&str>) -> Request<Plain> {
    let request = Request::builder().uri(uri);
    let request = match token {
        Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    request.body(Plain::default()).unwrap()
}

async fn text(response: Response<Plain>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_plain_service_is_reached_only_with_a_good_token() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().status(StatusPolicy::Push(Stale::Deny)).build().unwrap();
    let mut service = verifier.layer().layer(service_fn(hello));
    let token = issuer.token(4, json!({}));
    for _ in 0..2 {
        let response = service.ready().await.unwrap().call(request("/a?b", Some(&token))).await.unwrap();
        assert_eq!((response.status(), text(response).await), (StatusCode::OK, "person /a?b".into()));
    }
    let response = service.ready().await.unwrap().call(request("/a", None)).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"https://api.example.com\"");
    issuer.revoke(1, 4);
    until(&verifier, &token, |answer| matches!(answer, Err(Denied::Revoked))).await;
    let response = service.ready().await.unwrap().call(request("/a", Some(&token))).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_query_counts_only_where_it_is_switched_on() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    let uri = format!("/a?x=1&access_token={token}&y=2");
    let off = verifier.layer().layer(service_fn(hello));
    assert_eq!(off.oneshot(request(&uri, None)).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let on = verifier.layer().query().layer(service_fn(hello));
    verifier.verify(&issuer.token(2, json!({}))).await.unwrap();
    // Once checked anew, once recognised.
    for _ in 0..2 {
        let response = on.clone().oneshot(request(&uri, None)).await.unwrap();
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(text(response).await, "person /a?x=1&y=2", "the token ends here");
    }
    let by_header = on.clone().oneshot(request("/a?x=1", Some(&token))).await.unwrap();
    assert!(!by_header.headers().contains_key(CACHE_CONTROL));
    for (uri, header) in [
        (uri.clone(), Some(token.as_str())),
        (format!("{uri}&access_token={token}"), None),
        ("/a?access_token=".to_owned(), None),
        ("/a?access_token=a%20b".to_owned(), None),
    ] {
        let response = on.clone().oneshot(request(&uri, header)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri}");
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.contains("error=\"invalid_request\"") && !challenge.contains(&token));
    }
}

#[tokio::test]
async fn an_optional_token_must_be_good_all_the_same() {
    let issuer = Issuer::open().await;
    let service = issuer.told().build().unwrap().layer().optional().layer(service_fn(hello));
    assert_eq!(text(service.clone().oneshot(request("/", None)).await.unwrap()).await, "nobody /");
    let token = issuer.token(1, json!({}));
    assert_eq!(text(service.clone().oneshot(request("/", Some(&token))).await.unwrap()).await, "person /");
    let bad = service.oneshot(request("/", Some("a.b.c"))).await.unwrap();
    assert_eq!(bad.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_scope_is_demanded_of_a_whole_service() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    for (scope, status) in
        [("read", 200), ("read write", 200), ("admin", 403), ("read admin", 403), ("", 403)]
    {
        let service = (verifier.layer(), RequireScope::new(scope)).layer(service_fn(hello));
        let response = service.oneshot(request("/", Some(&token))).await.unwrap();
        assert_eq!(response.status(), status, "{scope}");
    }
    let alone = RequireScope::new("read").layer(service_fn(hello));
    assert_eq!(alone.oneshot(request("/", Some(&token))).await.unwrap().status(), 500);
}

#[tokio::test]
async fn grpc_is_answered_in_its_own_way() {
    let issuer = Issuer::open().await;
    let service = issuer.told().build().unwrap().layer().layer(service_fn(hello));
    let ask = async |token: Option<&str>| {
        let mut request = request("/package.Service/Method", token);
        request.headers_mut().insert(CONTENT_TYPE, "application/grpc+proto".parse().unwrap());
        service.clone().oneshot(request).await.unwrap()
    };
    for (token, status) in [(None, "16"), (Some("a b"), "3"), (Some("a.b.c"), "16")] {
        let response = ask(token).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], status, "{token:?}");
        assert!(response.headers().contains_key("grpc-message"));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
    }
    issuer.go_away(true);
    let good = issuer.token(1, json!({}));
    assert_eq!(ask(Some(&good)).await.headers()["grpc-status"], "14");
    issuer.go_away(false);
    issuer.clock.advance(std::time::Duration::from_secs(2));
    assert!(!ask(Some(&good)).await.headers().contains_key("grpc-status"));
}
