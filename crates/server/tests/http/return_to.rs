//! Where people are sent after signing in: their page, the application they came from, and never anywhere else.

use crate::house::{House, PASSWORD};
use crate::wire::encode;

const APPS: &str = r#"
[[app]]
host = "wiki.example.com"
rules = [{ path = "/*", allow = "signed-in" }]
[[app]]
host = "git.example.com:8443"
rules = [{ path = "/*", allow = "signed-in" }]
[[app]]
host = "*.pages.example.com"
rules = [{ path = "/*", allow = "signed-in" }]
"#;

async fn sent_to(house: &House, text: &str) -> String {
    let mut browser = house.browser();
    let page = browser.get(&format!("/login?{}", encode(&[("return_to", text)]))).await.expect(200);
    let token = page.token("/login");
    let fields = [("csrf", token.as_str()), ("username", "ann"), ("password", PASSWORD), ("return_to", text)];
    let answer = browser.form("/login", &fields).await.expect(303);
    // The page offers in its own form nothing but what is accepted.
    assert_eq!(
        page.text().contains("name=\"return_to\""),
        answer.header("location") != Some("/account"),
        "{text}"
    );
    answer.header("location").unwrap().to_owned()
}

#[tokio::test]
async fn own_pages_and_protected_applications_are_returned_to() {
    let house = House::with(APPS).await;
    house.person("ann").await;
    let own = format!("http://{}", house.address);
    for (text, target) in [
        ("/logout", "/logout"),
        ("/account?done=profile", "/account?done=profile"),
        (&format!("{own}/logout?a=b"), "/logout?a=b"),
        ("http://wiki.example.com/page?q=1&r=%20#part", "http://wiki.example.com/page?q=1&r=%20#part"),
        ("https://wiki.example.com/", "https://wiki.example.com/"),
        ("https://wiki.example.com:444/", "https://wiki.example.com:444/"),
        ("https://git.example.com:8443/x", "https://git.example.com:8443/x"),
        ("https://a.pages.example.com/", "https://a.pages.example.com/"),
        ("HTTPS://WIKI.EXAMPLE.COM/A", "https://wiki.example.com/A"),
    ] {
        assert_eq!(sent_to(&house, text).await, target, "{text}");
    }
}

#[tokio::test]
async fn everything_else_is_dropped() {
    let house = House::with(APPS).await;
    house.person("ann").await;
    let long = format!("/{}", "a".repeat(8192));
    for text in [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        " https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https://wiki.example.com.evil.example/",
        "https://evil.example/wiki.example.com",
        "https://evil.example?https://wiki.example.com/",
        "https://evil.example#wiki.example.com",
        "https://wiki.example.com@evil.example/",
        "https://ann:secret@wiki.example.com/",
        "https://wiki.example.com\\@evil.example/",
        "https://wiki.example.com%2f@evil.example/",
        "https://wiki.example.com./",
        "https://xwiki.example.com/",
        "https://git.example.com/",
        "https://git.example.com:8444/",
        "https://a.b.pages.example.com/",
        "https://pages.example.com/",
        "https://wıki.example.com/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://wiki.example.com/",
        "blob:https://wiki.example.com/x",
        "http://127.0.0.1/",
        "http://localhost/",
        "account",
        "/a\r\nLocation: https://evil.example",
        "/%00\u{0}",
        &long,
    ] {
        assert_eq!(sent_to(&house, text).await, "/account", "{text:?}");
    }
}

#[tokio::test]
async fn a_path_that_only_looks_like_another_host_stays_here() {
    let house = House::new().await;
    house.person("ann").await;
    for text in ["/.//evil.example", "/..//evil.example", "/x/..//evil.example", "/%2f/evil.example"] {
        let target = sent_to(&house, text).await;
        let resolved = house.app.base.join(&target).unwrap();
        assert_eq!(resolved.origin(), house.app.base.origin(), "{text} leads to {target}");
    }
}

#[tokio::test]
async fn what_signs_in_over_https_is_not_sent_back_in_the_clear() {
    let house = House::with(&format!("public_url = \"https://login.example.com\"\n{APPS}")).await;
    house.person("ann").await;
    for (text, target) in [
        ("http://wiki.example.com/", "/account"),
        ("http://login.example.com/logout", "/account"),
        ("https://login.example.com/logout", "/logout"),
        ("https://wiki.example.com/", "https://wiki.example.com/"),
    ] {
        assert_eq!(sent_to(&house, text).await, target, "{text}");
    }
}

#[tokio::test]
async fn signing_out_returns_by_the_same_rules() {
    let house = House::with(APPS).await;
    house.person("ann").await;
    for (text, target) in [
        ("https://wiki.example.com/bye", Some("https://wiki.example.com/bye")),
        ("https://evil.example/", None),
    ] {
        let mut browser = house.signed_in("ann").await;
        let answer = browser.fill("/logout", "/logout", &[("return_to", text)]).await;
        assert_eq!(answer.header("location"), target);
        assert_eq!(browser.cookie("gateward"), None);
    }
}

#[tokio::test]
async fn a_cookie_that_does_not_reach_the_application_is_an_error_and_no_loop() {
    let house = House::with(APPS).await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let query = encode(&[("return_to", "https://wiki.example.com/")]);
    let answer = browser.get(&format!("/login?{query}")).await.expect(400);
    assert!(answer.text().contains("wiki.example.com"), "{}", answer.text());

    let settings =
        format!("public_url = \"https://login.example.com\"\n[cookie]\ndomain = \"example.com\"\n{APPS}");
    let house = House::with(&settings).await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let answer = browser.get(&format!("/login?{query}")).await.expect(303);
    assert_eq!(answer.header("location"), Some("https://wiki.example.com/"));
}
