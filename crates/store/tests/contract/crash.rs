//! Several processes, and processes that are killed. The other process is this test binary, started again with one
//! of the tests here that does nothing unless it is told where the database is.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gateward_kernel::ports::{Created, Key, Kv};
use gateward_store::{Sqlite, SqliteOptions};

use super::{LATE, Place};

const TOLD: &str = "GATEWARD_TEST_DATABASE";
const ROUND: &str = "GATEWARD_TEST_ROUND";

/// Starts this binary again as the test `name` with the database at `path`.
fn start(name: &str, path: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(TOLD, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The words after `said`, in lines like `said 17`.
fn numbers(child: &mut Child, said: &'static str) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(move |line| {
        // The harness may have begun the line.
        let (_, rest) = line.split_once(said)?;
        rest.trim().parse().ok()
    })
}

fn told() -> Option<(Sqlite, u64)> {
    let path = std::env::var_os(TOLD)?;
    let round = std::env::var(ROUND).unwrap().parse().unwrap();
    Some((Sqlite::open(path, &SqliteOptions::default()).unwrap(), round))
}

/// Writes without end from eight callers and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_until_killed() {
    let Some((sqlite, round)) = told() else { return };
    let kv = sqlite.kv();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..8_u64 {
        let kv = kv.clone();
        callers.spawn(async move {
            for number in 0_u64.. {
                let name = (round * 8 + caller) * 1_000_000 + number;
                let key = Key::new("crash", name.to_be_bytes());
                let value = name.to_string().repeat(50);
                let created = kv.create(&key, value.into(), LATE).await.unwrap();
                assert!(matches!(created, Created::Done(_)));
                println!("acknowledged {name}");
            }
        });
    }
    callers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_kill_9() {
    let place = Place::new();
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 0..10 {
        let mut child = start("crash::child_that_writes_until_killed", &place.path(), round);
        let mut said = numbers(&mut child, "acknowledged ");
        acknowledged.extend(said.by_ref().take(20 + 37 * round));
        child.kill().unwrap();
        // What it had said before the end counts too.
        acknowledged.extend(said);
        child.wait().unwrap();

        let sqlite = place.open();
        let kv = sqlite.kv();
        for name in &acknowledged {
            let stored = kv.get(&Key::new("crash", name.to_be_bytes())).await.unwrap();
            let stored =
                stored.unwrap_or_else(|| panic!("round {round}: {name} was acknowledged and is lost"));
            assert_eq!(stored.value, name.to_string().repeat(50));
        }
        drop((kv, sqlite));
        let sound: String = place.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }
    assert!(acknowledged.len() > 1000, "{}", acknowledged.len());
}

const CONTESTED: u64 = 300;

/// Tries to create each of the contested records, and gives the numbers of those that it got.
async fn contest(kv: &Arc<dyn Kv>) -> Vec<u64> {
    let mut won = Vec::new();
    for number in 0..CONTESTED {
        let created = kv.create(&Key::new("race", number.to_be_bytes()), "x".into(), LATE).await.unwrap();
        if matches!(created, Created::Done(_)) {
            won.push(number);
        }
    }
    won
}

#[tokio::test(flavor = "multi_thread")]
async fn child_that_contests() {
    let Some((sqlite, _)) = told() else { return };
    let kv = sqlite.kv();
    println!("ready 1");
    // It begins when the other process has opened the race.
    while kv.get(&Key::new("race", "begin")).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    for number in contest(&kv).await {
        println!("won {number}");
    }
    println!("won {}", u64::MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_writing_at_once_agree_on_who_was_first() {
    let place = Place::new();
    let sqlite = place.open();
    let kv = sqlite.kv();
    let mut child = start("crash::child_that_contests", &place.path(), 0);
    kv.create(&Key::new("race", "begin"), "".into(), LATE).await.unwrap();
    let here = contest(&kv).await;
    let there: Vec<u64> = numbers(&mut child, "won ").collect();
    assert!(child.wait().unwrap().success());
    assert_eq!(there.last(), Some(&u64::MAX), "it came to its end");
    let mut all: Vec<u64> = here.iter().chain(&there[..there.len() - 1]).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..CONTESTED).collect::<Vec<_>>(), "each was won by exactly one");
}
