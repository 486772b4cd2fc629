//! The session in the URL: only where it is opted in, only for the browser it was made for.

use url::Url;

use crate::house::{House, PASSWORD};
use crate::wire::{Answer, Browser};

const APP: &str = "http://legacy.localhost/app/page?q=1";

fn settings(opted_in: &str) -> String {
    format!(
        "trusted_proxies = [\"127.0.0.1/32\"]\n[sessions]\nurl_transport = [{opted_in}]\n\
         [[app]]\nhost = \"legacy.localhost\"\nrules = [{{ path = \"/*\", allow = \"signed-in\" }}]\n\
         [[app]]\nhost = \"wiki.localhost\"\nrules = [{{ path = \"/*\", allow = \"signed-in\" }}]"
    )
}

async fn opted_in() -> House {
    let house = House::with(&settings("\"legacy.localhost/app\"")).await;
    house.person("ann").await;
    house
}

/// Sends the sign-in form as a browser does that keeps no cookies.
async fn sign_in(house: &House, return_to: &str, headers: &[(&str, &str)]) -> Answer {
    let mut browser = house.browser();
    for (name, value) in headers {
        browser = browser.with(name, value);
    }
    browser.form("/login", &[("username", "ann"), ("password", PASSWORD), ("return_to", return_to)]).await
}

/// The address with the secret in it.
async fn address(house: &House) -> String {
    let origin = house.app.origin.clone();
    let answer = sign_in(house, APP, &[("Origin", &origin)]).await.expect(303);
    assert!(answer.all("set-cookie").is_empty());
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.header("location").unwrap().to_owned()
}

async fn ask(browser: &Browser, url: &str, more: &[(&str, &str)]) -> Answer {
    let own = [("X-Original-URL", url), ("X-Original-Method", "GET"), ("X-Forwarded-For", "198.51.100.7")];
    let headers: Vec<_> = own.into_iter().chain(more.iter().copied()).collect();
    browser.clone().get_with("/forward-auth", &headers).await
}

#[tokio::test]
async fn a_browser_without_cookies_is_sent_back_with_the_secret_in_the_address() {
    let house = opted_in().await;
    let address = address(&house).await;
    let parsed = Url::parse(&address).unwrap();
    let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
    assert_eq!(
        (parsed.host_str(), parsed.path(), &pairs[0]),
        (Some("legacy.localhost"), "/app/page", &("q".into(), "1".into()))
    );
    assert!(pairs[1].0 == "gateward_session" && pairs[1].1.starts_with("gws1_"));
    let answer = ask(&house.browser(), &address, &[]).await.expect(200);
    assert_eq!(answer.header("remote-user"), Some("ann"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    for site in ["same-origin", "none", "same-site"] {
        ask(&house.browser(), &address, &[("Sec-Fetch-Site", site)]).await.expect(200);
    }
}

#[tokio::test]
async fn the_secret_in_an_address_opens_nothing_else() {
    let house = opted_in().await;
    let address = address(&house).await;
    let secret = address.split("gateward_session=").nth(1).unwrap().to_owned();
    let here = house.browser();
    let script = [("Sec-Fetch-Mode", "cors")];
    ask(&here, &address, &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "cross-site")])
        .await
        .expect(403);
    let mut elsewhere = house.browser();
    elsewhere.headers = vec![("User-Agent".into(), "curl/8.5.0".into())];
    ask(&elsewhere, &address, &script).await.expect(401);
    elsewhere.headers.clear();
    ask(&elsewhere, &address, &script).await.expect(401);
    for url in [
        format!("http://legacy.localhost/other?gateward_session={secret}"),
        format!("http://legacy.localhost/application?gateward_session={secret}"),
        format!("http://wiki.localhost/app?gateward_session={secret}"),
        format!("http://legacy.localhost/app?gateward-session={secret}"),
        format!("http://legacy.localhost/app?gateward_session={}", secret.to_lowercase()),
        "http://legacy.localhost/app?gateward_session=gws1_".into(),
    ] {
        ask(&here, &url, &script).await.expect(401);
    }
    let twice = format!("{address}&gateward_session={secret}");
    ask(&here, &twice, &script).await.expect(400);
    let mut cookie = house.browser();
    cookie.set("gateward", &secret);
    assert!(!cookie.is_signed_in().await);
    ask(&cookie, "http://legacy.localhost/app", &script).await.expect(401);
    here.with("Authorization", &format!("Bearer {secret}")).get("/api/v1/session").await.expect(401);
    here.clone().get(&format!("/api/v1/session?gateward_session={secret}")).await.expect(401);
    here.clone().get(&format!("/account?gateward_session={secret}")).await.expect(303);

    let other = house.signed_in("ann").await.secret();
    let bearer = house.bearer("ann").await;
    for secret in [other, bearer] {
        ask(&here, &format!("http://legacy.localhost/app?gateward_session={secret}"), &script)
            .await
            .expect(401);
    }
    house.advance(std::time::Duration::from_secs(30 * 60));
    ask(&here, &address, &script).await.expect(401);
}

#[tokio::test]
async fn only_our_own_form_gets_one() {
    let house = opted_in().await;
    let origin = house.app.origin.clone();
    for headers in [
        vec![],
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "none")],
        vec![("Origin", origin.as_str()), ("Sec-Fetch-Site", "cross-site")],
    ] {
        let answer = sign_in(&house, APP, &headers).await.expect(403);
        assert_eq!(answer.header("location"), None, "{headers:?}");
    }
    for elsewhere in [
        "http://legacy.localhost/other",
        "http://wiki.localhost/app",
        "/account",
        "",
        "https://evil.example/app",
    ] {
        sign_in(&house, elsewhere, &[("Origin", &origin)]).await.expect(403);
    }
    sign_in(&house, APP, &[("Sec-Fetch-Site", "same-origin")]).await.expect(303);
    // Who keeps cookies gets a cookie, also on the way to such an application.
    let fields = [("username", "ann"), ("password", PASSWORD), ("return_to", APP)];
    let answer = house.browser().fill("/login", "/login", &fields).await.expect(303);
    assert_eq!(answer.header("location"), Some(APP));
    assert!(answer.set_cookie("gateward").is_some());
}

#[tokio::test]
async fn it_is_off_unless_opted_in() {
    let house = House::with(&settings("")).await;
    house.person("ann").await;
    let origin = house.app.origin.clone();
    sign_in(&house, APP, &[("Origin", &origin)]).await.expect(403);
    let stranger = opted_in().await;
    let address = address(&stranger).await;
    ask(&house.browser(), &address, &[("Sec-Fetch-Mode", "cors")]).await.expect(401);
}
