//! The feed over process borders, its gaps, and the near cache that rests on it.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::id::SessionId;
use gateward_kernel::ports::{Listener, Version};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{LATE, Place, create};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: SessionId,
    pub(crate) text: String,
}

impl Record for Note {
    const KIND: &'static str = "note";
    const SCHEMA: u8 = 1;
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }

    fn death(&self) -> Moment {
        LATE
    }

    fn weight(&self) -> usize {
        100
    }
}

const NOW: Moment = Moment::from_micros(1);

/// Waits until the condition holds, at most a second.
async fn within_a_second<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_cache_follows_what_another_process_does() {
    let place = Place::new();
    let (here, there) = (place.open(), place.open());
    let (here, there) = (Book::<Note>::with_near_cache(here.kv(), 1 << 20), Book::<Note>::new(there.kv()));
    let id = SessionId::from_bytes([1; 16]);
    here.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=10 {
        let text = round.to_string();
        assert!(here.load(id, NOW).await.unwrap().is_some());
        assert!(here.hit(&id, NOW).is_some(), "remembered");
        there
            .change(id, NOW, |note| Decision::Write(Note { text: text.clone(), ..note.clone() }, ()))
            .await
            .unwrap()
            .unwrap();
        within_a_second("the other's change", || async {
            here.load(id, NOW).await.unwrap().is_some_and(|note| note.record.text == text)
        })
        .await;
    }
    there.remove(id).await.unwrap().unwrap();
    within_a_second("the other's removal", || async { here.load(id, NOW).await.unwrap().is_none() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_cache_is_never_behind_its_own_process() {
    let place = Place::new();
    let sqlite = place.open();
    let (book, plain) = (Book::<Note>::with_near_cache(sqlite.kv(), 1 << 20), Book::<Note>::new(sqlite.kv()));
    let id = SessionId::from_bytes([1; 16]);
    book.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    for round in 1..=100 {
        let text = round.to_string();
        book.load(id, NOW).await.unwrap().unwrap();
        let write = |note: &Note| Decision::Write(Note { text: text.clone(), ..note.clone() }, ());
        plain.change(id, NOW, write).await.unwrap().unwrap();
        let seen = book.load(id, NOW).await.unwrap().unwrap();
        assert_eq!(seen.record.text, text, "acknowledged, so seen");
    }
}

#[tokio::test]
async fn a_decision_to_leave_is_not_made_by_memory_that_lags() {
    let place = Place::new();
    let sqlite = place.open();
    let book = Book::<Note>::with_near_cache(sqlite.kv(), 1 << 20);
    let id = SessionId::from_bytes([1; 16]);
    let near = book.near().unwrap();
    let old = book.create(Note { id, text: "0".into() }, NOW).await.unwrap().unwrap();
    // As on another node that has not heard the news yet.
    let lag = || {
        near.forget(&id, None);
        near.offer(near.ticket(&id), old.clone());
        assert_eq!(book.hit(&id, NOW).unwrap().record.text, "0");
    };
    let from = |text: &'static str, to: &'static str| {
        move |note: &Note| match note.text == text {
            true => Decision::Write(Note { text: to.into(), ..note.clone() }, true),
            false => Decision::Leave(false),
        }
    };
    assert!(book.change(id, NOW, from("0", "1")).await.unwrap().unwrap().1);
    lag();
    assert!(
        book.change(id, NOW, from("1", "2")).await.unwrap().unwrap().1,
        "the store has what was expected"
    );
    lag();
    let (left, done) = book.change(id, NOW, from("1", "3")).await.unwrap().unwrap();
    assert_eq!((left.record.text.as_str(), done), ("2", false), "what is left is what the store has");
    book.remove(id).await.unwrap().unwrap();
    lag();
    assert!(book.change(id, NOW, from("1", "3")).await.unwrap().is_none(), "it is gone");
}

/// Remembers in one line what it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Listener for Ear {
    fn changed(&self, kind: &str, _: &[u8], version: Option<Version>) {
        self.0.lock().push(format!("{kind} {}", version.expect("it names every state").0));
    }

    fn lost(&self) {
        self.0.lock().push("lost".into());
    }

    fn restored(&self) {
        self.0.lock().push("restored".into());
    }
}

impl Ear {
    fn told(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_log_makes_memory_start_over() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    create(&kv, "a").await.unwrap();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    // Changes 2 to 8 happened elsewhere, and 2 to 7 were pruned before anybody looked.
    place.raw().execute("INSERT INTO change_log VALUES (8, 'test', x'61', 0)", []).unwrap();
    within_a_second("the gap", || async { ear.told() == ["lost", "restored"] }).await;
    let next = create(&kv, "b").await.unwrap();
    assert_eq!(next.0, 9);
    assert_eq!(ear.told(), ["lost", "restored", "test 9"], "and it goes on from there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_silences_memory_until_it_can() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    place.raw().execute_batch("ALTER TABLE change_log RENAME TO hidden").unwrap();
    within_a_second("the loss", || async { ear.told() == ["lost"] }).await;
    assert!(create(&kv, "a").await.is_err(), "what cannot be told is not written");
    let late = Arc::new(Ear::default());
    kv.changes(late.clone());
    assert_eq!(late.told(), ["lost"], "who comes now is told at once");
    place.raw().execute_batch("ALTER TABLE hidden RENAME TO change_log").unwrap();
    within_a_second("the return", || async { ear.told() == ["lost", "restored"] }).await;
    create(&kv, "a").await.unwrap();
    assert_eq!(ear.told().last().unwrap(), "test 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_and_other_changes_are_told_once_and_in_order() {
    let place = Place::new();
    let (here, there) = (place.open(), place.open());
    let ear = Arc::new(Ear::default());
    here.kv().changes(ear.clone());
    let writers = [here.kv(), there.kv()].into_iter().enumerate().map(|(writer, kv)| async move {
        for number in 0..100 {
            create(&kv, &format!("{writer} {number}")).await.unwrap();
        }
    });
    writers.collect::<tokio::task::JoinSet<_>>().join_all().await;
    let expected: Vec<String> = (1..=200).map(|version| format!("test {version}")).collect();
    within_a_second("all two hundred", || async { ear.told().len() >= 200 }).await;
    assert_eq!(ear.told(), expected);
}
