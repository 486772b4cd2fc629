//! Checking tokens in programs that are not asynchronous.
//!
//! ```no_run
//! # fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use gateward_guard::blocking;
//! use gateward_guard::verify::Verifier;
//!
//! let told = Verifier::for_issuer("https://login.example.com").audience("https://api.example.com");
//! let verifier = blocking::Verifier::start(told)?;
//! let claims = verifier.verify(token)?;
//! # Ok(()) }
//! ```

use std::sync::{Arc, mpsc as blocking_mpsc};

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::verify::{self, BuildError, Claims, Denied, Outage, VerifierBuilder};

/// So many checks may wait for the network at once.
const QUEUE: usize = 1024;

/// Why a blocking verifier cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was told something wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The system gave no thread or no means to wait for the network.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A [`verify::Verifier`] with a thread of its own, which fetches keys and listens for revocations. Clones share it; it ends with
/// the last one.
#[derive(Clone, Debug)]
pub struct Verifier {
    inner: verify::Verifier,
    questions: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Question {
    token: String,
    answer: blocking_mpsc::SyncSender<Result<Arc<Claims>, Denied>>,
}

impl Verifier {
    /// Starts the thread.
    pub fn start(told: VerifierBuilder) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inner = {
            // What listens for revocations begins in that runtime.
            let _within = runtime.enter();
            told.build()?
        };
        let (questions, mut asked) = mpsc::channel::<Question>(QUEUE);
        let verifier = inner.clone();
        let work = move || {
            runtime.block_on(async move {
                while let Some(Question { token, answer }) = asked.recv().await {
                    let verifier = verifier.clone();
                    tokio::spawn(async move {
                        // Whoever asked may have gone.
                        let _unheard = answer.send(verifier.verify(&token).await).is_err();
                    });
                }
            });
        };
        std::thread::Builder::new().name("gateward-guard".into()).spawn(work)?;
        Ok(Verifier { inner, questions })
    }

    /// What the token says, if it counts now. Blocks while keys or status lists are fetched, for some seconds at most.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        if let Some(answer) = self.inner.verify_cached(token) {
            return answer;
        }
        let busy = Denied::Unavailable(Outage::Busy);
        let (answer, answered) = blocking_mpsc::sync_channel(1);
        self.questions.try_send(Question { token: token.to_owned(), answer }).map_err(|_| busy)?;
        answered.recv().unwrap_or(Err(busy))
    }
}
