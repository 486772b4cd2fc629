//! Requests that other sites make a browser send: refused, also those that would sign somebody in.

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn a_form_counts_only_from_the_browser_it_was_made_for() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.browser();
    let own = browser.get("/login").await.expect(200).token("/login");
    let foreign = house.browser().get("/login").await.token("/login");
    let other_form = house.token(&browser, "reset");
    let stranger = House::new().await;
    let elsewhere = stranger.browser().get("/login").await.token("/login");
    let fields = |token: &'static str| vec![("csrf", token), ("username", "ann"), ("password", PASSWORD)];
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let shortened = own[..own.len() - 1].to_owned();
    for (token, what) in [
        (foreign, "another browser's"),
        (other_form, "another form's"),
        (elsewhere, "another installation's"),
        (String::new(), "empty"),
        ("AAAA".into(), "short"),
        (shortened, "cut"),
        (own.to_uppercase(), "re-cased"),
    ] {
        let answer = browser.form("/login", &fields(leak(token))).await;
        assert_eq!(answer.status, 403, "{what}");
        assert_eq!(browser.cookie("gateward"), None, "{what}");
    }
    browser.form("/login", &fields("x")[1..]).await.expect(403);
    // Login CSRF: a foreign page can send a form, but the attacker's token is not this browser's.
    let mut victim = house.browser();
    victim.form("/login", &fields(leak(own.clone()))).await.expect(403);
    // A jar with two form cookies is nobody's browser.
    let mut tossed = browser.clone();
    tossed.jar.push(("gateward-form".into(), "AAAAAAAAAAAAAAAAAAAAAA".into()));
    tossed.form("/login", &fields(leak(own.clone()))).await.expect(403);
    browser.form("/login", &fields(leak(own))).await.expect(303);
}

#[tokio::test]
async fn a_form_stays_open_for_a_day() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.browser();
    let token = browser.get("/login").await.token("/login");
    let fields = [("csrf", token.as_str()), ("username", "ann"), ("password", PASSWORD)];
    house.advance(gateward_guard::csrf::FORM_LIFETIME - std::time::Duration::from_micros(1));
    browser.clone().form("/login", &fields).await.expect(303);
    house.tick();
    let late = browser.form("/login", &fields).await.expect(403);
    assert!(late.text().contains("form-expired"), "{}", late.text());
}

#[tokio::test]
async fn what_browsers_say_of_other_sites_is_believed() {
    let house = House::new().await;
    house.person("ann").await;
    let own = format!("http://{}", house.address);
    let https = own.replace("http:", "https:");
    for (headers, passes) in [
        (vec![], true),
        (vec![("Origin", own.as_str())], true),
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")], true),
        (vec![("Origin", "null"), ("Sec-Fetch-Site", "same-origin")], true),
        (vec![("Sec-Fetch-Site", "none")], true),
        (vec![("Origin", "https://evil.example")], false),
        (vec![("Origin", "null")], false),
        (vec![("Origin", "")], false),
        (vec![("Origin", https.as_str())], false),
        (vec![("Origin", "http://127.0.0.1")], false),
        (vec![("Origin", own.as_str()), ("Origin", "https://evil.example")], false),
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "cross-site")], false),
        (vec![("Sec-Fetch-Site", "cross-site")], false),
        (vec![("Sec-Fetch-Site", "same-site")], false),
    ] {
        let mut browser = house.browser();
        let token = browser.get("/login").await.token("/login");
        let fields = [("csrf", token.as_str()), ("username", "ann"), ("password", PASSWORD)];
        let mut foreign = browser.clone();
        for (name, value) in &headers {
            foreign = foreign.with(name, value);
        }
        let by_form = foreign.clone().form("/login", &fields).await;
        assert_eq!(by_form.status, if passes { 303 } else { 403 }, "{headers:?}");
        let by_json = foreign.log_in("ann", PASSWORD).await;
        assert_eq!(by_json.status, if passes { 200 } else { 403 }, "{headers:?}");
        if !passes {
            assert_eq!(by_json.problem(), "cross-site");
            assert_eq!(foreign.cookie("gateward"), None);
        }
    }
}

#[tokio::test]
async fn a_token_of_one_person_is_not_accepted_from_another() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("bob").await;
    let mut browser = house.signed_in("ann").await;
    let anns = browser.get("/account").await.expect(200).token("/account/profile");
    browser.log_in("bob", PASSWORD).await.expect(200);
    let fields = [("csrf", anns.as_str()), ("display_name", "Changed")];
    browser.form("/account/profile", &fields).await.expect(403);
    assert_eq!(house.stored("bob").await.display_name, None);
    browser.fill("/account", "/account/profile", &[("display_name", "Bob B.")]).await.expect(303);
    assert_eq!(house.stored("bob").await.display_name.as_deref(), Some("Bob B."));
}

#[tokio::test]
async fn every_form_of_the_account_needs_its_token() {
    let house = House::new().await;
    let ann = house.admin("ann").await;
    let mut browser = house.signed_in("ann").await;
    browser.get("/account").await.expect(200);
    for path in [
        "/account/profile",
        "/account/password",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/logout",
        "/setup",
        "/reset",
        &format!("/admin/people/{ann}/sessions/end"),
        &format!("/admin/people/{ann}/sessions/end-all"),
        &format!("/admin/people/{ann}/disable"),
        &format!("/admin/people/{ann}/enable"),
        &format!("/admin/people/{ann}/reset"),
    ] {
        browser.form(path, &[("display_name", "Changed"), ("id", "x")]).await.expect(403);
        let json = [("Content-Type", "application/json")];
        browser.send("POST", path, &json, b"{}").await.expect(415);
        browser.get(path).await;
    }
    assert!(browser.is_signed_in().await);
}
