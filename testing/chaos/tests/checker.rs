//! The checker in Go reads what is written down here, refuses what no order explains, and passes its own tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use gateward_chaos::history::{Kind, Operation, Outcome};
use gateward_chaos::linearizability;
use tempfile::TempDir;

fn go(arguments: &[&str]) {
    let mut go = Command::new("go");
    go.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("checker"));
    // What is installed builds it: no other toolchain is fetched, and no lock file changed.
    let output = go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=readonly -buildvcs=false").output();
    let output = output.expect("go is not installed: `cargo xtask install` installs it");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn checker(into: &TempDir) -> PathBuf {
    let program = into.path().join("checker");
    go(&["build", "-o", program.to_str().unwrap(), "."]);
    program
}

#[test]
fn its_own_tests_pass() {
    go(&["vet", "."]);
    go(&["test", "-count=1", "."]);
}

/// Two sessions, each created, used and ended. Each operation takes half of its second.
fn sound() -> Vec<Operation> {
    let mut history = Vec::new();
    for session in [3, 4] {
        let write = |one: &mut Operation| (one.expected, one.version, one.value) = (0, 1, "a".into());
        let read = |one: &mut Operation| (one.version, one.value) = (1, "a".into());
        add(&mut history, session, Kind::Create, |_| {});
        add(&mut history, session, Kind::Write, write);
        add(&mut history, session, Kind::Read, read);
        add(&mut history, session, Kind::Elevate, |one| one.to = 1);
        add(&mut history, session, Kind::Check, |one| one.secret = 1);
        add(&mut history, session, Kind::End, |one| one.secret = 1);
        add(&mut history, session, Kind::Check, |one| {
            (one.secret, one.outcome, one.status) = (1, Outcome::No, 401);
        });
    }
    history
}

fn add(history: &mut Vec<Operation>, session: i64, kind: Kind, change: impl Fn(&mut Operation)) {
    let at = (history.len() as u64 + 1) * 1_000_000;
    let mut one = Operation::new(kind, session, 1);
    (one.number, one.outcome, one.secret) = (history.len(), Outcome::Ok, 0);
    (one.since, one.call, one.returned) = (at, at, at + 500_000);
    change(&mut one);
    history.push(one);
}

#[test]
fn a_sound_history_is_accepted_and_a_broken_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checker = checker(&folder);
    let file = folder.path().join("history.json");
    let found = |history: &[Operation]| {
        std::fs::write(&file, serde_json::to_vec(history).unwrap()).unwrap();
        linearizability(&checker, &file)
    };
    let accepted = found(&sound());
    assert_eq!((accepted.sessions, accepted.broken, accepted.unsure), (2, vec![], vec![]));
    assert!(accepted.steps >= sound().len());
    type Break = fn(&mut Vec<Operation>);
    let breaks: [(&str, Break); 6] = [
        ("it came back", |history| (history[13].outcome, history[13].status) = (Outcome::Ok, 200)),
        ("it was lost", |history| (history[11].outcome, history[11].status) = (Outcome::No, 401)),
        ("a write was lost", |history| (history[9].version, history[9].value) = (0, String::new())),
        ("a value nobody wrote", |history| history[9].value = "b".into()),
        ("two writes on one version", |history| {
            let mut second = history[8].clone();
            (second.since, second.call, second.returned) = (9_600_000, 9_600_000, 9_700_000);
            second.value = "b".into();
            history.push(second);
        }),
        ("the old secret opens it", |history| history[11].secret = 0),
    ];
    for (what, change) in breaks {
        let mut history = sound();
        change(&mut history);
        assert_eq!(found(&history).broken, [4], "{what}");
    }
}
