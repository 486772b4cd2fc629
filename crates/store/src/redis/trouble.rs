//! What goes wrong between us and Redis, and what it means for the caller.

use gateward_kernel::ports::{Fault, FaultKind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::ENGINE;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) why: Why,
    /// For the log; it holds no credentials.
    pub(super) said: String,
    /// Where the server sends us instead.
    pub(super) node: Option<String>,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// There is no connection; nothing was sent.
    Unreached,
    /// The server does not take this user, or forbids the command; nothing was done.
    Refused,
    /// The server is too old, or the address or a file is wrong; nothing was sent.
    Unfit,
    /// The connection ended before the answer came: a write may have happened or not.
    Cut,
    /// The server said an error; nothing was done.
    Said(ServerErrorKind),
    /// The server said an error that the library has no name for; nothing was done.
    SaidOther,
    /// The write is done, and too few replicas have said that they have it.
    TooFewReplicas,
}

impl Trouble {
    pub(super) fn new(why: Why, said: impl Into<String>) -> Self {
        Trouble { why, said: said.into(), node: None }
    }

    /// What an answer, or its absence, means.
    pub(super) fn of_call(error: &RedisError) -> Self {
        let why = match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoPerm) | ErrorKind::AuthenticationFailed => Why::Refused,
            ErrorKind::Server(kind) => Why::Said(kind),
            ErrorKind::Extension if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => Why::Refused,
            ErrorKind::Extension => Why::SaidOther,
            _ => Why::Cut,
        };
        let node = error.redirect_node().map(|(node, _)| node.to_owned());
        Trouble { why, said: error.to_string(), node }
    }

    /// What an error while connecting means.
    pub(super) fn of_dialling(error: &RedisError) -> Self {
        match Self::of_call(error) {
            trouble if error.kind() == ErrorKind::RESP3NotSupported => Trouble { why: Why::Unfit, ..trouble },
            trouble if trouble.why == Why::Cut => Trouble { why: Why::Unreached, ..trouble },
            trouble => trouble,
        }
    }

    /// The topology has changed, or is about to: nothing was done, and looking again may find the right server.
    pub(super) fn passes(&self) -> bool {
        use ServerErrorKind::{ClusterDown, MasterDown, ReadOnly, TryAgain};
        matches!(self.why, Why::Said(TryAgain | ClusterDown | MasterDown | ReadOnly))
    }

    pub(super) fn fault(self) -> Fault {
        let said = match self.why {
            Why::Cut => {
                format!(
                    "the connection ended before the answer came; whether a write happened is unknown ({})",
                    self.said
                )
            }
            _ => self.said,
        };
        Fault::new(ENGINE, FaultKind::Unavailable, said)
    }
}

/// No answer within `patience`.
pub(super) fn late(patience: std::time::Duration) -> Fault {
    let said = format!("no answer within {} ms; whether a write happened is unknown", patience.as_millis());
    Fault::new(ENGINE, FaultKind::TimedOut, said)
}

/// An answer of another shape than the command has.
pub(super) fn odd(what: &str) -> Fault {
    Fault::new(ENGINE, FaultKind::Unreadable, format!("an answer to {what} has an unexpected form"))
}
