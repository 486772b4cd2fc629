//! Ending sessions: one, the others, all; by their person, by an administrator, by another process; under races.

use gateward::admin::flow;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, at_once, count, within_a_second};
use crate::wire::Browser;

async fn id_of(browser: &mut Browser) -> String {
    let shown = browser.get("/api/v1/session").await.expect(200).json();
    shown["session"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn people_list_and_end_their_own_sessions_and_nobody_elses() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("bob").await;
    let (mut own, mut other, mut bob) =
        (house.signed_in("ann").await, house.signed_in("ann").await, house.signed_in("bob").await);
    let listed = own.get("/api/v1/sessions").await.expect(200).json()["sessions"].clone();
    let current: Vec<&Value> = listed.as_array().unwrap().iter().map(|row| &row["current"]).collect();
    assert_eq!(current.iter().filter(|current| ***current == json!(true)).count(), 1);
    assert_eq!(current.len(), 2);
    assert!(!listed.to_string().contains("gws1_"), "no list holds a secret");
    let (own_id, other_id, bobs_id) = (id_of(&mut own).await, id_of(&mut other).await, id_of(&mut bob).await);

    for odd in [bobs_id.as_str(), "x", "%00", "AAAAAAAAAAAAAAAAAAAAAA", "%ff"] {
        own.delete(&format!("/api/v1/sessions/{odd}")).await.expect(404);
    }
    assert!(bob.is_signed_in().await);
    let answer = own.delete(&format!("/api/v1/sessions/{other_id}")).await.expect(204);
    assert_eq!(answer.set_cookie("gateward"), None);
    assert!(!other.is_signed_in().await);
    own.delete(&format!("/api/v1/sessions/{other_id}")).await.expect(404);
    let answer = own.delete(&format!("/api/v1/sessions/{own_id}")).await.expect(204);
    assert!(answer.set_cookie("gateward").unwrap().contains("Max-Age=0"));
    assert_eq!(own.cookie("gateward"), None);
}

#[tokio::test]
async fn ending_the_others_keeps_this_one_under_a_new_secret() {
    let house = House::new().await;
    house.person("ann").await;
    let mut own = house.signed_in("ann").await;
    let mut others = [house.signed_in("ann").await, house.signed_in("ann").await];
    own.delete("/api/v1/sessions?keep=everything").await.expect(400);
    own.delete("/api/v1/sessions?keep=current&keep=current").await.expect(400);
    assert!(others[0].is_signed_in().await);
    let old = own.secret();
    let answer = own.delete("/api/v1/sessions?keep=current").await.expect(204);
    assert_eq!(answer.header("gateward-ended"), Some("2"));
    assert_ne!(own.secret(), old);
    assert!(own.is_signed_in().await);
    for other in &mut others {
        assert!(!other.is_signed_in().await);
    }
    let mut stale = own.clone();
    stale.set("gateward", &old);
    assert!(!stale.is_signed_in().await);
    let listed = own.get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ending_all_ends_the_asking_one_too() {
    let house = House::new().await;
    house.person("ann").await;
    let (mut own, mut other) = (house.signed_in("ann").await, house.signed_in("ann").await);
    own.send("DELETE", "/api/v1/sessions", &[("Origin", "https://evil.example")], b"").await.expect(403);
    assert!(own.is_signed_in().await);
    let kept = own.clone();
    own.delete("/api/v1/sessions").await.expect(204);
    assert_eq!(own.cookie("gateward"), None);
    assert!(!kept.clone().is_signed_in().await);
    assert!(!other.is_signed_in().await);
}

#[tokio::test]
async fn signing_out_is_asked_first_and_ends_on_the_server() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let kept = browser.clone();
    let page = browser.get("/logout").await.expect(200);
    assert!(browser.is_signed_in().await, "a link signs nobody out");
    browser.form("/logout", &[("csrf", "forged")]).await.expect(403);
    assert!(browser.is_signed_in().await);
    browser.form("/logout", &[("csrf", &page.token("/logout"))]).await.expect(200);
    assert_eq!(browser.cookie("gateward"), None);
    assert!(!kept.clone().is_signed_in().await);

    let mut browser = house.signed_in("ann").await;
    let kept = browser.clone();
    browser.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
    assert!(!kept.clone().is_signed_in().await);
    browser.send("POST", "/api/v1/logout", &[], b"").await.expect(204);
}

#[tokio::test]
async fn administrators_see_and_end_the_sessions_of_everybody() {
    let house = House::new().await;
    house.person("ann").await;
    house.admin("root").await;
    let (mut first, mut second) = (house.signed_in("ann").await, house.signed_in("ann").await);
    let mut admin = house.signed_in("root").await;
    let id = id_of(&mut first).await;
    for (path, method) in [
        ("/api/v1/admin/sessions?user=ann", "GET"),
        ("/api/v1/admin/sessions?user=ann", "DELETE"),
        (&format!("/api/v1/admin/sessions/{id}"), "DELETE"),
        ("/api/v1/admin/events", "GET"),
    ] {
        assert_eq!(first.send(method, path, &[], b"").await.expect(403).problem(), "forbidden");
        assert_eq!(house.browser().send(method, path, &[], b"").await.expect(401).problem(), "not-signed-in");
    }
    let listed = admin.get("/api/v1/admin/sessions?user=ANN").await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    admin.get("/api/v1/admin/sessions?user=nobody").await.expect(404);
    admin.get("/api/v1/admin/sessions").await.expect(400);
    admin.delete(&format!("/api/v1/admin/sessions/{id}")).await.expect(204);
    assert_eq!((first.is_signed_in().await, second.is_signed_in().await), (false, true));
    admin.delete("/api/v1/admin/sessions?user=ann").await.expect(204);
    assert!(!second.is_signed_in().await);
    assert!(admin.is_signed_in().await);
    let facts = admin.get("/api/v1/admin/events?user=ann").await.expect(200).json()["events"].clone();
    let facts: Vec<&str> =
        facts.as_array().unwrap().iter().map(|event| event["fact"].as_str().unwrap()).collect();
    assert_eq!(facts, ["sessions-ended", "session-ended", "signed-in", "signed-in"]);
}

#[tokio::test]
async fn the_administrators_pages_do_the_same() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let root = house.admin("root").await;
    let mut person = house.signed_in("ann").await;
    let mut admin = house.signed_in("root").await;
    let page = format!("/admin/people/{ann}");
    person.get("/admin").await.expect(403);
    assert_eq!(
        house.browser().get("/admin").await.expect(303).header("location"),
        Some("/login?return_to=%2Fadmin")
    );
    assert!(admin.get("/admin?q=an").await.expect(200).text().contains("ann"));
    admin.fill(&page, &format!("{page}/sessions/end-all"), &[]).await.expect(303);
    assert!(!person.is_signed_in().await);
    house.tick();
    let mut person = house.signed_in("ann").await;
    admin.fill(&page, &format!("{page}/disable"), &[]).await.expect(303);
    assert!(!person.is_signed_in().await);
    let own = format!("/admin/people/{root}");
    let token = admin.get(&own).await.expect(200).token(&format!("{own}/sessions/end-all"));
    admin.form(&format!("{own}/disable"), &[("csrf", &token)]).await.expect(422);
    admin.fill(&page, &format!("{page}/enable"), &[]).await.expect(303);
    let shown = admin.fill(&page, &format!("{page}/reset"), &[]).await.expect(200);
    assert!(shown.text().contains("gwp1_"), "the link is shown once");
    assert!(!admin.get(&page).await.text().contains("gwp1_"));
    house.advance(std::time::Duration::from_secs(601));
    let late = admin.fill(&page, &format!("{page}/reset"), &[]).await.expect(303);
    assert!(
        late.header("location").unwrap().starts_with("/login?again=1&return_to=%2F"),
        "needs a fresh sign-in"
    );
}

#[tokio::test]
async fn whoever_is_disabled_is_out_everywhere_and_stays_out() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let bearer = house.bearer("ann").await;
    let mut app = house.browser().with("Authorization", &format!("Bearer {bearer}"));
    app.get("/api/v1/session").await.expect(200);
    flow::set_disabled(&house.app, ann, true, house.now()).await.unwrap();
    assert!(!browser.is_signed_in().await);
    app.get("/api/v1/session").await.expect(401);
    house.tick();
    house.browser().log_in("ann", PASSWORD).await.expect(401);
    flow::set_disabled(&house.app, ann, false, house.now()).await.unwrap();
    assert!(!browser.is_signed_in().await, "letting in brings nothing back");
    app.get("/api/v1/session").await.expect(401);
    house.browser().log_in("ann", PASSWORD).await.expect(200);
    assert!(flow::remove(&house.app, ann, house.now()).await.is_ok());
    house.browser().log_in("ann", PASSWORD).await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_began_at_or_before_the_end_is_dead_whoever_wins_the_race() {
    let house = House::with("[throttle]\naccount_burst = 1000\nnetwork_burst = 1000").await;
    let ann = house.person("ann").await;
    for _ in 0..3 {
        let mut begun = vec![house.signed_in("ann").await];
        let sign_ins = (0..30).map(|_| {
            let mut browser = house.browser();
            async move { (browser.log_in("ann", PASSWORD).await.status, browser) }
        });
        let (app, now) = (house.app.clone(), house.now());
        let ending = tokio::spawn(async move { app.sessions.end_all(ann, now).await.unwrap() });
        for (status, browser) in at_once(sign_ins).await {
            assert_eq!(status, 200);
            begun.push(browser);
        }
        ending.await.unwrap();
        for browser in &mut begun {
            assert!(!browser.is_signed_in().await);
        }
        house.tick();
        assert!(house.signed_in("ann").await.is_signed_in().await, "a moment later all is well");
        house.tick();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_end_one_session_one_did() {
    let house = House::new().await;
    house.person("ann").await;
    let own = house.signed_in("ann").await;
    let id = id_of(&mut house.signed_in("ann").await).await;
    let ends = (0..20).map(|_| {
        let (mut browser, path) = (own.clone(), format!("/api/v1/sessions/{id}"));
        async move { browser.delete(&path).await }
    });
    let answers = at_once(ends).await;
    assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 19));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_ends_is_dead_here_within_a_second() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let other = house.second().await;
    let mut one = house.signed_in("ann").await;
    let id = id_of(&mut one).await;
    // Both servers remember the session before anything ends.
    let mut elsewhere = one.clone();
    elsewhere.to = other.address;
    assert!(elsewhere.is_signed_in().await, "one session, two servers");
    flow::end_session(&other.app, id.parse().unwrap(), other.now()).await.unwrap();
    assert!(!elsewhere.is_signed_in().await);
    within_a_second("one session", async || !one.is_signed_in().await).await;

    let mut all = house.signed_in("ann").await;
    assert!(all.is_signed_in().await);
    other.app.sessions.end_all(ann, other.now()).await.unwrap();
    within_a_second("all sessions", async || !all.is_signed_in().await).await;

    house.tick();
    let mut browser = house.signed_in("ann").await;
    flow::set_disabled(&other.app, ann, true, other.now()).await.unwrap();
    within_a_second("disabled", async || !browser.is_signed_in().await).await;
    flow::set_disabled(&other.app, ann, false, other.now()).await.unwrap();

    house.tick();
    let mut browser = house.signed_in("ann").await;
    flow::remove(&other.app, ann, other.now()).await.unwrap();
    within_a_second("removed", async || !browser.is_signed_in().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_all_is_exact_between_nodes_whose_clocks_differ() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let apart = std::time::Duration::from_millis(1900);
    // Begun by a clock that is ahead, ended by one that is behind.
    let mut begun = house.signed_in("ann").await;
    let behind = gateward_kernel::time::Moment::from_micros(house.now().micros() - 1_900_000);
    assert_eq!(house.app.sessions.end_all(ann, behind).await.unwrap(), 1);
    assert!(!begun.is_signed_in().await, "ended is ended");
    // Ended by a clock that is ahead, and signed in again by one that is behind.
    house.app.sessions.end_all(ann, house.now() + apart).await.unwrap();
    let mut again = house.signed_in("ann").await;
    assert!(again.is_signed_in().await, "who signs in afterwards stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_memory_would_refuse_the_store_lets_in() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let id: gateward_kernel::id::SessionId = id_of(&mut browser).await.parse().unwrap();
    let book = house.app.sessions.book();
    let old = book.load(id, house.now()).await.unwrap().unwrap();
    browser.log_in("ann", PASSWORD).await.expect(200);
    assert_eq!(id_of(&mut browser).await.parse(), Ok(id), "the same session under a new secret");
    // As on another node that has not heard the news yet.
    let near = book.near().unwrap();
    near.forget(&id, None);
    near.offer(near.ticket(&id), old.clone());
    assert_eq!(book.hit(&id, house.now()).unwrap().version, old.version);
    assert!(browser.is_signed_in().await);
}
