//! A whole database of a release, with somebody signed in: the program of today opens it, and nobody notices.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateward::admin::flow::issue_reset;
use gateward::login::setup::{Invitation, invite};
use gateward_engines::Postgres;
use gateward_guard::ambient::HeldClock;
use gateward_kernel::event::{EventQuery, Fact};
use gateward_kernel::person::Email;
use gateward_kernel::record::Book;
use gateward_kernel::time::Moment;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{is_wanted, keep, kept, shown};
use crate::house::{House, PASSWORD};
use crate::machine::Machine;
use crate::tokens::{claims, refresh, status, text, tokens, with};
use crate::wire::Browser;

/// Every release whose databases are kept.
const RELEASES: [&str; 1] = ["0.1.0"];
const BEGIN: Moment = Moment::from_micros(1_800_000_000_000_000);
/// A key that nobody would use.
const ROOT_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const WRONG: &str = "a wrong password";

/// Tokens that are looked up, and some that are signed.
const TOKENS: &str = "
[[resource]]
audience = \"https://api.example.com\"
format = \"jwt\"

[tokens]
format = \"opaque\"
claims = [\"department\"]
";

/// What people had in their hands when the database was put away.
#[derive(Serialize, Deserialize)]
struct Hands {
    /// Session cookies.
    living: String,
    ended: String,
    guest: String,
    /// Of an app.
    jwt: String,
    opaque: String,
    refresh: String,
    /// Of an app that was cut off.
    revoked: String,
    /// A link for the first administrator, and a code for a new password.
    setup: String,
    reset: String,
    /// The published keys.
    jwks: Value,
}

fn settings(more: &str) -> String {
    format!("public_url = \"http://localhost\"\n{more}\n{TOKENS}")
}

fn folder() -> Arc<TempDir> {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/root.key"), format!("{ROOT_KEY}\n")).unwrap();
    Arc::new(folder)
}

async fn house(folder: &Arc<TempDir>, now: Moment, more: &str) -> House {
    House::on(folder.clone(), Arc::new(HeldClock::at(now)), &settings(more)).await
}

fn with_cookie(house: &House, secret: &str) -> Browser {
    let mut browser = house.browser();
    browser.set("gateward", secret);
    browser
}

/// Fills a database with people and what they have.
async fn fill(folder: &Arc<TempDir>) -> Hands {
    let house = house(folder, BEGIN, "").await;
    let links = Book::new(house.app.stores.records.clone());
    let link = invite(house.app.directory(), &links, &house.app.base, &*house.app.entropy, house.now()).await;
    let Invitation::Link(link) = link.unwrap() else { panic!("no link") };
    let more = |person: &mut gateward_kernel::person::Person| {
        person.email = Some(Email::parse("ann@example.com").unwrap());
        person.display_name = Some("Ann Example".into());
        person.groups = vec!["staff".into()];
        person.claims.insert("department".into(), json!("press"));
    };
    house.person_like("ann", more).await;
    let ben = house.person("ben").await;
    house.tick();
    let mut living = house.signed_in("ann").await;
    living.json("PATCH", "/api/v1/session/data", &json!({"cart": [1]})).await.expect(200);
    let ended = house.signed_in("ann").await;
    ended.clone().json("POST", "/api/v1/logout", &json!({})).await.expect(204);
    let mut guest = house.browser();
    guest.json("PATCH", "/api/v1/session/data", &json!({"seen": true})).await.expect(200);
    let app = tokens(&house, "ann", json!({"audience": "https://api.example.com"})).await.expect(200).json();
    let opaque = tokens(&house, "ann", json!({})).await.expect(200).json();
    let cut = tokens(&house, "ann", json!({"audience": "https://api.example.com"})).await.expect(200).json();
    let path = format!("/api/v1/sessions/{}", text(&cut["session"], "id"));
    living.delete(&path).await.expect(204);
    for _ in 0..10 {
        house.browser().log_in("nobody", WRONG).await.expect(401);
    }
    Hands {
        living: living.secret(),
        ended: ended.secret(),
        guest: guest.secret(),
        jwt: text(&app, "access_token"),
        opaque: text(&opaque, "access_token"),
        refresh: text(&app, "refresh_token"),
        revoked: text(&cut, "access_token"),
        setup: link.split_once("code=").unwrap().1.to_owned(),
        reset: issue_reset(&house.app, ben, house.now()).await.unwrap().text().to_string(),
        jwks: house.browser().get("/oauth/jwks").await.expect(200).json(),
    }
}

/// Everybody goes on where they were.
async fn goes_on(house: &House, hands: &Hands) {
    let mut ann = with_cookie(house, &hands.living);
    let known = ann.get("/api/v1/session").await.expect(200).json();
    assert_eq!(
        (text(&known["user"], "username"), text(&known["user"], "email")),
        ("ann".into(), "ann@example.com".into())
    );
    assert_eq!(ann.get("/api/v1/session/data").await.expect(200).json(), json!({"cart": [1]}));
    assert_eq!(
        ann.json("PATCH", "/api/v1/session/data", &json!({"cart": null})).await.expect(200).json(),
        json!({})
    );
    let sessions = ann.get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 3, "{sessions}");
    assert!(!with_cookie(house, &hands.ended).is_signed_in().await, "ended stays ended");
    let seen = with_cookie(house, &hands.guest).get("/api/v1/session/data").await.expect(200).json();
    assert_eq!(seen, json!({"seen": true}));

    let jwks = house.browser().get("/oauth/jwks").await.expect(200).json();
    let kids = |set: &Value| -> Vec<Value> {
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    assert!(kids(&hands.jwks).iter().all(|kid| kids(&jwks).contains(kid)), "{jwks}");
    assert_eq!(status(house, &claims(house, &hands.jwt).await).await, 0);
    assert_eq!(status(house, &claims(house, &hands.revoked).await).await, 1, "revoked stays revoked");
    with(house, &hands.opaque, "/api/v1/session").await.expect(200);
    let mut app = house.browser();
    let next = refresh(&mut app, &hands.refresh).await.expect(200).json();
    assert_eq!(claims(house, &text(&next, "access_token")).await["department"], "press");

    house.browser().log_in("nobody", WRONG).await.expect(429);
    house.browser().log_in("ann@example.com", PASSWORD).await.expect(200);
    house.browser().get(&format!("/reset?code={}", hands.reset)).await.expect(200);
    house.browser().get(&format!("/setup?code={}", hands.setup)).await.expect(200);
    let events = EventQuery { limit: 100, ..EventQuery::default() };
    let events = house.app.directory().events(&events).await.unwrap();
    for fact in [Fact::SignedIn, Fact::SignedOut, Fact::SignInRefused, Fact::TokensIssued, Fact::SessionEnded]
    {
        assert!(events.iter().any(|event| event.fact == fact), "{fact:?}");
    }
}

#[tokio::test]
async fn a_file_of_every_release_is_opened_and_serves() {
    let fresh = {
        let folder = folder();
        drop(house(&folder, BEGIN, "").await);
        tables(&file(&folder))
    };
    for release in RELEASES {
        let (sql, hands) = released(release).await;
        let folder = folder();
        make(&file(&folder), &sql);
        let house = house(&folder, BEGIN + Duration::from_secs(1), "").await;
        goes_on(&house, &hands).await;
        assert_eq!(
            tables(&file(&folder)),
            fresh,
            "{release} brought up to date has the same tables as a new file"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_of_every_release_is_opened_and_serves() {
    let server = Postgres::start();
    let fresh = server.fresh_database();
    let at = |database: &str| format!("[directory]\nstore = \"{}\"", server.url(database));
    drop(house(&folder(), BEGIN, &at(&fresh)).await);
    for release in RELEASES {
        let (sql, hands) = released_in(&server, release).await;
        let database = server.fresh_database();
        server.sql(&database, &sql);
        let house = house(&folder(), BEGIN + Duration::from_secs(1), &at(&database)).await;
        goes_on(&house, &hands).await;
        assert_eq!(server.dump(&database, false), server.dump(&fresh, false), "{release} brought up to date");
    }
}

/// The file of a release as SQL, and what people have.
async fn released(release: &str) -> (String, Hands) {
    static WRITING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one_at_a_time = WRITING.lock().await;
    if is_wanted(release, "sqlite.sql") {
        let folder = folder();
        keep(release, "hands.json", &shown(&fill(&folder).await));
        keep(release, "sqlite.sql", &statements(&file(&folder)));
    }
    (kept(release, "sqlite.sql"), serde_json::from_str(&kept(release, "hands.json")).unwrap())
}

/// The same in PostgreSQL, where it is copied to.
async fn released_in(server: &Postgres, release: &str) -> (String, Hands) {
    let (sql, hands) = released(release).await;
    if is_wanted(release, "postgres.sql") {
        let (machine, database) = (Machine::new(), server.fresh_database());
        std::fs::create_dir(machine.data()).unwrap();
        make(&machine.data().join("gateward.db"), &sql);
        machine.json(&["store", "copy", "sqlite", &server.url(&database)]).await;
        keep(release, "postgres.sql", &server.dump(&database, true));
    }
    (kept(release, "postgres.sql"), hands)
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("data/gateward.db")
}

fn make(file: &Path, sql: &str) {
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

/// What makes each table and index, without the blanks.
fn tables(file: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(file).unwrap();
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    let tidy = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(Result::unwrap).map(|(name, sql)| (name, tidy(sql))).collect()
}

/// A whole file as the statements that make it.
fn statements(file: &Path) -> String {
    let connection = Connection::open(file).unwrap();
    let mut sql = String::new();
    for mark in ["application_id", "user_version"] {
        let value: i64 = connection.pragma_query_value(None, mark, |row| row.get(0)).unwrap();
        writeln!(sql, "PRAGMA {mark} = {value};").unwrap();
    }
    for (name, text) in tables(file) {
        writeln!(sql, "{text};").unwrap();
        if !text.starts_with("CREATE TABLE") {
            continue;
        }
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|at| literal(row.get_ref(at).unwrap())).collect();
            writeln!(sql, "INSERT INTO {name} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    sql
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        ValueRef::Blob(bytes) => format!("X'{}'", data_encoding::HEXUPPER.encode(bytes)),
    }
}
