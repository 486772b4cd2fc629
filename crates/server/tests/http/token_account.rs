//! Apps with tokens on the account page: listed apart, ended there, and told of when one of their keys was used twice.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, PASSWORD};
use crate::wire::Browser;

const TOLD: &str = "id=\"account-key-reused\"";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn app_of(house: &House, name: &str) -> Value {
    let body = json!({"username": name, "password": PASSWORD, "transport": "token"});
    let mut phone = house.browser();
    phone.headers = vec![("User-Agent".into(), "okhttp/4.12.0".into())];
    phone.json("POST", "/api/v1/login", &body).await.expect(200).json()
}

async fn refresh(house: &House, app: &Value) -> crate::wire::Answer {
    let body = json!({"refresh_token": app["refresh_token"]});
    house.browser().json("POST", "/api/v1/token/refresh", &body).await
}

async fn page(browser: &mut Browser) -> String {
    browser.get("/account").await.expect(200).text()
}

#[tokio::test]
async fn apps_are_listed_apart_and_ended_from_there() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("eve").await;
    let mut ann = house.signed_in("ann").await;
    let html = page(&mut ann).await;
    assert!(!html.contains("id=\"account-apps\"") && !html.contains("id=\"end-others\""));
    let (app, foreign) = (app_of(&house, "ann").await, app_of(&house, "eve").await);
    let html = page(&mut ann).await;
    let (browsers, apps) = html.split_once("id=\"account-apps\"").unwrap();
    let id = app["session"]["id"].as_str().unwrap();
    assert!(apps.contains(id) && apps.contains("okhttp/4.12.0") && !browsers.contains(id), "{html}");
    assert!(browsers.contains("Firefox 140") && !apps.contains("Firefox 140"));
    assert!(browsers.contains("id=\"end-others\""), "the app is one of the others");
    assert!(!html.contains(foreign["session"]["id"].as_str().unwrap()));
    let end = |id: String| vec![("id".to_owned(), id)];
    for (id, status) in [(foreign["session"]["id"].as_str().unwrap(), 200), (id, 401)] {
        let fields = end(id.to_owned());
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        ann.fill("/account", "/account/sessions/end", &fields).await.expect(303);
        let whose = if status == 200 { &foreign } else { &app };
        assert_eq!(refresh(&house, whose).await.status, status, "nobody ends what is not theirs");
    }
    assert!(!page(&mut ann).await.contains("id=\"account-apps\""));
}

#[tokio::test]
async fn a_key_that_was_used_twice_is_told_of_for_thirty_days() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("eve").await;
    let app = app_of(&house, "ann").await;
    refresh(&house, &app).await.expect(200);
    assert!(!page(&mut house.signed_in("ann").await).await.contains(TOLD));
    house.advance(Duration::from_secs(31));
    refresh(&house, &app).await.expect(401);
    let html = page(&mut house.signed_in("ann").await).await;
    assert!(html.contains(TOLD) && html.contains("role=\"alert\""), "{html}");
    // 2027-01-15T08:00:31Z, by the held clock.
    assert!(html.contains("on 2027-01-15 08:00 UTC; that app was signed out"), "{html}");
    let german = house.signed_in("ann").await.with("Accept-Language", "de").get("/account").await.text();
    assert!(german.contains("am 2027-01-15 08:00 UTC"), "{german}");
    assert!(!page(&mut house.signed_in("eve").await).await.contains(TOLD));
    house.advance(30 * DAY - Duration::from_micros(1));
    assert!(page(&mut house.signed_in("ann").await).await.contains(TOLD));
    house.advance(Duration::from_micros(1));
    assert!(!page(&mut house.signed_in("ann").await).await.contains(TOLD));
}

#[tokio::test]
async fn a_new_password_settles_it() {
    let house = House::new().await;
    house.person("ann").await;
    let app = app_of(&house, "ann").await;
    refresh(&house, &app).await.expect(200);
    house.advance(Duration::from_secs(31));
    refresh(&house, &app).await.expect(401);
    let mut ann = house.signed_in("ann").await;
    assert!(page(&mut ann).await.contains(TOLD));
    house.advance(Duration::from_secs(60));
    let new = "copper lighthouse marmalade";
    let fields = [("current_password", PASSWORD), ("password", new), ("password_again", new)];
    ann.fill("/account", "/account/password", &fields).await.expect(303);
    assert!(!page(&mut ann).await.contains(TOLD));
}
