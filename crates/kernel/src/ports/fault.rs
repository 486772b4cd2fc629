//! Faults: our failure, never the caller's. They become 5xx and never read as "absent".

use std::fmt;

/// What went wrong behind a port.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{engine}: {kind}: {cause}")]
pub struct Fault {
    /// The engine that failed, such as `sqlite`.
    pub engine: &'static str,
    /// In which way.
    pub kind: FaultKind,
    /// For the log: what the engine said. It never holds a secret.
    pub cause: String,
}

/// In which way a port failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It could not be reached, or refused the work for now.
    Unavailable,
    /// It did not answer in time. Whether a write happened is unknown.
    TimedOut,
    /// So many callers changed one record at once that this one gave up.
    Contended,
    /// What it holds cannot be read: damaged, or written by a newer version.
    Unreadable,
    /// The value is larger than the engine takes.
    TooLarge,
}

impl Fault {
    /// A fault of `engine`.
    pub fn new(engine: &'static str, kind: FaultKind, cause: impl fmt::Display) -> Self {
        Fault { engine, kind, cause: cause.to_string() }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::Unavailable => "unavailable",
            FaultKind::TimedOut => "no answer in time",
            FaultKind::Contended => "too many changes at once",
            FaultKind::Unreadable => "unreadable record",
            FaultKind::TooLarge => "value too large",
        })
    }
}
