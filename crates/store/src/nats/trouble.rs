//! What goes wrong between us and NATS, and what it means for the caller.

use std::time::Duration;

use async_nats::RequestErrorKind;
use gateward_kernel::ports::{Fault, FaultKind};

use super::ENGINE;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) why: Why,
    /// For the log; it holds no credentials.
    pub(super) said: String,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// There is no connection; nothing was sent.
    Unreached,
    /// Nobody is there who could do it: the stream has no leader now. Nothing was done.
    NoLeader,
    /// The server does not take this user, or forbids it; nothing was done.
    Refused,
    /// The server is too old, or a file or a stream is unfit; nothing was done.
    Unfit,
    /// The connection ended before the answer came: a write may have happened or not.
    Cut,
    /// No answer came in time.
    Late,
    /// The server said an error with this number; nothing was done.
    Said(u64),
    /// What came is no answer to what was asked.
    Odd,
    /// For too long the servers have not shown that most of them agree: what one says may be out of date.
    Unproven,
}

impl Trouble {
    pub(super) fn new(why: Why, said: impl Into<String>) -> Self {
        Trouble { why, said: said.into() }
    }

    pub(super) fn of_request(error: &async_nats::RequestError) -> Self {
        let why = match error.kind() {
            RequestErrorKind::NoResponders => {
                return Trouble::new(Why::NoLeader, "JetStream has no leader for it now, or is not enabled");
            }
            RequestErrorKind::TimedOut => Why::Late,
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => Why::Unfit,
            RequestErrorKind::Other => Why::Cut,
        };
        Trouble::new(why, error.to_string())
    }

    pub(super) fn late(span: Duration, said: &str) -> Self {
        Trouble::new(Why::Late, format!("no answer within {} ms{said}", span.as_millis()))
    }

    pub(super) fn odd(what: &str) -> Self {
        Trouble::new(Why::Odd, format!("an answer to {what} has an unexpected form"))
    }

    /// Whether what was asked has certainly not been done, and may be possible in a moment.
    pub(super) fn passes(&self) -> bool {
        // 10008: JetStream is not ready yet; 10013: a step without a leader.
        matches!(self.why, Why::NoLeader | Why::Said(10_008 | 10_013))
    }

    pub(super) fn fault(self) -> Fault {
        let (kind, said) = match self.why {
            Why::Cut => (
                FaultKind::Unavailable,
                format!(
                    "the connection ended before the answer came; whether a write happened is unknown ({})",
                    self.said
                ),
            ),
            Why::Late => (FaultKind::TimedOut, format!("{}; whether a write happened is unknown", self.said)),
            Why::Odd => (FaultKind::Unreadable, self.said),
            _ => (FaultKind::Unavailable, self.said),
        };
        Fault::new(ENGINE, kind, said)
    }
}
