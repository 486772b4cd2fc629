//! Memcached: the contract on one server and on three, and what only a server elsewhere can do wrong.

mod faults;
mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateward_engines::Memcached as Server;
use gateward_kernel::ports::{Answer, Fault, Key, Kv};
use gateward_kernel::time::{Clock, Moment};
use gateward_store::contract::Subject;
use gateward_store::memcached::{Memcached, MemcachedAddress, MemcachedError, MemcachedOptions};

use super::suite::all_cases;

/// Nothing takes that long.
const LONG: Duration = Duration::from_secs(20);

/// The clock of the machine.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment::from_micros(i64::try_from(since.as_micros()).unwrap())
    }
}

async fn try_open(url: &str, options: MemcachedOptions) -> Result<Memcached, MemcachedError> {
    Memcached::connect(&MemcachedAddress::parse(url).unwrap(), options, Arc::new(Wall)).await
}

async fn open(url: &str) -> Memcached {
    try_open(url, MemcachedOptions::default()).await.unwrap()
}

/// A store whose calls and connection attempts end soon.
async fn open_impatient(url: &str) -> Memcached {
    try_open(url, impatient()).await.unwrap()
}

fn impatient() -> MemcachedOptions {
    MemcachedOptions { patience: PATIENCE, connecting: PATIENCE, ..MemcachedOptions::default() }
}

const PATIENCE: Duration = Duration::from_millis(400);

fn key(id: &str) -> Key {
    Key::new("test", id)
}

/// Calls until there is an answer instead of a fault.
async fn until_it_answers<T>(mut call: impl AsyncFnMut() -> Result<T, Fault>) -> T {
    let answered = async {
        loop {
            match call().await {
                Ok(answer) => break answer,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LONG, answered).await.expect("it works again")
}

/// Keys of its own on servers that all cases share.
struct InMemcached {
    url: String,
}

impl InMemcached {
    fn fresh(url: &str) -> Box<dyn Subject> {
        static CASES: AtomicU64 = AtomicU64::new(0);
        let case = CASES.fetch_add(1, Ordering::Relaxed);
        Box::new(InMemcached { url: format!("{url}?prefix=case{case}:") })
    }
}

impl Subject for InMemcached {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        Box::pin(async { Ok(open(&self.url).await.kv()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server() {
    let server = Server::start();
    all_cases(|| InMemcached::fresh(&server.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers() {
    let servers = [Server::start(), Server::start(), Server::start()];
    let url = format!("memcached://{},{},{}", servers[0].addr(), servers[1].addr(), servers[2].addr());
    all_cases(|| InMemcached::fresh(&url)).await;
}
