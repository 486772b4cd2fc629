//! A server of somebody else, by https on this machine: it says what it is told to say, and remembers what it was asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What there is, by its path: type and content.
type Pages = Arc<Mutex<HashMap<String, (String, Vec<u8>)>>>;

pub(crate) struct Site {
    pub(crate) port: u16,
    pages: Pages,
    asked: Arc<Mutex<Vec<String>>>,
    /// Where its certificate is.
    file: tempfile::NamedTempFile,
}

impl Site {
    pub(crate) async fn open() -> Site {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (pages, asked): (Pages, Arc<Mutex<Vec<String>>>) = Default::default();
        let site = Site { port, pages: pages.clone(), asked: asked.clone(), file };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, pages, asked) = (tls.clone(), pages.clone(), asked.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    let (mut text, mut part) = (String::new(), [0; 4096]);
                    while !text.contains("\r\n\r\n") {
                        match stream.read(&mut part).await {
                            Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&part[..count])),
                            _ => return,
                        }
                    }
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    let page = pages.lock().get(&path).cloned();
                    asked.lock().push(path);
                    let (status, (kind, body)) = match page {
                        Some(page) => ("200 OK", page),
                        None => ("404 Not Found", ("text/plain".to_owned(), Vec::new())),
                    };
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
                    );
                    let _gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                    let _gone = stream.shutdown().await;
                });
            }
        });
        site
    }

    /// The address of a path there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Says this when it is asked for that path from now on.
    pub(crate) fn says(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) {
        self.pages.lock().insert(path.to_owned(), (kind.to_owned(), body.into()));
    }

    /// The settings with which a house may ask it.
    pub(crate) fn settings(&self) -> String {
        let file = self.file.path().display();
        format!("[outbound]\nallow = ['localhost:{}']\nca_file = '{file}'\n", self.port)
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().len()
    }
}
