//! Who vouches for certificates of clients (`tls.client_ca_file`): asked when it matters, not in the handshake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use gateward_kernel::time::Moment;
use parking_lot::RwLock;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::ClientCertificate;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The authorities of a file, which is read again when it changes.
#[derive(Debug)]
pub struct Authorities {
    file: PathBuf,
    current: RwLock<Arc<dyn ClientCertVerifier>>,
}

impl Authorities {
    /// Reads the certificates of the file, each of which is trusted.
    pub fn open(file: &Path) -> anyhow::Result<Arc<Self>> {
        let current = RwLock::new(read(file)?);
        Ok(Arc::new(Authorities { file: file.to_owned(), current }))
    }

    /// Whether one of them vouches for the certificate at this moment: by a chain of signatures, none of which has expired, for
    /// use as a client.
    pub fn vouch_for(&self, certificate: &ClientCertificate, now: Moment) -> bool {
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let chain: Vec<CertificateDer<'_>> =
            certificate.chain().iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let own = CertificateDer::from(certificate.der());
        let verifier = self.current.read().clone();
        let judged = verifier.verify_client_cert(
            &own,
            &chain,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        );
        judged.inspect_err(|error| tracing::debug!(%error, "no authority vouches for a certificate")).is_ok()
    }

    /// Reads the file again whenever it changes. When it cannot be used, the old authorities stay.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.stamp();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamp();
            if now == seen {
                continue;
            }
            match read(&self.file) {
                Ok(verifier) => {
                    *self.current.write() = verifier;
                    seen = now;
                    tracing::info!("the authorities for certificates of clients were read again");
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the changed authorities cannot be used yet")
                }
            }
        }
    }

    fn stamp(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.file).and_then(|found| found.modified()).ok()
    }
}

fn read(file: &Path) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let certificates =
        CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("tls.client_ca_file: {} cannot be read as PEM", file.display()))?;
    if certificates.is_empty() {
        bail!("tls.client_ca_file: {} holds no certificate", file.display());
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        added.with_context(|| {
            format!("tls.client_ca_file: {} holds a certificate of no authority", file.display())
        })?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.context("tls.client_ca_file names nobody who could vouch for a client")
}
