//! The real binary in a process of its own: first and later starts, what it refuses to start with, and its ends.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::house::PASSWORD;
use crate::machine::{Machine, snapshot};
use crate::wire::{Browser, Wire};

#[tokio::test]
async fn the_first_start_prints_a_link_and_the_second_does_not() {
    let machine = Machine::new();
    let server = machine.serve().await;
    let address = server.address;
    let printed = server.stop().await;
    assert_eq!(printed.matches(&format!("http://{address}/setup?code=gwi1_")).count(), 1, "{printed}");
    assert!(printed.contains("within an hour") && printed.ends_with("gateward has stopped\n"), "{printed}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&machine.data()), 0o700);
    let files = snapshot(&machine.data());
    assert!(
        files.keys().any(|path| path.ends_with("gateward.db"))
            && files.keys().any(|path| path.ends_with("root.key"))
    );
    for path in files.keys() {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    let again = machine.serve().await;
    let running = snapshot(&machine.data());
    for path in running.keys() {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    let printed = again.stop().await;
    assert!(!printed.contains("gwi1_") && printed.contains("printed at an earlier start"), "{printed}");
    machine.add(&["root", "--admin"]).await;
    let printed = machine.serve().await.stop().await;
    assert_eq!(printed, "gateward has stopped\n");
    assert!(!machine.log().contains("gwi1_"));
}

#[tokio::test]
async fn an_acknowledged_sign_in_survives_a_crash() {
    let machine = Machine::new();
    machine.add(&["ann"]).await;
    let mut begun: Vec<Browser> = Vec::new();
    for round in 0..20 {
        let server = machine.serve().await;
        for browser in &mut begun {
            browser.to = server.address;
            assert!(browser.is_signed_in().await, "round {round}");
        }
        // The oldest are asked often enough.
        begun.truncate(5);
        let mut browser = server.browser();
        browser.log_in("ann", PASSWORD).await.expect(200);
        browser.json("PATCH", "/api/v1/session/data", &serde_json::json!({"round": round})).await.expect(200);
        server.kill().await;
        begun.insert(0, browser);
    }
    let server = machine.serve().await;
    let newest = &mut begun[0];
    newest.to = server.address;
    assert_eq!(newest.get("/api/v1/session/data").await.expect(200).json(), serde_json::json!({"round": 19}));
    // What was ended stays ended over a crash, too.
    newest.delete("/api/v1/sessions").await.expect(204);
    server.kill().await;
    let server = machine.serve().await;
    for browser in &mut begun {
        browser.to = server.address;
        assert!(!browser.is_signed_in().await);
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_one_line_and_changes_nothing() {
    type Prepare = fn(&mut Machine) -> Vec<String>;
    let none: Prepare = |_| vec![];
    let cases: [(&str, Prepare, &[&str]); 11] = [
        (
            "a data directory below a file",
            |machine| {
                std::fs::write(machine.folder.path().join("file"), "x").unwrap();
                vec!["--data".into(), "file/data".into()]
            },
            &["the data directory file/data"],
        ),
        (
            "a data directory that is a file",
            |machine| {
                std::fs::write(machine.folder.path().join("file"), "x").unwrap();
                vec!["--data".into(), "file".into()]
            },
            &["the data directory file is a file", "--data"],
        ),
        (
            "a newer database",
            |machine| {
                let path = machine.data().join("gateward.db");
                let mut bytes = std::fs::read(&path).unwrap();
                // `PRAGMA user_version` (SQLite file format, §1.3.19).
                bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
                std::fs::write(&path, bytes).unwrap();
                vec![]
            },
            &["gateward.db", "newer"],
        ),
        (
            "no database",
            |machine| {
                std::fs::write(
                    machine.data().join("gateward.db"),
                    "this is no database, but a long text about none".repeat(100),
                )
                .unwrap();
                vec![]
            },
            &["gateward.db", "backup"],
        ),
        (
            "a damaged database",
            |machine| {
                let path = machine.data().join("gateward.db");
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[100..].fill(0xa5);
                std::fs::write(&path, bytes).unwrap();
                vec![]
            },
            &["gateward.db", "backup"],
        ),
        (
            "a missing root key",
            |machine| {
                std::fs::remove_file(machine.data().join("root.key")).unwrap();
                vec![]
            },
            &["root.key", "backup"],
        ),
        (
            "a damaged root key",
            |machine| {
                std::fs::write(machine.data().join("root.key"), "nonsense").unwrap();
                vec![]
            },
            &["root.key", "64 hexadecimal digits"],
        ),
        (
            "a bad setting",
            |machine| {
                machine.set("GATEWARD_SESSIONS__IDLE", "soon");
                vec![]
            },
            &["GATEWARD_SESSIONS__IDLE", "sessions.idle", "soon"],
        ),
        (
            "an unknown key",
            |machine| {
                std::fs::write(machine.folder.path().join("gateward.toml"), "[sessions]\nidel = \"5m\"\n")
                    .unwrap();
                vec![]
            },
            &["gateward.toml:2", "sessions.idel", "sessions.idle"],
        ),
        (
            "an unknown variable",
            |machine| {
                machine.set("GATEWARD_SESSION__IDLE", "5m");
                vec![]
            },
            &["GATEWARD_SESSION__IDLE", "sessions.idle"],
        ),
        ("plain http for everybody", none, &["public_url"]),
    ];
    for (what, prepare, wanted) in cases {
        let mut machine = Machine::new();
        machine.add(&["ann"]).await;
        let mut arguments: Vec<String> = prepare(&mut machine);
        let listen = if what == "plain http for everybody" { "0.0.0.0:0" } else { "127.0.0.1:0" };
        arguments.extend(["--listen".into(), listen.into()]);
        let before = snapshot(machine.folder.path());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = machine.run(&arguments).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{what}: {told}");
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("gateward: ")).collect();
        assert_eq!(lines.len(), 1, "{what}: {told}");
        assert_eq!(told.lines().count(), 1, "{what}: {told}");
        for part in wanted {
            assert!(told.contains(part), "{what}: {part} in {told}");
        }
        assert!(output.stdout.is_empty(), "{what}");
        // The database's own side files come and go with every look at it.
        let lasting = |mut files: BTreeMap<PathBuf, (u32, Vec<u8>)>| {
            files.retain(|path, _| {
                !path.to_string_lossy().ends_with("-wal") && !path.to_string_lossy().ends_with("-shm")
            });
            files
        };
        assert!(lasting(before) == lasting(snapshot(machine.folder.path())), "{what}: nothing changed");
    }
}

#[tokio::test]
async fn a_taken_port_is_said_before_anything_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Machine::new();
    let address = taken.local_addr().unwrap().to_string();
    let output = machine.run(&["--listen", &address]).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(
        told,
        format!(
            "gateward: {address} is taken by another program: end it, or choose another port with --listen\n"
        )
    );
    assert!(!machine.data().exists());
}

#[tokio::test]
async fn what_was_begun_is_finished_before_the_end() {
    let mut machine = Machine::new();
    machine.set("GATEWARD_PASSWORDS__MEMORY", "32MiB");
    machine.set("GATEWARD_PASSWORDS__ITERATIONS", "6");
    machine.set("GATEWARD_PASSWORDS__THREADS", "1");
    machine.add(&["ann"]).await;
    let server = machine.serve().await;
    let sign_in = |mut browser: Browser| tokio::spawn(async move { browser.log_in("ann", PASSWORD).await });
    let sign_ins: Vec<_> = (0..3).map(|_| sign_in(server.browser())).collect();
    let mut idle = Wire::connect(server.address).await;
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.answer(false).await.unwrap().expect(200);
    // With one thread, two that wait are two behind one that is being hashed.
    while !server.browser().get("/metrics").await.text().contains("gateward_hashing_waiting 2\n") {
        tokio::task::yield_now().await;
    }
    server.terminate();
    for sign_in in sign_ins {
        sign_in.await.unwrap().expect(200);
    }
    idle.closed().await;
    let address = server.address;
    let (status, printed) = server.ended().await;
    assert!(status.success(), "{status}");
    assert!(printed.ends_with("gateward has stopped\n"), "{printed}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn who_was_let_in_before_the_end_is_answered() {
    let machine = Machine::new();
    let server = machine.serve().await;
    // All of this is there in the same moment: connections that nobody has accepted, requests on them, and the order to end.
    server.signal("STOP");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::connect(server.address).await;
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        waiting.push(wire);
    }
    server.terminate();
    server.signal("CONT");
    for mut wire in waiting {
        wire.answer(false).await.unwrap().expect(200);
        wire.closed().await;
    }
    let (status, _) = server.ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn logs_are_one_line_an_event_in_both_formats_and_hold_no_secret() {
    for format in ["json", "text"] {
        let mut machine = Machine::new();
        machine.set("GATEWARD_LOG__FORMAT", format);
        machine.set("GATEWARD_LOG__LEVEL", "trace");
        machine.add(&["ann"]).await;
        let server = machine.serve().await;
        let mut browser = server.browser();
        browser.log_in("ann\r\nforged\u{1b}[31m", "canary-wrong-2f6e").await.expect(401);
        browser.log_in("ann", PASSWORD).await.expect(200);
        browser.headers = vec![("User-Agent".into(), "odd\u{9b}31m\u{85}\u{2028}forged".into())];
        browser.get("/odd%0d%0aforged%1b").await.expect(404);
        browser.get("/login?%0aforged%1b=1&%0aforged%1b=2").await.expect(400);
        browser.get_with("/account", &[("X-Forwarded-For", "odd\u{9b}31m")]).await.expect(200);
        let crowded: Vec<String> = (0..30).map(|n| format!("odd\u{9b}{n}=1")).collect();
        browser.get_with("/login", &[("Cookie", &crowded.join("; "))]).await;
        let secret = browser.secret();
        server.stop().await;
        let log = machine.log();
        assert!(log.contains("signed-in") && log.contains("sign-in-refused"), "{log}");
        for canary in ["canary-wrong-2f6e", PASSWORD, &secret[5..], &secret[27..70]] {
            assert!(!log.contains(canary), "{canary} in {log}");
        }
        for line in log.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            match format {
                "json" => assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}"),
                _ => assert!(
                    line.starts_with("20") && line.contains('Z'),
                    "a line begins with its time: {line}"
                ),
            }
        }
    }
}
