//! What each release has stored, kept as it was, and read by the program of today.
//!
//! Beside this file there is a folder for every release: its records, and a database of each engine with people and sessions in
//! it. Whoever makes a new version has them written by `GATEWARD_BLESS=1 cargo test -p gateward --test http releases`, which
//! writes only what is missing, and only of the version in `Cargo.toml`. What was released is never written again.

mod database;
mod v0_1_0;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use gateward_kernel::ports::{Created, Key, Kv};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::time::Moment;
use gateward_store::Memory;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A record as a release has written it.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The first byte: the form, and how often members were added to it.
    form: u8,
    /// The other bytes.
    record: Box<RawValue>,
}

impl Kept {
    fn bytes(&self) -> Bytes {
        [&[self.form], self.record.get().as_bytes()].concat().into()
    }
}

fn file(release: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/http/releases").join(release).join(name)
}

/// Whether a file is missing and to be written: it is one of this version, and that was asked for.
fn is_wanted(release: &str, name: &str) -> bool {
    let is_ours = release == env!("CARGO_PKG_VERSION") && std::env::var_os("GATEWARD_BLESS").is_some();
    is_ours && !file(release, name).exists()
}

fn keep(release: &str, name: &str, text: &str) {
    std::fs::create_dir_all(file(release, "")).unwrap();
    std::fs::write(file(release, name), text).unwrap();
}

/// A value as a file of a release shows it.
fn shown(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn kept(release: &str, name: &str) -> String {
    std::fs::read_to_string(file(release, name)).unwrap_or_else(|_| {
        panic!("{name} of {release} is missing: GATEWARD_BLESS=1 cargo test -p gateward --test http releases")
    })
}

/// What a book writes.
async fn written<R: Record + Clone>(record: &R) -> Kept {
    let kv: Arc<dyn Kv> = Arc::new(Memory::new());
    Book::new(kv.clone()).create(record.clone(), Moment::DAWN).await.unwrap().unwrap();
    let stored = kv.get(&Key::new(R::KIND, record.id())).await.unwrap().unwrap();
    let (form, record) = stored.value.split_first().unwrap();
    Kept { form: *form, record: serde_json::from_slice(record).unwrap() }
}

/// A book with this record in it.
async fn book<R: Record>(id: R::Id, kept: &Kept) -> (Arc<dyn Kv>, Book<R>) {
    let kv: Arc<dyn Kv> = Arc::new(Memory::new());
    let made = kv.create(&Key::new(R::KIND, id), kept.bytes(), Moment::NEVER).await.unwrap();
    assert!(matches!(made, Created::Done(_)));
    (kv.clone(), Book::new(kv))
}

/// A record of a release is read as what it was; what is written today can be read by that release, or is refused by it for its
/// form; and what a version after this one adds to it is left alone.
async fn holds<R: Record + Clone + PartialEq + Debug>(release: &str, name: &str, record: R) {
    let today = written(&record).await;
    let file = format!("{name}.json");
    if is_wanted(release, &file) {
        keep(release, &file, &shown(&today));
    }
    let then: Kept = serde_json::from_str(&kept(release, &file)).unwrap();
    let (_, read) = book::<R>(record.id(), &then).await;
    let read = read.load(record.id(), Moment::DAWN).await.unwrap().unwrap();
    assert_eq!(read.record, record, "{name} of {release} is read as something else");
    can_be_read_by(release, name, &then, &today);
    what_is_added_later_is_kept(&record, today).await;
}

fn can_be_read_by(release: &str, name: &str, then: &Kept, today: &Kept) {
    let (form, added) = (|kept: &Kept| kept.form & 0x0f, |kept: &Kept| kept.form >> 4);
    if form(today) > form(then) {
        return;
    }
    let (before, now) = (members(then.record.get()), members(today.record.get()));
    let gone: Vec<_> = before.difference(&now).collect();
    assert!(gone.is_empty(), "{release} needs {gone:?} of {name}: its SCHEMA must be one more");
    let new: Vec<_> = now.difference(&before).collect();
    assert!(
        new.is_empty() || added(today) > added(then),
        "{release} would lose {new:?} of {name}: its ADDED must be one more; or {release} is not out yet, \
         and {name}.json is to be removed and written anew"
    );
}

async fn what_is_added_later_is_kept<R: Record + Clone>(record: &R, today: Kept) {
    let mut later: Value = serde_json::from_str(today.record.get()).unwrap();
    later["later"] = json!({"than": [today.form]});
    let record_text = serde_json::value::to_raw_value(&later).unwrap();
    let form = (R::ADDED + 1) << 4 | R::SCHEMA;
    let (kv, book) = book::<R>(record.id(), &Kept { form, record: record_text }).await;
    let same = |record: &R| Decision::Write(record.clone(), ());
    book.change(record.id(), Moment::DAWN, same).await.unwrap().unwrap();
    let stored = kv.get(&Key::new(R::KIND, record.id())).await.unwrap().unwrap().value;
    assert_eq!((stored[0], serde_json::from_slice::<Value>(&stored[1..]).unwrap()), (form, later));
}

/// The same for what databases keep as a document, without a form.
fn document<T: Serialize + DeserializeOwned + PartialEq + Debug>(release: &str, name: &str, value: &T) {
    let file = format!("{name}.json");
    if is_wanted(release, &file) {
        keep(release, &file, &shown(value));
    }
    let text = kept(release, &file);
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{name} of {release}");
    let (before, now) = (members(&text), members(&shown(value)));
    let gone: Vec<_> = before.difference(&now).collect();
    assert!(gone.is_empty(), "{release} needs {gone:?} of {name}, and has no form to refuse it by");
    let mut later: Value = serde_json::from_str(&text).unwrap();
    later["later"] = json!(true);
    assert_eq!(serde_json::from_value::<T>(later).unwrap(), *value, "{name} with something added");
}

/// The names of all members, each with where it is.
fn members(json: &str) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    let at = format!("{at}.{name}");
                    walk(value, &at, found);
                    found.insert(at);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, at, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(&serde_json::from_str(json).unwrap(), "", &mut found);
    found
}

/// Every kind of record that the sources declare, so that none is kept without somebody thinking of the next release.
fn declared() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry).unwrap();
                let records = text.split("impl Record for ").skip(1);
                // The settings have records of another sort, without a kind.
                let kinds = records.filter_map(|record| record.split_once("const KIND: &'static str = \""));
                found.extend(kinds.filter_map(|(_, rest)| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    for part in ["guard", "kernel", "server", "store"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(part).join("src"), &mut found);
    }
    found
}

/// Records of another kind are not found, and of a kind that is not kept here nobody notices when it cannot be read any more.
#[test]
fn there_are_records_of_every_kind() {
    let mut kinds = BTreeSet::new();
    for (release, all) in [("0.1.0", v0_1_0::KINDS.as_slice())] {
        for (then, today) in all {
            assert_eq!(then, today, "{release}");
            kinds.insert((*then).to_owned());
        }
    }
    assert_eq!(declared(), kinds, "with samples in the file of a release, which names their kinds");
}

/// Whoever raises the version is reminded to keep what it stores.
#[test]
fn there_is_a_folder_for_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(file(version, "").is_dir(), "releases/v{}.rs is to be written", version.replace('.', "_"));
}
