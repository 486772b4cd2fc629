//! The limits results are compared with: the least a server on this HTTP stack can do. Both run on one thread, print
//! the port they listen on and serve until they are ended.

use std::convert::Infallible;
use std::io::Write;

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const GREETING: &str = "hello";

/// hyper's HTTP/1 connection and nothing else.
pub(crate) fn serve_hyper() -> Result<()> {
    on_one_thread(async {
        let listener = announce().await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new();
                // A client that goes away ends its own connection only.
                let _ = connection.serve_connection(TokioIo::new(stream), service_fn(greet)).await;
            });
        }
    })
}

async fn greet(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(GREETING.as_bytes()))))
}

/// An axum router with one route, served the way axum's documentation does.
pub(crate) fn serve_axum() -> Result<()> {
    on_one_thread(async {
        let listener = announce().await?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route("/", get(async || GREETING));
        Ok(axum::serve(listener, router).await?)
    })
}

fn on_one_thread(server: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

async fn announce() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", listener.local_addr()?.port())?;
    output.flush()?;
    Ok(listener)
}
