//! The main job: a real site behind a real nginx, and a browser that signs in.

use fantoccini::key::Key;
use serde_json::{Value, json};

use super::sign_in;
use crate::app::App;
use crate::browser::Browser;
use crate::gateward::Gateward;
use crate::machine::{free_port, until};
use crate::nginx::NGINX;
use crate::site::{PASSWORD, Plan, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_leads_back_to_the_exact_page() {
    let site = Site::start(NGINX).await;
    let browser = Browser::open().await;
    let page = format!("https://{}/page?q=a%20b&x=%26", site.wiki());
    browser.goto(&page).await;
    browser.find("#login-form").await;
    assert_eq!(browser.address().await.path(), "/login");
    assert!(browser.text(".destination").await.contains("Wiki"), "{}", browser.text("main").await);
    browser.look("login-for-an-application").await;

    sign_in(&browser, "ann", "not the password").await;
    let said = browser.text("#login-error").await;
    assert!(said.contains("do not match"), "{said}");
    assert_eq!(browser.focused().await, "password", "the name is kept, the password is asked again");
    browser.look("login-wrong-password").await;
    sign_in(&browser, "nobody-of-this-name", "not the password").await;
    browser.find("#username[value=nobody-of-this-name]").await;
    assert_eq!(browser.text("#login-error").await, said, "who is unknown is told the same");

    sign_in(&browser, "ann", PASSWORD).await;
    // The redirect behind the form leads to another host, which the policy of the page must allow.
    browser.arrives_at(&page).await;
    assert_eq!(browser.text("#user").await, "ann");
    assert_eq!(browser.text("#name").await, "Änn Weber");
    assert_eq!(browser.text("#groups").await, "küche,staff");
    assert_eq!(browser.text("#target").await, "/page?q=a%20b&x=%26");
    cookies(&browser, &site).await;

    let script = "return (await fetch('/data?x=1')).status";
    assert_eq!(browser.run(script).await, json!(200));
    assert_eq!(browser.run(SOCKET).await, json!("hello ann"));
    site.app.take();

    browser.goto(&format!("https://{}/login", site.host("login"))).await;
    browser.arrives_at(&format!("https://{}/account", site.host("login"))).await;
    assert_eq!(browser.trouble(&[" 401 "]).await, [""; 0]);
    site.gateward.ask(&["session", "end", "--user", "ann"], "");
    browser.goto(&format!("https://{}/public/page", site.wiki())).await;
    until("scripts are told to sign in", async || {
        let script = "const answer = await fetch('/data'); \
                      return answer.status === 401 ? (await answer.json()).sign_in : null";
        let told = browser.run(script).await;
        told.as_str().map(|address| assert!(address.contains("/login?return_to="), "{address}"))
    })
    .await;
    assert_eq!(browser.run(SOCKET).await, json!("closed"));
}

const SOCKET: &str = "return await new Promise((tell) => { \
    const socket = new WebSocket('wss://' + location.host + '/ws'); \
    socket.onmessage = (event) => { tell(event.data); socket.close(); }; \
    socket.onerror = () => tell('closed'); })";

/// The attributes as the browser keeps them.
async fn cookies(browser: &Browser, site: &Site) {
    let on_the_app = browser.cookies().await;
    let session = on_the_app.iter().find(|cookie| cookie.name() == "__Secure-gateward").unwrap();
    assert_eq!((session.secure(), session.http_only(), session.path()), (Some(true), Some(true), Some("/")));
    assert_eq!(session.domain().map(|domain| domain.trim_start_matches('.')), Some("example.test"));
    assert_eq!(session.same_site().map(|value| value.to_string()).as_deref(), Some("Lax"));
    assert!(session.expires_datetime().is_none(), "it ends with the browser");
    let others: Vec<&str> = on_the_app.iter().map(|cookie| cookie.name()).collect();
    assert_eq!(others.iter().filter(|name| name.contains("gateward")).count(), 1, "{others:?}");
    assert_eq!(browser.run("return document.cookie").await, json!("wiki_theme=dark"));

    browser.goto(&format!("https://{}/account", site.host("login"))).await;
    for cookie in browser.cookies().await {
        let name = cookie.name();
        assert!(cookie.secure() == Some(true) && cookie.http_only() == Some(true), "{cookie:?}");
        assert!(cookie.same_site().is_some(), "{cookie:?}");
        if name != "__Secure-gateward" {
            assert!(name.starts_with("__Host-gateward-"), "{name}");
        }
    }
    browser.back().await;
    browser.find("#user").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_refusal_says_who_and_what_and_looks_like_gateward() {
    let site = Site::start(NGINX).await;
    let browser = Browser::open().await;
    let page = format!("https://{}/admin/users?x=1", site.wiki());
    browser.goto(&page).await;
    // By keyboard alone: the focus is where one has to begin.
    browser.find("#login-form").await;
    assert_eq!(browser.focused().await, "username");
    browser.press("ann").await;
    browser.press(&String::from(char::from(Key::Tab))).await;
    assert_eq!(browser.focused().await, "password");
    browser.press(PASSWORD).await;
    browser.press(&String::from(char::from(Key::Enter))).await;
    browser.find("#missing-groups").await;
    assert_eq!(browser.address().await.as_str(), page);
    let text = browser.text("main").await;
    for words in ["Änn Weber", "ann", "keepers", "owners", "/admin/users"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    styled(&browser).await;
    browser.look("forbidden").await;
    assert_eq!(browser.trouble(&[" 403 ", " 401 "]).await, [""; 0]);

    browser.click("#switch-person").await;
    browser.find("#login-form").await;
    sign_in(&browser, "kim", PASSWORD).await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.text("#user").await, "kim");
    browser.goto(&format!("https://{}/public/..%5cadmin", site.wiki())).await;
    assert!(!browser.text("h1").await.contains("Wiki"));
    styled(&browser).await;
    browser.look("refused-address").await;
    assert_eq!(browser.trouble(&[" 403 ", " 400 "]).await, [""; 0]);
}

/// Whether the stylesheet of Gateward's own host is in force on the application's.
async fn styled(browser: &Browser) {
    let script = "const card = document.querySelector('.card'); \
                  return [document.styleSheets.length, getComputedStyle(card).borderTopLeftRadius]";
    assert_eq!(browser.run(script).await, json!([1, "16px"]), "{}", browser.text("body").await);
}

/// As one tries it first: no certificate, everything on `localhost`, told apart by the port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_machine_it_works_without_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (port, app) = (free_port(), App::start().await);
    let settings = |listen: &str| {
        format!(
            "public_url = \"http://localhost:{listen}\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[[app]]\n\
             host = \"localhost:{port}\"\nrules = [{{ path = \"/*\", allow = \"signed-in\" }}]\n"
        )
    };
    let mut gateward = Gateward::new_with(at, |listen| settings(&listen.port().to_string()));
    gateward.add("ann", PASSWORD, &[]);
    gateward.start().await;
    gateward.ask(&["proxy", "nginx", "--out", &at.display().to_string()], "");
    let mut nginx = (NGINX.start)(&Plan { directory: at, app: app.address.to_string() });
    until("nginx answers", async || {
        nginx.must_live();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let browser = Browser::open().await;
    let page = format!("http://localhost:{port}/page?a=1");
    browser.goto(&page).await;
    browser.find("#login-form").await;
    sign_in(&browser, "ann", PASSWORD).await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.text("#user").await, "ann");
    let cookies = browser.cookies().await;
    let session = cookies.iter().find(|cookie| cookie.name() == "gateward").unwrap();
    assert_eq!((session.http_only(), session.domain()), (Some(true), Some("localhost")));
    app.take();
    assert_eq!(browser.trouble(&[]).await, [""; 0]);
    assert_eq!(browser.run("return document.title").await, Value::from("Wiki"));
}
