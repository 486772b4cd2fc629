//! oauth2-proxy, which signs people in before an application that knows nothing of it.

use serde_json::json;

use super::{Application, Desk, sources};
use crate::app::App;
use crate::machine::{command, until};
use crate::packages::installed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oauth2_proxy() {
    let desk = Desk::start(|_| String::new()).await;
    let app = App::start().await;
    let callback = desk.app("/oauth2/callback");
    let client = desk.client("web", &["--redirect-uri", &callback, "--logout-uri", &desk.app("/")]);
    let template = std::fs::read_to_string(sources().join("go/oauth2-proxy/oauth2-proxy.cfg")).unwrap();
    let file = desk.directory.path().join("oauth2-proxy.cfg");
    std::fs::write(&file, desk.filled(&template, &client, &app)).unwrap();
    let mut proxy = command(&installed("go/oauth2-proxy"), desk.directory.path());
    proxy.arg("--config").arg(&file);
    let _proxy = Application::start(proxy, &desk).await;
    let ann = desk.gateward.ask_json(&["user", "show", "ann"]);
    let browser = &desk.browser;

    browser.goto(&desk.app("/page?q=1")).await;
    desk.sign_in_and_agree().await;
    browser.arrives_at(&desk.app("/page?q=1")).await;
    let seen = app.take();
    let page = seen.iter().find(|seen| seen.target == "/page?q=1").unwrap();
    assert_eq!(
        (page.one("x-forwarded-user"), page.one("x-forwarded-email")),
        (ann["id"].as_str(), ann["email"].as_str())
    );
    assert_eq!(page.one("x-forwarded-preferred-username"), Some("ann"));
    let first = page.one("x-forwarded-access-token").unwrap().to_owned();

    browser.goto(&desk.app("/oauth2/userinfo")).await;
    let said: serde_json::Value = serde_json::from_str(&browser.text("body").await).unwrap();
    assert_eq!((&said["user"], &said["email"]), (&ann["id"], &ann["email"]), "{said}");
    assert_eq!(said["preferredUsername"], json!("ann"), "{said}");

    // It refreshes what is older than a second.
    until("it has refreshed", async || {
        app.take();
        browser.goto(&desk.app("/later")).await;
        let seen = app.take();
        let page = seen.iter().find(|seen| seen.target == "/later")?;
        assert_eq!(page.one("x-forwarded-user"), ann["id"].as_str());
        (page.one("x-forwarded-access-token") != Some(&first)).then_some(())
    })
    .await;

    // Signed out of both: the proxy leads on to Gateward, and Gateward back.
    let logout = format!(
        "{}?id_token_hint={{id_token}}&post_logout_redirect_uri={}",
        desk.at("/oauth/logout"),
        desk.app("/")
    );
    let logout: String = url::form_urlencoded::byte_serialize(logout.as_bytes()).collect();
    browser.goto(&desk.app(&format!("/oauth2/sign_out?rd={logout}"))).await;
    browser.find("#login-form").await;
    browser.goto(&desk.at("/account")).await;
    browser.find("#login-form").await;
}
