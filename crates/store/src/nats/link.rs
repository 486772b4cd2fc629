//! The line to the servers: the connection in use, and what is known of whether it can be believed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::dial::Live;
use super::trouble::{Trouble, Why};

/// While a new connection is made in the place of one that ended, callers wait for so long since that end.
const RIDE_OUT: Duration = Duration::from_secs(1);
/// Without a proof for so long, a read is not believed: the server may be one that the others have left behind.
const STALE: Duration = Duration::from_secs(3);

/// The line that all callers share.
pub(super) struct Link {
    live: watch::Sender<Option<Arc<Live>>>,
    state: Mutex<State>,
}

struct State {
    /// Since when there has been no connection.
    down: Instant,
    why: String,
    /// When the last write was begun that most servers have acknowledged.
    proof: Instant,
}

impl Link {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let state = State { down: now, why: "there is no connection yet".into(), proof: now };
        Link { live: watch::Sender::new(None), state: Mutex::new(state) }
    }

    pub(super) fn set(&self, live: Arc<Live>) {
        self.live.send_replace(Some(live));
    }

    /// There is no connection any more, or again none.
    pub(super) fn failed(&self, why: &str) {
        let mut state = self.state.lock();
        if let Some(live) = self.live.send_replace(None) {
            live.end();
            state.down = Instant::now();
        }
        why.clone_into(&mut state.why);
    }

    /// The connection in use.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Trouble> {
        let usable = |live: &Option<Arc<Live>>| live.as_ref().is_some_and(|live| !live.is_down());
        let now = self.live.borrow().clone().filter(|live| !live.is_down());
        if let Some(live) = now {
            return Ok(live);
        }
        let mut watched = self.live.subscribe();
        let until = match &*self.live.borrow() {
            Some(_) => Instant::now() + RIDE_OUT,
            None => self.state.lock().down + RIDE_OUT,
        };
        let found = tokio::time::timeout_at(until, watched.wait_for(usable)).await;
        let found = found.ok().and_then(Result::ok).and_then(|live| live.clone());
        found.ok_or_else(|| Trouble::new(Why::Unreached, self.state.lock().why.clone()))
    }

    /// A write that was begun then has been acknowledged by as many servers as decide.
    pub(super) fn proved(&self, begun: Instant) {
        let mut state = self.state.lock();
        state.proof = state.proof.max(begun);
    }

    /// An error when what a server says may be out of date.
    pub(super) fn proof(&self) -> Result<(), Trouble> {
        let age = self.state.lock().proof.elapsed();
        if age < STALE {
            return Ok(());
        }
        let said =
            format!("most servers of the stream have not been heard of for {:.1} s", age.as_secs_f64());
        Err(Trouble::new(Why::Unproven, said))
    }
}
