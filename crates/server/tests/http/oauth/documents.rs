//! Clients named by the address of their metadata, the pictures of clients, and what resources tell of themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::registration::settings;
use super::{BACK, Known, agree, client, page_error, redeem, refused, request, told};
use crate::house::House;
use crate::site::Site;
use gateward_kernel::oauth::client::AuthMethod;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

/// A house that takes such clients, and may ask this site.
async fn house(site: &Site) -> House {
    let house = House::with(&format!("{}{}", site.settings(), settings("client_documents = true"))).await;
    house.person("ann").await;
    house
}

/// Puts a document there.
fn publish(site: &Site, path: &str, more: Value) -> Known {
    let id = site.url(path);
    let mut all = json!({
        "client_id": id, "client_name": "Far App", "redirect_uris": [BACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "id_token_signed_response_alg": "ES256",
    });
    let object = all.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    object.retain(|_, value| !value.is_null());
    site.says(path, "application/json", all.to_string());
    Known { id, secret: String::new(), method: AuthMethod::None }
}

#[tokio::test]
async fn a_client_nobody_registered_signs_people_in_by_its_document() {
    let site = Site::open().await;
    let house = house(&site).await;
    let app = publish(&site, "/client.json", json!({}));
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&request(&app, &[])).await.expect(200);
    assert!(page.text().contains("Far App"));
    assert!(page.text().contains("id=\"client-origin\"") && page.text().contains("at localhost alone"));
    let code = told(&super::decide(&mut browser, &page, "allow", &[]).await)["code"].clone();
    redeem(&house, &app, &code).await.expect(200);
    assert_eq!(site.count(), 1, "it is fetched once");
    let evil = request(&app, &[("redirect_uri", "https://evil.example/cb")]);
    assert_eq!(page_error(&browser.get(&evil).await), "invalid_request");
    let without = request(&app, &[("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(super::error(&house, &browser.get(&without).await), "invalid_request");
    // What it says anew counts when the old is over; when nothing can be had, the old goes on for a day.
    publish(&site, "/client.json", json!({ "client_name": "Other Name" }));
    house.advance(Duration::from_secs(15 * 60));
    let mut browser = house.signed_in("ann").await;
    assert!(browser.get(&request(&app, &[("prompt", "consent")])).await.text().contains("Other Name"));
    site.says("/client.json", "text/plain", "gone");
    house.advance(Duration::from_secs(15 * 60));
    let mut browser = house.signed_in("ann").await;
    assert!(browser.get(&request(&app, &[("prompt", "consent")])).await.text().contains("Other Name"));
    let document = browser.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(document["client_id_metadata_document_supported"], true);
}

#[tokio::test]
async fn documents_that_are_not_their_own_are_none() {
    let site = Site::open().await;
    let house = house(&site).await;
    let mut browser = house.signed_in("ann").await;
    for (number, more) in [
        json!({ "client_id": site.url("/other.json") }),
        json!({ "client_id": null }),
        json!({ "client_secret": "x" }),
        json!({ "token_endpoint_auth_method": "client_secret_post" }),
        json!({ "redirect_uris": null }),
        json!({ "redirect_uris": ["http://app.example/cb"] }),
        json!({ "client_name": "x".repeat(20_000) }),
    ]
    .into_iter()
    .enumerate()
    {
        let app = publish(&site, &format!("/{number}.json"), more.clone());
        assert_eq!(page_error(&browser.get(&request(&app, &[])).await), "invalid_client", "{more}");
        let answer = redeem(&house, &app, "gwz1_x").await;
        assert_eq!(refused(&answer), "invalid_client", "{more}");
    }
    assert_eq!(site.count(), 7, "what failed is left in peace");
}

#[tokio::test]
async fn nobody_sends_this_program_to_its_neighbours_by_a_client_id() {
    let site = Site::open().await;
    let off = House::with(&format!("{}{}", site.settings(), settings(""))).await;
    let app = publish(&site, "/client.json", json!({}));
    assert_eq!(page_error(&off.browser().get(&request(&app, &[])).await), "invalid_client");
    // Switched on, but not towards this machine.
    let on = House::with(&settings("client_documents = true")).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "10.0.0.1"] {
        let id = format!("https://{host}:{}/client.json", site.port);
        let odd = Known { id, ..app.clone() };
        assert_eq!(page_error(&on.browser().get(&request(&odd, &[])).await), "invalid_client", "{host}");
    }
    for id in
        ["http://app.example/c", "https://app.example", "https://a@app.example/c", "https://app.example/c#f"]
    {
        let odd = Known { id: id.to_owned(), ..app.clone() };
        assert_eq!(page_error(&on.browser().get(&request(&odd, &[])).await), "invalid_client", "{id}");
    }
    assert_eq!(site.count(), 0);
}

#[tokio::test]
async fn pictures_are_shown_from_here_and_nothing_else_is() {
    let site = Site::open().await;
    let house = house(&site).await;
    let show = async |name: &str| {
        let path = format!("/oauth/logo?{}", crate::wire::encode(&[("client_id", name)]));
        house.browser().get(&path).await
    };
    site.says("/logo", "text/html", PNG);
    client(&house, "app", json!({ "logo_uri": site.url("/logo") })).await;
    for _ in 0..2 {
        let shown = show("app").await.expect(200);
        assert_eq!((shown.header("content-type"), &shown.body[..]), (Some("image/png"), PNG));
        assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(shown.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    }
    assert_eq!(site.count(), 1);
    let at_limit = [PNG, &vec![0; 256 * 1024 - PNG.len()]].concat();
    let above = [PNG, &vec![0; 256 * 1024 - PNG.len() + 1]].concat();
    for (name, body, status) in [
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".to_vec(), 404),
        ("html", b"<html><script>1</script>".to_vec(), 404),
        ("empty", Vec::new(), 404),
        ("limit", at_limit, 200),
        ("above", above, 404),
    ] {
        site.says(&format!("/{name}"), "image/png", body);
        client(&house, name, json!({ "logo_uri": site.url(&format!("/{name}")) })).await;
        assert_eq!(show(name).await.status, status, "{name}");
    }
    client(&house, "near", json!({ "logo_uri": format!("https://127.0.0.1:{}/logo", site.port) })).await;
    client(&house, "plain", json!({ "logo_uri": "http://app.example/logo" })).await;
    client(&house, "none", json!({})).await;
    for name in ["near", "plain", "none", "unknown"] {
        let nothing = show(name).await.expect(404);
        assert_eq!(nothing.header("content-type"), Some("image/svg+xml"), "{name}");
        assert!(nothing.text().starts_with("<svg ") && !nothing.text().contains("><"), "{name}");
    }
    house.browser().get("/oauth/logo").await.expect(400);
    assert_eq!(site.count(), 6);
}

#[tokio::test]
async fn userinfo_tells_who_issues_tokens_for_it() {
    let house = super::house().await;
    let mut browser = house.browser();
    let bare = browser.get("/oauth/userinfo").await.expect(401);
    let place = "/.well-known/oauth-protected-resource/oauth/userinfo";
    for challenge in bare.all("www-authenticate") {
        assert!(
            challenge.contains(&format!("resource_metadata=\"{}{place}\"", house.app.origin)),
            "{challenge}"
        );
    }
    let document = browser.get(place).await.expect(200).json();
    assert_eq!(document["resource"], format!("{}/oauth/userinfo", house.app.origin));
    assert_eq!(document["authorization_servers"], json!([house.app.origin]));
    assert!(document["scopes_supported"].as_array().unwrap().contains(&json!("openid")));
    // The token endpoint knows that resource by the same name.
    let app = client(&house, "app", json!({})).await;
    let resource = document["resource"].as_str().unwrap().to_owned();
    let mut browser = house.signed_in("ann").await;
    let code = told(&agree(&mut browser, &request(&app, &[("resource", &resource)])).await)["code"].clone();
    redeem(&house, &app, &code).await.expect(200);
}
