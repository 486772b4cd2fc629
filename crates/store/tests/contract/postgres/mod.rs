//! PostgreSQL: the contract, and what only a server can do wrong.

mod faults;
mod opening;
mod standby;
mod writing;

use std::sync::{Arc, Weak};
use std::time::Duration;

use gateward_kernel::ports::{Answer, Kv, Listener, Version};
use gateward_store::contract::Subject;
use gateward_store::postgres::{Postgres, PostgresAddress, PostgresOptions};
use parking_lot::Mutex;

/// The server that the tests share while one of them runs.
static SERVER: Mutex<Weak<gateward_engines::Postgres>> = Mutex::new(Weak::new());

fn shared_server() -> Arc<gateward_engines::Postgres> {
    let mut shared = SERVER.lock();
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(gateward_engines::Postgres::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A database of its own in the shared server.
#[derive(Clone)]
pub(crate) struct Database {
    server: Arc<gateward_engines::Postgres>,
    name: String,
}

impl Database {
    pub(crate) fn fresh() -> Self {
        let server = shared_server();
        let name = server.fresh_database();
        Database { server, name }
    }

    pub(crate) async fn open(&self) -> Postgres {
        open(&self.server.url(&self.name)).await
    }

    pub(crate) fn sql(&self, text: &str) -> String {
        self.server.sql(&self.name, text)
    }
}

async fn open(url: &str) -> Postgres {
    open_with(url, &PostgresOptions::default()).await
}

async fn open_with(url: &str, options: &PostgresOptions) -> Postgres {
    Postgres::connect(&PostgresAddress::parse(url).unwrap(), options).await.unwrap()
}

impl Subject for Database {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        Box::pin(async { Ok(Database::open(self).await.kv()) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract() {
    super::suite::all_cases(|| Box::new(Database::fresh())).await;
}

/// Remembers what it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<Told>>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Changed(String, u64),
    Lost,
    Restored,
}

impl Listener for Ear {
    fn changed(&self, _: &str, id: &[u8], version: Option<Version>) {
        let id = String::from_utf8_lossy(id).into_owned();
        self.0.lock().push(Told::Changed(id, version.expect("it names every state").0));
    }

    fn lost(&self) {
        self.0.lock().push(Told::Lost);
    }

    fn restored(&self) {
        self.0.lock().push(Told::Restored);
    }
}

impl Ear {
    fn told(&self) -> Vec<Told> {
        self.0.lock().clone()
    }

    async fn hears(&self, awaited: &Told, span: Duration) {
        within(span, "it is told", || async { self.told().contains(awaited) }).await;
    }
}

/// Waits until the condition holds, at most so long.
async fn within<F: Future<Output = bool>>(span: Duration, what: &str, mut holds: impl FnMut() -> F) {
    let begun = tokio::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < span, "not within {span:?}: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
