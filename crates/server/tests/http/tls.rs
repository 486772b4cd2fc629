//! https without a proxy: real handshakes, and certificates that are replaced while the server runs.

use std::path::Path;
use std::sync::Arc;

use gateward::config::ClientCertificates;
use gateward::serve::listen;
use gateward::serve::tls::Tls;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::house::{House, within_a_second};

/// Writes a new certificate and its key.
fn write(certificate: &Path, key: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// Connects as somebody who trusts exactly this certificate.
async fn connect(
    address: std::net::SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_by(address, trusted, rustls::crypto::aws_lc_rs::default_provider()).await
}

/// The same by what this can.
async fn connect_by(
    address: std::net::SocketAddr,
    trusted: &CertificateDer<'static>,
    provider: CryptoProvider,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the connection ended: {text}");
        text.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    text
}

#[tokio::test]
async fn only_suites_that_bcp_195_recommends_are_spoken() {
    use rustls::CipherSuite as Suite;
    let house = House::with("public_url = \"https://localhost\"").await;
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let trusted = write(&certificate, &key);
    let tls = Tls::open(&certificate, &key, ClientCertificates::Off).unwrap();
    let listening = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address;
    listening.serve(house.app.clone(), Some(tls), std::future::pending()).unwrap();
    for (suite, is_spoken) in [
        (Suite::TLS13_AES_128_GCM_SHA256, true),
        (Suite::TLS13_AES_256_GCM_SHA384, true),
        (Suite::TLS13_CHACHA20_POLY1305_SHA256, true),
        (Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true),
        (Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true),
        (Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false),
    ] {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|own| own.suite() == suite);
        assert_eq!(provider.cipher_suites.len(), 1, "{suite:?}");
        assert_eq!(connect_by(address, &trusted, provider).await.is_ok(), is_spoken, "{suite:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_certificate_serves_new_connections_and_breaks_no_old_one() {
    let house = House::with("public_url = \"https://localhost\"").await;
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let first = write(&certificate, &key);
    let tls = Tls::open(&certificate, &key, ClientCertificates::Off).unwrap();
    let listening = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address;
    listening.serve(house.app.clone(), Some(tls.clone()), std::future::pending()).unwrap();
    tokio::spawn(tls.watch());

    let mut old = connect(address, &first).await.unwrap();
    let answer = get(&mut old, "/api/v1/session").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    let mut plain = crate::wire::Wire::connect(address).await;
    plain.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    plain.closed().await;

    let second = write(&certificate, &key);
    // The files are looked at once a second.
    within_a_second("the new certificate", async || connect(address, &second).await.is_ok()).await;
    assert!(connect(address, &first).await.is_err());
    assert!(get(&mut old, "/healthz").await.starts_with("HTTP/1.1 200 "), "what is open stays open");

    // A certificate without its key is not taken, and the next pair is.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(Tls::open(&certificate, &key, ClientCertificates::Off).is_err());
    connect(address, &second).await.unwrap();
    let third = write(&certificate, &key);
    within_a_second("the third certificate", async || connect(address, &third).await.is_ok()).await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let problem = || format!("{:#}", Tls::open(&certificate, &key, ClientCertificates::Off).unwrap_err());
    assert!(problem().starts_with("tls.certificate: "), "{}", problem());
    write(&certificate, &key);
    std::fs::write(&key, "nonsense").unwrap();
    assert!(problem().starts_with("tls.key: "), "{}", problem());
    std::fs::write(&certificate, "").unwrap();
    assert!(problem().contains("holds no certificate"), "{}", problem());
}
