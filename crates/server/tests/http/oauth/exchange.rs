//! Token exchange (RFC 8693): what it passes on, and what it never adds.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::record::Decision;
use serde_json::{Value, json};

use super::grants::{Prover, introspect, text, token};
use super::{Known, client, house, post, refresh, refused, service, tokens, userinfo, verified};
use crate::house::{House, at_once, count};
use crate::wire::Answer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const API: &str = "https://api.example";
const DEEP: &str = "https://opaque.example";

/// An app that people use, and the service behind https://api.example, which asks https://opaque.example in turn.
struct Scene {
    house: Arc<House>,
    app: Known,
    api: Known,
}

/// What a service needs to exchange tokens and to have its own.
fn metadata(more: Value) -> Value {
    let mut all = json!({ "grant_types": [GRANT, "client_credentials"] });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

async fn scene() -> Scene {
    let house = Arc::new(house().await);
    let app = client(&house, "app", json!({})).await;
    let more = json!({ "gateward_introspects": true, "gateward_resources": [API, DEEP] });
    let api = service(&house, "api", metadata(more)).await;
    Scene { house, app, api }
}

impl Scene {
    /// The app's tokens of ann, for the API unless `more` says otherwise.
    async fn tokens(&self, more: &[(&str, &str)]) -> Value {
        let mut all = vec![("scope", "openid read write dig"), ("resource", API)];
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend(more);
        tokens(&self.house, &self.app, &all).await
    }

    async fn exchange(&self, client: &Known, subject: &str, more: &[(&str, &str)]) -> Answer {
        exchange(&self.house, client, subject, more).await
    }
}

async fn exchange(house: &House, client: &Known, subject: &str, more: &[(&str, &str)]) -> Answer {
    let mut all = vec![("subject_token", subject), ("subject_token_type", ACCESS)];
    all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    all.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    token(house, client, GRANT, &all).await
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

fn acting(token: &str) -> [(&str, &str); 2] {
    [("actor_token", token), ("actor_token_type", ACCESS)]
}

/// A service's own token.
async fn own(house: &House, client: &Known) -> String {
    let answer =
        token(house, client, "client_credentials", &[("scope", "read"), ("resource", API)]).await.expect(200);
    text(&answer, "access_token")
}

#[tokio::test]
async fn a_service_goes_on_as_the_person_and_says_that_it_does() {
    let Scene { house, app, api } = &scene().await;
    let scene = Scene { house: house.clone(), app: app.clone(), api: api.clone() };
    let tokens = scene.tokens(&[]).await;
    let (ann, subject) = (house.stored("ann").await.id.to_string(), access(&tokens));
    // Impersonation: nobody acts.
    let answer = scene.exchange(api, subject, &[]).await.expect(200);
    assert_eq!(text(&answer, "issued_token_type"), ACCESS);
    assert!(answer.json().get("refresh_token").is_none() && answer.json().get("id_token").is_none());
    let (header, claims) = verified(house, &text(&answer, "access_token")).await;
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(
        (&claims["sub"], &claims["client_id"], &claims["aud"]),
        (&json!(ann), &json!("api"), &json!(API))
    );
    assert_eq!(claims["scope"], verified(house, subject).await.1["scope"]);
    assert!(claims.get("act").is_none());
    // Delegation: the service acts.
    let actor = own(house, api).await;
    let more = [("actor_token", actor.as_str()), ("actor_token_type", ACCESS)];
    let acting = text(&scene.exchange(api, subject, &more).await.expect(200), "access_token");
    let claims = verified(house, &acting).await.1;
    assert_eq!((&claims["sub"], &claims["act"]), (&json!(ann), &json!({ "sub": "api" })));
    assert_eq!(introspect(house, api, &acting).await["act"], json!({ "sub": "api" }));
    // Both stand for the same grant.
    assert_eq!(claims["gateward_grant"], verified(house, subject).await.1["gateward_grant"]);
}

#[tokio::test]
async fn nothing_grows() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let tokens = scene.tokens(&[("scope", "openid read")]).await;
    let subject = access(&tokens);
    for (name, value, told) in [
        ("scope", "write", "invalid_scope"),
        ("scope", "read write", "invalid_scope"),
        ("scope", "dig", "invalid_scope"),
        ("scope", "a\"b", "invalid_scope"),
        ("resource", "https://elsewhere.example", "invalid_target"),
        ("audience", "app", "invalid_target"),
        ("resource", house.app.origin.as_str(), "invalid_target"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"),
        ("requested_token_type", ID, "invalid_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt", "invalid_request"),
        ("subject_token_type", "", "invalid_request"),
        ("subject_token", "", "invalid_request"),
        ("subject_token", "x", "invalid_request"),
        ("actor_token", subject, "invalid_request"),
        ("actor_token_type", ACCESS, "invalid_request"),
    ] {
        assert_eq!(refused(&scene.exchange(api, subject, &[(name, value)]).await), told, "{name}={value}");
    }
    // It ends with the subject token, and not later.
    house.advance(Duration::from_secs(100));
    let answer = scene.exchange(api, subject, &[("requested_token_type", ACCESS)]).await.expect(200);
    let (before, after) =
        (verified(house, subject).await.1, verified(house, &text(&answer, "access_token")).await.1);
    assert_eq!((&before["exp"], answer.json()["expires_in"].as_i64()), (&after["exp"], Some(200)));
    house.advance(Duration::from_secs(200));
    assert_eq!(refused(&scene.exchange(api, subject, &[]).await), "invalid_request");
    assert_eq!(introspect(house, api, &text(&answer, "access_token")).await, json!({ "active": false }));
}

#[tokio::test]
async fn another_audience_is_the_administrators_choice() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let tokens = scene.tokens(&[]).await;
    let subject = access(&tokens);
    // The administrator has given it, but the subject token has no scope that counts there.
    let answer = scene.exchange(api, subject, &[("audience", DEEP)]).await.expect(200);
    let told = introspect(house, api, &text(&answer, "access_token")).await;
    assert_eq!((&told["active"], &told["aud"], told.get("scope")), (&json!(true), &json!(DEEP), None));
    // Of more scopes, those that the other resource has.
    let wide = scene.tokens(&[("resource", "")]).await;
    let answer = scene.exchange(api, access(&wide), &[("audience", DEEP)]).await.expect(200);
    let told = introspect(house, api, &text(&answer, "access_token")).await;
    assert_eq!((&told["aud"], &told["scope"]), (&json!(DEEP), &json!("dig")));
    // Who may ask for everything may not pass on everything.
    let any = service(house, "any", metadata(json!({}))).await;
    assert_eq!(refused(&scene.exchange(&any, subject, &[]).await), "invalid_request");
    let own = client(house, "own", json!({ "grant_types": ["authorization_code", GRANT] })).await;
    let tokens = super::tokens(house, &own, &[("scope", "openid read"), ("resource", API)]).await;
    assert_eq!(
        refused(&scene.exchange(&own, access(&tokens), &[("resource", DEEP)]).await),
        "invalid_target"
    );
    let kept = scene.exchange(&own, access(&tokens), &[("scope", "read")]).await.expect(200);
    assert_eq!(verified(house, &text(&kept, "access_token")).await.1["scope"], "read");
}

#[tokio::test]
async fn nobody_gives_themselves_another_audience() {
    let scene = scene().await;
    let house = &scene.house;
    let more = json!({ "grant_types": ["authorization_code", GRANT], "gateward_resources": [API, DEEP] });
    let app = client(house, "own", more).await;
    let tokens = tokens(house, &app, &[("scope", "openid read dig"), ("resource", API)]).await;
    let deep = [("resource", DEEP)];
    scene.exchange(&app, access(&tokens), &deep).await.expect(200);
    let itself =
        |client: &Client| Decision::Write(Client { origin: Origin::Registered, ..client.clone() }, ());
    house.app.oauth.clients.change("own", house.now(), itself).await.unwrap().unwrap();
    assert_eq!(refused(&scene.exchange(&app, access(&tokens), &deep).await), "invalid_target");
    scene.exchange(&app, access(&tokens), &[("resource", API)]).await.expect(200);
}

#[tokio::test]
async fn only_whose_token_it_is() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let tokens = scene.tokens(&[]).await;
    let subject = access(&tokens);
    // A client that may ask for the API is not the API.
    let asks = service(house, "asks", metadata(json!({ "gateward_resources": [API] }))).await;
    assert_eq!(refused(&scene.exchange(&asks, subject, &[]).await), "invalid_request");
    // The app has not registered the grant, and nobody without a secret can.
    assert_eq!(refused(&scene.exchange(&scene.app, subject, &[]).await), "unauthorized_client");
    let bare = Known { secret: "gwc1_wrong".into(), ..api.clone() };
    assert_eq!(refused(&scene.exchange(&bare, subject, &[]).await), "invalid_client");
    // An actor is whoever calls, and nobody else.
    let other = own(house, &asks).await;
    assert_eq!(refused(&scene.exchange(api, subject, &acting(&other)).await), "invalid_request");
    assert_eq!(refused(&scene.exchange(api, subject, &acting(subject)).await), "invalid_request");
    // A service's own token is about nobody.
    let own = own(house, api).await;
    assert_eq!(refused(&scene.exchange(api, &own, &[]).await), "invalid_request");
    // And what a person's own apps have is no client's to pass on.
    let body =
        json!({"username": "ann", "password": crate::house::PASSWORD, "transport": "token", "audience": API});
    let first = house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
    assert_eq!(refused(&scene.exchange(api, access(&first), &[]).await), "invalid_request");
}

#[tokio::test]
async fn whatever_ends_the_grant_ends_what_was_exchanged() {
    for end in 0..6 {
        let scene = scene().await;
        let (house, app, api) = (&scene.house, &scene.app, &scene.api);
        let tokens = scene.tokens(&[]).await;
        let deep = scene.exchange(api, access(&tokens), &[("audience", DEEP)]).await.expect(200);
        let plain = scene.exchange(api, access(&tokens), &[]).await.expect(200);
        let exchanged = [text(&deep, "access_token"), text(&plain, "access_token")];
        for one in &exchanged {
            assert_eq!(introspect(house, api, one).await["active"], true);
        }
        house.tick();
        let (ann, now) = (house.stored("ann").await.id, house.now());
        match end {
            0 => assert!(house.app.oauth.consents.withdraw(ann, "app", now).await.unwrap()),
            1 => drop(post(house, app, "/oauth/revoke", &[("token", access(&tokens))]).await.expect(200)),
            2 => house.change("ann", |person| person.disabled = true).await,
            3 => house.app.oauth.clients.cut("app", now).await.unwrap(),
            4 => house.app.oauth.clients.cut("api", now).await.unwrap(),
            _ => {
                let used = tokens["refresh_token"].as_str().unwrap();
                refresh(house, app, used).await.expect(200);
                house.advance(Duration::from_secs(31));
                assert_eq!(refused(&refresh(house, app, used).await), "invalid_grant");
            }
        }
        for one in &exchanged {
            assert_eq!(introspect(house, api, one).await, json!({ "active": false }), "{end}");
        }
        if end != 4 {
            assert_eq!(refused(&scene.exchange(api, access(&tokens), &[]).await), "invalid_request", "{end}");
        }
    }
}

#[tokio::test]
async fn a_chain_of_actors_is_kept_and_bounded() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let tokens = scene.tokens(&[]).await;
    let actor = own(house, api).await;
    let acting = acting(&actor);
    let mut token = access(&tokens).to_owned();
    let mut act = Value::Null;
    for _ in 0..4 {
        token = text(&scene.exchange(api, &token, &acting).await.expect(200), "access_token");
        act = if act.is_null() { json!({ "sub": "api" }) } else { json!({ "sub": "api", "act": act }) };
        assert_eq!(verified(house, &token).await.1["act"], act);
    }
    assert_eq!(refused(&scene.exchange(api, &token, &acting).await), "invalid_request");
    // Without an actor nobody is forgotten.
    let kept = text(&scene.exchange(api, &token, &[]).await.expect(200), "access_token");
    assert_eq!(verified(house, &kept).await.1["act"], act);
    // Nobody acts for one person in the name of what they do for another.
    let more = [("actor_token", token.as_str()), ("actor_token_type", ACCESS)];
    assert_eq!(refused(&scene.exchange(api, access(&tokens), &more).await), "invalid_request");
}

#[tokio::test]
async fn an_id_token_stands_for_its_grant_while_the_session_lives() {
    let scene = scene().await;
    let house = &scene.house;
    let desk =
        client(house, "desk", json!({ "grant_types": ["authorization_code", "refresh_token", GRANT] })).await;
    let tokens = super::tokens(house, &desk, &[("scope", "openid read")]).await;
    let id_token = tokens["id_token"].as_str().unwrap();
    let ask = async |client: &Known, token: &str, more: &[(&str, &str)]| {
        let all: Vec<_> = [("subject_token_type", ID)].into_iter().chain(more.iter().copied()).collect();
        exchange(house, client, token, &all).await
    };
    let answer = ask(&desk, id_token, &[("scope", "read"), ("resource", API)]).await.expect(200);
    let claims = verified(house, &text(&answer, "access_token")).await.1;
    assert_eq!((&claims["scope"], &claims["client_id"]), (&json!("read"), &json!("desk")));
    assert_eq!(claims["gateward_grant"], verified(house, access(&tokens)).await.1["gateward_grant"]);
    assert_eq!(refused(&ask(&desk, id_token, &[("scope", "write")]).await), "invalid_scope");
    // It is nobody else's, and each kind is only what it is.
    assert_eq!(refused(&ask(&scene.api, id_token, &[]).await), "invalid_request");
    assert_eq!(refused(&ask(&desk, access(&tokens), &[]).await), "invalid_request");
    assert_eq!(refused(&exchange(house, &desk, id_token, &[]).await), "invalid_request");
    let mut odd = id_token.to_owned();
    odd.truncate(odd.len() - 4);
    assert_eq!(refused(&ask(&desk, &format!("{odd}AAAA"), &[]).await), "invalid_request");
    // Too old, by the clock of ID tokens.
    house.advance(Duration::from_secs(599));
    ask(&desk, id_token, &[("scope", "read"), ("resource", API)]).await.expect(200);
    house.advance(Duration::from_secs(1));
    assert_eq!(refused(&ask(&desk, id_token, &[]).await), "invalid_request");
    // And when the consent is taken back, or the session ends.
    for end in 0..2 {
        let tokens = super::tokens(house, &desk, &[("scope", "openid read")]).await;
        let id_token = tokens["id_token"].as_str().unwrap();
        ask(&desk, id_token, &[("scope", "read"), ("resource", API)]).await.expect(200);
        house.tick();
        let (ann, now) = (house.stored("ann").await.id, house.now());
        match end {
            0 => assert!(house.app.oauth.consents.withdraw(ann, "desk", now).await.unwrap()),
            _ => house.change("ann", |person| person.end_everything(now)).await,
        }
        assert_eq!(refused(&ask(&desk, id_token, &[]).await), "invalid_request");
    }
}

#[tokio::test]
async fn no_artefact_is_taken_for_a_subject() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let tokens = scene.tokens(&[("scope", "openid read"), ("resource", "")]).await;
    let code = super::code(house, &scene.app, &[]).await;
    let browser = house.signed_in("ann").await;
    for kind in [ACCESS, ID] {
        for odd in [tokens["refresh_token"].as_str().unwrap(), &code, &browser.secret(), &api.secret, "a.b.c"]
        {
            let answer = scene.exchange(api, odd, &[("subject_token_type", kind)]).await;
            assert_eq!(refused(&answer), "invalid_request", "{odd}");
        }
    }
    // What comes of it is an access token, and nothing else.
    let deep = scene.exchange(api, access(&tokens), &[("audience", DEEP)]).await.expect(200);
    let deep = text(&deep, "access_token");
    assert_eq!(refused(&refresh(house, &scene.app, &deep).await), "invalid_grant");
    assert_eq!(userinfo(house, &deep).await.status, 401);
    assert_eq!(refused(&scene.exchange(api, &deep, &[("subject_token_type", ID)]).await), "invalid_request");
    // Giving it back would end what was given to the app: it ends by itself.
    assert_eq!(
        refused(&post(house, api, "/oauth/revoke", &[("token", &deep)]).await),
        "unsupported_token_type"
    );
    assert_eq!(introspect(house, api, &deep).await["active"], true);
}

#[tokio::test]
async fn people_keep_the_names_that_clients_know_them_by() {
    let scene = scene().await;
    let (house, api) = (&scene.house, &scene.api);
    let app = client(
        house,
        "quiet",
        json!({ "subject_type": "pairwise", "grant_types": ["authorization_code", "refresh_token"] }),
    )
    .await;
    let tokens = super::tokens(house, &app, &[("scope", "openid read"), ("resource", API)]).await;
    assert_eq!(introspect(house, api, access(&tokens)).await["active"], true);
    assert_eq!(refused(&scene.exchange(api, access(&tokens), &[]).await), "invalid_request");
}

#[tokio::test]
async fn a_client_that_is_gone_while_others_exchange() {
    let scene = scene().await;
    let tokens = scene.tokens(&[]).await;
    let subject = access(&tokens).to_owned();
    let off = |client: &Client| Decision::Write(Client { disabled: true, ..client.clone() }, ());
    let (house, api) = (scene.house.clone(), scene.api.clone());
    let many = at_once((0..10).map(|_| {
        let (house, api, subject) = (house.clone(), api.clone(), subject.clone());
        async move { exchange(&house, &api, &subject, &[]).await }
    }))
    .await;
    // A subject token is no one-time thing.
    assert_eq!(count(&many, 200), 10);
    house.app.oauth.clients.change("app", house.now(), off).await.unwrap().unwrap();
    assert_eq!(refused(&scene.exchange(&scene.api, &subject, &[]).await), "invalid_request");
}

#[tokio::test]
async fn a_token_that_is_bound_needs_its_key() {
    let scene = scene().await;
    let house = &scene.house;
    let more = json!({ "grant_types": ["authorization_code", GRANT, "client_credentials"] });
    let desk = client(house, "desk", more).await;
    let (own, other) = (Prover::new(), Prover::new());
    let code = super::code(house, &desk, &[("scope", "openid read")]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", super::BACK),
        ("code_verifier", super::VERIFIER),
    ];
    let bound = own.post(house, &desk, "/oauth/token", &fields).await.expect(200);
    let bound = text(&bound, "access_token");
    let fields = [
        ("grant_type", GRANT),
        ("subject_token", bound.as_str()),
        ("subject_token_type", ACCESS),
        ("resource", API),
    ];
    assert_eq!(refused(&post(house, &desk, "/oauth/token", &fields).await), "invalid_request");
    assert_eq!(refused(&other.post(house, &desk, "/oauth/token", &fields).await), "invalid_request");
    let answer = own.post(house, &desk, "/oauth/token", &fields).await.expect(200);
    assert_eq!(text(&answer, "token_type"), "DPoP");
    let claims = verified(house, &text(&answer, "access_token")).await.1;
    assert_eq!(claims["cnf"], verified(house, &bound).await.1["cnf"]);
    // Also the actor's.
    let credentials = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", API)];
    let actor = other.post(house, &desk, "/oauth/token", &credentials).await.expect(200);
    let actor = text(&actor, "access_token");
    let acting: Vec<_> =
        fields.into_iter().chain([("actor_token", actor.as_str()), ("actor_token_type", ACCESS)]).collect();
    for prover in [&own, &other] {
        assert_eq!(refused(&prover.post(house, &desk, "/oauth/token", &acting).await), "invalid_request");
    }
}
