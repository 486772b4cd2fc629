//! Apache with mod_auth_openidc, before an application that knows nothing of it.

use std::path::Path;

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{Application, Desk, sources};
use crate::app::App;
use crate::machine::{command, program, until};

/// Where Debian puts the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// What the module knows.
async fn info(desk: &Desk) -> Value {
    desk.browser.goto(&desk.app("/callback?info=json")).await;
    serde_json::from_str(&desk.browser.text("pre").await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mod_auth_openidc() {
    let module = Path::new(MODULES).join("mod_auth_openidc.so");
    assert!(module.exists(), "apt-get install libapache2-mod-auth-openidc");
    let desk = Desk::start(|port| format!("[outbound]\nallow = [\"http://127.0.0.1:{port}\"]\n")).await;
    let app = App::start().await;
    let metadata = desk.directory.path().join("metadata.json");
    let told = json!({ "backchannel_logout_uri": desk.app("/callback?logout=backchannel") });
    std::fs::write(&metadata, told.to_string()).unwrap();
    let out = desk.app("/signed-out");
    let client = desk.web_client(&["--logout-uri", &out, "--metadata", metadata.to_str().unwrap()]);
    let template = std::fs::read_to_string(sources().join("apache/httpd.conf")).unwrap();
    let file = desk.directory.path().join("httpd.conf");
    std::fs::write(&file, desk.filled(&template, &client, &app).replace("{modules}", MODULES)).unwrap();
    let mut apache = command(&program("apache2", "apache2-bin"), desk.directory.path());
    apache.arg("-f").arg(&file).args(["-D", "FOREGROUND"]);
    let _apache = Application::start(apache, &desk).await;
    let ann = desk.gateward.ask_json(&["user", "show", "ann"]);
    let browser = &desk.browser;

    let page = desk.app("/page?x=1");
    browser.goto(&page).await;
    desk.sign_in_and_agree().await;
    browser.arrives_at(&page).await;
    let seen = app.take();
    let seen = seen.iter().find(|seen| seen.target == "/page?x=1").unwrap();
    assert_eq!(seen.one("remote-user"), Some("ann"));
    assert_eq!(seen.one("oidc-claim-sub"), ann["id"].as_str());
    assert_eq!(seen.one("oidc-claim-email"), ann["email"].as_str());

    let known = info(&desk).await;
    assert_eq!(
        (&known["userinfo"]["sub"], &known["userinfo"]["email"]),
        (&ann["id"], &ann["email"]),
        "{known}"
    );
    let token = known["access_token"].as_str().unwrap();
    let refresh = format!("/callback?refresh={}&access_token={}", escaped(&page), escaped(token));
    browser.goto(&desk.app(&refresh)).await;
    browser.arrives_at(&page).await;
    let newer = info(&desk).await;
    assert_eq!(newer["userinfo"]["sub"], ann["id"], "{newer}");
    for name in ["access_token", "refresh_token"] {
        assert!(newer[name].is_string() && newer[name] != known[name], "{name} is another one");
    }

    // Whoever ends the session at Gateward, the module hears of it.
    desk.gateward.ask(&["session", "end", "--user", "ann"], "");
    until("the module has heard that the session is over", async || {
        browser.goto(&page).await;
        browser.has("#login-form").await.then_some(())
    })
    .await;
    crate::chromium::sign_in(browser, "ann", crate::site::PASSWORD).await;
    browser.arrives_at(&page).await;

    // And the other way round.
    browser.goto(&desk.app(&format!("/callback?logout={}", escaped(&out)))).await;
    browser.arrives_at(&out).await;
    app.take();
    browser.goto(&desk.at("/account")).await;
    browser.find("#login-form").await;
    browser.goto(&page).await;
    browser.find("#login-form").await;
    assert!(app.take().is_empty(), "nobody is signed in");
}
