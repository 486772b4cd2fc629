//! A line to one server: one connection that many callers share, made anew when it has ended.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Cmd, Pipeline, PushInfo, PushKind, Value};
use tokio::time::Instant;

use super::address::Host;
use super::dial::{Dialer, Dialled};
use super::trouble::{Trouble, Why};

/// After a failed attempt to connect, everybody is told of that failure for so long before it is tried again.
const REST: Duration = Duration::from_millis(100);

/// A line to one server.
pub(super) struct Line {
    pub(super) host: Host,
    dialer: Arc<Dialer>,
    /// Only a master will do: a server that has become a replica is not used.
    master_only: bool,
    state: Arc<Mutex<State>>,
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Dialled>>,
    /// Counts connections, so that the end of an old one does not end its successor.
    number: u64,
    /// The last connection that has ended by itself.
    ended: u64,
    failed: Option<(Instant, Trouble)>,
}

impl Line {
    pub(super) fn new(host: Host, dialer: Arc<Dialer>, master_only: bool) -> Self {
        Line { host, dialer, master_only, state: Arc::default(), dialling: tokio::sync::Mutex::default() }
    }

    /// Asks one thing.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Trouble> {
        let open = self.open().await?;
        let answer = open.connection.clone().send_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error).map_err(|error| Trouble::of_call(&error));
        answer.inspect_err(|trouble| self.judge(trouble, &open))
    }

    /// Asks several things at once; each has an answer of its own.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Result<Value, Trouble>>, Trouble> {
        let open = self.open().await?;
        let answers = open.connection.clone().send_packed_commands(commands, 0, commands.len()).await;
        let answers = answers.map_err(|error| Trouble::of_call(&error));
        let answers = answers.inspect_err(|trouble| self.judge(trouble, &open))?;
        let read = |value: Value| value.extract_error().map_err(|error| Trouble::of_call(&error));
        Ok(answers.into_iter().map(read).collect())
    }

    /// The next caller gets a new connection; who waits for an answer from the present one goes on waiting.
    pub(super) fn forget(&self) {
        self.state.lock().open = None;
    }

    fn judge(&self, trouble: &Trouble, open: &Arc<Dialled>) {
        let mut state = self.state.lock();
        let is_this = state.open.as_ref().is_some_and(|current| Arc::ptr_eq(current, open));
        if trouble.why == Why::Cut && is_this {
            state.open = None;
        }
    }

    async fn open(&self) -> Result<Arc<Dialled>, Trouble> {
        if let Some(open) = self.state.lock().open.clone() {
            return Ok(open);
        }
        let _alone = self.dialling.lock().await;
        let number = {
            let mut state = self.state.lock();
            if let Some(open) = state.open.clone() {
                return Ok(open);
            }
            if let Some((at, trouble)) = &state.failed
                && at.elapsed() < REST
            {
                return Err(trouble.clone());
            }
            state.number += 1;
            state.number
        };
        match self.dial(number).await {
            Ok(open) => {
                let open = Arc::new(open);
                let mut state = self.state.lock();
                state.failed = None;
                if state.ended < number {
                    state.open = Some(open.clone());
                }
                Ok(open)
            }
            Err(trouble) => {
                self.state.lock().failed = Some((Instant::now(), trouble.clone()));
                Err(trouble)
            }
        }
    }

    async fn dial(&self, number: u64) -> Result<Dialled, Trouble> {
        let state = Arc::downgrade(&self.state);
        let push = move |info: PushInfo| {
            // An idle connection that ends is noticed here, so that the next caller does not pay for it.
            if info.kind == PushKind::Disconnection
                && let Some(state) = state.upgrade()
            {
                let mut state = state.lock();
                state.ended = number;
                if state.number == number {
                    state.open = None;
                }
            }
        };
        let open = self.dialer.dial(&self.host, Arc::new(push)).await?;
        if self.master_only {
            let role = open.connection.clone().send_packed_command(&redis::cmd("ROLE")).await;
            let role = role.and_then(Value::extract_error).map_err(|error| Trouble::of_dialling(&error))?;
            let is_master = matches!(&role, Value::Array(parts)
                if matches!(parts.first(), Some(Value::BulkString(role)) if role == b"master"));
            if !is_master {
                return Err(Trouble::new(
                    Why::Unreached,
                    format!("{} is not the master any more", self.host),
                ));
            }
        }
        Ok(open)
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({})", self.host)
    }
}
