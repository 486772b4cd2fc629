//! A client that sends exactly what it is told to: odd spellings, doubled headers, any path. HTTP/1.1 (RFC 9112), one request a
//! connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use crate::machine::PATIENCE;

/// Knows where a server is and which certificate it has.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    /// Its own address, where it matters which one it is.
    from: Option<Ipv4Addr>,
    tls: Option<TlsConnector>,
}

/// A request, line by line.
#[derive(Clone, Debug)]
pub struct Ask {
    method: String,
    host: String,
    target: String,
    lines: Vec<String>,
    body: Vec<u8>,
    upgrade: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Ask {
    /// `target` goes into the request line as it is.
    pub fn new(method: &str, host: &str, target: &str) -> Ask {
        Ask {
            method: method.to_owned(),
            host: host.to_owned(),
            target: target.to_owned(),
            lines: Vec::new(),
            body: Vec::new(),
            upgrade: false,
        }
    }

    /// As a browser opens a page.
    pub fn page(host: &str, target: &str) -> Ask {
        Ask::new("GET", host, target)
            .line("Accept: text/html,application/xhtml+xml,*/*;q=0.8")
            .line("Sec-Fetch-Mode: navigate")
            .line("Sec-Fetch-Dest: document")
    }

    /// As a script of the application asks.
    pub fn fetch(host: &str, target: &str) -> Ask {
        Ask::new("GET", host, target)
            .line("Accept: */*")
            .line("Sec-Fetch-Mode: cors")
            .line("Sec-Fetch-Dest: empty")
    }

    /// As a browser opens a WebSocket (RFC 6455 §4.1).
    pub fn web_socket(host: &str, target: &str) -> Ask {
        let mut ask = Ask::new("GET", host, target)
            .line("Connection: Upgrade")
            .line("Upgrade: websocket")
            .line("Sec-WebSocket-Version: 13")
            .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
        ask.upgrade = true;
        ask
    }

    /// One more line of the head, exactly so.
    pub fn line(mut self, line: &str) -> Ask {
        self.lines.push(line.to_owned());
        self
    }

    /// The cookies.
    pub fn cookie(self, cookie: &str) -> Ask {
        self.line(&format!("Cookie: {cookie}"))
    }

    /// A body with its length.
    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Ask {
        self.body = body.into();
        let length = self.body.len();
        self.line(&format!("Content-Type: {kind}")).line(&format!("Content-Length: {length}"))
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        if !self.upgrade {
            head.push_str("Connection: close\r\n");
        }
        for line in &self.lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head + "\r\n"
    }
}

impl Client {
    /// Of a server that speaks plain HTTP.
    pub fn plain(address: SocketAddr) -> Client {
        Client { address, from: None, tls: None }
    }

    /// Of a server that speaks TLS and whose certificate comes from this one.
    pub fn tls(address: SocketAddr, root: CertificateDer<'static>) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client { tls: Some(TlsConnector::from(Arc::new(config))), ..Client::plain(address) }
    }

    /// The same, coming from another address of loopback.
    pub fn from(self, from: Ipv4Addr) -> Client {
        Client { from: Some(from), ..self }
    }

    /// The same, of another server.
    pub fn to(self, address: SocketAddr) -> Client {
        Client { address, ..self }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, ask: &Ask) -> Reply {
        self.try_send(ask).await.unwrap_or_else(|error| panic!("{error}: {} {}", ask.method, ask.target))
    }

    /// The same, where the connection may fail.
    pub async fn try_send(&self, ask: &Ask) -> std::io::Result<Reply> {
        self.send_to(&ask.host, ask).await
    }

    /// The same, where TLS is asked for another name than the header `Host` says.
    pub async fn send_to(&self, name: &str, ask: &Ask) -> std::io::Result<Reply> {
        let work = async {
            let stream = self.connect().await?;
            match &self.tls {
                None => exchange(stream, ask).await,
                Some(connector) => {
                    let name = name.split(':').next().unwrap_or_default().to_owned();
                    let name = ServerName::try_from(name).map_err(std::io::Error::other)?;
                    exchange(connector.connect(name, stream).await?, ask).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("no answer: {ask:?}"))
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let Some(from) = self.from else { return TcpStream::connect(self.address).await };
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        socket.connect(self.address).await
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, ask: &Ask) -> std::io::Result<Reply> {
    stream.write_all(ask.head().as_bytes()).await?;
    // A server may answer before it has read the whole body, and close.
    let sent = stream.write_all(&ask.body).await.is_ok();
    if sent {
        stream.flush().await?;
    }
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let ended = match stream.read(&mut chunk).await {
            Ok(0) => true,
            Ok(count) => {
                bytes.extend_from_slice(&chunk[..count]);
                false
            }
            // Closed without the farewell of TLS.
            Err(error) if bytes.is_empty() => return Err(error),
            Err(_) => true,
        };
        if let Some(reply) = read(&bytes, &ask.method, ended)? {
            return Ok(reply);
        }
        if ended {
            return Err(std::io::Error::other("the connection ended before the answer did"));
        }
    }
}

/// Reads an answer (RFC 9112 §6.3); `None` while something is missing.
fn read(bytes: &[u8], method: &str, ended: bool) -> std::io::Result<Option<Reply>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or_else(|| std::io::Error::other(format!("no status: {head}")))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let mut reply = Reply { status, headers, body: Vec::new() };
    if method == "HEAD" || matches!(status, 101 | 204 | 304) {
        reply.body = rest.to_vec();
        return Ok(Some(reply));
    }
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = match unchunked(rest) {
            Some(body) => body,
            None => return Ok(None),
        };
        return Ok(Some(reply));
    }
    let length = reply.header("content-length").and_then(|length| length.parse().ok());
    let complete = length.map_or(ended, |length: usize| rest.len() >= length);
    reply.body = rest[..length.unwrap_or(rest.len()).min(rest.len())].to_vec();
    Ok(complete.then_some(reply))
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}

impl Reply {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All values of a header.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let wanted = name.to_ascii_lowercase();
        self.headers.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The cookie of this name that was set, as `name=value`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        let set = self.headers("set-cookie").find(|line| line.starts_with(&start))?;
        set.split(';').next().map(str::to_owned)
    }
}
