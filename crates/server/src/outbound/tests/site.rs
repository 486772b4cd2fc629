//! A server on this machine that says exactly the bytes it is told to say, and remembers what it was asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What is said to whoever has asked.
#[derive(Clone)]
pub(super) enum Say {
    /// These bytes, and then the end.
    All(Vec<u8>),
    /// These bytes, and then nothing for as long as the other side stays.
    Stall(Vec<u8>),
    /// These bytes, and then one more every few milliseconds for ever.
    Trickle(Vec<u8>),
    /// These bytes, and then this piece again and again for ever.
    Flood(Vec<u8>, Vec<u8>),
    /// Nothing, and not even TLS.
    Silence,
}

/// An answer with these header lines and this body.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Say {
    let length = body.len();
    Say::All(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

pub(super) struct Site {
    pub(super) port: u16,
    /// The heads and bodies of requests as they came.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    /// How many connections there were.
    pub(super) connections: Arc<Mutex<usize>>,
    say: Arc<Mutex<Say>>,
    /// Who signed its certificate, in PEM.
    pub(super) authority: String,
}

impl Site {
    /// A server with a certificate for this name.
    pub(super) async fn tls(name: &str, say: Say) -> Site {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Site::open(Some(Arc::new(config).into()), authority.pem(), say).await
    }

    /// A server without TLS.
    pub(super) async fn plain(say: Say) -> Site {
        Site::open(None, String::new(), say).await
    }

    async fn open(tls: Option<TlsAcceptor>, authority: String, say: Say) -> Site {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, connections) = (Arc::default(), Arc::new(Mutex::new(0)));
        let say = Arc::new(Mutex::new(say));
        let site = Site { port, asked, connections, say, authority };
        let (asked, connections, say) = (site.asked.clone(), site.connections.clone(), site.say.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock() += 1;
                let (asked, say, tls) = (asked.clone(), say.lock().clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        _ if matches!(say, Say::Silence) => std::future::pending().await,
                        None => serve(stream, &asked, say).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &asked, say).await;
                            }
                        }
                    }
                });
            }
        });
        site
    }

    pub(super) fn says(&self, say: Say) {
        *self.say.lock() = say;
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().len()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: &Mutex<Vec<String>>, say: Say) {
    let mut text = String::new();
    let mut part = [0; 4096];
    while !is_whole(&text) {
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => text.push_str(std::str::from_utf8(&part[..count]).unwrap()),
            _ => return,
        }
    }
    asked.lock().push(text);
    // The other side may go away in the middle, which is what many tests are about: writing fails then.
    let (Say::All(first) | Say::Stall(first) | Say::Trickle(first) | Say::Flood(first, _)) = &say else {
        return;
    };
    let mut going = stream.write_all(first).await.is_ok() && stream.flush().await.is_ok();
    match say {
        Say::Stall(_) => std::future::pending().await,
        Say::Trickle(_) => {
            while going {
                tokio::time::sleep(Duration::from_millis(5)).await;
                going = stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok();
            }
        }
        Say::Flood(_, piece) => {
            while going {
                going = stream.write_all(&piece).await.is_ok();
            }
        }
        Say::All(_) | Say::Silence => {}
    }
    let _gone = stream.shutdown().await;
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
