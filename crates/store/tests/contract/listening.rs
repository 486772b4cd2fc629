//! What the tests of engines that push changes share: an ear, waiting for a condition, writing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateward_kernel::ports::{Created, Key, Kv, Listener, Version};
use parking_lot::Mutex;

use super::LATE;

pub(crate) async fn create(kv: &Arc<dyn Kv>, id: &str) -> Version {
    match kv.create(&Key::new("test", id), id.as_bytes().to_vec().into(), LATE).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("{id} exists"),
    }
}

/// Waits until the condition holds.
pub(crate) async fn within<F: Future<Output = bool>>(
    span: Duration,
    what: &str,
    mut holds: impl FnMut() -> F,
) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < span, "not within {span:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Remembers in words what it was told.
#[derive(Default)]
pub(crate) struct Ear(pub(crate) Mutex<Vec<String>>);

impl Listener for Ear {
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        let version = version.map_or("?".into(), |version| version.0.to_string());
        self.0.lock().push(format!("{kind} {} {version}", String::from_utf8_lossy(id)));
    }

    fn lost(&self) {
        self.0.lock().push("lost".into());
    }

    fn restored(&self) {
        self.0.lock().push("restored".into());
    }
}

impl Ear {
    pub(crate) fn on(kv: &Arc<dyn Kv>) -> Arc<Ear> {
        let ear = Arc::new(Ear::default());
        kv.changes(ear.clone());
        ear
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.lock().iter().any(|told| told == word)
    }

    pub(crate) fn ends_with(&self, word: &str) -> bool {
        self.0.lock().last().is_some_and(|told| told == word)
    }
}
