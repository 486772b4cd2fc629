//! What answers carry whatever they say: headers for browsers, shapes for programs, assets, probes.

use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn every_page_says_what_a_browser_may_do_with_it() {
    let house = House::new().await;
    house.admin("ann").await;
    let mut signed_in = house.signed_in("ann").await;
    let mut nobody = house.browser();
    for path in ["/login", "/reset", "/logout", "/setup", "/nowhere", "/login?a=1&a=2"] {
        let answer = nobody.get(path).await;
        check_page(path, &answer);
    }
    for path in ["/account", "/logout", "/admin", "/login?again=1", "/admin/people/x"] {
        let answer = signed_in.get(path).await;
        check_page(path, &answer);
    }
    check_page("a refused form", &nobody.form("/login", &[]).await);
}

fn check_page(path: &str, answer: &crate::wire::Answer) {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
    for wanted in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.split("; ").any(|part| part == wanted), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{path}: {name}");
    }
    assert_eq!(answer.header("strict-transport-security"), None, "{path}: on plain http");
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() > 8), "{path}");
    let html = answer.text();
    assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick="), "{path}");
    assert!(!html.contains("<script>") && !html.contains("javascript:"), "{path}");
    assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"), "{path}");
}

#[tokio::test]
async fn https_is_insisted_on_where_it_is_used() {
    let house = House::with("public_url = \"https://login.example.com\"").await;
    house.person("ann").await;
    for path in ["/login", "/account", "/api/v1/session", "/nowhere"] {
        let answer = house.browser().get(path).await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    let form = house.browser().get("/login").await;
    assert!(form.set_cookie("__Host-gateward-form").unwrap().contains("; Secure"));
}

#[tokio::test]
async fn forms_may_lead_to_protected_applications_and_nowhere_else() {
    let house =
        House::with("[[app]]\nhost = \"wiki.localhost\"\n[[app]]\nhost = \"*.apps.localhost:8443\"").await;
    let answer = house.browser().get("/login").await;
    let policy = answer.header("content-security-policy").unwrap();
    let form = policy.split("; ").find(|part| part.starts_with("form-action")).unwrap();
    assert_eq!(form, "form-action 'self' http://wiki.localhost:* http://*.apps.localhost:8443");
}

#[tokio::test]
async fn problems_have_one_shape() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let mut nobody = house.browser();
    for (answer, status, code) in [
        (nobody.get("/api/v1/session").await, 401, "not-signed-in"),
        (nobody.get("/api/nowhere").await, 404, "not-found"),
        (nobody.get("/api/v1/login").await, 405, "method-not-allowed"),
        (nobody.log_in("ann", "wrong").await, 401, "wrong-credentials"),
        (nobody.form("/api/v1/login", &[]).await, 415, "unsupported-media-type"),
        (nobody.json("POST", "/api/v1/login", &json!({})).await, 400, "malformed"),
        (browser.get("/api/v1/admin/events").await, 403, "forbidden"),
    ] {
        assert_eq!((answer.status, answer.problem().as_str()), (status, code));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{code}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{code}");
        assert!(answer.header("x-request-id").is_some(), "{code}");
        let problem = answer.json();
        let members: Vec<&String> = problem.as_object().unwrap().keys().collect();
        assert!(members.iter().all(|name| ["type", "title", "status", "detail"].contains(&name.as_str())));
    }
}

#[tokio::test]
async fn every_request_has_a_name_of_its_own() {
    let house = House::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = house.browser().with("X-Request-Id", "chosen-by-the-client").get("/login").await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_ne!(id, "chosen-by-the-client");
        assert!(seen.insert(id));
    }
    let page = house.browser().get("/nowhere").await.expect(404);
    assert!(page.text().contains(page.header("x-request-id").unwrap()), "the page tells it, for the log");
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_named_by_their_content() {
    let house = House::new().await;
    let mut browser = house.browser();
    let html = browser.get("/login").await.text();
    let found: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(found.len() >= 2, "{found:?}");
    for path in found {
        let answer = browser.get(path).await.expect(200);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(!answer.body.is_empty());
        let etag = answer.header("etag").unwrap().to_owned();
        let again = browser.get_with(path, &[("If-None-Match", &etag)]).await.expect(304);
        assert!(again.body.is_empty());
        browser.get_with(path, &[("If-None-Match", "\"other\"")]).await.expect(200);
        let head = browser.send("HEAD", path, &[], b"").await.expect(200);
        assert_eq!(head.header("content-length"), answer.header("content-length"));
        browser.get(&path.replace('.', "x.")).await.expect(404);
    }
    for path in ["/assets/", "/assets/../Cargo.toml", "/assets/style.css", "/assets/%2e%2e/x"] {
        browser.get(path).await.expect(404);
    }
}

#[tokio::test]
async fn probes_and_figures() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    for (path, text) in [("/healthz", "alive\n"), ("/readyz", "ready\n")] {
        let answer = house.browser().get(path).await.expect(200);
        assert_eq!((answer.text().as_str(), answer.header("cache-control")), (text, Some("no-store")));
        let head = house.browser().send("HEAD", path, &[], b"").await.expect(200);
        assert_eq!(head.header("content-length"), Some(text.len().to_string().as_str()));
    }
    browser.get("/api/v1/session").await.expect(200);
    let figures = house.browser().get("/metrics").await.expect(200);
    assert_eq!(figures.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = figures.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(name.starts_with("gateward_"), "{line}");
        let bare = name.split('{').next().unwrap();
        // A histogram has several names (Prometheus text format).
        let bare =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end)).unwrap_or(bare);
        assert!(
            text.contains(&format!("# TYPE {bare} ")) && text.contains(&format!("# HELP {bare} ")),
            "{line}"
        );
    }
    for wanted in [
        "gateward_http_answers_total{class=\"2xx\"} 2\n",
        "gateward_cache_whole{cache=\"sessions\"} 1\n",
        "gateward_forward_auth_total{verdict=\"allow\"} 0\n",
        "gateward_hashing_waiting 0\n",
    ] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
}

#[tokio::test]
async fn pages_speak_the_browsers_language() {
    let house = House::new().await;
    for (accept, lang) in
        [("de-AT,de;q=0.9,en;q=0.5", "de"), ("en-GB", "en"), ("fr", "en"), ("", "en"), ("\u{ff}", "en")]
    {
        let page = house.browser().get_with("/login", &[("Accept-Language", accept)]).await.expect(200);
        assert!(page.text().contains(&format!("lang=\"{lang}\"")), "{accept}");
    }
    let house = House::with("language = \"de\"").await;
    let page = house.browser().get_with("/login", &[("Accept-Language", "en")]).await.expect(200);
    assert!(page.text().contains("lang=\"de\""));
}

#[tokio::test]
async fn what_people_typed_is_shown_as_text() {
    let house = House::new().await;
    let script = "<script>alert(1)</script>\"'>";
    house.person_like("ann", |person| person.display_name = Some(script.into())).await;
    let mut browser = house.signed_in("ann").await;
    for path in ["/account", "/logout", "/login?again=1"] {
        let page = browser.get(path).await.expect(200).text();
        assert!(!page.contains("<script>alert"), "{path}");
    }
    let mut nobody = house.browser();
    let page = nobody.fill("/login", "/login", &[("username", script), ("password", "x")]).await.expect(401);
    assert!(!page.text().contains("<script>alert"));
    let page = nobody.get("/login?return_to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.text().contains("<script>alert"));
}
