//! What a handler can fail with, and how that is told on each face.

use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::{Loudness, Refusal};

use super::page::PageError;

/// Why a handler did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// An expected *no*.
    Refusal(Refusal),
    /// A store failed: 503, worth trying again. Cookies are kept.
    Fault(Fault),
    /// A page could not be made: 500.
    Page(PageError),
    /// An answer could not be put together: 500.
    Answer(http::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refusal(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Fault(fault)
    }
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        Failure::Page(error)
    }
}

impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        Failure::Answer(error)
    }
}

impl Failure {
    /// What the caller is told. Faults and mistakes of our own say nothing of their cause.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Failure::Refusal(refusal) => Some(refusal.clone()),
            Failure::Fault(_) => Some(Refusal::Unavailable),
            Failure::Page(_) | Failure::Answer(_) => None,
        }
    }

    /// Writes the reason to the log, as loudly as it deserves.
    pub fn log(&self, request: &str, path: &str) {
        match self {
            Failure::Fault(fault) => tracing::error!(request, path, %fault, "a store failed"),
            Failure::Page(error) => tracing::error!(request, path, %error, "a page could not be made"),
            Failure::Answer(error) => tracing::error!(request, path, %error, "an answer could not be made"),
            Failure::Refusal(refusal) => {
                let (code, detail) = (refusal.row().code, refusal.detail());
                let detail = detail.as_deref();
                match refusal.row().loudness {
                    Loudness::Debug => tracing::debug!(request, path, code, detail, "refused"),
                    Loudness::Info => tracing::info!(request, path, code, detail, "refused"),
                    Loudness::Warn => tracing::warn!(request, path, code, detail, "refused"),
                }
            }
        }
    }
}
