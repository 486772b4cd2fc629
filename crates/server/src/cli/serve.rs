//! `gateward serve`

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::Done;
use crate::certificate::Authorities;
use crate::config::{SessionStore, Settings};
use crate::jobs;
use crate::login::setup::{Invitation, invite};
use crate::serve::{listen, tls::Tls};
use crate::start::{self, Missing};
use crate::stores;
use crate::telemetry;

pub(super) fn run(settings: Settings) -> Done {
    // Connections are served on threads of their own; this one accepts them and does the jobs beside.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(settings))?;
    Ok(())
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    telemetry::start_logs(&settings.log);
    let tls = match (&settings.tls.certificate, &settings.tls.key) {
        (Some(certificate), Some(key)) => {
            Some(Tls::open(certificate, key, settings.tls.client_certificates)?)
        }
        _ => None,
    };
    let authorities = settings.tls.client_ca_file.as_deref().map(Authorities::open).transpose()?;
    // The cookies of an impossible combination are refused before anything is made.
    crate::app::Cookies::new(&settings, settings.is_https())
        .map_err(|problem| anyhow::anyhow!("[cookie]: {problem}"))?;
    // The port first: when it is taken, nothing else has happened.
    let listening = listen(settings.listen).await?;
    let base = settings.base_url_on(listening.address);
    let app = start::open(settings, base, Missing::Create).await?;
    if let Some(authorities) = authorities {
        tokio::spawn(app.authorities.get_or_init(|| authorities).clone().watch());
    }
    app.tokens.mint.ring().start(app.clock.now()).await?;
    let invitation = invite(app.directory(), &app.setup, &app.base, &*app.entropy, app.clock.now()).await?;
    let address = listening.address;
    let watched = tls.clone();
    let serving = listening.serve(app.clone(), tls, stop()?)?;
    println!("gateward listens on {address}; people reach it at {}", app.origin);
    match stores::what_this_node_alone_keeps(&app.settings) {
        Some(words) => println!("{words}"),
        None if app.settings.sessions.store == SessionStore::Memory => {
            println!("Sessions are kept in memory only: a restart signs everybody out.");
        }
        None => {}
    }
    tell(&invitation);
    tokio::spawn(jobs::sweep(app.clone()));
    tokio::spawn(jobs::give_signs_of_life(app.clone()));
    tokio::spawn(jobs::watch_keys(app.clone()));
    tokio::spawn(jobs::follow_status(app.clone()));
    tokio::spawn(jobs::tell_logouts(app.clone()));
    if let Some(tls) = watched {
        tokio::spawn(tls.watch());
    }
    serving.await?;
    println!("gateward has stopped");
    Ok(())
}

fn tell(invitation: &Invitation) {
    match invitation {
        Invitation::NotNeeded => {}
        Invitation::Link(link) => println!(
            "\nThere is no administrator yet. Choose name and password of the first one here, within an hour:\n\n    {link}\n\n\
             The link counts once. Without a browser: gateward user add NAME --admin\n"
        ),
        Invitation::Earlier(ends) => println!(
            "There is no administrator yet. The link that was printed at an earlier start counts until {}; \
             without it: gateward user add NAME --admin",
            ends.rfc3339()
        ),
    }
}

/// Comes when the program is told to end.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests that were begun are finished");
    })
}
