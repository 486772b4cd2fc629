//! Serving https without a proxy: the certificate files are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, SupportedCipherSuite};
use tokio_rustls::TlsAcceptor;

use crate::config::ClientCertificates;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is served with, replaced as a whole when the files change.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    clients: ClientCertificates,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads certificate and key; `clients` says whether clients are asked for theirs.
    pub fn open(certificate: &Path, key: &Path, clients: ClientCertificates) -> anyhow::Result<Arc<Self>> {
        let current = RwLock::new(Arc::new(read(certificate, key, clients)?));
        Ok(Arc::new(Tls { certificate: certificate.to_owned(), key: key.to_owned(), clients, current }))
    }

    /// What new connections are accepted with; those that are open keep what they have.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().clone())
    }

    /// Reads the files again whenever they change. When they cannot be used, the old ones serve on.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamps();
            if now == seen {
                continue;
            }
            match read(&self.certificate, &self.key, self.clients) {
                Ok(config) => {
                    *self.current.write() = Arc::new(config);
                    seen = now;
                    tracing::info!("the certificate was read again");
                }
                // Key and certificate may be written one after the other: looked at again in a moment.
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the changed certificate cannot be used yet")
                }
            }
        }
    }

    fn stamps(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key]
            .map(|path| std::fs::metadata(path).and_then(|found| found.modified()).ok())
    }
}

fn read(certificate: &Path, key: &Path, clients: ClientCertificates) -> anyhow::Result<ServerConfig> {
    let chain =
        CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("tls.certificate: {} cannot be read as PEM", certificate.display()))?;
    if chain.is_empty() {
        bail!("tls.certificate: {} holds no certificate", certificate.display());
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("tls.key: {} cannot be read as PEM", key.display()))?;
    let provider = Arc::new(provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match clients {
        ClientCertificates::Off => builder.with_no_client_auth(),
        ClientCertificates::Optional => builder.with_client_cert_verifier(Arc::new(Anybody(algorithms))),
    };
    let mut config =
        builder.with_single_cert(chain, private).context("tls.key does not belong to tls.certificate")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Of TLS 1.2 only the suites that BCP 195 (RFC 9325 §4.2) recommends; TLS 1.3 has none that are weak.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let is_recommended = |suite: &SupportedCipherSuite| {
        suite.version() == &rustls::version::TLS13
            || suite.suite().as_str().is_some_and(|name| name.contains("_GCM_"))
    };
    provider.cipher_suites.retain(is_recommended);
    provider
}

/// Takes the certificate of anybody who has its key: that the client signs the handshake is what is checked here. What the
/// certificate is worth is judged where somebody relies on it (RFC 8705 §2).
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
