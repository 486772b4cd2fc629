//! Listening, accepting within the limit, and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::tls::Tls;
use super::workers::{Accepted, Workers};
use super::{Counted, Front};
use crate::app::App;

/// The pause after a connection could not be accepted: out of file descriptors, mostly.
const BREATH: Duration = Duration::from_millis(50);

/// A port that is held, before anything is answered on it.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// The address, with the port that the system chose when none was named.
    pub address: SocketAddr,
}

/// Takes the port.
pub async fn listen(address: SocketAddr) -> anyhow::Result<Listening> {
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "{address} is taken by another program: end it, or choose another port with --listen"
            )
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("{address} may not be used by this user: choose a port above 1023 with --listen")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("{address} is no address of this machine: choose another with --listen")
        }
        _ => anyhow::anyhow!("{address} cannot be listened on: {error}"),
    })?;
    let address = listener.local_addr().context("the address that is listened on cannot be told")?;
    Ok(Listening { listener, address })
}

impl Listening {
    /// Answers until `stop` comes, then lets what was begun finish within the time of the settings.
    pub fn serve(
        self,
        app: Arc<App>,
        tls: Option<Arc<Tls>>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let workers = Workers::start(&Front::new(&app))?;
        Ok(tokio::spawn(async move {
            let mut workers = workers;
            tokio::select! {
                () = stop => {}
                () = self.accept(&app, tls, &mut workers) => {}
            }
            drop(self.listener);
            app.stopping.send_replace(true);
            workers.finish().await;
        }))
    }

    async fn accept(&self, app: &Arc<App>, tls: Option<Arc<Tls>>, workers: &mut Workers) {
        let places = Arc::new(Semaphore::new(app.settings.limits.connections as usize));
        loop {
            // Further connections wait in the kernel until there is a place.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted = self.listener.accept().await.and_then(|(stream, peer)| {
                // Small answers must not wait for each other.
                stream.set_nodelay(true)?;
                Ok((stream.into_std()?, peer))
            });
            match accepted {
                Ok((stream, peer)) => {
                    let tls = tls.as_ref().map(|tls| tls.acceptor());
                    workers.take(Accepted { stream, peer, tls, place, counted: Counted::new(app) });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }
}
