//! A client asks a frame whether the session goes on (OpenID Connect Session Management).

use data_encoding::HEXLOWER;
use gateward_kernel::secret::Digest;
use serde_json::json;

use super::{SETTINGS, agree, client, house, request, told};
use crate::house::House;
use crate::wire::Browser;

async fn managing() -> House {
    let house =
        House::with(&format!("[oauth]\nsession_management = true\n{}", SETTINGS.replace("[oauth]", "")))
            .await;
    house.person("ann").await;
    house.person("bob").await;
    house
}

/// What the script in the frame finds, for a page of this origin.
fn asked(browser: &Browser, client: &str, origin: &str, session_state: &str) -> bool {
    let salt = session_state.rsplit_once('.').unwrap().1;
    let state = browser.cookie("gateward-state").unwrap_or_default();
    let digest = Digest::of(format!("{client} {origin} {state} {salt}").as_bytes());
    format!("{}.{salt}", HEXLOWER.encode(digest.as_bytes())) == session_state
}

async fn state_of(browser: &mut Browser, app: &super::Known) -> String {
    let answer = agree(browser, &request(app, &[])).await;
    told(&answer)["session_state"].clone()
}

#[tokio::test]
async fn the_state_goes_on_with_the_session_and_no_longer() {
    let house = managing().await;
    let app = client(&house, "app", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    assert!(ann.cookie("gateward-state").is_none(), "nobody has asked yet");
    let first = state_of(&mut ann, &app).await;
    let cookie = ann.cookie("gateward-state").unwrap();
    assert!(asked(&ann, "app", "https://app.example", &first));
    for (client, origin) in [("other", "https://app.example"), ("app", "https://evil.example")] {
        assert!(!asked(&ann, client, origin, &first));
    }
    assert!(!first.contains(&cookie) && !first.contains(' ') && !cookie.contains(&ann.secret()));
    // Another answer in the same session is salted anew, and both are right.
    let second = state_of(&mut ann, &app).await;
    assert!(first != second && asked(&ann, "app", "https://app.example", &second));
    assert_eq!(ann.cookie("gateward-state").unwrap(), cookie);
    // A new secret is not a new session.
    ann.delete("/api/v1/sessions?keep=current").await.expect(204);
    assert!(asked(&ann, "app", "https://app.example", &first));
    // Somebody else is.
    ann.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    assert!(ann.cookie("gateward-state").is_none() && !asked(&ann, "app", "https://app.example", &first));
    house.tick();
    let third = state_of(&mut house.signed_in("ann").await, &app).await;
    let mut bob = house.signed_in("bob").await;
    bob.set("gateward-state", &cookie);
    bob.log_in("bob", crate::house::PASSWORD).await.expect(200);
    assert!(
        !asked(&bob, "app", "https://app.example", &first)
            && !asked(&bob, "app", "https://app.example", &third)
    );
}

#[tokio::test]
async fn the_cookie_can_be_read_and_opens_nothing() {
    let house = managing().await;
    let app = client(&house, "app", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    let answer = agree(&mut ann, &request(&app, &[])).await;
    let set = answer.set_cookie("gateward-state").unwrap();
    assert!(!set.contains("HttpOnly") && set.contains("Path=/") && !set.contains("Domain"), "{set}");
    let mut thief = house.browser();
    thief.set("gateward", &ann.cookie("gateward-state").unwrap());
    assert!(!thief.is_signed_in().await);
    // Only who signs in by OpenID Connect gets one.
    let plain = agree(&mut house.signed_in("ann").await, &request(&app, &[("scope", "read")])).await;
    assert!(!told(&plain).contains_key("session_state") && plain.set_cookie("gateward-state").is_none());
}

#[tokio::test]
async fn the_frame_may_be_framed_by_anybody_and_runs_one_script_of_ours() {
    let house = managing().await;
    let document = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["check_session_iframe"], format!("{}/oauth/check-session", house.app.origin));
    let page = house.browser().get("/oauth/check-session").await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!((page.header("x-frame-options"), page.all("set-cookie").len()), (None, 0));
    let policy = page.header("content-security-policy").unwrap();
    assert_eq!(policy, "default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'");
    let html = page.text();
    assert!(html.contains("data-cookie=\"gateward-state\""), "{html}");
    let src = html.split_once("<script src=\"").unwrap().1.split_once('"').unwrap().0;
    let script = house.browser().get(src).await.expect(200);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    // What old engines do not know would stop the whole script.
    for modern in ["=>", "let ", "const ", "`", "...", "class ", "async "] {
        assert!(
            !script.text().lines().any(|line| !line.trim_start().starts_with("//") && line.contains(modern)),
            "{modern}"
        );
    }
}

#[tokio::test]
async fn it_is_off_unless_the_settings_say_so() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    let answer = agree(&mut ann, &request(&app, &[])).await;
    assert!(!told(&answer).contains_key("session_state") && ann.cookie("gateward-state").is_none());
    assert_eq!(house.browser().get("/oauth/check-session").await.status, 404);
}
