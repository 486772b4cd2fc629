//! NATS: the contract on one server and on three, and what only NATS can do wrong.

mod cluster;
mod feed;
mod lines;
mod opening;
mod replica;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use gateward_engines::{Nats as Server, NatsCluster};
use gateward_kernel::id::SessionId;
use gateward_kernel::ports::{Answer, Created, Key, Kv, Listener, Version};
use gateward_kernel::record::Record;
use gateward_kernel::time::{Clock, Moment};
use gateward_store::contract::Subject;
use gateward_store::nats::{Nats, NatsAddress, NatsOptions, OpenError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::LATE;
use super::listening::{Ear, create, within};
use super::suite::all_cases;

/// So long may an engine take to come back, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// The system's clock.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Moment::from_micros(since.as_micros().try_into().unwrap())
    }
}

async fn try_open(url: &str, options: NatsOptions) -> Result<Nats, OpenError> {
    Nats::connect(&NatsAddress::parse(url).unwrap(), options, Arc::new(Wall)).await
}

/// With more patience for opening than usual: a cluster that was just started may be busy.
async fn open(url: &str) -> Nats {
    let options = NatsOptions { patience: Duration::from_secs(20), ..NatsOptions::default() };
    try_open(url, options).await.unwrap()
}

/// With less patience than usual, so that tests of silence are short.
async fn open_impatient(url: &str) -> Nats {
    let (patience, connecting) = (Duration::from_millis(1500), Duration::from_millis(500));
    try_open(url, NatsOptions { patience, connecting }).await.unwrap()
}

/// It weighs what its text does: the tests of replicas fill a budget exactly.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Note {
    id: SessionId,
    text: String,
}

impl Record for Note {
    const KIND: &'static str = "note";
    const SCHEMA: u8 = 1;
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }

    fn death(&self) -> Moment {
        LATE
    }

    fn weight(&self) -> usize {
        self.text.len()
    }
}

/// A bucket of its own for every case.
struct Bucket {
    url: String,
}

fn fresh(url: &str, joint: &str) -> impl Fn() -> Box<dyn Subject> + use<> {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    let url = format!("{url}{joint}");
    move || {
        let number = CASES.fetch_add(1, Ordering::Relaxed);
        Box::new(Bucket { url: format!("{url}bucket=case-{number}") })
    }
}

impl Subject for Bucket {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        Box::pin(async { Ok(open(&self.url).await.kv()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_on_one_server() {
    let server = Server::start();
    all_cases(fresh(&server.url(), "?")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_on_three_servers() {
    let cluster = NatsCluster::start();
    all_cases(fresh(&cluster.url(), "?replicas=3&")).await;
}
