//! What is refused at the door, in which words, and that refusing changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gateward_kernel::ports::Key;
use gateward_store::{OpenError, Sqlite, SqliteOptions};

use super::{Place, create};

/// Every file of a directory with its bytes.
fn contents(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Opens, expects a refusal, and that it has changed nothing.
fn refusal(place: &Place) -> OpenError {
    let before = contents(place.dir.path());
    let refused = Sqlite::open(place.path(), &SqliteOptions::default()).unwrap_err();
    assert_eq!(contents(place.dir.path()), before, "{refused}");
    assert!(!refused.to_string().contains('\n'), "one line: {refused}");
    refused
}

/// A database with some records in it, closed again.
async fn filled() -> Place {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    for number in 0..200 {
        create(&kv, &format!("{number} {}", "x".repeat(40))).await.unwrap();
    }
    drop((kv, sqlite));
    assert_eq!(contents(place.dir.path()).len(), 1, "closing tidies the log away");
    place
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let place = filled().await;
    place.raw().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(refusal(&place), OpenError::Newer { found: 99, known: 1 }));
}

#[tokio::test]
async fn a_newer_database_in_use_is_refused_too() {
    let place = filled().await;
    let raw = place.raw();
    raw.pragma_update(None, "user_version", 99).unwrap();
    // The mark is only in the write-ahead log so far.
    let refused = Sqlite::open(place.path(), &SqliteOptions::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, known: 1 }), "{refused}");
    let tables: i64 = raw.query_row("SELECT count(*) FROM kv", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 200);
}

#[test]
fn garbage_is_no_database() {
    for garbage in [&b"x"[..], &b"SQLite format 3\0"[..], &[7; 99], &[7; 8192]] {
        let place = Place::new();
        std::fs::write(place.path(), garbage).unwrap();
        assert!(matches!(refusal(&place), OpenError::NotADatabase));
    }
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    for share in [2, 4] {
        let place = filled().await;
        let bytes = std::fs::read(place.path()).unwrap();
        std::fs::write(place.path(), &bytes[..bytes.len() / share]).unwrap();
        let refused = refusal(&place);
        assert!(matches!(refused, OpenError::Corrupt(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_scribbled_schema_is_damaged() {
    let place = filled().await;
    let mut bytes = std::fs::read(place.path()).unwrap();
    bytes[100..4096].fill(0x5a);
    std::fs::write(place.path(), &bytes).unwrap();
    let refused = Sqlite::open(place.path(), &SqliteOptions::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt(_)), "{refused}");
}

#[test]
fn another_programs_database_is_refused() {
    let place = Place::new();
    place.raw().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(refusal(&place), OpenError::NotADatabase), "without a mark");
    let place = Place::new();
    place.raw().execute_batch("PRAGMA application_id = 7; CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(refusal(&place), OpenError::NotADatabase), "with their mark");
}

#[test]
fn a_place_where_nothing_can_be_created_is_refused() {
    let place = Place::new();
    let options = SqliteOptions::default();
    std::fs::write(place.dir.path().join("file"), "x").unwrap();
    let below_a_file = Sqlite::open(place.dir.path().join("file/gateward.db"), &options).unwrap_err();
    assert!(matches!(below_a_file, OpenError::Failed(_) | OpenError::CannotCreate(_)), "{below_a_file}");
    let nowhere = Sqlite::open(place.dir.path().join("no/gateward.db"), &options).unwrap_err();
    assert!(matches!(nowhere, OpenError::CannotCreate(_)), "{nowhere}");
    std::fs::create_dir(place.path()).unwrap();
    assert!(matches!(refusal(&place), OpenError::NotADatabase));
}

#[test]
fn opening_what_must_exist_creates_nothing() {
    let place = Place::new();
    let refused = Sqlite::open_existing(place.path(), &SqliteOptions::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Absent), "{refused}");
    assert!(contents(place.dir.path()).is_empty());
    drop(place.open());
    Sqlite::open_existing(place.path(), &SqliteOptions::default()).unwrap();
}

#[tokio::test]
async fn a_locked_database_is_refused_after_a_while() {
    let place = filled().await;
    let raw = place.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let options = SqliteOptions { patience: Duration::from_millis(100), ..SqliteOptions::default() };
    let refused = Sqlite::open(place.path(), &options).unwrap_err();
    assert!(matches!(refused, OpenError::Locked), "{refused}");
    raw.execute_batch("ROLLBACK").unwrap();
    Sqlite::open(place.path(), &options).unwrap();
}

#[tokio::test]
async fn an_empty_file_is_a_start_that_was_cut_short() {
    let place = Place::new();
    std::fs::write(place.path(), "").unwrap();
    let kv = place.open().kv();
    create(&kv, "a").await.unwrap();
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
}

#[test]
fn many_may_create_it_at_once() {
    for _ in 0..5 {
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| place.open());
            }
        });
        let steps: i32 = place.raw().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(steps, 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let kv = place.open().kv();
    create(&kv, "a").await.unwrap();
    let entries = std::fs::read_dir(place.dir.path()).unwrap().map(Result::unwrap);
    let modes: Vec<_> = entries.map(|entry| entry.metadata().unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600; 3], "the database, its log, and the log's index");
}
