//! A person and their account: sessions in two browsers, the password, the way out, the way back in.

use serde_json::json;

use super::{Plain, sign_in};
use crate::browser::Browser;
use crate::machine::until;
use crate::site::PASSWORD;

const OTHER: &str = "copper bicycle moth";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ended_in_one_browser_is_over_in_the_other() {
    let plain = Plain::start(&["ann"]).await;
    let (here, there) = tokio::join!(Browser::open(), Browser::open());
    plain.sign_in(&here, "ann", PASSWORD).await;
    plain.sign_in(&there, "ann", PASSWORD).await;
    here.goto(&plain.at("/account")).await;
    assert_eq!(here.count(".session").await, 2);
    assert_eq!(here.count(".session-current").await, 1);
    assert!(here.text(".session-device").await.contains("Chrom"), "{}", here.text(".sessions").await);
    here.look("account-two-sessions").await;
    here.click(".session-end").await;
    here.arrives_at(&plain.at("/account?done=session")).await;
    assert!(here.text("#notice").await.contains("ended"));
    assert_eq!(here.count(".session").await, 1);
    there.click("#profile-submit").await;
    there.find("#login-form").await;
    there.goto(&plain.at("/account")).await;
    there.find("#login-form").await;
    here.goto(&plain.at("/account")).await;
    here.find("#account-username").await;
    assert_eq!(here.trouble(&[]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_everything_else() {
    let plain = Plain::start(&["ann"]).await;
    let (here, there) = tokio::join!(Browser::open(), Browser::open());
    plain.sign_in(&here, "ann", PASSWORD).await;
    plain.sign_in(&there, "ann", PASSWORD).await;
    meter(&here).await;
    change(&here, "not the old one", OTHER, OTHER).await;
    assert!(here.text("#current_password-problems").await.contains("not your current password"));
    change(&here, PASSWORD, OTHER, "something else entirely").await;
    assert!(here.text("#password_again-problems").await.contains("not the same"));
    change(&here, PASSWORD, "password", "password").await;
    assert!(!here.text("#password-problems").await.is_empty());
    here.look("account-password-refused").await;
    change(&here, PASSWORD, OTHER, OTHER).await;
    here.arrives_at(&plain.at("/account?done=password")).await;
    assert!(here.text("#notice").await.contains("password is changed"));
    there.goto(&plain.at("/account")).await;
    there.find("#login-form").await;
    sign_in(&there, "ann", PASSWORD).await;
    there.find("#login-error").await;
    sign_in(&there, "ann", OTHER).await;
    there.find("#account-username").await;

    // The profile, and the way out.
    here.goto(&plain.at("/account")).await;
    here.fill("#display_name", "Ann Weber").await;
    here.fill("#email", "ann@example.test").await;
    here.click("#profile-submit").await;
    here.arrives_at(&plain.at("/account?done=profile")).await;
    assert_eq!(here.text(".menu-person").await, "Ann Weber");
    here.goto(&plain.at("/logout")).await;
    assert!(here.text("main").await.contains("Ann Weber"));
    here.look("logout").await;
    here.goto(&plain.at("/account")).await;
    here.find("#account-username").await;
    here.goto(&plain.at("/logout")).await;
    here.click("#logout-confirm").await;
    until("signed out", async || here.text("h1").await.contains("signed out").then_some(())).await;
    here.look("signed-out").await;
    here.goto(&plain.at("/account")).await;
    here.find("#login-form").await;
    assert!(!here.cookies().await.iter().any(|cookie| cookie.name() == "gateward"));
    assert_eq!(here.trouble(&[" 422 "]).await, [""; 0]);
}

/// The meter tells what the server thinks while one types.
async fn meter(browser: &Browser) {
    assert!(!browser.find("#password-strength").await.is_displayed().await.unwrap());
    browser.fill("#password", "password").await;
    browser.find("#password-strength.strength-0").await;
    let weak = browser.text("#password-strength .strength-words").await;
    assert!(weak.contains("easy to guess"), "{weak}");
    browser.fill("#password", OTHER).await;
    browser.find("#password-strength.strength-4").await;
    assert_eq!(browser.text("#password-strength .strength-words").await, "Very good");
    browser.tap(".reveal[aria-controls=password]").await;
    assert_eq!(browser.find("#password").await.attr("type").await.unwrap().as_deref(), Some("text"));
    browser.look("account-strength").await;
    browser.tap(".reveal[aria-controls=password]").await;
    assert_eq!(browser.run("return document.querySelector('#password').type").await, json!("password"));
}

async fn change(browser: &Browser, current: &str, new: &str, again: &str) {
    browser.fill("#current_password", current).await;
    browser.fill("#password", new).await;
    browser.fill("#password_again", again).await;
    // What is said of the password comes a moment later, and moves the button.
    browser.find("#password-strength[class*='strength-']").await;
    browser.click("#password-submit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_link_counts_once_and_signs_everything_else_out() {
    let plain = Plain::start(&["ann"]).await;
    let browser = Browser::open().await;
    plain.sign_in(&browser, "ann", PASSWORD).await;
    let told = plain.gateward.ask_json(&["user", "reset", "ann"]);
    let newer = plain.gateward.ask_json(&["user", "reset", "ann"]);
    let link = |told: &serde_json::Value| told["link"].as_str().unwrap().to_owned();
    browser.goto(&link(&told)).await;
    assert!(browser.text("#code-problem-1").await.contains("wrong, was used already, or is too old"));
    browser.look("reset-code-refused").await;
    browser.goto(&plain.at("/reset")).await;
    browser.look("reset-code").await;
    browser.fill("#code", newer["code"].as_str().unwrap()).await;
    browser.click("#reset-code-submit").await;
    assert!(browser.text("main").await.contains("ann"));
    browser.find("#reset-form").await;
    browser.look("reset-choose").await;
    browser.fill("#password", "short").await;
    browser.fill("#password_again", "short").await;
    browser.click("#reset-submit").await;
    assert!(browser.text("#password-problems").await.contains("at least 8"));
    assert!(browser.text(".lead").await.contains("ann"), "still for whom");
    browser.fill("#password", OTHER).await;
    browser.fill("#password_again", OTHER).await;
    browser.click("#reset-submit").await;
    browser.find("#notice").await;
    assert!(!browser.has(".menu").await, "the session in this browser has ended, too");
    assert!(!browser.cookies().await.iter().any(|cookie| cookie.name() == "gateward"));
    browser.look("reset-done").await;
    browser.goto(&link(&newer)).await;
    browser.find("#code-problem-1").await;
    browser.goto(&plain.at("/account")).await;
    browser.find("#login-form").await;
    sign_in(&browser, "ann", OTHER).await;
    browser.find("#account-username").await;
    assert_eq!(browser.trouble(&[" 422 ", " 403 ", " 400 ", " 410 "]).await, [""; 0]);
}
