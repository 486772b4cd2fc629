//! Audit events.

use gateward_kernel::event::{Actor, Event, EventQuery, Fact};
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::time::Moment;

use super::Home;

const ANN: PersonId = PersonId::from_bytes([1; 16]);

fn at(micros: i64) -> Moment {
    Moment::from_micros(micros)
}

on_both_engines!(events_are_listed_newest_first_and_swept_oldest_first,);

async fn events_are_listed_newest_first_and_swept_oldest_first(home: Home) {
    let directory = home.open().await.directory;
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
    let mut other = Event::new(at(25), Fact::SignedOut, Actor::Person(ANN));
    other.person = Some(ANN);
    written.push(other);
    let order = |numbers: &[usize]| numbers.iter().map(|at| written[*at].clone()).collect::<Vec<_>>();
    let list = |person, before, limit| {
        let (directory, query) = (directory.clone(), EventQuery { person, before, limit, fact: None });
        async move { directory.events(&query).await.unwrap() }
    };
    assert_eq!(list(None, None, 9).await, order(&[3, 1, 2, 0, 4]));
    assert_eq!(list(None, None, 2).await, order(&[3, 1]));
    assert_eq!(list(None, Some(at(30)), 9).await, order(&[2, 0, 4]));
    assert_eq!(list(Some(ANN), None, 9).await, order(&[3, 1, 0, 4]));
    assert_eq!(list(Some(ANN), Some(at(10)), 9).await, order(&[4]));
    assert_eq!(list(Some(PersonId::from_bytes([2; 16])), None, 9).await, []);
    let told = EventQuery { fact: Some(Fact::SignedOut), limit: 9, ..EventQuery::default() };
    assert_eq!(directory.events(&told).await.unwrap(), []);
    directory.record_event(&written[5]).await.unwrap();
    for person in [None, Some(ANN)] {
        let told = EventQuery { person, ..told.clone() };
        assert_eq!(directory.events(&told).await.unwrap(), order(&[5]));
        assert_eq!(directory.events(&EventQuery { before: Some(at(25)), ..told }).await.unwrap(), []);
    }
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 2);
    assert_eq!(list(None, None, 9).await, order(&[3, 1, 5, 2]));
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 2);
    assert_eq!(directory.sweep_events(at(30), 2).await.unwrap(), 0);
    assert_eq!(list(None, None, 9).await, order(&[3, 1]));
}
