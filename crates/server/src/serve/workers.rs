//! The threads that serve connections: one for each core, each with a runtime of its own.
//!
//! A connection stays with its thread, so that the common answer crosses no queue and wakes nobody. Connections are
//! dealt out in turn; what must be waited for (the database, hashing) is done elsewhere and only awaited here.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connection::serve_connection;
use super::{Counted, Front};

/// A connection that was accepted and is to be served.
pub(super) struct Accepted {
    pub(super) stream: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) tls: Option<TlsAcceptor>,
    /// Its place among the connections that are allowed at a time; none when the program is stopping.
    pub(super) place: Option<OwnedSemaphorePermit>,
    pub(super) counted: Counted,
}

/// All the threads.
pub(super) struct Workers {
    inboxes: Vec<mpsc::UnboundedSender<Accepted>>,
    finished: Vec<oneshot::Receiver<()>>,
    next: usize,
}

impl Workers {
    /// Starts a thread for each core.
    pub(super) fn start(front: &Front) -> std::io::Result<Self> {
        let mut workers = Workers { inboxes: Vec::new(), finished: Vec::new(), next: 0 };
        for number in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (inbox, connections) = mpsc::unbounded_channel();
            let (done, finished) = oneshot::channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let front = front.clone();
            std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
                runtime.block_on(work(front, connections));
                // Nobody waits any more when the program is being torn down.
                let _gone = done.send(());
            })?;
            workers.inboxes.push(inbox);
            workers.finished.push(finished);
        }
        Ok(workers)
    }

    /// Hands a connection to the next thread.
    pub(super) fn take(&mut self, accepted: Accepted) {
        self.next = (self.next + 1) % self.inboxes.len().max(1);
        if let Some(inbox) = self.inboxes.get(self.next)
            && inbox.send(accepted).is_err()
        {
            tracing::error!("a serving thread has ended");
        }
    }

    /// Takes no more, and waits until everything that was begun is answered or given up.
    pub(super) async fn finish(self) {
        drop(self.inboxes);
        for finished in self.finished {
            // An error means that the thread is gone, which is what is waited for.
            let _ended = finished.await;
        }
    }
}

async fn work(front: Front, mut inbox: mpsc::UnboundedReceiver<Accepted>) {
    let limits = Arc::new(front.app.settings.limits.clone());
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = inbox.recv() => accepted,
            // Those that have ended are forgotten as they end.
            Some(_) = connections.join_next() => continue,
        };
        let Some(Accepted { stream, peer, tls, place, counted }) = accepted else { break };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let (front, limits, stopping) = (front.clone(), limits.clone(), stopping.clone());
                connections.spawn(async move {
                    serve_connection(front, stream, peer, tls, &limits, stopping).await;
                    drop((place, counted));
                });
            }
            Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
        }
    }
    stop.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown_time.duration(), finished).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
}
