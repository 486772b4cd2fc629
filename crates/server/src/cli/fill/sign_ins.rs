//! Signing in as the server does once a password was right: a session, and its place in the list of its person.

use std::time::Duration;

use futures_util::future::try_join_all;
use gateward_kernel::id::PersonId;
use gateward_kernel::session::Transport;
use serde_json::{Value, json};

use super::{origin, sign_in};
use crate::app::App;
use crate::cli::Trouble;

/// Signs in somebody new again and again, `clients` at the same time; says how many and how long it took.
pub(super) async fn run(app: &App, wanted: Duration, clients: usize) -> Result<Value, Trouble> {
    let begun = app.clock.now();
    let end = begun + wanted;
    let counts = try_join_all((0..clients).map(|_| async move {
        let mut count = 0_u64;
        loop {
            let now = app.clock.now();
            if now >= end {
                return Ok::<_, Trouble>(count);
            }
            let sign_in = sign_in(PersonId::random(&*app.entropy), now);
            app.sessions.sign_in(None, sign_in, Transport::Cookie, origin(), now).await?;
            count += 1;
        }
    }))
    .await?;
    let seconds = app.clock.now().since(begun).as_secs_f64();
    Ok(json!({ "sign_ins": counts.iter().sum::<u64>(), "seconds": seconds }))
}
