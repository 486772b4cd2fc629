//! Everything that matters works when no script may run.

use super::{Plain, sign_in};
use crate::browser::Browser;
use crate::machine::until;
use crate::nginx::NGINX;
use crate::site::{PASSWORD, Site};

const OTHER: &str = "copper bicycle moth";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_needs_no_script() {
    let plain = Plain::start(&["ann"]).await;
    let browser = Browser::open_without_javascript().await;
    browser.goto(&plain.at("/login")).await;
    assert!(!browser.find(".reveal").await.is_displayed().await.unwrap(), "no button that does nothing");
    sign_in(&browser, "ann", "not the password").await;
    browser.find("#login-error").await;
    plain.sign_in(&browser, "ann", PASSWORD).await;
    browser.fill("#display_name", "Ann Weber").await;
    browser.tap("#more summary").await;
    browser.fill("#given_name", "Ann").await;
    browser.fill("#birthdate", "17.5.1990").await;
    browser.look("account-more").await;
    browser.click("#profile-submit").await;
    assert!(
        browser.text("#birthdate-problems").await.contains("date of birth"),
        "seen without opening anything"
    );
    browser.look("account-more-refused").await;
    browser.fill("#birthdate", "1990-05-17").await;
    browser.click("#profile-submit").await;
    browser.arrives_at(&plain.at("/account?done=profile")).await;
    let shown = plain.gateward.ask_json(&["user", "show", "ann"]);
    assert_eq!(shown["profile"], serde_json::json!({"given_name": "Ann", "birthdate": "1990-05-17"}));
    assert!(!browser.find("#password-strength").await.is_displayed().await.unwrap());
    browser.fill("#current_password", PASSWORD).await;
    browser.fill("#password", OTHER).await;
    browser.fill("#password_again", OTHER).await;
    browser.click("#password-submit").await;
    browser.arrives_at(&plain.at("/account?done=password")).await;
    let other = Browser::open_without_javascript().await;
    plain.sign_in(&other, "ann", OTHER).await;
    other.click("#end-others").await;
    other.arrives_at(&plain.at("/account?done=others")).await;
    browser.goto(&plain.at("/account")).await;
    browser.find("#login-form").await;
    other.click(".part-end a").await;
    other.click("#logout-confirm").await;
    until("signed out", async || other.text("h1").await.contains("signed out").then_some(())).await;
    let told = plain.gateward.ask_json(&["user", "reset", "ann"]);
    other.goto(told["link"].as_str().unwrap()).await;
    other.fill("#password", PASSWORD).await;
    other.fill("#password_again", PASSWORD).await;
    other.click("#reset-submit").await;
    other.find("#notice").await;
    plain.sign_in(&other, "ann", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_site_needs_no_script() {
    let site = Site::start(NGINX).await;
    let browser = Browser::open_without_javascript().await;
    let page = format!("https://{}/page?q=1", site.wiki());
    browser.goto(&page).await;
    sign_in(&browser, "ann", PASSWORD).await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.text("#user").await, "ann");
    assert_eq!(browser.trouble(&[" 401 "]).await, [""; 0]);
}
