//! The implicit and hybrid flows (OpenID Connect Core §3.2, §3.3), for clients that know nothing else: what is handed out, to whom it is
//! bound, how errors are told, and that nobody has them who was not given them.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::oauth::{Client, ResponseType};
use gateward_kernel::record::Decision;
use gateward_kernel::secret::Digest;
use serde_json::{Value, json};

use super::grants::introspect;
use super::{
    BACK, Known, SETTINGS, agree, client, decide, error, hidden, merged, post, redeem, refused, request,
    told, told_at, told_no, userinfo, verified,
};
use crate::house::House;
use crate::tokens::text;
use crate::wire::Answer;

fn settings() -> String {
    super::registration::settings("legacy_flows = true")
}

async fn house() -> House {
    let house = House::with(&settings()).await;
    house.person("ann").await;
    house
}

fn metadata(more: Value) -> Value {
    let all: Vec<String> = ResponseType::ALL.iter().map(ToString::to_string).collect();
    let own = json!({
        "grant_types": ["authorization_code", "refresh_token", "implicit"], "response_types": all,
        "gateward_legacy_flows": true,
    });
    merged(own, &more)
}

async fn old(house: &House, id: &str) -> Known {
    client(house, id, metadata(json!({}))).await
}

/// The left half of the hash of what stands beside an ID token (OpenID Connect Core §3.2.2.9), by hand.
fn half(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Digest::of(text.as_bytes()).as_bytes()[..16])
}

/// All that are not the code flow.
fn legacy() -> impl Iterator<Item = ResponseType> {
    ResponseType::ALL.into_iter().filter(|kind| kind.is_legacy())
}

/// How many grants ann has given to this client; none where she has agreed to nothing.
async fn grants(house: &House, client: &Known) -> Option<usize> {
    let ann = house.stored("ann").await.id;
    let consents = house.app.oauth.consents.of(ann, house.now()).await.unwrap();
    consents.of(&client.id).map(|consent| consent.grants.len())
}

#[tokio::test]
async fn each_type_yields_what_it_names_bound_together_and_no_more() {
    let house = house().await;
    let app = old(&house, "app").await;
    let mut ann = house.signed_in("ann").await;
    let id = house.stored("ann").await.id.to_string();
    for kind in ResponseType::ALL {
        let name = kind.to_string();
        let asked = [("response_type", name.as_str()), ("scope", "openid profile offline_access")];
        let answer = agree(&mut ann, &request(&app, &asked)).await;
        let location = answer.header("location").unwrap();
        let mark = if kind.is_legacy() { "#" } else { "?" };
        assert!(location.starts_with(&format!("{BACK}{mark}")), "{location}");
        let told = told(&answer);
        let mut due = vec!["iss", "state"];
        due.extend(kind.code.then_some("code"));
        due.extend(kind.id_token.then_some("id_token"));
        due.extend(
            kind.token.then_some(["access_token", "expires_in", "scope", "token_type"]).into_iter().flatten(),
        );
        due.sort_unstable();
        assert_eq!(told.keys().collect::<Vec<_>>(), due, "{name}");
        assert_eq!((told["state"].as_str(), &told["iss"]), ("the state", &house.app.origin));
        if kind.token {
            assert_eq!((told["token_type"].as_str(), told["expires_in"].as_str()), ("Bearer", "300"));
            // Who has no code has nothing to come back with.
            assert_eq!(told["scope"].contains("offline_access"), kind.code, "{name}");
            assert_eq!(userinfo(&house, &told["access_token"]).await.expect(200).json()["sub"], id.as_str());
        }
        if kind.id_token {
            let claims = verified(&house, &told["id_token"]).await.1;
            assert_eq!((&claims["aud"], &claims["sub"]), (&json!("app"), &json!(id)), "{name}");
            assert_eq!((&claims["iss"], &claims["nonce"]), (&json!(house.app.origin), &json!("the nonce")));
            let beside = |part: &str| told.get(part).map(|text| json!(half(text)));
            assert_eq!(claims.get("at_hash"), beside("access_token").as_ref(), "{name}");
            assert_eq!(claims.get("c_hash"), beside("code").as_ref(), "{name}");
            // What has no token to ask UserInfo with says it itself (§5.4).
            assert_eq!(claims.get("name").is_some(), !kind.code && !kind.token, "{name}");
        }
        if kind.code {
            let tokens = redeem(&house, &app, &told["code"]).await.expect(200).json();
            let claims = verified(&house, &text(&tokens, "id_token")).await.1;
            assert_eq!((&claims["sub"], &claims["nonce"]), (&json!(id), &json!("the nonce")));
            assert_eq!(claims["iss"], house.app.origin.as_str());
            assert_eq!(claims["at_hash"], half(&text(&tokens, "access_token")));
            assert!(tokens["refresh_token"].is_string());
        }
    }
}

#[tokio::test]
async fn errors_travel_in_the_fragment_and_give_nothing() {
    let house = house().await;
    let app = old(&house, "app").await;
    let mut ann = house.signed_in("ann").await;
    let in_fragment = |what: &str, answer: &Answer| {
        let location = answer.header("location").unwrap_or_else(|| panic!("{what}: {}", answer.text()));
        assert!(location.starts_with(&format!("{BACK}#")), "{what}: {location}");
        let told = told(answer);
        assert_eq!(told["state"], "the state", "{what}");
        let names: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "error_description", "iss", "state"], "{what}");
        error(&house, answer)
    };
    for kind in legacy() {
        let name = kind.to_string();
        let ask =
            |more: &[(&str, &str)]| request(&app, &[&[("response_type", name.as_str())], more].concat());
        let mut family = vec![
            ("in a query", vec![("response_mode", "query")], "invalid_request"),
            ("in a signed query", vec![("response_mode", "query.jwt")], "invalid_request"),
            ("in an unknown way", vec![("response_mode", "cookie")], "invalid_request"),
            ("without a page", vec![("prompt", "none")], "consent_required"),
            ("a prompt that there is not", vec![("prompt", "nonsense")], "invalid_request"),
            ("no scope that there is", vec![("scope", "nonsense")], "invalid_scope"),
            ("no resource that there is", vec![("resource", "https://elsewhere.example")], "invalid_target"),
        ];
        if kind.id_token {
            family.push(("without a nonce", vec![("nonce", "")], "invalid_request"));
            family.push(("without openid", vec![("scope", "read")], "invalid_scope"));
        }
        if kind.code {
            family.push((
                "without PKCE",
                vec![("code_challenge", ""), ("code_challenge_method", "")],
                "invalid_request",
            ));
        }
        for (what, more, code) in family {
            let answer = ann.get(&ask(&more)).await;
            assert_eq!(in_fragment(what, &answer), code, "{what}: {name}");
        }
        let nobody = house.browser().get(&ask(&[("prompt", "none")])).await;
        assert_eq!(in_fragment("nobody", &nobody), "login_required");
        let page = ann.get(&ask(&[])).await.expect(200);
        let answer = decide(&mut ann, &page, "deny", &[]).await;
        assert_eq!(in_fragment("no", &answer), "access_denied");
        // A redirect URI that is not the client's is told nothing in no way.
        let page = ann.get(&ask(&[("redirect_uri", "https://evil.example/")])).await;
        assert_eq!(super::page_error(&page), "invalid_request", "{name}");
    }
    assert_eq!(grants(&house, &app).await, None);
    // By a form, where that is asked for.
    let asked = [("response_type", "code id_token"), ("response_mode", "form_post")];
    let page = agree(&mut ann, &request(&app, &asked)).await.expect(200);
    let claims = verified(&house, &hidden(&page, "id_token")).await.1;
    assert_eq!(claims["c_hash"], half(&hidden(&page, "code")));
}

#[tokio::test]
async fn a_form_carries_them_as_well() {
    let house = house().await;
    let app = client(&house, "app", metadata(json!({ "gateward_consent": "skip" }))).await;
    let mut ann = house.signed_in("ann").await;
    for kind in legacy() {
        let name = kind.to_string();
        let asked = [("response_type", name.as_str()), ("response_mode", "form_post")];
        let page = ann.get(&request(&app, &asked)).await.expect(200);
        assert_eq!(hidden(&page, "state"), "the state", "{name}");
        for (is_due, field) in
            [(kind.code, "code"), (kind.id_token, "id_token"), (kind.token, "access_token")]
        {
            assert_eq!(page.text().contains(&format!("name=\"{field}\"")), is_due, "{name}: {field}");
        }
        if kind.id_token {
            let claims = verified(&house, &hidden(&page, "id_token")).await.1;
            assert_eq!(claims["nonce"], "the nonce", "{name}");
        }
        if kind.token {
            userinfo(&house, &hidden(&page, "access_token")).await.expect(200);
        }
        if kind.code {
            redeem(&house, &app, &hidden(&page, "code")).await.expect(200);
        }
    }
}

/// A nonce is due where an ID token comes by the address, and there alone.
#[tokio::test]
async fn a_code_and_a_token_need_no_nonce() {
    let house = house().await;
    let app = old(&house, "app").await;
    let mut ann = house.signed_in("ann").await;
    let asked = [("response_type", "code token"), ("nonce", "")];
    let answer = told(&agree(&mut ann, &request(&app, &asked)).await);
    userinfo(&house, &answer["access_token"]).await.expect(200);
    let tokens = redeem(&house, &app, &answer["code"]).await.expect(200).json();
    assert_eq!(verified(&house, &text(&tokens, "id_token")).await.1.get("nonce"), None);
}

#[tokio::test]
async fn nobody_has_them_who_was_not_given_them() {
    // The installation has switched them off, also for a client from before.
    let before = house().await;
    let app = old(&before, "app").await;
    let off = House::on(before.data.clone(), before.clock.clone(), SETTINGS).await;
    // An installation has them; this client has not, or has others.
    let on = house().await;
    let plain = client(&on, "plain", json!({})).await;
    let implicit = json!({ "response_types": ["id_token"], "grant_types": ["implicit"] });
    let implicit = client(&on, "implicit", metadata(implicit)).await;
    let hybrid = json!({ "response_types": ["code", "code id_token"] });
    let hybrid = client(&on, "hybrid", metadata(hybrid)).await;
    // What an administrator has taken away since.
    let taken = old(&on, "taken").await;
    let decide = |client: &Client| {
        let mut changed = client.clone();
        changed.metadata.gateward_legacy_flows = false;
        Decision::Write(changed, ())
    };
    on.app.oauth.clients.change("taken", on.now(), decide).await.unwrap().unwrap();
    for (house, client, allowed, code) in [
        (&off, &app, &["code"][..], "unsupported_response_type"),
        (&on, &plain, &["code"], "unauthorized_client"),
        (&on, &implicit, &["id_token"], "unauthorized_client"),
        (&on, &hybrid, &["code", "code id_token"], "unauthorized_client"),
        (&on, &taken, &["code"], "unauthorized_client"),
    ] {
        let mut ann = house.signed_in("ann").await;
        for kind in ResponseType::ALL {
            let name = kind.to_string();
            let answer = ann.get(&request(client, &[("response_type", &name)])).await;
            if allowed.contains(&name.as_str()) {
                answer.expect(200);
                continue;
            }
            assert_eq!(error(house, &answer), code, "{}: {name}", client.id);
            let mark = if kind.is_legacy() { "#" } else { "?" };
            assert!(answer.header("location").unwrap().starts_with(&format!("{BACK}{mark}")));
        }
        assert_eq!(grants(house, client).await, None);
    }
    // The documents name them where they are.
    for (house, are_there) in [(&off, false), (&on, true)] {
        let told = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
        let types = told["response_types_supported"].as_array().unwrap();
        for kind in ResponseType::ALL {
            let is_told = types.contains(&json!(kind.to_string()));
            assert_eq!(is_told, are_there || !kind.is_legacy(), "{kind}");
        }
        let grants = told["grant_types_supported"].as_array().unwrap();
        assert_eq!(grants.contains(&json!("implicit")), are_there);
    }
}

/// Whatever ends the rest ends a token from the address, too; and it is its client's alone.
#[tokio::test]
async fn a_token_from_the_address_is_bound_like_every_other() {
    let house = house().await;
    let (app, other) = (old(&house, "app").await, old(&house, "other").await);
    let asked = [("response_type", "code id_token token")];
    for end in 0..4 {
        let mut ann = house.signed_in("ann").await;
        let told = told(&agree(&mut ann, &request(&app, &asked)).await);
        let token = &told["access_token"];
        userinfo(&house, token).await.expect(200);
        assert_eq!(introspect(&house, &app, token).await["active"], true);
        assert_eq!(introspect(&house, &other, token).await, json!({ "active": false }));
        assert_eq!(told_no(&redeem(&house, &other, &told["code"]).await), (400, "invalid_grant".into()));
        post(&house, &other, "/oauth/revoke", &[("token", token)]).await;
        userinfo(&house, token).await.expect(200);
        house.tick();
        let (id, now) = (house.stored("ann").await.id, house.now());
        match end {
            0 => assert!(house.app.oauth.consents.withdraw(id, "app", now).await.unwrap()),
            1 => drop(post(&house, &app, "/oauth/revoke", &[("token", token)]).await.expect(200)),
            2 => drop(ann.fill("/logout", "/logout", &[]).await),
            _ => house.change("ann", |person| person.disabled = true).await,
        }
        assert_eq!(refused(&userinfo(&house, token).await), "invalid_token", "{end}");
        assert_eq!(introspect(&house, &app, token).await, json!({ "active": false }), "{end}");
    }
}

#[tokio::test]
async fn the_code_of_a_hybrid_answer_is_bound_as_every_code_is() {
    let house = house().await;
    let other = "https://app.example/other";
    let app = client(&house, "app", metadata(json!({ "redirect_uris": [BACK, other] }))).await;
    let mut ann = house.signed_in("ann").await;
    let asked = [("response_type", "code id_token"), ("redirect_uri", other)];
    let told = told_at(&agree(&mut ann, &request(&app, &asked)).await, other);
    let code = &told["code"];
    assert_eq!(told_no(&redeem(&house, &app, code).await), (400, "invalid_grant".into()));
    let mut good = super::redemption(code);
    good[2].1 = other;
    let mut unverified = good;
    unverified[3].1 = "another-verifier-another-verifier-another-v";
    let answer = post(&house, &app, "/oauth/token", &unverified).await;
    assert_eq!(told_no(&answer), (400, "invalid_grant".into()));
    post(&house, &app, "/oauth/token", &good).await.expect(200);
}
