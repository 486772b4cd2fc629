//! The first administrator's link: printed once, spent once, dead after an hour or when there is an administrator.

use std::time::Duration;

use gateward::login::setup::{Invitation, LIFETIME, invite};
use gateward_kernel::record::Book;

use crate::house::{House, at_once, count};
use crate::wire::Browser;

const NEW: &str = "granite walnut harbour";

async fn invitation(house: &House) -> Invitation {
    let app = &house.app;
    let links = Book::new(app.stores.records.clone());
    invite(app.directory(), &links, &app.base, &*app.entropy, house.now()).await.unwrap()
}

/// The code of a link that was printed.
async fn code(house: &House) -> String {
    let Invitation::Link(link) = invitation(house).await else { panic!("no link") };
    let (address, code) = link.split_once("/setup?code=").unwrap();
    assert_eq!(address, house.app.origin);
    code.to_owned()
}

async fn post(browser: &mut Browser, code: &str, name: &str) -> crate::wire::Answer {
    let token = browser.get(&format!("/setup?code={code}")).await.token("/setup");
    let fields = [
        ("csrf", token.as_str()),
        ("code", code),
        ("username", name),
        ("display_name", ""),
        ("email", ""),
        ("password", NEW),
        ("password_again", NEW),
    ];
    browser.form("/setup", &fields).await
}

/// Nodes that start at once, while no link counts any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_invite_at_once_one_prints_the_link_and_it_counts() {
    let house = House::new().await;
    for _ in 0..10 {
        let (app, now) = (house.app.clone(), house.now());
        let invite = |_| {
            let app = app.clone();
            async move {
                let links = Book::new(app.stores.records.clone());
                invite(app.directory(), &links, &app.base, &*app.entropy, now).await.unwrap()
            }
        };
        let printed: Vec<_> = at_once((0..10).map(invite))
            .await
            .into_iter()
            .filter_map(|invitation| match invitation {
                Invitation::Link(link) => Some(link.split_once("/setup?code=").unwrap().1.to_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(printed.len(), 1);
        house.browser().get(&format!("/setup?code={}", printed[0])).await.expect(200);
        house.advance(LIFETIME);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_the_link_at_once_one_becomes_administrator() {
    let house = House::new().await;
    let code = code(&house).await;
    assert!(matches!(invitation(&house).await, Invitation::Earlier(_)), "it is printed once");
    let mut browser = house.browser();
    let token = browser.get(&format!("/setup?code={code}")).await.expect(200).token("/setup");
    let posts = (0..50).map(|n| {
        let (mut browser, token, code) = (browser.clone(), token.clone(), code.clone());
        async move {
            let name = format!("person{n}");
            let fields = [
                ("csrf", token.as_str()),
                ("code", &code),
                ("username", &name),
                ("password", NEW),
                ("password_again", NEW),
            ];
            let answer = browser.form("/setup", &fields).await;
            (answer, browser)
        }
    });
    let mut done = at_once(posts).await;
    let answers: Vec<_> = done.iter().map(|(answer, _)| answer.clone()).collect();
    assert_eq!((count(&answers, 303), count(&answers, 403)), (1, 49));
    let everybody = gateward_kernel::ports::PeopleQuery { limit: 100, ..Default::default() };
    let people = house.app.directory().people(&everybody).await.unwrap();
    assert_eq!(people.len(), 1);
    assert!(people[0].record.is_admin());
    let (answer, winner) = done.iter_mut().find(|(answer, _)| answer.status == 303).unwrap();
    assert_eq!(answer.header("location"), Some("/account"));
    assert!(winner.is_signed_in().await);
    winner.get("/admin").await.expect(200);
    assert!(matches!(invitation(&house).await, Invitation::NotNeeded));
    browser.get(&format!("/setup?code={code}")).await.expect(403);
}

#[tokio::test]
async fn the_link_lives_for_exactly_an_hour() {
    assert_eq!(LIFETIME, Duration::from_secs(3600));
    let house = House::new().await;
    let first = code(&house).await;
    let mut browser = house.browser();
    house.advance(LIFETIME - Duration::from_micros(1));
    let token = browser.get(&format!("/setup?code={first}")).await.expect(200).token("/setup");
    house.tick();
    browser.get(&format!("/setup?code={first}")).await.expect(403);
    let fields = [
        ("csrf", token.as_str()),
        ("code", &first),
        ("username", "ann"),
        ("password", NEW),
        ("password_again", NEW),
    ];
    browser.form("/setup", &fields).await.expect(403);
    // The next start prints another one, and the old one stays dead.
    let second = code(&house).await;
    assert_ne!(first, second);
    browser.get(&format!("/setup?code={first}")).await.expect(403);
    post(&mut browser, &second, "ann").await.expect(303);
}

#[tokio::test]
async fn wrong_codes_open_nothing() {
    let house = House::new().await;
    let code = code(&house).await;
    let other = House::new().await;
    let foreign = self::code(&other).await;
    for wrong in [
        "",
        "gwi1_",
        &foreign,
        &code[5..],
        &code[..code.len() - 1],
        &format!("{code}A"),
        &code.to_uppercase(),
        "gwr1_AAAA",
    ] {
        let mut browser = house.browser();
        browser.get(&format!("/setup?code={wrong}")).await.expect(403);
        browser.get("/login").await.expect(200);
        let token = house.token(&browser, "setup");
        let fields = [
            ("csrf", token.as_str()),
            ("code", wrong),
            ("username", "ann"),
            ("password", NEW),
            ("password_again", NEW),
        ];
        browser.form("/setup", &fields).await.expect(403);
    }
    house.browser().get("/setup").await.expect(403);
    post(&mut house.browser(), &code, "ann").await.expect(303);
}

#[tokio::test]
async fn the_link_is_dead_once_there_is_an_administrator() {
    let house = House::new().await;
    let code = code(&house).await;
    let mut browser = house.browser();
    let token = browser.get(&format!("/setup?code={code}")).await.expect(200).token("/setup");
    house.admin("root").await;
    browser.get(&format!("/setup?code={code}")).await.expect(403);
    let fields = [
        ("csrf", token.as_str()),
        ("code", &code),
        ("username", "ann"),
        ("password", NEW),
        ("password_again", NEW),
    ];
    browser.form("/setup", &fields).await.expect(403);
    assert!(matches!(invitation(&house).await, Invitation::NotNeeded));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_shown_and_spends_nothing() {
    let house = House::new().await;
    house.person("taken").await;
    let code = code(&house).await;
    let mut browser = house.browser();
    let token = browser.get(&format!("/setup?code={code}")).await.expect(200).token("/setup");
    for (name, email, password, again) in [
        ("", "", NEW, NEW),
        ("a b", "", NEW, NEW),
        ("аnn", "", NEW, NEW),
        ("ann", "not an address", NEW, NEW),
        ("ann", "", NEW, "something else"),
        ("ann", "", "short", "short"),
        ("ann", "", "password1", "password1"),
        ("annabella", "", "annabella1", "annabella1"),
    ] {
        let fields = [
            ("csrf", token.as_str()),
            ("code", &code),
            ("username", name),
            ("email", email),
            ("password", password),
            ("password_again", again),
        ];
        let page = browser.form("/setup", &fields).await.expect(422);
        assert!(!page.text().contains(NEW), "a password is never shown");
    }
    let fields = [
        ("csrf", token.as_str()),
        ("code", &code),
        ("username", "TAKEN"),
        ("password", NEW),
        ("password_again", NEW),
    ];
    let refused = browser.form("/setup", &fields).await;
    assert!(matches!(refused.status, 409 | 422), "{}", refused.status);
    let fields = [
        ("csrf", token.as_str()),
        ("code", &code),
        ("username", "ann"),
        ("password", NEW),
        ("password_again", NEW),
    ];
    browser.form("/setup", &fields).await.expect(303);
}
