//! The code flow from its first request to the end of what came of it, in a browser that knows forms and cookies only.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, VerifyingKey};
use serde_json::json;

use super::{
    BACK, SETTINGS, agree, client, decide, error, hidden, house, link, parameters, post, public, redeem,
    refresh, request, tokens, told, userinfo, verified,
};
use crate::house::{House, PASSWORD, within_a_second};
use crate::tokens::text;

#[tokio::test]
async fn a_person_signs_in_agrees_and_the_client_goes_on_by_itself() {
    let house = house().await;
    house.change("ann", |person| person.display_name = Some("Ann Other".into())).await;
    let app =
        client(&house, "app", json!({"client_name": "The App", "client_uri": "https://app.example/"})).await;
    let mut browser = house.browser();
    // To the login page, which says for what, and back.
    let path = request(&app, &[("scope", "openid profile read offline_access nonsense"), ("unknown", "x")]);
    let led = browser.get(&path).await.expect(303);
    let login = led.header("location").unwrap().to_owned();
    assert!(login.starts_with("/login?return_to="), "{login}");
    let page = browser.get(&login).await.expect(200);
    assert!(page.text().contains("The App") && page.text().contains("id=\"login-form\""), "{}", page.text());
    let (csrf, back) = (page.token("/login"), hidden(&page, "return_to"));
    let fields = [("csrf", csrf.as_str()), ("return_to", &back), ("username", "ann"), ("password", PASSWORD)];
    let back = browser.form("/login", &fields).await.expect(303);
    // The consent page.
    let page = browser.get(back.header("location").unwrap()).await.expect(200);
    let html = page.text();
    for part in [
        "id=\"consent-form\"",
        "id=\"consent-allow\"",
        "id=\"consent-deny\"",
        "The App",
        "Ann Other",
        "app.example",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains("nonsense"), "an unknown scope is passed over");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let answer = decide(&mut browser, &page, "allow", &[]).await;
    let told = told(&answer);
    assert_eq!((told["state"].as_str(), &told["iss"]), ("the state", &house.app.origin));
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    // Code against tokens.
    let answer = redeem(&house, &app, &told["code"]).await.expect(200);
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        (Some("no-store"), Some("no-cache"))
    );
    let first = answer.json();
    assert_eq!(
        (text(&first, "token_type"), text(&first, "scope")),
        ("Bearer".into(), "offline_access openid profile read".into())
    );
    let (header, id_token) = verified(&house, &text(&first, "id_token")).await;
    assert_eq!(header["alg"], "ES256");
    let ann = house.stored("ann").await.id.to_string();
    let now = house.now().seconds();
    for (name, value) in [
        ("iss", json!(house.app.origin)),
        ("aud", json!("app")),
        ("sub", json!(ann)),
        ("nonce", json!("the nonce")),
        ("auth_time", json!(now)),
        ("iat", json!(now)),
        ("exp", json!(now + 600)),
        ("acr", json!("1")),
        ("amr", json!(["pwd"])),
    ] {
        assert_eq!(id_token[name], value, "{name} in {id_token}");
    }
    assert!(id_token["at_hash"].is_string() && id_token["sid"].is_string(), "{id_token}");
    let access = text(&first, "access_token");
    let seen = userinfo(&house, &access).await.expect(200).json();
    assert_eq!((&seen["sub"], &seen["name"]), (&json!(ann), &json!("Ann Other")));
    // By POST, too (OpenID Connect Core §5.3.1).
    let posted =
        house.browser().form("/oauth/userinfo", &[("access_token", &access)]).await.expect(200).json();
    assert_eq!(posted, seen);
    let mut bearer = house.browser().with("Authorization", &format!("Bearer {access}"));
    assert_eq!(bearer.send("POST", "/oauth/userinfo", &[], b"").await.expect(200).json(), seen);
    // Refreshed: the same person, who signed in when they did.
    house.advance(Duration::from_secs(60));
    let next = refresh(&house, &app, &text(&first, "refresh_token")).await.expect(200).json();
    let (_, later) = verified(&house, &text(&next, "id_token")).await;
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(later[name], id_token[name], "{name}");
    }
    assert_eq!((later["iat"].clone(), later.get("nonce")), (json!(now + 60), None));
    // Looked at, and given back.
    let look = async |token: &str| {
        post(&house, &app, "/oauth/introspect", &[("token", token)]).await.expect(200).json()
    };
    let access = text(&next, "access_token");
    let active = look(&access).await;
    assert_eq!(
        (&active["active"], &active["client_id"], &active["sub"]),
        (&json!(true), &json!("app"), &json!(ann))
    );
    assert_eq!(active["username"], "ann");
    let latest = text(&next, "refresh_token");
    assert_eq!(look(&latest).await["active"], true);
    post(&house, &app, "/oauth/revoke", &[("token", &latest)]).await.expect(200);
    for token in [&access, &latest] {
        assert_eq!(look(token).await, json!({"active": false}));
    }
    userinfo(&house, &access).await.expect(401);
    assert_eq!(super::refused(&refresh(&house, &app, &latest).await), "invalid_grant");
}

#[tokio::test]
async fn a_client_that_says_nothing_gets_rs256() {
    let house = House::with(&SETTINGS.replace("\"ES256\"", "\"ES256\", \"RS256\"")).await;
    house.person("ann").await;
    let app = client(&house, "app", json!({"id_token_signed_response_alg": "RS256"})).await;
    // The first RSA key takes a moment after the first start: nothing is spent meanwhile.
    let code = super::code(&house, &app, &[]).await;
    let early = redeem(&house, &app, &code).await.expect(503);
    assert!(early.header("retry-after").is_some());
    house.app.tokens.mint.ring().maintain(house.now()).await.unwrap();
    let told = redeem(&house, &app, &code).await.expect(200).json();
    let (header, claims) = verified(&house, &text(&told, "id_token")).await;
    assert_eq!((&header["alg"], &claims["aud"]), (&json!("RS256"), &json!("app")));
    let published = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
    let signed = published["id_token_signing_alg_values_supported"].to_string();
    assert!(signed.contains("RS256") && signed.contains("ES256") && !signed.contains("PS256"), "{signed}");
}

#[tokio::test]
async fn a_client_that_gets_no_id_tokens_needs_no_key_for_them() {
    let house = house().await;
    let none = json!({"scope": "profile offline_access", "id_token_signed_response_alg": null});
    let app = client(&house, "app", none).await;
    let code = super::code(&house, &app, &[("scope", "profile offline_access")]).await;
    let told = redeem(&house, &app, &code).await.expect(200).json();
    assert!(told.get("id_token").is_none(), "{told}");
    refresh(&house, &app, &text(&told, "refresh_token")).await.expect(200);
}

/// It says so, again and again, and spends nothing: whoever runs the house may take the algorithm back.
#[tokio::test]
async fn an_algorithm_that_left_the_settings_is_named() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let code = super::code(&house, &app, &[]).await;
    let later = format!("[tokens]\nalgorithm = \"EdDSA\"\n{}", SETTINGS.replace("\"ES256\"", "\"EdDSA\""));
    let changed = House::on(house.data.clone(), house.clock.clone(), &later).await;
    for _ in 0..2 {
        let answer = redeem(&changed, &app, &code).await.expect(400);
        assert_eq!(super::refused(&answer), "unauthorized_client");
        assert!(text(&answer.json(), "error_description").contains("ES256"), "{}", answer.text());
    }
    redeem(&house, &app, &code).await.expect(200);
}

#[tokio::test]
async fn a_generated_secret_is_long_enough_for_every_hmac() {
    let house = house().await;
    for algorithm in [SignatureAlgorithm::Hs256, SignatureAlgorithm::Hs384, SignatureAlgorithm::Hs512] {
        let name = algorithm.to_string();
        let app = client(&house, &name, json!({"id_token_signed_response_alg": name})).await;
        let told = tokens(&house, &app, &[]).await;
        let id_token = text(&told, "id_token");
        let key = VerifyingKey::new(&Jwk::from_secret(app.secret.as_bytes()).unwrap(), algorithm).unwrap();
        let (signed, signature) = id_token.rsplit_once('.').unwrap();
        assert!(
            key.verifies(signed.as_bytes(), &BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_answer_travels_as_a_form_when_that_is_asked_for() {
    let house = house().await;
    let app = client(&house, "app", json!({"redirect_uris": [BACK, "https://app.example/other?a=b"]})).await;
    let mut browser = house.signed_in("ann").await;
    let page = agree(&mut browser, &request(&app, &[("response_mode", "form_post"), ("state", "<\"&'>")]))
        .await
        .expect(200);
    let html = page.text();
    assert!(html.contains(&format!("<form id=\"form-post\" method=\"post\" action=\"{BACK}\"")), "{html}");
    assert!(html.contains("id=\"form-post-submit\""), "{html}");
    assert!(!html.contains("value=\"<"), "{html}");
    assert_eq!(hidden(&page, "iss"), house.app.origin);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action https://app.example 'self'"), "{policy}");
    redeem(&house, &app, &hidden(&page, "code")).await.expect(200);
    // It goes on by itself.
    let script = gateward::face::assets::href("form-post.js").unwrap();
    assert!(html.replace("&#x2f;", "/").contains(&format!("<script src=\"{script}\"")), "{html}");
    let script = browser.get(script).await.expect(200).text();
    assert!(script.contains("document.getElementById(\"form-post\").submit();"), "{script}");
    // Errors travel the same way.
    for (name, value, code) in [
        ("prompt", "nonsense", "invalid_request"),
        ("response_type", "", "invalid_request"),
        ("response_type", "nonsense", "unsupported_response_type"),
    ] {
        let asked = [("response_mode", "form_post"), (name, value)];
        let page = browser.get(&request(&app, &asked)).await.expect(200);
        let told = (hidden(&page, "error"), hidden(&page, "state"));
        assert_eq!(told, (code.into(), "the state".into()), "{name}={value}");
    }
    // A sign-in page may end there as well: browsers look at each address that a form is led to.
    let led = house.browser().get(&request(&app, &[("response_mode", "form_post")])).await.expect(303);
    let page = house.browser().get(led.header("location").unwrap()).await.expect(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action https://app.example 'self'"), "{policy}");
    let plain = house.browser().get("/login").await.expect(200);
    assert!(plain.header("content-security-policy").unwrap().contains("form-action 'self'"));
    // A redirect URI keeps its query.
    let other = "https://app.example/other?a=b";
    let answer = agree(&mut browser, &request(&app, &[("redirect_uri", other)])).await;
    assert!(super::told_at(&answer, other).contains_key("code"));
    let answer = agree(&mut browser, &request(&app, &[("response_mode", "fragment")])).await;
    assert!(answer.header("location").unwrap().starts_with(&format!("{BACK}#code=")));
}

#[tokio::test]
async fn a_request_comes_by_post_from_another_site_as_well() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let all = parameters(&app, &[]);
    let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A cross-site form comes without cookies; it is led to an address, where the browser sends them.
    let mut stranger =
        house.browser().with("Origin", "https://app.example").with("Sec-Fetch-Site", "cross-site");
    let led = stranger.form("/oauth/authorize", &fields).await.expect(303);
    let address = led.header("location").unwrap();
    assert!(address.starts_with("/oauth/authorize?flow="), "{address}");
    let mut browser = house.signed_in("ann").await;
    assert!(told(&agree(&mut browser, address).await).contains_key("code"));
    // A damaged one is nothing.
    let page = browser.get(&format!("{}x", &address[..address.len() - 1])).await.expect(400);
    assert!(page.text().contains("<code id=\"error-code\">invalid_request</code>"));
}

#[tokio::test]
async fn consent_is_remembered_narrowed_and_refused() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    let wide = request(&app, &[("scope", "openid profile email read write")]);
    // No: nothing comes of it, and nothing is remembered.
    let page = browser.get(&wide).await.expect(200);
    assert_eq!(error(&house, &decide(&mut browser, &page, "deny", &[]).await), "access_denied");
    // Less.
    let page = browser.get(&wide).await.expect(200);
    let answer = decide(&mut browser, &page, "allow", &["email", "write"]).await;
    let given = redeem(&house, &app, &told(&answer)["code"]).await.expect(200).json();
    assert_eq!(text(&given, "scope"), "openid profile read");
    let seen = userinfo(&house, &text(&given, "access_token")).await.expect(200).json();
    assert!(seen.get("email").is_none(), "{seen}");
    // What was agreed to is not asked again; more is.
    for (scope, asks) in
        [("openid", false), ("openid read", false), ("openid profile read", false), ("openid write", true)]
    {
        let answer = browser.get(&request(&app, &[("scope", scope)])).await;
        assert_eq!(answer.status == 200, asks, "{scope}");
    }
    let none = [("prompt", "none"), ("scope", "openid write")];
    assert_eq!(error(&house, &browser.get(&request(&app, &none)).await), "consent_required");
    let page = browser.get(&request(&app, &[("prompt", "consent"), ("scope", "openid")])).await.expect(200);
    assert!(told(&decide(&mut browser, &page, "allow", &[]).await).contains_key("code"));
    // Ticking more than was asked for gives no more.
    let page = browser.get(&request(&app, &[("scope", "openid email")])).await.expect(200);
    let (csrf, flow) = (page.token("/oauth/consent"), hidden(&page, "flow"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("flow", &flow),
        ("decision", "allow"),
        ("scope:email", "1"),
        ("scope:write", "1"),
    ];
    let answer = browser.form("/oauth/consent", &fields).await;
    let given = redeem(&house, &app, &told(&answer)["code"]).await.expect(200).json();
    assert_eq!(text(&given, "scope"), "email openid");
    // Another person has agreed to nothing.
    house.person("ben").await;
    house.signed_in("ben").await.get(&request(&app, &[("scope", "openid")])).await.expect(200);
    // Neither has ann for a client without a secret on her own machine: it could be any program (RFC 8252 §8.6).
    let native = client(
        &house,
        "native",
        json!({"token_endpoint_auth_method": "none", "application_type": "native", "redirect_uris": ["http://127.0.0.1/cb"]}),
    )
    .await;
    for port in [4000, 5000] {
        let back = format!("http://127.0.0.1:{port}/cb");
        let page = browser.get(&request(&native, &[("redirect_uri", &back)])).await.expect(200);
        let answer = decide(&mut browser, &page, "allow", &[]).await;
        assert!(super::told_at(&answer, &back).contains_key("code"));
    }
}

/// Nothing proves what answers there, whatever the administrator says of the app (RFC 8252 §8.6).
#[tokio::test]
async fn what_runs_on_the_persons_machine_is_never_agreed_to_silently() {
    let house = house().await;
    let uris = ["http://127.0.0.1/cb", "http://localhost:3000/cb", "com.example.app:/cb"];
    let more = json!({
        "token_endpoint_auth_method": "none", "application_type": "native", "gateward_consent": "skip",
        "redirect_uris": [uris[0], uris[1], uris[2], super::BACK],
    });
    let app = client(&house, "app", more).await;
    let mut browser = house.signed_in("ann").await;
    for uri in uris {
        let page = browser.get(&request(&app, &[("redirect_uri", uri)])).await.expect(200);
        assert!(super::told_at(&decide(&mut browser, &page, "allow", &[]).await, uri).contains_key("code"));
        let none = browser.get(&request(&app, &[("redirect_uri", uri), ("prompt", "none")])).await;
        assert_eq!(super::told_at(&none, uri)["error"], "consent_required");
    }
    assert!(told(&browser.get(&request(&app, &[])).await).contains_key("code"), "https proves itself");
}

#[tokio::test]
async fn a_first_party_client_asks_nobody_and_consent_needs_its_form() {
    let house = house().await;
    let own = client(&house, "own", json!({"gateward_consent": "skip"})).await;
    let app = client(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    assert!(told(&browser.get(&request(&own, &[])).await).contains_key("code"));
    let page = browser.get(&request(&app, &[])).await.expect(200);
    let (csrf, flow) = (page.token("/oauth/consent"), hidden(&page, "flow"));
    let fields = [("csrf", csrf.as_str()), ("flow", flow.as_str()), ("decision", "allow")];
    // Without the token, with somebody else's, from another site, without a session.
    browser.form("/oauth/consent", &fields[1..]).await.expect(403);
    house.person("ben").await;
    house.signed_in("ben").await.form("/oauth/consent", &fields).await.expect(403);
    browser.with("Sec-Fetch-Site", "cross-site").form("/oauth/consent", &fields).await.expect(403);
    let odd = [("csrf", csrf.as_str()), ("flow", "nonsense"), ("decision", "allow")];
    let told_odd = browser.form("/oauth/consent", &odd).await.expect(400);
    assert!(told_odd.text().contains("<code id=\"error-code\">invalid_request</code>"));
    // It waits an hour, and no longer.
    let address = format!("/oauth/authorize?flow={flow}");
    house.advance(Duration::from_secs(3599));
    house.browser().get(&address).await.expect(303);
    house.advance(Duration::from_secs(1));
    house.browser().get(&address).await.expect(400);
}

#[tokio::test]
async fn a_client_that_is_removed_leaves_nothing_to_the_next_of_its_name() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let other = client(&house, "other", json!({})).await;
    let begun = tokens(&house, &app, &[("scope", "openid offline_access")]).await;
    let kept = tokens(&house, &other, &[("scope", "openid offline_access")]).await;
    assert!(house.app.oauth.remove_client("app", house.now()).await.unwrap());
    assert!(!house.app.oauth.remove_client("app", house.now()).await.unwrap(), "it is gone");
    userinfo(&house, &text(&begun, "access_token")).await.expect(401);
    assert_eq!(
        super::refused(&refresh(&house, &app, &text(&begun, "refresh_token")).await),
        "invalid_client"
    );
    house.tick();
    let next = client(&house, "app", json!({})).await;
    userinfo(&house, &text(&begun, "access_token")).await.expect(401);
    assert_eq!(
        super::refused(&refresh(&house, &next, &text(&begun, "refresh_token")).await),
        "invalid_grant"
    );
    let mut browser = house.signed_in("ann").await;
    browser.get(&request(&next, &[("scope", "openid")])).await.expect(200);
    refresh(&house, &other, &text(&kept, "refresh_token")).await.expect(200);
    assert!(told(&browser.get(&request(&other, &[("scope", "openid")])).await).contains_key("code"));
}

#[tokio::test]
async fn what_rests_on_a_session_ends_with_it() {
    let house = house().await;
    let app = public(&house, "app").await;
    let mut browser = house.signed_in("ann").await;
    let mut get = async |scope: &str| {
        let answer = agree(&mut browser, &request(&app, &[("scope", scope)])).await;
        redeem(&house, &app, &told(&answer)["code"]).await.expect(200).json()
    };
    let (bound, offline) = (get("openid").await, get("openid offline_access").await);
    let late = told(&agree(&mut browser, &request(&app, &[("scope", "openid")])).await)["code"].clone();
    browser.json("POST", "/api/v1/logout", &json!({})).await.expect(204);
    within_a_second("the token ends with the session", async || {
        userinfo(&house, &text(&bound, "access_token")).await.status == 401
    })
    .await;
    assert_eq!(super::refused(&refresh(&house, &app, &text(&bound, "refresh_token")).await), "invalid_grant");
    assert_eq!(super::refused(&redeem(&house, &app, &late).await), "invalid_grant");
    // What was given for when nobody is there goes on.
    let next = refresh(&house, &app, &text(&offline, "refresh_token")).await.expect(200).json();
    userinfo(&house, &text(&next, "access_token")).await.expect(200);
    // But not for somebody who was disabled.
    house.change("ann", |person| person.disabled = true).await;
    assert_eq!(super::refused(&refresh(&house, &app, &text(&next, "refresh_token")).await), "invalid_grant");
}

#[tokio::test]
async fn who_does_not_want_to_sign_in_is_led_back() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut browser = house.browser();
    let led = browser.get(&request(&app, &[])).await.expect(303);
    let page = browser.get(led.header("location").unwrap()).await.expect(200);
    // The application may have opened a window for it, and finds it again.
    assert_eq!(page.header("cross-origin-opener-policy"), None);
    let back = browser.get(&link(&page, "login-cancel")).await;
    assert_eq!(error(&house, &back), "access_denied");
    assert_eq!(told(&back)["state"], "the state");
    let plain = browser.get("/login").await.expect(200);
    assert!(!plain.text().contains("login-cancel"));
    assert_eq!(plain.header("cross-origin-opener-policy"), Some("same-origin"));
}

#[tokio::test]
async fn pages_show_the_picture_of_a_client() {
    let house = house().await;
    let app = client(&house, "my app&co", json!({ "logo_uri": "https://app.example/logo.png" })).await;
    let picture = "src=\"/oauth/logo?client_id=my+app%26co\"";
    let led = house.browser().get(&request(&app, &[])).await.expect(303);
    let login = house.browser().get(led.header("location").unwrap()).await.expect(200).text();
    let consent = house.signed_in("ann").await.get(&request(&app, &[])).await.expect(200).text();
    for page in [login, consent] {
        assert!(page.replace("&#x2f;", "/").contains(picture), "{page}");
    }
}

#[tokio::test]
async fn what_was_not_sent_does_not_come_back() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    let answer = told(&agree(&mut ann, &request(&app, &[("state", ""), ("nonce", "")])).await);
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["code", "iss"]);
    let tokens = redeem(&house, &app, &answer["code"]).await.expect(200).json();
    let claims = verified(&house, &text(&tokens, "id_token")).await.1;
    assert_eq!((&claims["aud"], claims.get("nonce")), (&json!("app"), None));
}

#[tokio::test]
async fn pages_link_to_what_a_client_says_of_itself() {
    let house = house().await;
    let more = json!({
        "client_uri": "https://app.example/", "policy_uri": "https://app.example/policy",
        "tos_uri": "https://app.example/terms",
    });
    let (app, plain) = (client(&house, "app", more).await, client(&house, "plain", json!({})).await);
    for (app, links) in [(&app, 3), (&plain, 0)] {
        let led = house.browser().get(&request(app, &[])).await.expect(303);
        let login = house.browser().get(led.header("location").unwrap()).await.expect(200).text();
        let consent = house.signed_in("ann").await.get(&request(app, &[])).await.expect(200).text();
        for page in [login, consent] {
            let page = page.replace("&#x2f;", "/");
            let found = ["", "policy", "terms"]
                .iter()
                .filter(|path| page.contains(&format!("<a href=\"https://app.example/{path}\"")))
                .count();
            assert_eq!(found, links, "{page}");
        }
    }
}
