//! Audit events and sealed keys.

use gateward_kernel::event::{Actor, Event, EventQuery, Fact};
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::ports::SealedKey;
use gateward_kernel::time::Moment;

use super::Place;

const ANN: PersonId = PersonId::from_bytes([1; 16]);

fn at(micros: i64) -> Moment {
    Moment::from_micros(micros)
}

#[tokio::test]
async fn events_are_listed_newest_first_and_swept_oldest_first() {
    let place = Place::new();
    let directory = place.open().directory();
    let mut written = Vec::new();
    for micros in [10, 30, 20, 30, -5] {
        let mut event = Event::new(at(micros), Fact::SignedIn, Actor::Person(ANN));
        event.person = (micros != 20).then_some(ANN);
        event.session = Some(SessionId::from_bytes([micros as u8; 16]));
        event.address = Some([127, 0, 0, 1].into());
        event.detail = Some(format!("number {}", written.len()));
        directory.record_event(&event).await.unwrap();
        written.push(event);
    }
    let order = |numbers: &[usize]| numbers.iter().map(|at| written[*at].clone()).collect::<Vec<_>>();
    let list = |person, before, limit| {
        let (directory, query) = (directory.clone(), EventQuery { person, before, limit });
        async move { directory.events(&query).await.unwrap() }
    };
    assert_eq!(list(None, None, 9).await, order(&[3, 1, 2, 0, 4]));
    assert_eq!(list(None, None, 2).await, order(&[3, 1]));
    assert_eq!(list(None, Some(at(30)), 9).await, order(&[2, 0, 4]));
    assert_eq!(list(Some(ANN), None, 9).await, order(&[3, 1, 0, 4]));
    assert_eq!(list(Some(ANN), Some(at(10)), 9).await, order(&[4]));
    assert_eq!(list(Some(PersonId::from_bytes([2; 16])), None, 9).await, []);
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 2);
    assert_eq!(list(None, None, 9).await, order(&[3, 1, 2]));
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 1);
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 0);
    assert_eq!(list(None, None, 9).await, order(&[3, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_key_is_written_once() {
    let place = Place::new();
    let directory = place.open().directory();
    let key = |purpose: &str, id: &str, micros, byte| SealedKey {
        purpose: purpose.into(),
        id: id.into(),
        created: at(micros),
        sealed: vec![byte; 40],
    };
    let (young, old, other) = (key("pepper", "a", 20, 1), key("pepper", "b", 10, 2), key("sign", "a", 5, 3));
    for fresh in [&young, &old, &other] {
        assert!(directory.add_sealed_key(fresh).await.unwrap());
    }
    assert!(!directory.add_sealed_key(&key("pepper", "a", 99, 9)).await.unwrap());
    assert_eq!(directory.sealed_keys("pepper").await.unwrap(), [old, young]);
    assert_eq!(directory.sealed_keys("sign").await.unwrap(), [other]);
    assert_eq!(directory.sealed_keys("none").await.unwrap(), []);

    let racers = (0..20_u8).map(|number| {
        let (directory, key) = (directory.clone(), key("race", "only", number.into(), number));
        async move { directory.add_sealed_key(&key).await.unwrap() }
    });
    let won = racers.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(directory.sealed_keys("race").await.unwrap().len(), 1);
}
