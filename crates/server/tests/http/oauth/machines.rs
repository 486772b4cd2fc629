//! Clients that prove themselves, and act for themselves: every way of client authentication right and wrong, client credentials, and
//! what their tokens never open.

use serde_json::json;

use super::{Known, client, header, house, post, public, refused, service, tokens, userinfo, verified};
use crate::house::House;
use crate::tokens::text;
use crate::wire::{Answer, encode};

const CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

/// Asks for a token with exactly these headers and fields.
async fn exactly(house: &House, headers: &[&str], fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend(headers.iter().map(|value| ("Authorization", *value)));
    let fields = [&[CREDENTIALS], fields].concat();
    house.browser().send("POST", "/oauth/token", &all, encode(&fields).as_bytes()).await
}

#[tokio::test]
async fn a_client_proves_itself_by_the_method_it_registered_and_no_other() {
    let house = house().await;
    // A name that needs encoding (RFC 6749 §2.3.1).
    let basic = service(&house, "my app:1+2%", json!({})).await;
    let by_post = service(&house, "post", json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let spa = public(&house, "spa").await;
    let good = header(&basic.id, &basic.secret);
    exactly(&house, &[&good], &[]).await.expect(200);
    exactly(&house, &[&good.replacen("Basic", "bAsIc", 1)], &[]).await.expect(200);
    exactly(&house, &[&good], &[("client_id", &basic.id)]).await.expect(200);
    exactly(&house, &[], &[("client_id", &by_post.id), ("client_secret", &by_post.secret)]).await.expect(200);

    let of_post = header(&by_post.id, &by_post.secret);
    let wrong = header(&basic.id, &by_post.secret);
    let empty = header(&basic.id, "");
    let unknown = header("nobody", &basic.secret);
    let raw = format!(
        "Basic {}",
        data_encoding::BASE64.encode(format!("{}:{}", basic.id, basic.secret).as_bytes())
    );
    let (id, secret) = (("client_id", basic.id.as_str()), ("client_secret", basic.secret.as_str()));
    for (what, headers, fields) in [
        ("a wrong secret", vec![wrong.as_str()], vec![]),
        ("no secret", vec![&empty], vec![]),
        ("nobody's name", vec![&unknown], vec![]),
        ("a name that is not encoded", vec![&raw], vec![]),
        ("basic for one of post", vec![&of_post], vec![]),
        ("post for one of basic", vec![], vec![id, secret]),
        ("the name alone", vec![], vec![id]),
        ("nothing", vec![], vec![]),
        ("an empty secret", vec![], vec![("client_id", "post"), ("client_secret", "")]),
        ("a secret of a client that has none", vec![], vec![("client_id", "spa"), ("client_secret", "x")]),
        ("another scheme", vec!["Bearer x"], vec![]),
        ("no base64", vec!["Basic !!!"], vec![]),
        ("no colon", vec!["Basic bm9uc2Vuc2U="], vec![]),
        ("no text", vec!["Basic //8="], vec![]),
    ] {
        let answer = exactly(&house, &headers, &fields).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (401, "invalid_client"), "{what}");
        assert_eq!(answer.header("www-authenticate").is_some(), !headers.is_empty(), "{what}");
        assert!(!answer.text().contains(&basic.secret), "{what}");
    }
    let assertion = ("client_assertion", "a.b.c");
    for (what, headers, fields) in [
        ("header and body", vec![good.as_str()], vec![id, secret]),
        ("header and the body's secret", vec![&good], vec![secret]),
        ("header and assertion", vec![&good], vec![assertion]),
        ("secret and assertion", vec![], vec![id, secret, assertion]),
        ("two headers", vec![&good, &good], vec![]),
        ("two names", vec![&good], vec![("client_id", "post")]),
        ("an assertion of no type", vec![], vec![assertion]),
    ] {
        let answer = exactly(&house, &headers, &fields).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_request"), "{what}");
    }
    assert_eq!(refused(&exactly(&house, &[], &[("client_id", &spa.id)]).await), "unauthorized_client");
}

#[tokio::test]
async fn two_secrets_are_good_while_they_overlap() {
    let house = house().await;
    let robot = service(&house, "robot", json!({})).await;
    let (next, kept) = house.app.oauth.clients.fresh_secret("robot", false, house.now());
    let overlap = house.now() + std::time::Duration::from_secs(60);
    let decide = |client: &gateward_kernel::oauth::Client| {
        let mut changed = client.clone();
        changed.rotate_secret(kept.clone(), overlap);
        gateward_kernel::record::Decision::Write(changed, ())
    };
    house.app.oauth.clients.change("robot", house.now(), decide).await.unwrap().unwrap();
    let next = header("robot", &next);
    let before = header("robot", &robot.secret);
    house.advance(std::time::Duration::from_micros(59_999_999));
    for secret in [&before, &next] {
        exactly(&house, &[secret], &[]).await.expect(200);
    }
    house.tick();
    exactly(&house, &[&before], &[]).await.expect(401);
    exactly(&house, &[&next], &[]).await.expect(200);
}

#[tokio::test]
async fn a_client_gets_a_token_for_itself() {
    let house = house().await;
    let robot = service(&house, "robot", json!({})).await;
    let ask = async |client: &Known, more: &[(&str, &str)]| {
        post(&house, client, "/oauth/token", &[&[CREDENTIALS], more].concat()).await
    };
    let told =
        ask(&robot, &[("scope", "read"), ("resource", "https://api.example")]).await.expect(200).json();
    assert_eq!((text(&told, "scope"), text(&told, "token_type")), ("read".into(), "Bearer".into()));
    assert_eq!((told.get("refresh_token"), told.get("id_token")), (None, None));
    let token = text(&told, "access_token");
    let (header, claims) = verified(&house, &token).await;
    let now = house.now().seconds();
    assert_eq!(header["typ"], "at+jwt");
    for (name, value) in [
        ("iss", json!(house.app.origin)),
        ("sub", json!("robot")),
        ("client_id", json!("robot")),
        ("aud", json!("https://api.example")),
        ("scope", json!("read")),
        ("iat", json!(now)),
        ("exp", json!(now + told["expires_in"].as_i64().unwrap())),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    for name in ["auth_time", "amr", "acr", "sid", "groups"] {
        assert_eq!(claims.get(name), None, "nobody signed in");
    }
    userinfo(&house, &token).await.expect(401);
    // Looked up instead of read.
    let told = ask(&robot, &[("scope", "dig")]).await.expect(200).json();
    let opaque = text(&told, "access_token");
    assert!(!opaque.contains('.'), "{opaque}");
    let looked = post(&house, &robot, "/oauth/introspect", &[("token", &opaque)]).await.expect(200).json();
    assert_eq!(
        (&looked["active"], &looked["sub"], &looked["scope"]),
        (&json!(true), &json!("robot"), &json!("dig"))
    );
    assert_eq!(looked["aud"], "https://opaque.example");
    for (more, code) in [
        (("scope", "nonsense"), "invalid_scope"),
        (("scope", "openid"), "invalid_scope"),
        (("scope", "read email"), "invalid_scope"),
        (("resource", "https://nobody.example"), "invalid_target"),
    ] {
        assert_eq!(refused(&ask(&robot, &[more]).await), code, "{more:?}");
    }
    // Only what a client may have.
    let narrow =
        service(&house, "narrow", json!({"scope": "read", "gateward_resources": ["https://api.example"]}))
            .await;
    assert_eq!(text(&ask(&narrow, &[]).await.expect(200).json(), "scope"), "read");
    assert_eq!(refused(&ask(&narrow, &[("scope", "write")]).await), "invalid_scope");
    assert_eq!(refused(&ask(&narrow, &[("resource", "https://opaque.example")]).await), "invalid_target");
    // Given back, all of them (RFC 7009).
    let other = service(&house, "other", json!({})).await;
    post(&house, &other, "/oauth/revoke", &[("token", &opaque)]).await.expect(200);
    let look = async |token: &str| {
        post(&house, &robot, "/oauth/introspect", &[("token", token)]).await.json()["active"].clone()
    };
    assert_eq!((look(&opaque).await, look(&token).await), (json!(true), json!(true)));
    post(&house, &robot, "/oauth/revoke", &[("token", &opaque)]).await.expect(200);
    assert_eq!((look(&opaque).await, look(&token).await), (json!(false), json!(false)));
}

#[tokio::test]
async fn grants_are_those_that_are_there_and_that_the_client_has() {
    let house = house().await;
    let (app, robot) = (client(&house, "app", json!({})).await, service(&house, "robot", json!({})).await);
    for (client, grant, code) in [
        (&app, "client_credentials", "unauthorized_client"),
        (&robot, "authorization_code", "unauthorized_client"),
        (&robot, "refresh_token", "unauthorized_client"),
        (&robot, "password", "unsupported_grant_type"),
        (&robot, "implicit", "unsupported_grant_type"),
        (&robot, "", "invalid_request"),
    ] {
        assert_eq!(
            refused(&post(&house, client, "/oauth/token", &[("grant_type", grant)]).await),
            code,
            "{grant}"
        );
    }
    // By the address, as JSON, by GET, with a parameter twice (RFC 6749 §3.2).
    let good = header("robot", &robot.secret);
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", good.as_str())];
    let json = [("Content-Type", "application/json"), ("Authorization", good.as_str())];
    let mut browser = house.browser();
    let body = b"grant_type=client_credentials";
    browser.send("POST", "/oauth/token", &form, body).await.expect(200);
    for (method, path, headers, body, status) in [
        ("POST", "/oauth/token?grant_type=client_credentials", &form, &b""[..], 400),
        ("POST", "/oauth/token?x=y", &form, body, 400),
        ("POST", "/oauth/token", &json, b"{\"grant_type\":\"client_credentials\"}", 400),
        ("POST", "/oauth/token", &form, b"grant_type=client_credentials&grant_type=client_credentials", 400),
        ("GET", "/oauth/token", &form, b"", 405),
        ("PUT", "/oauth/token", &form, body, 405),
    ] {
        let answer = browser.send(method, path, headers, body).await;
        assert_eq!(
            (answer.status, refused(&answer).as_str()),
            (status, "invalid_request"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn pages_of_a_client_may_call_and_others_may_not_read() {
    let house = house().await;
    let own = json!({"token_endpoint_auth_method": "none", "gateward_cors_origins": ["https://app.example"]});
    let spa = client(&house, "spa", own).await;
    let code = super::code(&house, &spa, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", code.as_str()),
        ("redirect_uri", super::BACK),
        ("code_verifier", super::VERIFIER),
    ];
    let mut page = house.browser().with("Origin", "https://app.example");
    let asked = [("Access-Control-Request-Method", "POST")];
    let preflight = page.send("OPTIONS", "/oauth/token", &asked, b"").await.expect(204);
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
    let answer = page.form("/oauth/token", &fields).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    // Errors have nothing in them for others, and a page must be able to read its own.
    let wrong = page.form("/oauth/token", &fields).await;
    assert_eq!(
        (refused(&wrong).as_str(), wrong.header("access-control-allow-origin")),
        ("invalid_grant", Some("*"))
    );
    let bearer = format!("Bearer {}", text(&answer.json(), "access_token"));
    for (origin, allowed) in
        [("https://app.example", Some("https://app.example")), ("https://evil.example", None)]
    {
        let code = super::code(&house, &spa, &[]).await;
        let fields =
            fields.map(|(name, value)| if name == "code" { (name, code.as_str()) } else { (name, value) });
        let answer = house.browser().with("Origin", origin).form("/oauth/token", &fields).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        let bearer = format!("Bearer {}", text(&answer.json(), "access_token"));
        let headers = [("Origin", origin), ("Authorization", bearer.as_str())];
        let seen = house.browser().get_with("/oauth/userinfo", &headers).await.expect(200);
        assert_eq!(seen.header("access-control-allow-origin"), allowed, "{origin}");
    }
    let ended = house.browser().get_with("/oauth/userinfo", &[("Authorization", bearer.as_str())]).await;
    assert_eq!(refused(&ended), "invalid_token", "its code came twice");
    let introspecting = page.send("OPTIONS", "/oauth/introspect", &asked, b"").await;
    assert_eq!(introspecting.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn tokens_of_clients_never_open_the_api_of_gateward() {
    let house = house().await;
    house.change("ann", |person| person.groups = vec![gateward_kernel::person::ADMINS.into()]).await;
    let (app, robot) = (client(&house, "app", json!({})).await, service(&house, "robot", json!({})).await);
    let issuer = house.app.origin.clone();
    for resource in [issuer.as_str(), &format!("{issuer}/")] {
        let fields = [CREDENTIALS, ("resource", resource)];
        assert_eq!(refused(&post(&house, &robot, "/oauth/token", &fields).await), "invalid_target");
    }
    let mut all = Vec::new();
    for scope in ["openid", "openid profile email offline_access", "read", "dig"] {
        let told = tokens(&house, &app, &[("scope", scope)]).await;
        all.push(text(&told, "access_token"));
        all.extend(
            ["refresh_token", "id_token"].iter().filter_map(|name| told[name].as_str().map(str::to_owned)),
        );
        if !scope.contains("openid") {
            let told = post(&house, &robot, "/oauth/token", &[CREDENTIALS, ("scope", scope)])
                .await
                .expect(200)
                .json();
            all.push(text(&told, "access_token"));
        }
    }
    all.push(app.secret);
    for token in &all {
        for path in ["/api/v1/session", "/api/v1/sessions", "/api/v1/admin/events"] {
            let answer = house.browser().with("Authorization", &format!("Bearer {token}")).get(path).await;
            assert_eq!(answer.status, 401, "{path} by {token}");
        }
        let body = json!({ "refresh_token": token });
        let answer = house.browser().json("POST", "/api/v1/token/refresh", &body).await;
        assert!([400, 401].contains(&answer.status), "{}: {}", answer.status, answer.text());
    }
    // And nothing else opens UserInfo.
    let own = house.bearer("ann").await;
    for token in [own.as_str(), "nonsense", ""] {
        userinfo(&house, token).await.expect(401);
    }
    let nothing = house.browser().get("/oauth/userinfo").await.expect(401);
    assert!(nothing.all("www-authenticate").iter().all(|value| !value.contains("error=")), "RFC 6750 §3.1");
}

#[tokio::test]
async fn a_media_type_is_read_in_either_case() {
    let house = house().await;
    let api = service(&house, "api", json!({})).await;
    let authorization = header(&api.id, &api.secret);
    for (kind, status) in [
        ("Application/X-WWW-Form-URLencoded", 200),
        ("APPLICATION/x-www-form-urlencoded ; charset=UTF-8", 200),
        ("application/x-www-form-urlencoded2", 400),
        ("text/plain", 400),
        ("", 400),
    ] {
        let headers = [("Content-Type", kind), ("Authorization", authorization.as_str())];
        let body = b"grant_type=client_credentials&scope=read";
        assert_eq!(
            house.browser().send("POST", "/oauth/token", &headers, body).await.status,
            status,
            "{kind}"
        );
    }
}
