//! Listening, accepting within the limit, and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::connection::serve_connection;
use super::{Counted, Front};
use crate::app::App;

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
        tls: Option<Arc<super::tls::Tls>>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let front = Front::new(&app);
        tokio::spawn(async move {
            let limits = app.settings.limits.clone();
            let places = Arc::new(Semaphore::new(limits.connections as usize));
            let graceful = Arc::new(GracefulShutdown::new());
            tokio::pin!(stop);
            loop {
                // Further connections wait in the kernel until there is a place.
                let place = tokio::select! {
                    () = &mut stop => break,
                    place = places.clone().acquire_owned() => place,
                };
                let accepted = tokio::select! {
                    () = &mut stop => break,
                    accepted = self.listener.accept() => accepted,
                };
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, mostly: better in a moment than in a busy loop.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        continue;
                    }
                };
                // Small answers must not wait for each other.
                let _best_effort = stream.set_nodelay(true);
                let acceptor: Option<TlsAcceptor> = tls.as_ref().map(|tls| tls.acceptor());
                let (front, limits) = (front.clone(), limits.clone());
                let (counted, watcher) = (Counted::new(&app), graceful.watcher());
                tokio::spawn(async move {
                    serve_connection(front, stream, peer, acceptor, limits, watcher).await;
                    drop((place, counted));
                });
            }
            drop(self.listener);
            finish(graceful, limits.shutdown_time.duration()).await;
        })
    }
}

async fn finish(graceful: Arc<GracefulShutdown>, patience: std::time::Duration) {
    let Some(graceful) = Arc::into_inner(graceful) else { return };
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
}
