//! TLS: whom to trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::address::TlsFiles;
use super::trouble::{Trouble, Why};

/// Trusts the certificates of the file, or the system's where none is named.
pub(super) fn config(files: &TlsFiles) -> Result<ClientConfig, Trouble> {
    let mut roots = RootCertStore::empty();
    match &files.ca {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            for certificate in CertificateDer::pem_slice_iter(&read(file)?) {
                let certificate = certificate.map_err(|error| unfit(file, &error))?;
                roots.add(certificate).map_err(|error| unfit(file, &error))?;
            }
        }
    }
    if roots.is_empty() {
        return Err(Trouble::new(Why::Unfit, "there is no certificate to trust; name a file with ca=PATH"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: rustls::Error| Trouble::new(Why::Unfit, error.to_string());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots);
    match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
            let chain = chain.map_err(|error| unfit(cert, &error))?;
            let own = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unfit(key, &error))?;
            config.with_client_auth_cert(chain, own).map_err(wrong)
        }
        _ => Ok(config.with_no_client_auth()),
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    std::fs::read(file)
        .map_err(|error| Trouble::new(Why::Unfit, format!("{} cannot be read: {error}", file.display())))
}

fn unfit(file: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(Why::Unfit, format!("{}: {error}", file.display()))
}
