//! Every case of the contract on every store.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gateward_kernel::ports::{Answer, Kv};
use gateward_store::contract::{self, Subject};
use gateward_store::layers::{Deadline, Meter, Metered};
use gateward_store::{Memory, Sqlite, SqliteOptions};

use super::Place;

/// A store that ends with its handle: there is only one.
#[derive(Default)]
struct InMemory(OnceLock<()>);

impl Subject for InMemory {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        self.0.set(()).expect("a store that is neither durable nor shared is opened once");
        Box::pin(async { Ok(Arc::new(Memory::new()) as Arc<dyn Kv>) })
    }
}

/// Each handle is an engine of its own over the same file, as in another process.
struct InFile {
    place: Place,
    dressed: fn(Arc<dyn Kv>) -> Arc<dyn Kv>,
}

impl Subject for InFile {
    fn open(&self) -> Answer<'_, Arc<dyn Kv>> {
        Box::pin(async {
            let sqlite = Sqlite::open(self.place.path(), &SqliteOptions::default()).unwrap();
            Ok((self.dressed)(sqlite.kv()))
        })
    }
}

pub(crate) async fn all_cases(fresh: impl Fn() -> Box<dyn Subject>) {
    let traits = fresh().open().await.unwrap().traits();
    let mut failed = Vec::new();
    let mut tried = 0;
    for case in contract::cases().iter().filter(|case| case.applies_to(&traits)) {
        tried += 1;
        if let Err(failure) = case.run(&*fresh()).await {
            failed.push(format!("{} on {}: {failure}", case.name(), traits.engine));
        }
    }
    assert!(failed.is_empty(), "{} of {tried} cases failed:\n{}", failed.len(), failed.join("\n"));
    assert!(tried >= 20, "only {tried} cases apply to {traits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    all_cases(|| Box::new(InMemory::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    all_cases(|| Box::new(InFile { place: Place::new(), dressed: |kv| kv })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_with_layers() {
    let dressed = |kv| -> Arc<dyn Kv> {
        let deadline = Deadline::new(kv, Duration::from_secs(5));
        Arc::new(Metered::new(Arc::new(deadline), Arc::new(Meter::default())))
    };
    all_cases(|| Box::new(InFile { place: Place::new(), dressed })).await;
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<_> = contract::cases().iter().map(contract::Case::name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
