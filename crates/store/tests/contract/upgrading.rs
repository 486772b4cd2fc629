//! Two versions of the program on one store, as in a rolling upgrade: each reads what the other writes, and the older one destroys
//! nothing that the newer one has added.

use std::sync::Arc;

use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Created, FaultKind, Key, Kv};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::time::Moment;
use gateward_store::Memory;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Home, LATE};

const NOW: Moment = Moment::from_micros(1);
const ID: SessionId = SessionId::from_bytes([7; 16]);

/// A member that is an object itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct OldPart {
    name: String,
}

/// A record of the older version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Old {
    id: SessionId,
    text: String,
    part: OldPart,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct NewPart {
    name: String,
    #[serde(default)]
    inner: Vec<u8>,
}

/// The same in the newer version, which has added members.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct New {
    id: SessionId,
    text: String,
    part: NewPart,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
    #[serde(default)]
    outer: Value,
}

/// The same in a version that cannot be understood by older ones.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Other {
    id: SessionId,
}

macro_rules! note {
    ($name:ident, $schema:literal, $added:literal) => {
        impl Record for $name {
            const KIND: &'static str = "note";
            const SCHEMA: u8 = $schema;
            const ADDED: u8 = $added;
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
    };
}
note!(Old, 1, 0);
note!(New, 1, 1);
note!(Other, 2, 0);

fn old() -> Old {
    Old { id: ID, text: "old".into(), part: OldPart { name: "part".into() }, maybe: Some(1) }
}

fn new() -> New {
    let part = NewPart { name: "part".into(), inner: vec![1, 2] };
    New { id: ID, text: "new".into(), part, maybe: Some(1), outer: json!({"deep": [true]}) }
}

/// A node of each version, with memory; what one writes is told to the other.
fn nodes() -> (Arc<dyn Kv>, Book<Old>, Book<New>) {
    let kv: Arc<dyn Kv> = Arc::new(Memory::new());
    (kv.clone(), Book::with_near_cache(kv.clone(), 1 << 20), Book::with_near_cache(kv, 1 << 20))
}

async fn change<R: Record<Id = SessionId> + Clone>(book: &Book<R>, shape: impl Fn(&mut R) + Sync) -> R {
    let decide = |record: &R| {
        let mut next = record.clone();
        shape(&mut next);
        Decision::Write(next, ())
    };
    book.change(ID, NOW, decide).await.unwrap().unwrap().0.record.clone()
}

async fn read(book: &Book<New>) -> New {
    book.load(ID, NOW).await.unwrap().unwrap().record.clone()
}

#[tokio::test]
async fn what_an_older_node_does_not_know_survives_its_changes() {
    let (_, older, newer) = nodes();
    newer.create(new(), NOW).await.unwrap().unwrap();
    for round in 1..=3 {
        // The first time from the store, then from its memory.
        change(&older, |record| record.text = format!("old {round}")).await;
        assert_eq!(read(&newer).await, New { text: format!("old {round}"), ..new() });
    }
    change(&older, |record| record.maybe = None).await;
    assert_eq!(read(&newer).await.maybe, None, "what it knows and takes away is gone");
    change(&older, |record| record.maybe = Some(9)).await;
    assert_eq!(read(&newer).await.maybe, Some(9));
    change(&newer, |record| record.outer = json!("changed")).await;
    change(&older, |record| record.text = "last".into()).await;
    assert_eq!((read(&newer).await.outer, read(&newer).await.part), (json!("changed"), new().part));
}

#[tokio::test]
async fn what_is_inside_of_a_member_goes_with_the_member() {
    let (_, older, newer) = nodes();
    newer.create(new(), NOW).await.unwrap().unwrap();
    change(&older, |record| record.part.name = "another".into()).await;
    let found = read(&newer).await;
    assert_eq!(found.part, NewPart { name: "another".into(), inner: Vec::new() }, "it belonged to the other");
    assert_eq!(found.outer, new().outer);
}

#[tokio::test]
async fn a_newer_node_reads_what_an_older_one_writes_and_adds_to_it() {
    let (kv, older, newer) = nodes();
    older.create(old(), NOW).await.unwrap().unwrap();
    let first = async || kv.get(&Key::new("note", ID)).await.unwrap().unwrap().value[0];
    assert_eq!(first().await, 0x01);
    assert_eq!(read(&newer).await.outer, Value::Null);
    change(&newer, |record| record.outer = json!(1)).await;
    assert_eq!(first().await, 0x11, "from now on older nodes look out for what was added");
    change(&older, |record| record.text = "again".into()).await;
    assert_eq!(first().await, 0x11);
    assert_eq!(read(&newer).await.outer, json!(1));
    assert_eq!(older.remove(ID).await.unwrap().unwrap().record.text, "again");
    older.create(old(), NOW).await.unwrap().unwrap();
    assert_eq!(read(&newer).await.outer, Value::Null, "what was removed does not come back");
}

#[tokio::test]
async fn another_form_is_refused_in_words_and_left_as_it_is() {
    let kv: Arc<dyn Kv> = Arc::new(Memory::new());
    let (older, other) = (Book::<Old>::with_near_cache(kv.clone(), 1 << 20), Book::<Other>::new(kv.clone()));
    other.create(Other { id: ID }, NOW).await.unwrap().unwrap();
    let before = kv.get(&Key::new("note", ID)).await.unwrap();
    let leave = |_: &Old| Decision::Write(old(), ());
    let faults = [
        older.load(ID, NOW).await.unwrap_err(),
        older.change(ID, NOW, leave).await.unwrap_err(),
        older.page(None, 10, NOW).await.unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(fault.kind, FaultKind::Unreadable);
        assert_eq!(fault.cause, "note: written in form 2 by another version of Gateward, this one knows 1");
    }
    assert!(older.create(old(), NOW).await.unwrap().is_none(), "it is there");
    assert_eq!(kv.get(&Key::new("note", ID)).await.unwrap(), before);
    for garbage in ["", "\u{1}", "\u{1}[]", "\u{1}{", "\u{11}{\"id\":1}"] {
        let key = Key::new("note", [garbage.len() as u8; 16]);
        let made = kv.create(&key, garbage.as_bytes().to_vec().into(), LATE).await.unwrap();
        assert!(matches!(made, Created::Done(_)));
        let fault = older.load(SessionId::from_bytes([garbage.len() as u8; 16]), NOW).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unreadable, "{garbage:?}");
        kv.remove(&key).await.unwrap();
    }
}

on_both_engines!(what_a_newer_version_knows_of_a_person_survives_the_changes_of_an_older_one);

async fn what_a_newer_version_knows_of_a_person_survives_the_changes_of_an_older_one(home: Home) {
    let directory = home.open().await.directory;
    let id = PersonId::from_bytes([1; 16]);
    let mut ann = Person::new(id, "ann".parse().unwrap(), NOW);
    ann.claims.insert("floor".into(), json!(3));
    directory.create_person(&ann).await.unwrap().unwrap();
    // What a newer version would have written.
    let mut body = serde_json::to_value(&ann).unwrap();
    body["passkeys"] = json!([{"id": "a\u{0}b", "count": 3}]);
    let written = |text: &str| {
        let text = text.replace('\'', "''");
        let statement = format!("UPDATE person SET body = '{text}'");
        match &home {
            Home::File(place) => drop(place.raw().execute(&statement, []).unwrap()),
            #[cfg(feature = "postgres")]
            Home::Server(database) => drop(database.sql(&statement)),
        }
    };
    written(&body.to_string());
    for groups in [vec!["staff".to_owned()], Vec::new()] {
        let loaded = directory.person(id).await.unwrap().unwrap();
        let next = Person { groups: groups.clone(), claims: serde_json::Map::new(), ..loaded.record };
        directory.replace_person(&next, loaded.version).await.unwrap().unwrap();
        assert_eq!(directory.person(id).await.unwrap().unwrap().record.groups, groups);
    }
    let stored = match &home {
        Home::File(place) => {
            let raw = place.raw();
            raw.query_row("SELECT body FROM person", [], |row| row.get::<_, String>(0)).unwrap()
        }
        #[cfg(feature = "postgres")]
        Home::Server(database) => database.sql("SELECT body FROM person"),
    };
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["passkeys"], body["passkeys"]);
    assert_eq!(stored["claims"], json!({}), "what it knows it takes away");
}
