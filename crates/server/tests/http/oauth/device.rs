//! Device authorization (RFC 8628), by devices, people and attackers.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::oauth::{Client, Device, UserCode};
use gateward_kernel::record::Decision;
use serde_json::{Value, json};

use super::grants::{Prover, text, token};
use super::{Known, SETTINGS, client, hidden, post, refused, userinfo, verified};
use crate::house::{House, PASSWORD, at_once, count};
use crate::wire::{Answer, Browser};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn tv() -> Value {
    json!({
        "client_name": "Television",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [],
        "grant_types": [GRANT, "refresh_token"],
        "response_types": [],
    })
}

/// A house with a television and somebody to watch.
async fn house() -> (House, Known) {
    let house = House::with(SETTINGS).await;
    house.person("ada").await;
    let tv = client(&house, "tv", tv()).await;
    (house, tv)
}

/// What a device is told: its code, and the one to type.
async fn begin(house: &House, client: &Known, scope: &str) -> (String, String) {
    let answer = post(house, client, "/oauth/device", &[("scope", scope)]).await.expect(200);
    (text(&answer, "device_code"), text(&answer, "user_code"))
}

async fn poll(house: &House, client: &Known, device_code: &str) -> Answer {
    token(house, client, GRANT, &[("device_code", device_code)]).await
}

/// Types the code.
async fn enter(browser: &mut Browser, user_code: &str) -> Answer {
    browser.fill("/device", "/device", &[("user_code", user_code)]).await
}

/// Types the code, and decides with these boxes ticked.
async fn decide(browser: &mut Browser, user_code: &str, decision: &str, ticked: &[&str]) -> Answer {
    let page = enter(browser, user_code).await.expect(200);
    answer(browser, &page, decision, ticked).await
}

/// Decides on this page.
async fn answer(browser: &mut Browser, page: &Answer, decision: &str, ticked: &[&str]) -> Answer {
    let (csrf, ticket) = (page.token("/device/decide"), hidden(page, "ticket"));
    let ticked: Vec<String> = ticked.iter().map(|scope| format!("scope:{scope}")).collect();
    let mut fields = vec![("csrf", csrf.as_str()), ("ticket", &ticket), ("decision", decision)];
    fields.extend(ticked.iter().map(|name| (name.as_str(), "1")));
    browser.form("/device/decide", &fields).await
}

#[tokio::test]
async fn a_person_lets_a_device_in() {
    let (house, tv) = house().await;
    let told = post(&house, &tv, "/oauth/device", &[("scope", "openid profile")]).await.expect(200);
    let told_json = told.json();
    assert_eq!(told.header("cache-control"), Some("no-store"));
    assert_eq!((&told_json["expires_in"], &told_json["interval"]), (&json!(600), &json!(5)));
    let (code, typed) = (text(&told, "device_code"), text(&told, "user_code"));
    let issuer = house.app.tokens.mint.issuer();
    assert_eq!(text(&told, "verification_uri"), format!("{issuer}/device"));
    assert_eq!(text(&told, "verification_uri_complete"), format!("{issuer}/device?user_code={typed}"));
    assert!(code.starts_with("gwd1_") && typed.len() == 9);
    let metadata = house.browser().get("/.well-known/oauth-authorization-server").await.expect(200).json();
    assert_eq!(metadata["device_authorization_endpoint"], format!("{issuer}/oauth/device"));
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));

    assert_eq!(refused(&poll(&house, &tv, &code).await), "authorization_pending");
    let mut browser = house.signed_in("ada").await;
    // The address fills the field and does nothing else.
    let page = browser.get(&format!("/device?user_code={}", typed.to_lowercase())).await.expect(200);
    assert!(page.text().contains(&format!("value=\"{typed}\"")));
    let page = enter(&mut browser, &typed.to_lowercase().replace('-', " ")).await.expect(200);
    assert!(page.text().contains("Television") && page.text().contains("id=\"device-warning\""));
    assert!(page.text().contains(&typed));
    house.advance(Duration::from_secs(5));
    assert_eq!(refused(&poll(&house, &tv, &code).await), "authorization_pending");
    answer(&mut browser, &page, "allow", &["profile"]).await.expect(200);

    let tokens = poll(&house, &tv, &code).await.expect(200);
    assert_eq!(text(&tokens, "scope"), "openid profile");
    let id_token = verified(&house, &text(&tokens, "id_token")).await.1;
    assert_eq!((&id_token["aud"], &id_token["sub"]), (&json!("tv"), &json!(house.stored("ada").await.id)));
    assert_eq!(userinfo(&house, &text(&tokens, "access_token")).await.status, 200);
    let next = token(&house, &tv, "refresh_token", &[("refresh_token", &text(&tokens, "refresh_token"))])
        .await
        .expect(200);
    // It hangs on the session in which it was allowed.
    assert_eq!(userinfo(&house, &text(&next, "access_token")).await.status, 200);
    browser.fill("/logout", "/logout", &[]).await;
    assert_eq!(userinfo(&house, &text(&next, "access_token")).await.status, 401);
    let person = house.stored("ada").await.id;
    let consents = house.app.oauth.consents.of(person, house.now()).await.unwrap();
    assert_eq!(consents.of("tv").unwrap().grants.len(), 1);
}

#[tokio::test]
async fn access_while_away_outlives_the_session_and_ends_with_the_consent() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid offline_access").await;
    let mut browser = house.signed_in("ada").await;
    decide(&mut browser, &typed, "allow", &["offline_access"]).await.expect(200);
    let tokens = poll(&house, &tv, &code).await.expect(200);
    browser.fill("/logout", "/logout", &[]).await;
    let next = token(&house, &tv, "refresh_token", &[("refresh_token", &text(&tokens, "refresh_token"))])
        .await
        .expect(200);
    let person = house.stored("ada").await.id;
    house.tick();
    assert!(house.app.oauth.consents.withdraw(person, "tv", house.now()).await.unwrap());
    assert_eq!(userinfo(&house, &text(&next, "access_token")).await.status, 401);
    let ended =
        token(&house, &tv, "refresh_token", &[("refresh_token", &text(&next, "refresh_token"))]).await;
    assert_eq!(refused(&ended), "invalid_grant");
}

#[tokio::test]
async fn a_person_may_give_less_and_never_more() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid profile email").await;
    let mut browser = house.signed_in("ada").await;
    decide(&mut browser, &typed, "allow", &["email", "phone", "offline_access"]).await.expect(200);
    assert_eq!(text(&poll(&house, &tv, &code).await.expect(200), "scope"), "email openid");
}

#[tokio::test]
async fn of_fifty_who_ask_at_once_one_gets_tokens() {
    let (house, tv) = house().await;
    let house = Arc::new(house);
    let (code, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    decide(&mut browser, &typed, "allow", &[]).await.expect(200);
    let answers = at_once((0..50).map(|_| {
        let (house, tv, code) = (house.clone(), tv.clone(), code.clone());
        async move { poll(&house, &tv, &code).await }
    }))
    .await;
    assert_eq!(count(&answers, 200), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused(answer), "invalid_grant");
    }
    // What the one got stays good.
    let won = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(userinfo(&house, &text(won, "access_token")).await.status, 200);
}

#[tokio::test]
async fn of_many_decisions_at_once_one_counts() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    let page = enter(&mut browser, &typed).await.expect(200);
    let answers = at_once((0..10).map(|at| {
        let (mut browser, page) = (browser.clone(), page.clone());
        async move { answer(&mut browser, &page, if at % 2 == 0 { "allow" } else { "deny" }, &[]).await }
    }))
    .await;
    assert_eq!(count(&answers, 200), 1);
    assert_eq!(count(&answers, 400), 9);
    let first = answers.iter().position(|answer| answer.status == 200).unwrap();
    match first % 2 {
        0 => drop(poll(&house, &tv, &code).await.expect(200)),
        _ => assert_eq!(refused(&poll(&house, &tv, &code).await), "access_denied"),
    }
    // And nobody can type the code any more.
    enter(&mut browser, &typed).await.expect(400);
}

#[tokio::test]
async fn a_no_stays_a_no() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    let page = enter(&mut browser, &typed).await.expect(200);
    answer(&mut browser, &page, "deny", &["openid"]).await.expect(200);
    let again = answer(&mut browser, &page, "allow", &[]).await.expect(400);
    assert!(again.text().contains("id=\"error-code\""));
    let told = poll(&house, &tv, &code).await.expect(400);
    assert_eq!(refused(&told), "access_denied");
    let person = house.stored("ada").await.id;
    assert!(house.app.oauth.consents.of(person, house.now()).await.unwrap().of("tv").is_none());
}

#[tokio::test]
async fn whoever_asks_too_early_is_slowed_down() {
    let (house, tv) = house().await;
    let (code, _) = begin(&house, &tv, "openid").await;
    let ask = async || refused(&poll(&house, &tv, &code).await);
    assert_eq!(ask().await, "authorization_pending");
    house.advance(Duration::from_micros(4_999_999));
    assert_eq!(ask().await, "slow_down");
    house.tick();
    assert_eq!(ask().await, "slow_down");
    house.advance(Duration::from_secs(10));
    assert_eq!(ask().await, "authorization_pending");
    house.advance(Duration::from_secs(585));
    assert_eq!(ask().await, "expired_token");
}

#[tokio::test]
async fn a_code_that_is_too_old_opens_nothing() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    let page = enter(&mut browser, &typed).await.expect(200);
    house.advance(Duration::from_secs(600));
    answer(&mut browser, &page, "allow", &[]).await.expect(400);
    enter(&mut browser, &typed).await.expect(400);
    assert_eq!(refused(&poll(&house, &tv, &code).await), "expired_token");
}

#[tokio::test]
async fn a_code_is_its_clients_alone() {
    let (house, tv) = house().await;
    let other = client(&house, "other", self::tv()).await;
    let mut plain = self::tv();
    plain["grant_types"] = json!(["refresh_token"]);
    let plain = client(&house, "plain", plain).await;
    let (code, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    decide(&mut browser, &typed, "allow", &[]).await.expect(200);
    assert_eq!(refused(&poll(&house, &other, &code).await), "invalid_grant");
    assert_eq!(refused(&poll(&house, &plain, &code).await), "unauthorized_client");
    assert_eq!(refused(&post(&house, &plain, "/oauth/device", &[]).await), "unauthorized_client");
    assert_eq!(
        refused(&post(&house, &Known { id: "nobody".into(), ..tv.clone() }, "/oauth/device", &[]).await),
        "invalid_client"
    );
    // Nothing of that has spent it.
    poll(&house, &tv, &code).await.expect(200);
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let (house, tv) = house().await;
    let (_, typed) = begin(&house, &tv, "openid").await;
    let mut browser = house.signed_in("ada").await;
    // What cannot be a code is a slip.
    for _ in 0..30 {
        enter(&mut browser, "AEIO-UAEI").await.expect(400);
    }
    // The right one costs nothing, however often.
    for _ in 0..30 {
        enter(&mut browser, &typed).await.expect(200);
    }
    for _ in 0..10 {
        enter(&mut browser, "BBBB-BBBB").await.expect(400);
    }
    let refused = enter(&mut browser, &typed).await.expect(429);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("id=\"device-error\""));
    // Another browser of the same person is the same person; somebody else is not.
    let mut second = house.signed_in("ada").await;
    enter(&mut second, &typed).await.expect(429);
    house.person("grace").await;
    enter(&mut house.signed_in("grace").await, &typed).await.expect(200);
    house.advance(Duration::from_secs(30));
    enter(&mut browser, &typed).await.expect(200);
}

#[tokio::test]
async fn many_people_of_one_network_guess_no_faster_than_the_network_may() {
    let house =
        House::with(&format!("{SETTINGS}[throttle]\nnetwork_burst = 6\nnetwork_every = '1m'\n")).await;
    let mut refused = 0;
    for name in ["ada", "grace", "mary"] {
        house.person(name).await;
        let mut browser = house.signed_in(name).await;
        for _ in 0..3 {
            refused += u32::from(enter(&mut browser, "BBBB-BBBB").await.status == 429);
        }
    }
    assert_eq!(refused, 3);
}

#[tokio::test]
async fn whoever_proves_nothing_begins_no_faster_than_their_network_may() {
    let house =
        House::with(&format!("{SETTINGS}[throttle]\nnetwork_burst = 3\nnetwork_every = '1m'\n")).await;
    let tv = client(&house, "tv", self::tv()).await;
    for _ in 0..3 {
        begin(&house, &tv, "openid").await;
    }
    let slow = post(&house, &tv, "/oauth/device", &[]).await.expect(429);
    assert_eq!(refused(&slow), "temporarily_unavailable");
    assert!(slow.header("retry-after").is_some());
    let mut known = self::tv();
    known["token_endpoint_auth_method"] = json!("client_secret_basic");
    let known = client(&house, "box", known).await;
    for _ in 0..5 {
        begin(&house, &known, "openid").await;
    }
}

#[tokio::test]
async fn only_the_person_who_typed_the_code_decides() {
    let (house, tv) = house().await;
    house.person("mallory").await;
    let (code, typed) = begin(&house, &tv, "openid").await;
    let (mut ada, mut mallory) = (house.signed_in("ada").await, house.signed_in("mallory").await);
    let page = enter(&mut ada, &typed).await.expect(200);
    let own = enter(&mut mallory, &typed).await.expect(200);
    // The ticket of one in the form of the other.
    let (csrf, ticket) = (own.token("/device/decide"), hidden(&page, "ticket"));
    let fields = [("csrf", csrf.as_str()), ("ticket", ticket.as_str()), ("decision", "allow")];
    mallory.form("/device/decide", &fields).await.expect(400);
    // No form token, no ticket, nobody signed in, another site.
    ada.form("/device/decide", &[("ticket", &ticket), ("decision", "allow")]).await.expect(403);
    let csrf = page.token("/device/decide");
    ada.form("/device/decide", &[("csrf", &csrf), ("ticket", &code), ("decision", "allow")])
        .await
        .expect(400);
    let foreign = ada.with("Origin", "https://evil.example");
    let fields = [("csrf", csrf.as_str()), ("ticket", ticket.as_str()), ("decision", "allow")];
    foreign.clone().form("/device/decide", &fields).await.expect(403);
    let nobody = house.browser().get(&format!("/device?user_code={typed}")).await.expect(303);
    assert!(nobody.header("location").unwrap().starts_with("/login?return_to="));
    assert_eq!(refused(&poll(&house, &tv, &code).await), "authorization_pending");
    // Whoever decides first is whose device it is.
    answer(&mut ada, &page, "allow", &[]).await.expect(200);
    answer(&mut mallory, &own, "allow", &[]).await.expect(400);
    let tokens = poll(&house, &tv, &code).await.expect(200);
    assert_eq!(
        verified(&house, &text(&tokens, "id_token")).await.1["sub"],
        json!(house.stored("ada").await.id)
    );
}

#[tokio::test]
async fn what_ends_before_the_device_hears_of_it_ends_the_device_too() {
    for end in 0..3 {
        let (house, tv) = house().await;
        let (code, typed) = begin(&house, &tv, "openid offline_access").await;
        let mut browser = house.signed_in("ada").await;
        decide(&mut browser, &typed, "allow", &["offline_access"]).await.expect(200);
        house.tick();
        match end {
            0 => drop(browser.fill("/logout", "/logout", &[]).await),
            1 => house.change("ada", |person| person.disabled = true).await,
            _ => {
                let off = |client: &Client| Decision::Write(Client { disabled: true, ..client.clone() }, ());
                house.app.oauth.clients.change("tv", house.now(), off).await.unwrap().unwrap();
            }
        }
        let told = refused(&poll(&house, &tv, &code).await);
        assert_eq!(told, if end == 2 { "invalid_client" } else { "invalid_grant" });
    }
}

#[tokio::test]
async fn no_artefact_is_taken_for_another() {
    let (house, tv) = house().await;
    let (code, typed) = begin(&house, &tv, "openid offline_access").await;
    let mut browser = house.signed_in("ada").await;
    let ticket = hidden(&enter(&mut browser, &typed).await.expect(200), "ticket");
    let id = {
        let code: UserCode = typed.parse().unwrap();
        let device = house.app.oauth.devices.typed(&code, house.now()).await.unwrap().unwrap();
        assert!(matches!(&device.record, Device { client, .. } if **client == *"tv"));
        device.record.id.to_string()
    };
    let refresh = {
        let (code, typed) = begin(&house, &tv, "openid offline_access").await;
        decide(&mut browser, &typed, "allow", &["offline_access"]).await.expect(200);
        text(&poll(&house, &tv, &code).await.expect(200), "refresh_token")
    };
    let one_bit = {
        let mut other = code.clone().into_bytes();
        other[40] ^= 1;
        String::from_utf8(other).unwrap()
    };
    for odd in [
        typed.as_str(),
        &ticket,
        &id,
        &refresh,
        &code.replace("gwd1_", "gwz1_"),
        &one_bit,
        &browser.secret(),
        "",
        "x",
    ] {
        let told = refused(&poll(&house, &tv, odd).await);
        assert_eq!(told, if odd.is_empty() { "invalid_request" } else { "invalid_grant" }, "{odd}");
    }
    for odd in [code.as_str(), &id, &ticket] {
        enter(&mut browser, odd).await.expect(400);
        assert_eq!(
            refused(&token(&house, &tv, "refresh_token", &[("refresh_token", odd)]).await),
            "invalid_grant"
        );
        assert_eq!(userinfo(&house, odd).await.status, 401);
    }
    // Nothing of that has moved it.
    assert_eq!(refused(&poll(&house, &tv, &code).await), "authorization_pending");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_at_once() {
    let (house, tv) = house().await;
    for (name, value, told) in [
        ("scope", "openid admin", "invalid_scope"),
        ("scope", "a\"b", "invalid_scope"),
        ("resource", "https://elsewhere.example", "invalid_target"),
    ] {
        assert_eq!(
            refused(&post(&house, &tv, "/oauth/device", &[(name, value)]).await),
            told,
            "{name}={value}"
        );
    }
    let query = house
        .browser()
        .send(
            "POST",
            "/oauth/device?client_id=tv",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            b"",
        )
        .await;
    assert_eq!(refused(&query), "invalid_request");
    house.browser().get("/oauth/device").await.expect(405);
    // No password was needed for any of that.
    house.browser().log_in("ada", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_device_that_proved_a_key_proves_it_again() {
    let (house, tv) = house().await;
    let (own, other) = (Prover::new(), Prover::new());
    let told = own.post(&house, &tv, "/oauth/device", &[("scope", "openid")]).await.expect(200);
    let (code, typed) = (text(&told, "device_code"), text(&told, "user_code"));
    let fields = [("grant_type", GRANT), ("device_code", code.as_str())];
    let mut browser = house.signed_in("ada").await;
    decide(&mut browser, &typed, "allow", &[]).await.expect(200);
    assert_eq!(refused(&poll(&house, &tv, &code).await), "invalid_grant");
    assert_eq!(refused(&other.post(&house, &tv, "/oauth/token", &fields).await), "invalid_grant");
    let tokens = own.post(&house, &tv, "/oauth/token", &fields).await.expect(200);
    assert_eq!(text(&tokens, "token_type"), "DPoP");
    // The refresh token of a client without a secret is bound, too.
    let refresh = text(&tokens, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(refused(&post(&house, &tv, "/oauth/token", &fields).await), "invalid_grant");
    assert_eq!(refused(&other.post(&house, &tv, "/oauth/token", &fields).await), "invalid_grant");
    own.post(&house, &tv, "/oauth/token", &fields).await.expect(200);
}
