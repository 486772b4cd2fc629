//! The first administrator, and what they can do.

use super::{Plain, sign_in};
use crate::browser::Browser;
use crate::machine::until;
use crate::site::PASSWORD;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_comes_by_the_printed_link() {
    let mut plain = Plain::start(&["ann"]).await;
    let said = plain.gateward.said();
    let link = said.split_whitespace().find(|word| word.contains("/setup?code=")).unwrap().to_owned();
    let browser = Browser::open().await;
    browser.goto(&link).await;
    browser.find("#setup-form").await;
    browser.look("setup").await;
    choose(&browser, "ann", PASSWORD, PASSWORD).await;
    assert!(browser.text("#username-problems").await.contains("taken"));
    choose(&browser, "grace", "grace1234", "grace1234").await;
    assert!(browser.text("#password-problems").await.contains("your name"));
    browser.look("setup-refused").await;
    browser.fill("#display_name", "Grace Hopper").await;
    choose(&browser, "grace", PASSWORD, PASSWORD).await;
    browser.find("#account-username").await;
    assert_eq!(browser.text("#account-username").await, "grace");
    assert!(browser.text("#account-groups").await.contains("admins"));
    browser.look("account-administrator").await;

    people(&browser, &plain).await;
    browser.goto(&link).await;
    assert!(browser.text("h1").await.contains("no longer works"));
    browser.look("setup-used").await;
    assert_eq!(browser.trouble(&[" 422 ", " 403 ", " 410 ", " 404 "]).await, [""; 0]);
    plain.gateward.stop();
    plain.gateward.start().await;
    let later = plain.gateward.said().split_off(said.len());
    assert!(later.contains("listens") && !later.contains("/setup"), "{later}");
    browser.goto(&plain.at("/account")).await;
    browser.find("#account-username").await;
}

async fn choose(browser: &Browser, name: &str, password: &str, again: &str) {
    browser.fill("#username", name).await;
    browser.fill("#password", password).await;
    browser.fill("#password_again", again).await;
    browser.click("#setup-submit").await;
}

/// The list, one person, their reset link, and keeping them out.
async fn people(browser: &Browser, plain: &Plain) {
    let other = Browser::open().await;
    plain.sign_in(&other, "ann", PASSWORD).await;
    browser.click(".menu a[href='/admin']").await;
    browser.find("#people").await;
    assert_eq!(browser.count("#people li").await, 2);
    browser.look("people").await;
    browser.fill("#q", "an").await;
    browser.click("#people-search [type=submit]").await;
    browser.arrives_at(&plain.at("/admin?q=an")).await;
    assert_eq!(browser.count("#people li").await, 1);
    browser.fill("#q", "zebra").await;
    browser.click("#people-search [type=submit]").await;
    browser.find("#people-none").await;
    browser.look("people-none").await;
    browser.click(".menu a[href='/admin']").await;
    browser.arrives_at(&plain.at("/admin")).await;
    let person = "#people a";
    assert_eq!(browser.text(person).await, "ann");
    browser.click(person).await;
    browser.find("#person-username").await;
    browser.look("person").await;
    browser.click("#person-reset").await;
    let link = browser.find("#reset-link").await.attr("value").await.unwrap().unwrap();
    assert!(link.starts_with(&plain.at("/reset?code=")), "{link}");
    browser.look("person-reset-link").await;
    browser.click("#person-disable").await;
    browser.find("#person-disabled").await;
    assert_eq!(browser.count(".session").await, 0);
    browser.look("person-disabled").await;
    other.goto(&plain.at("/account")).await;
    other.find("#login-form").await;
    sign_in(&other, "ann", PASSWORD).await;
    other.find("#login-error").await;
    browser.click("#person-enable").await;
    until("enabled", async || (!browser.has("#person-disabled").await).then_some(())).await;
    other.goto(&plain.at("/admin")).await;
    sign_in(&other, "ann", PASSWORD).await;
    until("people are none of their business", async || {
        let text = other.text("h1").await;
        text.contains("may not").then_some(())
    })
    .await;
    other.look("not-an-administrator").await;
    other.goto(&plain.at("/nothing/here")).await;
    assert!(other.text("h1").await.contains("nothing here"));
    other.look("not-found").await;
    browser.click(".back a").await;
    browser.arrives_at(&plain.at("/admin")).await;
}
