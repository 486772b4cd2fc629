//! One connection: TLS when it is on, HTTP/1.1 or HTTP/2, and limits on head, time and idleness.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Front;
use crate::certificate::ClientCertificate;
use crate::config::Limits;
use crate::face::payload::Payload;

/// How many headers hyper takes when it is not told.
const HYPERS_OWN_HEADERS: usize = 100;

/// Serves one connection to its end.
pub(super) async fn serve_connection(
    front: Front,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: &Limits,
    stopping: watch::Receiver<bool>,
) {
    match tls {
        None => serve_stream(front, stream, peer, None, limits, stopping).await,
        Some(acceptor) => {
            match tokio::time::timeout(limits.header_time.duration(), acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certificate = certificate_of(&stream, peer);
                    serve_stream(front, stream, peer, certificate, limits, stopping).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            }
        }
    }
}

/// The certificate the client has shown; one that cannot be read is as good as none.
fn certificate_of(stream: &TlsStream<TcpStream>, peer: SocketAddr) -> Option<Arc<ClientCertificate>> {
    let (own, chain) = stream.get_ref().1.peer_certificates()?.split_first()?;
    let chain = chain.iter().map(|one| one.to_vec()).collect();
    let read = ClientCertificate::read(own, chain);
    read.inspect_err(|error| tracing::debug!(%peer, "the client's certificate {error}")).ok().map(Arc::new)
}

async fn serve_stream<S>(
    front: Front,
    stream: S,
    peer: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
    limits: &Limits,
    stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let used = Arc::new(Use { order: AtomicU8::new(GO_ON), ..Use::default() });
    let during = used.clone();
    let request_time = limits.request_time.duration();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if let Some(response) = front.answer_at_once(&request, peer) {
            during.begun.fetch_add(1, Ordering::Relaxed);
            return Answering::Now(Some(response));
        }
        let (front, during) = (front.clone(), during.clone());
        Answering::Later(Box::pin(async move {
            let busy = during.begin();
            let answer = front.answer(request, peer);
            match tokio::time::timeout(request_time, answer).await {
                // An answer that goes on keeps the connection in use.
                Ok(response) => response.map(|payload| payload.holding(busy)),
                Err(_) => front.too_slow(),
            }
        }))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    // The minder looks after slow heads: a timer for each request would cost more than the request.
    builder.http1().header_read_timeout(None).max_buf_size(limits.header.as_usize().max(8192));
    if limits.headers as usize != HYPERS_OWN_HEADERS {
        // Said only where it differs: with a number of its own hyper allocates for each request.
        builder.http1().max_headers(limits.headers as usize);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header.count()).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let minder =
        tokio::spawn(used.clone().mind(limits.header_time.duration(), limits.idle_time.duration(), stopping));
    let mut connection = std::pin::pin!(connection);
    let mut finishing = false;
    let ended = poll_fn(|context| {
        used.waker.register(context.waker());
        match used.order.load(Ordering::Acquire) {
            CLOSE => return Poll::Ready(Ok(())),
            FINISH if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        connection.as_mut().poll(context)
    });
    if let Err(error) = ended.await {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
    minder.abort();
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

/// What the minder wants of a connection: go on, finish what was begun, or close at once.
const GO_ON: u8 = 0;
const FINISH: u8 = 1;
const CLOSE: u8 = 2;

/// How long a connection without a request may bring one when the program is told to stop: it may be on its way.
const NEW: Duration = Duration::from_millis(100);

/// So many looks within the time after which an unused connection is closed: it is closed at most one look late.
const LOOKS: u32 = 4;

/// Whether a connection is in use, how often it was, and what is wanted of it.
#[derive(Default)]
struct Use {
    running: AtomicI64,
    begun: AtomicI64,
    order: AtomicU8,
    waker: AtomicWaker,
}

struct Busy(Arc<Use>);

impl Use {
    fn begin(self: &Arc<Self>) -> Busy {
        self.running.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }

    fn order(&self, order: u8) {
        self.order.store(order, Ordering::Release);
        self.waker.wake();
    }

    /// Watches beside the connection, so that its requests pay nothing for it: closes it when it had no request for
    /// `idle`, or none at all within `first`, and lets it finish when the program is stopping.
    async fn mind(self: Arc<Self>, first: Duration, idle: Duration, mut stopping: watch::Receiver<bool>) {
        let (mut seen, mut quiet, mut pause) = (0, LOOKS - 1, first);
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = tokio::time::sleep(pause) => {}
            }
            let begun = self.begun.load(Ordering::Acquire);
            let used = begun != seen || self.running.load(Ordering::Acquire) > 0;
            quiet = if used { 0 } else { quiet + 1 };
            if quiet == LOOKS {
                return self.order(CLOSE);
            }
            (seen, pause) = (begun, idle / LOOKS);
        }
        if self.begun.load(Ordering::Acquire) == 0 {
            tokio::time::sleep(NEW).await;
        }
        self.order(FINISH);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
