//! The task that listens to the issuer's channel of revocations, and comes back after every cut.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Clock;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::knowledge::{BadNews, Knowledge};
use super::sse::{BadStream, Event, Reader};
use crate::verify::client::{Client, FetchError};
use crate::verify::discovery::Discovery;

/// How long the first event may take: it can be everything there is to know.
const FIRST: Duration = Duration::from_secs(30);
/// How long the line may be silent: two beats, and half a second for the way.
const SILENCE: Duration = Duration::from_millis(4500);
/// How long whoever comes before anything is known waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest and the longest pause before the next call.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Why the line is down.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Stream(#[from] BadStream),
    #[error(transparent)]
    News(#[from] BadNews),
    #[error("the line was closed")]
    Closed,
    #[error("nothing was heard")]
    Silence,
}

/// What the task needs.
pub(crate) struct Line {
    pub(crate) client: Arc<Client>,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) knowledge: Arc<Knowledge>,
}

/// The task, as whoever needs it sees it. It ends when this is dropped.
pub(crate) struct Listening {
    line: Arc<Line>,
    knows: watch::Sender<bool>,
    task: Mutex<Option<AbortHandle>>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listening({:?})", self.line.knowledge)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

impl Listening {
    pub(crate) fn new(line: Line) -> Self {
        Listening { line: Arc::new(line), knows: watch::channel(false).0, task: Mutex::new(None) }
    }

    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.line.knowledge
    }

    /// Begins to listen, if there is a runtime and nobody listens yet.
    pub(crate) fn start(&self) {
        let mut task = self.task.lock();
        if task.as_ref().is_none_or(AbortHandle::is_finished)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let listener = listen(self.line.clone(), self.knows.clone());
            *task = Some(runtime.spawn(listener).abort_handle());
        }
    }

    /// Waits until something is known for the first time, but not for long.
    pub(crate) async fn begun(&self) {
        if !*self.knows.borrow() {
            let mut knows = self.knows.subscribe();
            // Whoever waited in vain finds that nothing is known.
            let _in_vain = timeout(PATIENCE, knows.wait_for(|knows| *knows)).await.is_err();
        }
    }
}

async fn listen(line: Arc<Line>, knows: watch::Sender<bool>) {
    let mut last = None;
    let mut failures = 0_u32;
    loop {
        let cut = hear(&line, &mut last, &mut failures, &knows).await;
        match &cut {
            // The issuer closes the line when it restarts; that is no trouble yet.
            Cut::Closed => tracing::debug!("the channel of revocations was closed"),
            cut => tracing::warn!(%cut, "the channel of revocations is cut"),
        }
        if matches!(cut, Cut::News(_) | Cut::Stream(_)) {
            // What was said last was not understood: from the beginning.
            last = None;
        }
        sleep(pause(failures, &*line.entropy)).await;
        failures = failures.saturating_add(1);
    }
}

/// Hears events until the line is down.
async fn hear(
    line: &Line,
    last: &mut Option<String>,
    failures: &mut u32,
    knows: &watch::Sender<bool>,
) -> Cut {
    let mut body = match call(line, last.as_deref()).await {
        Ok(body) => body,
        Err(error) => return error.into(),
    };
    let mut reader = Reader::new(line.knowledge.budget());
    let mut patience = FIRST;
    loop {
        let event = match timeout(patience, next(&mut body, &mut reader)).await {
            Ok(Ok(event)) => event,
            Ok(Err(cut)) => return cut,
            Err(_) => return Cut::Silence,
        };
        // Read before it is taken in: what is revoked meanwhile is not known.
        let now = line.clock.now();
        if let Err(bad) = line.knowledge.learn(&event.kind, &event.data, now) {
            return bad.into();
        }
        *last = event.id.filter(|id| !id.is_empty());
        (*failures, patience) = (0, SILENCE);
        knows.send_if_modified(|knows| !std::mem::replace(knows, true));
    }
}

async fn call(line: &Line, last: Option<&str>) -> Result<Incoming, FetchError> {
    let metadata = line.discovery.metadata().await;
    let metadata = metadata.ok_or(FetchError::Malformed("the issuer's metadata are not known"))?;
    let events = metadata.events.as_ref();
    let events = events.ok_or(FetchError::Malformed("the issuer has no channel of revocations"))?;
    line.client.listen(events, last).await
}

async fn next(body: &mut Incoming, reader: &mut Reader) -> Result<Event, Cut> {
    loop {
        if let Some(event) = reader.next() {
            return Ok(event);
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    reader.feed(bytes)?;
                }
            }
            Some(Err(_)) | None => return Err(Cut::Closed),
        }
    }
}

/// Twice as long after every failure, and by chance up to a half shorter, so that a thousand listeners do not all come back in the
/// same moment.
fn pause(failures: u32, entropy: &dyn Entropy) -> Duration {
    let longest = PAUSES.0.saturating_mul(1 << failures.min(16)).min(PAUSES.1);
    let mut chance = [0; 2];
    entropy.fill(&mut chance);
    let part = f64::from(u16::from_be_bytes(chance)) / f64::from(u16::MAX);
    longest.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use gateward_kernel::secret::SeededEntropy;

    use super::*;

    #[test]
    fn pauses_grow_and_differ_and_have_an_end() {
        let entropy = SeededEntropy::new(1);
        for (failures, longest) in [(0, 100), (1, 200), (5, 3_200), (6, 5_000), (1_000_000, 5_000)] {
            let longest = Duration::from_millis(longest);
            let pauses: Vec<Duration> = (0..100).map(|_| pause(failures, &entropy)).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest && *pause >= longest / 2), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
