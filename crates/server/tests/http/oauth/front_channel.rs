//! Clients are told by the person's browser (OpenID Connect Front-Channel Logout).

use serde_json::json;

use super::{agree, client, house, redeem, request, told};

const OUT: &str = "https://app.example/out";

#[tokio::test]
async fn the_page_after_the_end_loads_a_page_of_each_client_and_leads_on() {
    let house = house().await;
    let more = json!({
        "post_logout_redirect_uris": [OUT],
        "frontchannel_logout_uri": "https://app.example/front?a=1",
        "frontchannel_logout_session_required": true,
    });
    let app = client(&house, "app", more).await;
    let other =
        client(&house, "other", json!({"frontchannel_logout_uri": "https://other.example:8443/front", "redirect_uris": [super::BACK, "https://other.example:8443/cb"]})).await;
    let silent = client(&house, "silent", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    let mut hint = String::new();
    for known in [&silent, &other, &app] {
        let code = told(&agree(&mut ann, &request(known, &[])).await)["code"].clone();
        hint = redeem(&house, known, &code).await.expect(200).json()["id_token"].as_str().unwrap().to_owned();
    }
    let sid = ann.get("/api/v1/session").await.json()["session"]["id"].as_str().unwrap().to_owned();
    let iss: String = url::form_urlencoded::byte_serialize(house.app.origin.as_bytes()).collect();
    let page = ann
        .get(&format!("/oauth/logout?id_token_hint={hint}&post_logout_redirect_uri={OUT}&state=s"))
        .await
        .expect(200);
    let html = page.text();
    for part in [
        format!("<iframe src=\"https://app.example/front?a=1&amp;iss={iss}&amp;sid={sid}\""),
        format!("<iframe src=\"https://other.example:8443/front?iss={iss}&amp;sid={sid}\""),
        format!("id=\"signed-out-continue\" href=\"{OUT}?state=s\""),
        "<h1 id=\"signed-out\">".to_owned(),
        "/assets/signed-out.".to_owned(),
    ] {
        assert!(html.contains(&part), "{part} in {html}");
    }
    assert_eq!(html.matches("<iframe").count(), 2);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with("; frame-src https://other.example:8443 https://app.example"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.set_cookie("gateward").unwrap().contains("Max-Age=0") && !ann.is_signed_in().await);
    // The second time there is no session, and nobody to tell.
    let again = ann.get(&format!("/oauth/logout?id_token_hint={hint}&post_logout_redirect_uri={OUT}")).await;
    assert_eq!(again.expect(303).header("location"), Some(OUT));
}

#[tokio::test]
async fn signing_out_here_tells_clients_too_and_leads_nowhere() {
    let house = house().await;
    let app = client(&house, "app", json!({"frontchannel_logout_uri": "https://app.example/front"})).await;
    let mut ann = house.signed_in("ann").await;
    // Without an ID token it is no party: it cannot know the session.
    let code = told(&agree(&mut ann, &request(&app, &[("scope", "read")])).await)["code"].clone();
    redeem(&house, &app, &code).await.expect(200);
    let page = ann.fill("/logout", "/logout", &[]).await.expect(200);
    assert!(!page.text().contains("<iframe"));
    assert!(!page.header("content-security-policy").unwrap().contains("frame-src"));
    let mut ann = house.signed_in("ann").await;
    let code = told(&agree(&mut ann, &request(&app, &[])).await)["code"].clone();
    redeem(&house, &app, &code).await.expect(200);
    let page = ann.fill("/logout", "/logout", &[]).await.expect(200);
    assert!(page.text().contains("<iframe src=\"https://app.example/front?iss="));
    assert!(!page.text().contains("signed-out-continue") && !page.text().contains("/assets/signed-out."));
}

#[tokio::test]
async fn the_script_that_leads_on_is_an_asset_of_ours() {
    let house = house().await;
    let href = gateward::face::assets::href("signed-out.js").unwrap();
    let answer = house.browser().get(href).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(answer.text().contains("signed-out-continue"));
}
