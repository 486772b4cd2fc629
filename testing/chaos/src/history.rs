//! What was done, when, and what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// No secret of a session: whoever comes with tokens has none.
pub const NO_SECRET: i64 = -1;
/// No `If-Match`.
pub const ANY_VERSION: i64 = -1;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Signing in: a new session.
    Create,
    /// Who am I.
    Check,
    /// The application's data.
    Read,
    /// A change of the application's data.
    Write,
    /// Signing in again: the same session under a new secret.
    Elevate,
    /// Refreshing an app's tokens.
    Refresh,
    /// Ending one session, by its id.
    End,
    /// Signing out.
    SignOut,
    /// Ending all of a person.
    EndAll,
}

/// What is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was definitely not done.
    No,
    /// It may have been done.
    Unknown,
}

/// One operation. Moments are microseconds since the beginning, by a clock that nobody shifts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// In the order of their ends.
    pub number: usize,
    /// By whom.
    pub client: usize,
    /// On which node.
    pub node: usize,
    /// On which session, by our own number; none for what is on all.
    pub session: i64,
    /// Whose that is.
    pub person: usize,
    /// What.
    pub kind: Kind,
    /// With which of the session's secrets, counted from 0.
    pub secret: i64,
    /// To which new secret.
    pub to: i64,
    /// The version of `If-Match`.
    pub expected: i64,
    /// What was written or read.
    pub value: String,
    /// What the answer says may have been so at this moment already: so far memory may lag by what is promised.
    pub since: u64,
    /// When it was sent.
    pub call: u64,
    /// When the answer was there, or was given up.
    #[serde(rename = "return")]
    pub returned: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// The version that was answered.
    pub version: i64,
    /// Whom the answer names, and which session, where it does.
    pub named: Option<(String, String)>,
    /// Whom it should name.
    pub expected_name: (String, String),
    /// Which refresh token was used, and which one was given.
    pub tokens: Option<(String, Option<String>)>,
    /// Whether it was asked at the end, when everything was whole again, until there was an answer.
    pub last: bool,
}

impl Operation {
    /// Nothing yet, of this session.
    pub fn new(kind: Kind, session: i64, person: usize) -> Self {
        Operation {
            number: 0,
            client: 0,
            node: 0,
            session,
            person,
            kind,
            secret: NO_SECRET,
            to: NO_SECRET,
            expected: ANY_VERSION,
            value: String::new(),
            since: 0,
            call: 0,
            returned: 0,
            outcome: Outcome::Unknown,
            status: 0,
            version: 0,
            named: None,
            expected_name: (String::new(), String::new()),
            tokens: None,
            last: false,
        }
    }
}

/// Where everybody writes down what they did.
#[derive(Clone, Debug)]
pub struct Recorder {
    begun: Instant,
    operations: Arc<Mutex<Vec<Operation>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder { begun: Instant::now(), operations: Arc::default() }
    }
}

impl Recorder {
    /// Now, in microseconds since the beginning.
    pub fn now(&self) -> u64 {
        micros(self.begun.elapsed())
    }

    /// Writes down what is over.
    pub fn add(&self, mut operation: Operation) {
        let mut all = self.operations.lock();
        operation.number = all.len();
        all.push(operation);
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Operation> {
        self.operations.lock().clone()
    }
}

/// A span as moments count.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}
