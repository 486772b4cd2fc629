//! Refresh tokens when many come at once, on several nodes: a lost answer is given again, and what is used twice ends the family.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::grants::text;
use super::{Known, SETTINGS, client, refresh, tokens, told_no, userinfo};
use crate::house::{House, at_once, count};
use crate::wire::Answer;

/// Two nodes on one store.
async fn nodes() -> Arc<[House; 2]> {
    let house = House::with(&format!("public_url = \"http://127.0.0.1:9\"\n{SETTINGS}")).await;
    house.person("ann").await;
    let second = house.second().await;
    Arc::new([house, second])
}

/// Fifty refresh at once with one token, half of them at each node.
async fn fifty(nodes: &Arc<[House; 2]>, client: &Known, token: &str) -> Vec<Answer> {
    at_once((0..50).map(|number| {
        let (nodes, client, token) = (nodes.clone(), client.clone(), token.to_owned());
        async move { refresh(&nodes[number % 2], &client, &token).await }
    }))
    .await
}

fn successors(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().map(|answer| text(answer, "refresh_token")).collect()
}

#[tokio::test]
async fn of_fifty_at_once_all_get_one_successor_and_the_family_lives() {
    let nodes = nodes().await;
    let app = client(&nodes[0], "app", json!({})).await;
    let first = tokens(&nodes[0], &app, &[]).await;
    let mut token = first["refresh_token"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let answers = fifty(&nodes, &app, &token).await;
        assert_eq!(count(&answers, 200), 50);
        let next = successors(&answers);
        assert_eq!(next.len(), 1, "one rotation");
        assert!(!next.contains(&token));
        for answer in answers.iter().take(2) {
            userinfo(&nodes[1], &text(answer, "access_token")).await.expect(200);
        }
        token = next.into_iter().next().unwrap();
    }
    // The first is older than the one before the newest: whoever comes with it has what is not theirs any more.
    let answers = fifty(&nodes, &app, first["refresh_token"].as_str().unwrap()).await;
    assert!(answers.iter().map(told_no).all(|told| told == (400, "invalid_grant".into())));
    for node in &*nodes {
        assert_eq!(told_no(&refresh(node, &app, &token).await), (400, "invalid_grant".into()));
        let access = first["access_token"].as_str().unwrap();
        assert_eq!(told_no(&userinfo(node, access).await), (401, "invalid_token".into()));
    }
}

#[tokio::test]
async fn the_grace_ends_to_the_microsecond_and_then_the_family() {
    for (wait, lives) in [(Duration::from_secs(30), true), (Duration::from_micros(30_000_001), false)] {
        let nodes = nodes().await;
        let app = client(&nodes[0], "app", json!({})).await;
        let first = tokens(&nodes[0], &app, &[]).await;
        let used = first["refresh_token"].as_str().unwrap();
        let next = text(&refresh(&nodes[0], &app, used).await.expect(200), "refresh_token");
        nodes[0].advance(wait);
        let answers = fifty(&nodes, &app, used).await;
        match lives {
            true => assert_eq!(successors(&answers), BTreeSet::from([next.clone()])),
            false => assert_eq!(count(&answers, 400), 50),
        }
        let answer = refresh(&nodes[1], &app, &next).await;
        assert_eq!(answer.status == 200, lives, "{}", answer.text());
    }
}

/// Whose it is not, to them it is nothing: they neither rotate it nor end it.
#[tokio::test]
async fn fifty_others_change_nothing() {
    let nodes = nodes().await;
    let app = client(&nodes[0], "app", json!({})).await;
    let other = client(&nodes[0], "other", json!({})).await;
    let first = tokens(&nodes[0], &app, &[]).await;
    let token = first["refresh_token"].as_str().unwrap();
    let next = text(&refresh(&nodes[0], &app, token).await.expect(200), "refresh_token");
    nodes[0].advance(Duration::from_secs(31));
    // The used one as well, whose second use by its own client would end everything.
    for token in [token, &next] {
        let answers = fifty(&nodes, &other, token).await;
        assert!(answers.iter().map(told_no).all(|told| told == (400, "invalid_grant".into())));
    }
    refresh(&nodes[0], &app, &next).await.expect(200);
}

/// Where the token stays the same, all get that (FAPI 2.0 Security Profile §5.3.2.1).
#[tokio::test]
async fn a_token_that_stays_stays() {
    let nodes = nodes().await;
    let app = client(&nodes[0], "app", json!({ "gateward_refresh_token_stays": true })).await;
    let first = tokens(&nodes[0], &app, &[]).await;
    let token = first["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        let answers = fifty(&nodes, &app, token).await;
        assert_eq!((count(&answers, 200), successors(&answers)), (50, BTreeSet::from([token.to_owned()])));
        nodes[0].advance(Duration::from_secs(600));
    }
}
