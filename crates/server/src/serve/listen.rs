//! Listening, accepting within the limit, and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::tls::Tls;
use super::workers::{Accepted, Workers};
use super::{Counted, Front};
use crate::app::App;

/// The pause after a connection could not be accepted: out of file descriptors, mostly.
const BREATH: Duration = Duration::from_millis(50);

/// So many connections wait in the kernel until they are accepted.
const BACKLOG: u32 = 1024;

/// A port that is held. Connections are refused until it is served, so that a balancer asks another node while this one starts.
#[derive(Debug)]
pub struct Listening {
    socket: TcpSocket,
    /// The address, with the port that the system chose when none was named.
    pub address: SocketAddr,
}

/// Takes the port.
pub async fn listen(address: SocketAddr) -> anyhow::Result<Listening> {
    let socket = bind(address).map_err(|error| refused(address, &error))?;
    let address = socket.local_addr().context("the address that is listened on cannot be told")?;
    Ok(Listening { socket, address })
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port that this program has just left can be taken again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn refused(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
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
    }
}

impl Listening {
    /// Answers until `stop` comes, then lets what was begun finish within the time of the settings.
    pub fn serve(
        self,
        app: Arc<App>,
        tls: Option<Arc<Tls>>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        self.serve_front(&Front::new(&app), app, tls, stop)
    }

    /// The same with another front.
    pub fn serve_front(
        self,
        front: &Front,
        app: Arc<App>,
        tls: Option<Arc<Tls>>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        let listener = self.socket.listen(BACKLOG).map_err(|error| refused(self.address, &error))?;
        let mut door = Door { workers: Workers::start(front)?, app, tls };
        Ok(tokio::spawn(async move {
            tokio::select! {
                () = stop => {}
                () = door.accept(&listener) => {}
            }
            if let Err(error) = door.accept_waiting(listener) {
                tracing::warn!(%error, "connections that waited could not be accepted");
            }
            door.app.stopping.send_replace(true);
            door.workers.finish().await;
        }))
    }
}

/// Lets connections in.
struct Door {
    app: Arc<App>,
    tls: Option<Arc<Tls>>,
    workers: Workers,
}

impl Door {
    async fn accept(&mut self, listener: &TcpListener) {
        let places = Arc::new(Semaphore::new(self.app.settings.limits.connections as usize));
        loop {
            // Further connections wait in the kernel until there is a place.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => self.take(stream, peer, Some(place)),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// Closes the port. Whoever the kernel let in before that may have sent a request already: they are answered, too.
    fn accept_waiting(&mut self, listener: TcpListener) -> std::io::Result<()> {
        let listener = listener.into_std()?;
        for _ in 0..BACKLOG {
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    self.take(stream, peer, None);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, stream: std::net::TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) {
        // Small answers must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "a connection was gone before it was accepted");
            return;
        }
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        self.workers.take(Accepted { stream, peer, tls, place, counted: Counted::new(&self.app) });
    }
}
