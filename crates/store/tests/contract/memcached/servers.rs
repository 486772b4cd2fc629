//! How servers are set up: passwords, limits, how long records stay, and what the checkup says of all that.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use gateward_engines::Memcached as Server;
use gateward_kernel::ports::{Created, FaultKind, Replaced};
use gateward_kernel::time::{Clock, Moment};
use gateward_store::checkup::{Finding, Level};
use gateward_store::memcached::MemcachedError;

use super::{Wall, impatient, key, open, open_impatient, try_open};
use crate::{LATE, create};

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_needed_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    // The server reads it as another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (users, file) = (folder.path().join("users"), folder.path().join("password"));
    std::fs::write(&users, "gateward:correct-horse\n").unwrap();
    std::fs::write(&file, "correct-horse\n").unwrap();
    let server = Server::start_with(&["-Y", users.to_str().unwrap()]);
    let address = server.addr();
    for url in [
        format!("memcached://gateward:correct%2dhorse@{address}"),
        format!("memcached://gateward@{address}?password_file={}", file.display()),
    ] {
        let memcached = open(&url).await;
        let kv = memcached.kv();
        create(&kv, "a").await.unwrap();
        kv.remove(&key("a")).await.unwrap().unwrap();
        assert!(!format!("{memcached:?}").contains("horse"));
    }
    for (url, said) in [
        (format!("memcached://{address}"), "wants a user and a password"),
        (format!("memcached://gateward:wrong-horse@{address}"), "refuses the user \"gateward\""),
        (format!("memcached://other:correct-horse@{address}"), "refuses the user \"other\""),
        (
            format!("memcached://gateward@{address}?password_file=/nonexistent"),
            "password file cannot be read",
        ),
    ] {
        let error = try_open(&url, impatient()).await.unwrap_err();
        assert!(matches!(error, MemcachedError::Unfit { .. }), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(said) || error.to_string().contains(said), "{shown}");
        assert!(!shown.contains("horse"), "{shown}");
    }
    // One that needs no password takes any.
    let server = Server::start();
    let memcached = open(&format!("memcached://gateward:any@{}", server.addr())).await;
    create(&memcached.kv(), "a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn values_up_to_the_limit_of_the_server_are_taken_and_larger_ones_never_sent() {
    let server = Server::start_with(&["-I", "64k", "-o", "slab_chunk_max=32768"]);
    let kv = open(&server.url()).await.kv();
    let largest = kv.traits().largest;
    assert_eq!(largest, 64 * 1024 - 512 - 8);
    let value = |size: usize| Bytes::from(vec![7; size]);
    for size in [largest - 1, largest] {
        let longest = key(&"k".repeat(64));
        let Created::Done(version) = kv.create(&longest, value(size), LATE).await.unwrap() else { panic!() };
        let replaced = kv.replace(&longest, version, value(size), LATE).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(_)));
        assert_eq!(kv.remove(&longest).await.unwrap().unwrap().value.len(), size);
    }
    let version = create(&kv, "a").await.unwrap();
    for size in [largest + 1, largest * 3] {
        let fault = kv.replace(&key("a"), version, value(size), LATE).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::TooLarge);
        let fault = kv.create(&key("b"), value(size), LATE).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::TooLarge);
    }
    // The server would have dropped the old state.
    assert_eq!(kv.get(&key("a")).await.unwrap().unwrap().version, version);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_stay_an_hour_longer_than_they_live() {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    let server = Server::start();
    let kv = open(&format!("{}?prefix=t:", server.url())).await.kv();
    let now = Wall.now();
    let after = |seconds: i64| now + Duration::from_secs(seconds.unsigned_abs());
    for (number, (death, expected)) in [
        (Moment::DAWN, HOUR),
        (now - Duration::from_secs(86_400), HOUR),
        (after(10), HOUR + 10),
        (after(30 * DAY - HOUR - 5), 30 * DAY - 5),
        (after(30 * DAY - HOUR + 5), 30 * DAY + 5),
        (after(60 * DAY), 60 * DAY + HOUR),
        (LATE, -1),
        (Moment::NEVER, -1),
    ]
    .into_iter()
    .enumerate()
    {
        let id = number.to_string();
        let Created::Done(version) = kv.create(&key(&id), "x".into(), death).await.unwrap() else { panic!() };
        let left = time_to_live(server.addr(), &format!("t:test:{id}"));
        assert!((expected - 3..=expected + 1).contains(&left), "{death:?}: {left} instead of {expected}");
        kv.replace(&key(&id), version, "x".into(), after(100)).await.unwrap();
        let left = time_to_live(server.addr(), &format!("t:test:{id}"));
        assert!((HOUR + 97..=HOUR + 101).contains(&left), "moved: {left}");
    }
    assert!(kv.traits().expires);
    assert_eq!(kv.sweep(LATE, 10).await.unwrap(), 0);
    assert!(kv.page("test", None, 10).await.is_err());
}

/// What the server itself says; -1 is for ever.
fn time_to_live(server: SocketAddr, key: &str) -> i64 {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(format!("mg {key} t\r\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().strip_prefix("HD t").unwrap_or_else(|| panic!("{line}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_numbers_of_states_is_refused() {
    let server = Server::start_with(&["-C"]);
    let error = try_open(&server.url(), impatient()).await.unwrap_err();
    assert!(error.to_string().contains("started with -C"), "{error}");
}

fn said<'a>(findings: &'a [Finding], words: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.said.contains(words));
    found.unwrap_or_else(|| panic!("{words:?} in {findings:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkup_finds_what_an_operator_should_know() {
    let mut server = Server::start();
    let memcached = open_impatient(&server.url()).await;
    let findings = memcached.checkup().await.unwrap();
    assert!(findings.iter().all(|finding| finding.level == Level::Good), "{findings:#?}");
    assert!(said(&findings, "answers in").said.contains("version 1."), "{findings:#?}");
    assert!(said(&findings, "in memory only").advice.as_ref().unwrap().contains("sign in again"));
    server.kill();
    let findings = memcached.checkup().await.unwrap();
    assert_eq!(said(&findings, "cannot be used").level, Level::Bad);

    let small = Server::start_with(&["-I", "64k", "-o", "slab_chunk_max=32768", "-M"]);
    let findings = open(&small.url()).await.checkup().await.unwrap();
    assert!(said(&findings, "values of up to").advice.as_ref().unwrap().contains("-I"));
    assert_eq!(said(&findings, "-M").level, Level::Warning);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ran_out_of_memory_lost_records_and_says_so() {
    let server = Server::start_with(&["-m", "2"]);
    let memcached = open(&server.url()).await;
    let kv = memcached.kv();
    let first = create(&kv, "first").await.unwrap();
    let value = Bytes::from(vec![1; 50_000]);
    for number in 0..200 {
        kv.create(&key(&number.to_string()), value.clone(), LATE).await.unwrap();
    }
    let findings = memcached.checkup().await.unwrap();
    let finding = said(&findings, "thrown out");
    assert_eq!(finding.level, Level::Warning);
    assert!(finding.advice.as_ref().unwrap().contains("-m"), "{finding:?}");
    // What was thrown out is absent, and is not brought back by whoever knew it.
    let gone = key("0");
    assert_eq!(kv.get(&gone).await.unwrap(), None);
    assert_eq!(kv.replace(&gone, first, value, LATE).await.unwrap(), Replaced::Absent);
    assert_eq!(kv.get(&gone).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_throw_out_nothing_refuses_and_drops_the_old_state() {
    let server = Server::start_with(&["-m", "2", "-M"]);
    let kv = open(&server.url()).await.kv();
    let value = Bytes::from(vec![1; 50_000]);
    let Created::Done(version) = kv.create(&key("first"), value.clone(), LATE).await.unwrap() else {
        panic!()
    };
    let mut number = 0;
    let fault = loop {
        match kv.create(&key(&number.to_string()), value.clone(), LATE).await {
            Ok(_) if number < 1000 => number += 1,
            other => break other.unwrap_err(),
        }
    };
    assert!(fault.kind == FaultKind::Unavailable && fault.cause.contains("out of memory"), "{fault}");
    assert_eq!(kv.get(&key("first")).await.unwrap().unwrap().version, version, "what is there stays");
    let fault = kv.replace(&key("first"), version, value.clone(), LATE).await.unwrap_err();
    assert!(fault.cause.contains("out of memory"), "{fault}");
    assert_eq!(kv.get(&key("first")).await.unwrap(), None, "signed out, and not back in an old state");
    // Its place is free now.
    assert!(matches!(kv.create(&key("next"), value, LATE).await.unwrap(), Created::Done(_)));
}
