//! What is done beside answering: sweeping in small steps, and taking over keys that were made meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateward_kernel::node::{EVERY, NodeSign, Roster};
use gateward_kernel::ports::Fault;
use gateward_kernel::record::{Book, Decision};

use gateward_kernel::time::Moment;

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
pub async fn sweep(app: Arc<App>) {
    loop {
        let mut more = false;
        let begun = app.clock.now();
        // What nodes share is swept by one of them.
        let leads = app.roster.borrow().leads;
        for store in app.stores.to_sweep(leads) {
            match store.sweep(app.clock.now(), STEP).await {
                Ok(count) => {
                    app.metrics.swept.fetch_add(count as u64, Ordering::Relaxed);
                    more |= count >= STEP;
                }
                Err(fault) => tracing::warn!(%fault, "sweeping failed and is tried again"),
            }
        }
        let old = app.clock.now() - app.settings.audit.keep.duration();
        if !leads && app.stores.is_cluster() {
            tokio::time::sleep(if more { BREATH } else { REST }).await;
            continue;
        }
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

/// Tells clients that sessions have ended.
pub async fn tell_logouts(app: Arc<App>) {
    crate::oauth::logout::back_channel::run(app).await;
}

/// Tells the other nodes that this one lives, and learns which of them do.
pub async fn give_signs_of_life(app: Arc<App>) {
    let signs: Book<NodeSign> = Book::new(app.stores.records.clone());
    let begun = app.clock.now();
    if !app.stores.is_cluster() {
        // Nobody else can read it: alone, it need not write every ten seconds.
        app.roster.send_replace(Roster::of(vec![own_sign(&app, begun)], app.node, begun));
        return;
    }
    loop {
        match sign_and_look(&app, &signs, begun).await {
            Ok(roster) => {
                warn(&app.roster.borrow(), &roster);
                app.roster.send_replace(roster);
            }
            Err(fault) => tracing::warn!(%fault, "no sign of life could be given to the other nodes"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn own_sign(app: &App, begun: Moment) -> NodeSign {
    let name = app.settings.node.as_ref().map(|name| name.as_str().to_owned());
    NodeSign { id: app.node, name, version: env!("CARGO_PKG_VERSION").into(), begun, at: app.clock.now() }
}

async fn sign_and_look(app: &App, signs: &Book<NodeSign>, begun: Moment) -> Result<Roster, Fault> {
    let sign = own_sign(app, begun);
    let now = sign.at;
    if signs.change(app.node, now, |_| Decision::Write(sign.clone(), ())).await?.is_none() {
        signs.create(sign.clone(), now).await?;
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = signs.page(after, 100, now).await?;
        all.extend(page.into_iter().map(|loaded| loaded.record));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(Roster::of(all, app.node, app.clock.now())),
        }
    }
}

/// Says what is new and wrong, once.
fn warn(before: &Roster, now: &Roster) {
    for (node, by) in &now.ahead {
        if !before.ahead.iter().any(|(known, _)| known == node) {
            let seconds = by.as_secs_f64();
            tracing::error!(
                node,
                seconds,
                "this clock is behind that of another node: sessions and tokens end at the wrong time; set the clocks"
            );
        }
    }
    if now.namesake && !before.namesake {
        tracing::error!("another node has the same name: give every node a `node` of its own");
    }
}
