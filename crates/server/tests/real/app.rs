//! The protected application: a small server in the test that writes down what reaches it, shows who is signed in, and speaks
//! enough WebSocket to be opened.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as the application got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Seen {
    /// All values of a header as an application may look it up: by CGI and its kin, `Remote_User`, `Remote.User` and
    /// `Remote-User` are one name.
    pub fn folded(&self, name: &str) -> Vec<&str> {
        let fold = |name: &str| -> String {
            name.chars()
                .map(|one| if one.is_ascii_alphanumeric() { one.to_ascii_lowercase() } else { '_' })
                .collect()
        };
        let wanted = fold(name);
        let found = self.headers.iter().filter(|(name, _)| fold(name) == wanted);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header; an empty one counts as none, a second one fails the test.
    pub fn one(&self, name: &str) -> Option<&str> {
        let all = self.folded(name);
        assert!(all.len() <= 1, "{name} is there more than once: {all:?}");
        all.first().copied().filter(|value| !value.is_empty())
    }
}

/// The running application.
pub struct App {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl App {
    /// Starts it on a free port.
    pub async fn start() -> App {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let task = tokio::spawn(accept(listener, seen.clone()));
        App { address, seen, task }
    }

    /// What reached it since the last time this was asked.
    pub fn take(&self) -> Vec<Seen> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        for request in &seen {
            let cookies = request.folded("cookie").join("; ").to_ascii_lowercase();
            let ours = cookies.split(';').map(|pair| pair.split('=').next().unwrap_or_default().trim());
            for name in ours {
                let bare = name.trim_start_matches("__host-").trim_start_matches("__secure-");
                assert_ne!(bare, "gateward", "the application sees the session cookie: {request:?}");
            }
        }
        seen
    }

    /// The only request that reached it since the last time.
    pub fn only(&self) -> Seen {
        let mut seen = self.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = seen.clone();
        let service = service_fn(move |request| {
            let seen = seen.clone();
            async move { Ok::<_, Infallible>(answer(request, &seen).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}

async fn answer(mut request: Request<Incoming>, seen: &Mutex<Vec<Seen>>) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let request = Seen {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
    };
    seen.lock().unwrap().push(request.clone());
    match parts.headers.get("sec-websocket-key") {
        Some(key) => {
            let greeting = format!("hello {}", request.one("remote-user").unwrap_or("nobody"));
            tokio::spawn(greet(upgrade, greeting));
            let key = text(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
            let accept = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()).as_ref());
            let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            let head = head.header("connection", "upgrade").header("upgrade", "websocket");
            head.header("sec-websocket-accept", accept).body(Full::default()).unwrap()
        }
        None => page(&request),
    }
}

/// Says one sentence in a text frame (RFC 6455 §5.2) and waits for the end.
async fn greet(upgrade: hyper::upgrade::OnUpgrade, greeting: String) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut stream = TokioIo::new(upgraded);
    let frame = [&[0x81, u8::try_from(greeting.len()).unwrap()], greeting.as_bytes()].concat();
    let _ = stream.write_all(&frame).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

fn page(request: &Seen) -> Response<Full<Bytes>> {
    let shown = |name: &str| request.one(name).unwrap_or("-").replace('<', "&lt;");
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><link rel=icon href=data:,><title>Wiki</title><h1>Wiki</h1>\
         <p id=user>{}</p><p id=name>{}</p><p id=groups>{}</p><p id=target>{}</p>",
        shown("remote-user"),
        shown("remote-name"),
        shown("remote-groups"),
        request.target.replace('<', "&lt;"),
    );
    let mut response = Response::new(Full::from(html));
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("text/html; charset=utf-8"));
    headers.append("set-cookie", http::HeaderValue::from_static("wiki_theme=dark; Path=/"));
    response
}
