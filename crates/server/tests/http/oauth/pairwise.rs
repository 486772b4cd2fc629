//! Clients that know people by names of their own (OpenID Connect Core §8): those of one sector by the same, others by another, and
//! nothing that two of them are told lets them find out that it is the same person.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::grants::introspect;
use super::{Known, agree, client, house, refresh, request, told_at, userinfo, verified};
use crate::house::House;
use crate::tokens::text;
use crate::wire::Browser;

/// A client at this host.
async fn at(house: &House, id: &str, host: &str, subject: &str) -> Known {
    let metadata = json!({ "redirect_uris": [format!("https://{host}/cb")], "subject_type": subject });
    client(house, id, metadata).await
}

/// Everything that a client is told of somebody with that scope: by its ID token, UserInfo, introspection, and again when it refreshes.
async fn seen(house: &House, ann: &mut Browser, app: &Known, host: &str, scope: &str) -> Vec<Value> {
    let back = format!("https://{host}/cb");
    let path = request(app, &[("redirect_uri", &back), ("scope", scope)]);
    let code = told_at(&agree(ann, &path).await, &back)["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", back.as_str()),
        ("code_verifier", super::VERIFIER),
    ];
    let tokens = super::post(house, app, "/oauth/token", &fields).await.expect(200).json();
    let next = refresh(house, app, &text(&tokens, "refresh_token")).await.expect(200).json();
    let access = text(&tokens, "access_token");
    vec![
        verified(house, &text(&tokens, "id_token")).await.1,
        verified(house, &text(&next, "id_token")).await.1,
        userinfo(house, &access).await.expect(200).json(),
        introspect(house, app, &access).await,
        introspect(house, app, &text(&next, "refresh_token")).await,
    ]
}

/// By which name it is everywhere the same.
fn name(seen: &[Value]) -> String {
    let names: BTreeSet<&str> = seen.iter().map(|told| told["sub"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 1, "{seen:?}");
    names.into_iter().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_sector_has_names_of_its_own() {
    let house = house().await;
    house.person("bob").await;
    let mut clients = Vec::new();
    for (id, host, subject) in [
        ("one", "a.example", "pairwise"),
        ("two", "a.example", "pairwise"),
        ("three", "b.example", "pairwise"),
        // A host below is another.
        ("four", "x.a.example", "pairwise"),
        ("five", "a.example", "public"),
    ] {
        clients.push((at(&house, id, host, subject).await, host));
    }
    let mut all = BTreeSet::new();
    for person in ["ann", "bob"] {
        let id = house.stored(person).await.id.to_string();
        let mut browser = house.signed_in(person).await;
        let mut names = Vec::new();
        for (known, host) in &clients {
            names.push(name(&seen(&house, &mut browser, known, host, "openid").await));
        }
        assert_eq!((&names[0], &names[4]), (&names[1], &id), "one sector, one name");
        assert!(names[..4].iter().all(|name| !name.contains(&id) && name.len() == 32), "{names:?}");
        // In another session it is the same name.
        let (known, host) = &clients[2];
        let mut later = house.signed_in(person).await;
        assert_eq!(name(&seen(&house, &mut later, known, host, "openid").await), names[2]);
        all.extend(names);
    }
    assert_eq!(all.len(), 8, "four of each person: {all:?}");
}

/// Two that put together what they know find nothing that is the same and could not be anybody's.
#[tokio::test]
async fn two_sectors_cannot_tell_that_it_is_one_person() {
    let house = house().await;
    let mut ann = house.signed_in("ann").await;
    let mut told = Vec::new();
    for (id, host) in [("one", "a.example"), ("two", "b.example")] {
        // They come at other moments.
        house.advance(Duration::from_secs(7));
        let known = at(&house, id, host, "pairwise").await;
        let seen = seen(&house, &mut ann, &known, host, "openid").await;
        let values = seen.iter().flat_map(|told| told.as_object().unwrap().clone());
        told.push(values.map(|(name, value)| format!("{name} {value}")).collect::<BTreeSet<_>>());
    }
    let allowed = ["iss ", "nonce ", "acr ", "amr ", "scope ", "active ", "token_type ", "auth_time "];
    let shared = told[0].intersection(&told[1]);
    let shared: Vec<_> = shared.filter(|text| allowed.iter().all(|name| !text.starts_with(name))).collect();
    // The address of UserInfo, for which every access token is.
    let userinfo = format!("aud {}", json!(format!("{}/oauth/userinfo", house.app.origin)));
    assert!(shared.iter().all(|text| **text == userinfo), "{shared:?}");
}
