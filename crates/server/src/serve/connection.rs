//! One connection: TLS when it is on, HTTP/1.1 or HTTP/2, and limits on head, time and idleness.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Front;
use crate::config::Limits;
use crate::face::payload::Payload;

/// Serves one connection to its end.
pub(super) async fn serve_connection(
    front: Front,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: &Limits,
    watcher: Watcher,
) {
    match tls {
        None => serve_stream(front, stream, peer, limits, watcher).await,
        Some(acceptor) => {
            match tokio::time::timeout(limits.header_time.duration(), acceptor.accept(stream)).await {
                Ok(Ok(stream)) => serve_stream(front, stream, peer, limits, watcher).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            }
        }
    }
}

async fn serve_stream<S>(front: Front, stream: S, peer: SocketAddr, limits: &Limits, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let use_of = Arc::new(Use::default());
    let during = use_of.clone();
    let request_time = limits.request_time.duration();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        if let Some(response) = front.answer_at_once(&request, peer) {
            during.begun.fetch_add(1, Ordering::Relaxed);
            return Answering::Now(Some(response));
        }
        let (front, during) = (front.clone(), during.clone());
        Answering::Later(Box::pin(async move {
            let _busy = during.begin();
            let answer = front.answer(request, peer);
            match tokio::time::timeout(request_time, answer).await {
                Ok(response) => response,
                Err(_) => front.too_slow(),
            }
        }))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time.duration().max(limits.header_time.duration()))
        .max_headers(limits.headers as usize)
        .max_buf_size(limits.header.as_usize().max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header.count()).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let connection = watcher.watch(connection.into_owned());
    tokio::pin!(connection);
    let idle = use_of.unused_for(limits.header_time.duration(), limits.idle_time.duration());
    tokio::select! {
        result = &mut connection => {
            if let Err(error) = result {
                tracing::debug!(%peer, %error, "a connection broke off");
            }
        }
        () = idle => tracing::debug!(%peer, "a connection without requests was closed"),
    }
}

/// An answer that is there already, or one that is waited for.
enum Answering {
    Now(Option<Response<Payload>>),
    Later(Pin<Box<dyn Future<Output = Response<Payload>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Payload>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Asked a second time it would never come, as any other future that is done.
            Answering::Now(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Answering::Later(answer) => answer.as_mut().poll(context).map(Ok),
        }
    }
}

/// Whether a connection is in use, and how often it was.
#[derive(Default)]
struct Use {
    running: AtomicI64,
    begun: AtomicI64,
}

struct Busy(Arc<Use>);

impl Use {
    fn begin(self: &Arc<Self>) -> Busy {
        self.running.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }

    /// Returns when the connection had no request for `idle`, or none at all within `first`.
    async fn unused_for(&self, first: Duration, idle: Duration) {
        let mut seen = 0;
        let mut patience = first;
        loop {
            tokio::time::sleep(patience).await;
            let begun = self.begun.load(Ordering::Acquire);
            if self.running.load(Ordering::Acquire) == 0 && begun == seen {
                return;
            }
            seen = begun;
            patience = idle;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
