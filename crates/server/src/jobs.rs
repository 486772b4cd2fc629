//! What is done beside answering: sweeping in small steps, and taking over keys that were made meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateward_kernel::ports::Kv;

use crate::app::App;
use crate::login::flow::reload_peppers;

/// So many dead records are taken away at once: few enough that a sign-in behind such a step hardly waits.
const STEP: usize = 100;
/// The shortest pause between steps while there is more to do.
const BREATH: Duration = Duration::from_millis(5);
/// The pause is so many times as long as the step took: sweeping leaves four fifths of a core to everybody else, also
/// on a machine that has only one.
const SHARE: u32 = 4;
/// How often memory forgets status lists that have died.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// The pause when there was nothing more to do.
const REST: Duration = Duration::from_secs(10);

/// Sweeps until the program ends.
pub async fn sweep(app: Arc<App>, stores: Vec<Arc<dyn Kv>>) {
    loop {
        let mut more = false;
        let begun = app.clock.now();
        for store in &stores {
            match store.sweep(app.clock.now(), STEP).await {
                Ok(count) => {
                    app.metrics.swept.fetch_add(count as u64, Ordering::Relaxed);
                    more |= count >= STEP;
                }
                Err(fault) => tracing::warn!(%fault, "sweeping failed and is tried again"),
            }
        }
        let old = app.clock.now() - app.settings.audit.keep.duration();
        match app.directory().sweep_events(old, STEP).await {
            Ok(count) => {
                app.metrics.swept_events.fetch_add(count as u64, Ordering::Relaxed);
                more |= count >= STEP;
            }
            Err(fault) => tracing::warn!(%fault, "sweeping audit events failed and is tried again"),
        }
        let pause = (app.clock.now().since(begun) * SHARE).max(BREATH);
        tokio::time::sleep(if more { pause } else { REST }).await;
    }
}

/// Takes over keys that another process has made, and lets signing keys follow each other.
pub async fn watch_keys(app: Arc<App>) {
    let ring = app.tokens.mint.ring();
    let warming = app.clone();
    // Before the first that signs has to wait for it.
    tokio::task::spawn_blocking(move || warming.tokens.mint.ring().warm(warming.clock.now()));
    loop {
        if let Err(problem) = ring.maintain(app.clock.now()).await {
            tracing::error!(%problem, "the signing keys could not be looked after; it is tried again");
        }
        let _ = tokio::time::timeout(REST, ring.changed()).await;
        reload_peppers(&app).await;
    }
}

/// Takes over what other processes revoke, and forgets what no living token can be touched by.
pub async fn follow_status(app: Arc<App>) {
    let forget = async {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            app.tokens.status.forget(app.clock.now());
        }
    };
    tokio::select! {
        () = app.tokens.status.follow(&*app.clock) => {}
        () = forget => {}
    }
}
