//! Redis: the contract on every layout, and what only Redis can do wrong.

mod cluster;
mod feed;
mod lines;
mod opening;
mod sentinel;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateward_engines::{Redis as Server, RedisCluster, Sentinels};
use gateward_kernel::id::SessionId;
use gateward_kernel::ports::{Answer, Created, Key, Kv};
use gateward_kernel::time::Moment;
use gateward_store::contract::Subject;
use gateward_store::redis::{OpenError, Redis, RedisAddress, RedisOptions};
use tokio::time::Instant;

use super::LATE;
use super::feed::Note;
use super::listening::{Ear, create, within};
use super::suite::all_cases;

/// So long may an engine take to come back, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

async fn try_open(url: &str, options: RedisOptions) -> Result<Redis, OpenError> {
    Redis::connect(&RedisAddress::parse(url).unwrap(), options).await
}

async fn open(url: &str) -> Redis {
    try_open(url, RedisOptions::default()).await.unwrap()
}

/// With less patience than usual, so that tests of silence are short.
async fn open_impatient(url: &str) -> Redis {
    let (patience, connecting) = (Duration::from_millis(1500), Duration::from_millis(500));
    try_open(url, RedisOptions { patience, connecting, ..RedisOptions::default() }).await.unwrap()
}

/// One server for all cases; each has a prefix of its own.
struct Prefixed {
    url: String,
}

fn fresh(url: &str) -> impl Fn() -> Box<dyn Subject> + use<> {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    let url = url.to_owned();
    move || {
        let joint = if url.contains('?') { '&' } else { '?' };
        let number = CASES.fetch_add(1, Ordering::Relaxed);
        Box::new(Prefixed { url: format!("{url}{joint}prefix=case-{number}:") })
    }
}

impl Subject for Prefixed {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        Box::pin(async { Ok(open(&self.url).await.kv()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_on_one_server() {
    let server = Server::start();
    all_cases(fresh(&server.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_on_a_cluster() {
    let cluster = RedisCluster::start();
    all_cases(fresh(&cluster.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_with_sentinels_and_acknowledged_writes() {
    let sentinels = Sentinels::start();
    all_cases(fresh(&format!("{}?replicas=1", sentinels.url()))).await;
}
