//! Opening: addresses, passwords, encryption, several nodes at once, several servers, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use gateward_engines::Postgres as Server;
use gateward_kernel::ports::Key;
use gateward_store::checkup::Level;
use gateward_store::postgres::{Postgres, PostgresAddress, PostgresOpenError, PostgresOptions};
use tokio::task::JoinSet;

use super::super::create;
use super::{Database, Ear, Told, open, within};

async fn refused(url: &str) -> PostgresOpenError {
    Postgres::connect(&PostgresAddress::parse(url).unwrap(), &PostgresOptions::default()).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_needed_and_never_shown() {
    let database = Database::fresh();
    let place = format!("{}/{}", database.server.addr(), database.name);
    for (login, wrong) in
        [("guarded:hunter2@", "hunter2"), ("guarded@", "\0"), ("nobody:hunter2@", "hunter2")]
    {
        let error = refused(&format!("postgres://{login}{place}")).await;
        let said = error.to_string();
        assert!(matches!(error, PostgresOpenError::Unreached(_)) && !said.contains(wrong), "{said}");
        assert!(said.contains("password") && said.contains(&database.server.addr().to_string()), "{said}");
    }
    let encoded = "p%40ss%2Fw%C3%B6rd%20%25";
    let kv = open(&format!("postgres://guarded:{encoded}@{place}")).await.kv();
    create(&kv, "a").await.unwrap();

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\nnot this line", Server::PASSWORD)).unwrap();
    let kv = open(&format!("postgres://guarded@{place}?password_file={}", file.path().display())).await.kv();
    assert!(kv.get(&Key::new("test", "a")).await.unwrap().is_some());
    let error = refused(&format!("postgres://guarded@{place}?password_file=/does/not/exist")).await;
    assert!(error.to_string().contains("/does/not/exist cannot be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_checked() {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let server = Server::start_with_tls(&certificate, &key);
    let name = server.fresh_database();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), &certificate).unwrap();
    let (port, ca) = (server.addr().port(), ca.path().display());
    server.sql("postgres", "ALTER ROLE guarded PASSWORD 'x'");
    let url = format!("postgres://guarded:x@localhost:{port}/{name}?sslmode=verify-full&ca={ca}");
    let kv = open(&url).await.kv();
    create(&kv, "a").await.unwrap();
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'guarded'";
    assert_eq!(server.sql("postgres", encrypted), "t");

    let other_name = refused(&format!("postgres://postgres@127.0.0.1:{port}/{name}?ca={ca}")).await;
    assert!(other_name.to_string().contains("certificate"), "{other_name}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    let url = format!("postgres://postgres@localhost:{port}/{name}?ca={}", empty.path().display());
    let nothing = refused(&url).await;
    assert!(
        matches!(&nothing, PostgresOpenError::Files(said) if said.contains("no certificate")),
        "{nothing}"
    );
    let plain = Database::fresh();
    let url = format!("{}?sslmode=require&ca={ca}", plain.server.url(&plain.name));
    let unencrypted = refused(&url).await;
    assert!(unencrypted.to_string().contains("TLS"), "{unencrypted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_an_address() {
    let database = Database::fresh();
    let (port, directory) = (database.server.addr().port(), database.server.socket().display());
    let kv = open(&format!("postgres://postgres@:{port}/{}?host={directory}", database.name)).await.kv();
    create(&kv, "a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_open_an_empty_database_at_once() {
    let database = Database::fresh();
    let nodes: JoinSet<_> = (0..8)
        .map(|number| {
            let database = database.clone();
            async move {
                let postgres = database.open().await;
                create(&postgres.kv(), &number.to_string()).await.unwrap();
            }
        })
        .collect();
    nodes.join_all().await;
    let kv = database.open().await.kv();
    assert_eq!(kv.page("test", None, 10).await.unwrap().items.len(), 8);
    assert_eq!(database.sql("SELECT count(*) || ' ' || max(number) FROM gateward_schema"), "1 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_refused_and_left_alone() {
    let database = Database::fresh();
    let url = database.server.url(&database.name);
    database.sql("CREATE TABLE event (what TEXT)");
    let error = refused(&url).await;
    assert!(matches!(&error, PostgresOpenError::NotOurs(table) if table == "event"), "{error}");
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
    database.sql("DROP TABLE event");
    drop(open(&url).await);
    database.sql("UPDATE gateward_schema SET number = 99");
    let error = refused(&url).await;
    assert!(matches!(error, PostgresOpenError::Newer { found: 99, known: 1 }), "{error}");
    let absent = refused(&database.server.url("does_not_exist")).await;
    assert!(absent.to_string().contains("does_not_exist"), "{absent}");
    let nobody = refused("postgres://postgres@127.0.0.1:1/x").await;
    assert!(
        matches!(&nobody, PostgresOpenError::Unreached(said) if said.contains("127.0.0.1:1")),
        "{nobody}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_create_tables_is_told_so() {
    let database = Database::fresh();
    database.sql("ALTER DATABASE postgres OWNER TO postgres; CREATE SCHEMA own; REVOKE ALL ON SCHEMA public FROM PUBLIC");
    database.sql(&format!("ALTER ROLE guarded IN DATABASE {} SET search_path = own", database.name));
    database.sql("GRANT USAGE ON SCHEMA own TO guarded");
    let login = "guarded:p%40ss%2Fw%C3%B6rd%20%25";
    let url = format!("postgres://{login}@{}/{}", database.server.addr(), database.name);
    let error = refused(&url).await;
    assert!(matches!(error, PostgresOpenError::NotAllowed(_)), "{error}");
    database.sql("GRANT CREATE ON SCHEMA own TO guarded");
    create(&open(&url).await.kv(), "a").await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM own.kv"), "1", "in the schema of its search path");
}

/// Of two servers the one that takes writes is used; when it changes, so do all connections, and memory starts over.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_that_takes_writes_is_found() {
    let read_only = |server: &Server, on: bool| {
        server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {on}"));
        server.sql("postgres", "SELECT pg_reload_conf()");
        let value = if on { "on" } else { "off" };
        while server.sql("postgres", "SHOW default_transaction_read_only") != value {}
    };
    let (one, two) = (Server::start(), Server::start());
    let name = one.fresh_database();
    assert_eq!(two.fresh_database(), name);
    drop((open(&one.url(&name)).await, open(&two.url(&name)).await));
    read_only(&one, true);
    let url = format!("postgres://postgres@{},{}/{name}", one.addr(), two.addr());
    let postgres = open(&url).await;
    let kv = postgres.kv();
    let ear = Arc::new(Ear::default());
    kv.changes(ear.clone());
    create(&kv, "a").await.unwrap();
    assert_eq!(two.sql(&name, "SELECT count(*) FROM kv"), "1");
    read_only(&two, true);
    read_only(&one, false);
    within(Duration::from_secs(5), "it moves", || async { kv.ping().await.is_ok() }).await;
    create(&kv, "b").await.unwrap();
    assert_eq!(one.sql(&name, "SELECT count(*) FROM kv"), "1");
    ear.hears(&Told::Restored, Duration::from_secs(5)).await;
    assert!(ear.told().contains(&Told::Lost));
    let version = create(&kv, "c").await.unwrap();
    ear.hears(&Told::Changed("c".into(), version.0), Duration::from_secs(1)).await;
    read_only(&one, true);
    let error = refused(&url).await;
    assert!(matches!(error, PostgresOpenError::Unreached(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_says_what_would_be_lost() {
    let server = Server::start();
    let name = server.fresh_database();
    let postgres = open(&server.url(&name)).await;
    let findings = postgres.checkup().await.unwrap();
    let said = |level: Level, what: &str| {
        findings.iter().any(|finding| finding.level == level && finding.said.contains(what))
    };
    assert!(said(Level::Good, "PostgreSQL 1") && said(Level::Good, "takes writes"), "{findings:?}");
    assert!(said(Level::Good, "read and write every table"), "{findings:?}");
    assert!(said(Level::Warning, "no other server follows"), "{findings:?}");
    assert!(findings.iter().all(|finding| finding.level != Level::Bad), "{findings:?}");

    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        server.sql("postgres", &format!("ALTER SYSTEM SET {setting} = off"));
    }
    server.sql("postgres", "SELECT pg_reload_conf()");
    within(Duration::from_secs(5), "the settings are noticed", || async {
        let findings = postgres.checkup().await.unwrap();
        let bad = findings.iter().filter(|finding| finding.level == Level::Bad).count();
        bad == 2 && findings.iter().any(|finding| finding.said == "synchronous_commit is off")
    })
    .await;
    let clock = postgres.clock().await.unwrap().micros();
    let own = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    assert!((i128::from(clock) - own.cast_signed()).abs() < 1_000_000);
}
