//! An issuer with a certificate of a private authority.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use gateward_guard::verify::{Denied, Outage, Stale, StatusPolicy};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use crate::issuer::{Issuer, until};

struct Behind {
    inner: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Behind {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = self.inner.accept().await.unwrap();
            // A client that does not trust the certificate goes away.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// The issuer with a certificate for this name, and the authority's own certificate.
async fn open(name: &str, protocols: &[&[u8]]) -> (Issuer, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", inner.local_addr().unwrap().port());
    (Issuer::at(url, Behind { inner, tls: Arc::new(config).into() }), authority.pem())
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    for protocols in [[b"http/1.1".as_slice()].as_slice(), &[b"h2", b"http/1.1"]] {
        let (issuer, root) = open("localhost", protocols).await;
        let token = issuer.token(4, json!({}));
        let without = issuer.told().build().unwrap();
        assert_eq!(without.verify(&token).await.err(), Some(Denied::Unavailable(Outage::Keys)));
        let told = issuer.told().extra_root(root).status(StatusPolicy::Push(Stale::Deny));
        let verifier = told.build().unwrap();
        assert!(verifier.verify(&token).await.is_ok());
        issuer.revoke(1, 4);
        until(&verifier, &token, |answer| answer.is_err()).await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not() {
    let (issuer, root) = open("login.example.com", &[b"http/1.1"]).await;
    let verifier = issuer.told().extra_root(root).build().unwrap();
    let answer = verifier.verify(&issuer.token(4, json!({}))).await;
    assert_eq!(answer.err(), Some(Denied::Unavailable(Outage::Keys)));
}
