//! What a person has given to applications is listed, and ends with everything that came of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{BACK, agree, client, code, house, redeem, refresh, refused, request, tokens, userinfo};
use crate::wire::Browser;

async fn listed(browser: &mut Browser) -> Vec<Value> {
    let answer = browser.get("/api/v1/applications").await.expect(200);
    answer.json()["applications"].as_array().unwrap().clone()
}

async fn events(house: &crate::house::House, fact: &str) -> Vec<Value> {
    let answer = house.signed_in("root").await.get("/api/v1/admin/events").await.expect(200);
    let all = answer.json()["events"].as_array().unwrap().clone();
    all.into_iter().filter(|event| event["fact"] == fact).collect()
}

#[tokio::test]
async fn an_application_is_shown_with_what_it_may_do_and_when_it_came_last() {
    let house = house().await;
    let app = client(&house, "app", json!({"client_name": "The <App>"})).await;
    let mut ann = house.signed_in("ann").await;
    assert!(listed(&mut ann).await.is_empty());
    assert!(!ann.get("/account").await.text().contains("account-applications"));
    let given = house.now();
    let told = tokens(&house, &app, &[("scope", "openid email read")]).await;
    house.advance(Duration::from_secs(1200));
    refresh(&house, &app, told["refresh_token"].as_str().unwrap()).await.expect(200);
    let used = house.now();
    house.advance(Duration::from_secs(60));
    let mut ann = house.signed_in("ann").await;
    let all = listed(&mut ann).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["client_id"], &all[0]["name"]), (&json!("app"), &json!("The <App>")));
    assert_eq!(all[0]["granted_at"], given.rfc3339());
    assert_eq!(all[0]["last_used_at"], used.rfc3339());
    let scope = all[0]["scope"].as_str().unwrap();
    assert!(
        ["openid", "email", "read"].iter().all(|name| scope.split(' ').any(|own| own == *name)),
        "{scope}"
    );
    let page = ann.get("/account").await.expect(200).text();
    let (_, part) = page.split_once("id=\"account-applications\"").unwrap();
    assert!(
        part.contains("The &lt;App&gt;") && part.contains("1 minute ago") && part.contains("21 minutes ago"),
        "{part}"
    );
    assert!(!page.contains("account-apps"), "it is none of the person's own apps");
    // Nobody else sees it.
    house.person("bob").await;
    assert!(listed(&mut house.signed_in("bob").await).await.is_empty());
}

#[tokio::test]
async fn ending_one_ends_everything_that_came_of_it_and_nothing_else() {
    let house = house().await;
    house.admin("root").await;
    let (app, other) = (client(&house, "app", json!({})).await, client(&house, "other", json!({})).await);
    let offline = [("scope", "openid read offline_access")];
    let (first, second) = (tokens(&house, &app, &[]).await, tokens(&house, &app, &offline).await);
    let kept = tokens(&house, &other, &[]).await;
    let unused = code(&house, &app, &[]).await;
    house.tick();
    let mut ann = house.signed_in("ann").await;
    let answer = ann.fill("/account", "/account/applications/end", &[("client_id", "app")]).await.expect(303);
    let page = ann.get(answer.header("location").unwrap()).await.expect(200).text();
    assert!(page.contains("The application has no access any more."), "{page}");
    for told in [&first, &second] {
        let answer = refresh(&house, &app, told["refresh_token"].as_str().unwrap()).await;
        assert_eq!(refused(&answer), "invalid_grant");
        assert_eq!(userinfo(&house, told["access_token"].as_str().unwrap()).await.status, 401);
    }
    assert_eq!(refused(&redeem(&house, &app, &unused).await), "invalid_grant");
    userinfo(&house, kept["access_token"].as_str().unwrap()).await.expect(200);
    let all = listed(&mut ann).await;
    assert_eq!((all.len(), &all[0]["client_id"]), (1, &json!("other")));
    // It asks again.
    let page = ann.get(&request(&app, &[])).await.expect(200);
    assert!(page.text().contains("id=\"consent-form\""));
    let events = events(&house, "consent-withdrawn").await;
    assert_eq!((events.len(), &events[0]["detail"]), (1, &json!("client app")));
    // Once more: it is so already.
    ann.fill("/account", "/account/applications/end", &[("client_id", "app")]).await.expect(303);
}

#[tokio::test]
async fn programs_end_one_by_its_name_however_that_is_written() {
    let house = house().await;
    let named = client(&house, "https://app.example/client?a=1", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    agree(&mut ann, &request(&named, &[])).await.expect(303);
    let path = "/api/v1/applications/https%3A%2F%2Fapp.example%2Fclient%3Fa%3D1";
    house.person("bob").await;
    assert_eq!(house.signed_in("bob").await.delete(path).await.expect(404).problem(), "not-found");
    assert_eq!(house.browser().delete(path).await.expect(401).problem(), "not-signed-in");
    let foreign = ann.send("DELETE", path, &[("Origin", "https://evil.example")], b"").await;
    assert_eq!(foreign.expect(403).problem(), "cross-site");
    ann.delete(path).await.expect(204);
    assert_eq!(ann.delete(path).await.expect(404).problem(), "not-found");
    assert!(BACK.starts_with("https://app.example/") && listed(&mut ann).await.is_empty());
}

#[tokio::test]
async fn administrators_see_and_end_what_others_have_given() {
    let house = house().await;
    house.admin("root").await;
    let app = client(&house, "app", json!({"client_name": "The App"})).await;
    let told = tokens(&house, &app, &[]).await;
    let id = house.stored("ann").await.id;
    let mut root = house.signed_in("root").await;
    let (page, action) = (format!("/admin/people/{id}"), format!("/admin/people/{id}/applications/end"));
    assert!(root.get(&page).await.expect(200).text().contains("The App"));
    root.fill(&page, &action, &[("client_id", "app")]).await.expect(303);
    assert!(!root.get(&page).await.expect(200).text().contains("The App"));
    assert_eq!(userinfo(&house, told["access_token"].as_str().unwrap()).await.status, 401);
    let events = events(&house, "consent-withdrawn").await;
    assert_eq!((events.len(), &events[0]["person"]), (1, &json!(id)));
    // Who is no administrator cannot.
    house.person("bob").await;
    let mut bob = house.signed_in("bob").await;
    assert_eq!(bob.form(&action, &[("client_id", "app")]).await.status, 403);
}

#[tokio::test]
async fn who_is_removed_leaves_nothing_behind() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let told = tokens(&house, &app, &[("scope", "openid read offline_access")]).await;
    let id = house.stored("ann").await.id;
    house.tick();
    gateward::admin::flow::remove(&house.app, id, house.now()).await.unwrap();
    assert!(house.app.oauth.consents.of(id, house.now()).await.unwrap().all.is_empty());
    let answer = refresh(&house, &app, told["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused(&answer), "invalid_grant");
    assert_eq!(userinfo(&house, told["access_token"].as_str().unwrap()).await.status, 401);
}
