//! A short round of history checking over every store. `cargo xtask chaos` makes long ones.
//!
//! Three nodes of the program are killed, stopped and cut off, and so are their stores, while clients use them; no answer may break a
//! promise, and an order must explain them all. What breaks one is kept below the target directory, and told with the seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gateward_chaos::{Programs, Strategy, round};

const SPAN: Duration = Duration::from_secs(10);

/// Two at once would have each other's processor time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn a_short_round(strategy: Strategy, seed: u64) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let checker = target.join("foreign/go/chaos-checker");
    assert!(checker.exists(), "{} is not there: cargo xtask install", checker.display());
    let programs = Programs::new(env!("CARGO_BIN_EXE_gateward").into(), checker, target.join("chaos"));
    let verdict = round(strategy, seed, SPAN, &programs);
    println!("{verdict:?}");
    assert!(verdict.is_good(), "{}", verdict.report());
    // Something was done, something was harmed, and it was looked at.
    let looked_at = &verdict.linearizability;
    assert!(verdict.ok > 50 && !verdict.faults.is_empty(), "{verdict:?}");
    assert!(looked_at.sessions > 3 && looked_at.steps > verdict.ok / 2, "{verdict:?}");
}

macro_rules! short_rounds {
    ($($name:ident: $strategy:ident, $seed:literal;)*) => {
        $(#[test]
        fn $name() {
            a_short_round(Strategy::$strategy, $seed);
        })*

        #[test]
        fn no_strategy_is_left_out() {
            assert_eq!([$(Strategy::$strategy),*], Strategy::ALL);
        }
    };
}

short_rounds! {
    postgres: Postgres, 1;
    redis: Redis, 2;
    sentinel: Sentinel, 3;
    redis_cluster: RedisCluster, 4;
    memcached: Memcached, 5;
    nats: Nats, 6;
    nats_cluster: NatsCluster, 7;
    file: File, 8;
}
