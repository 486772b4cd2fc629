//! Certificates of clients (RFC 8705): shown in the handshake of our own TLS, or told by a proxy that ends TLS for us.
//!
//! That there is one means that the client has its key, and nothing more: who the client is says the law
//! ([`law`]), and whether somebody trusted vouches for it say the [`Authorities`].

mod authorities;
pub mod header;
pub mod law;
pub mod name;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use gateward_guard::forwarded::is_trusted;
use gateward_kernel::confirmation::CertificateThumbprint;
use gateward_kernel::jose::Jwk;
use gateward_kernel::refusal::Refusal;
use http::HeaderMap;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

pub use authorities::Authorities;
pub use name::DistinguishedName;

use crate::app::App;

/// The largest certificate that is read, in bytes.
pub const MAX_CERTIFICATE_LEN: usize = 16 * 1024;
/// The most alternative names that are read of a certificate.
pub const MAX_NAMES: usize = 128;

/// A document is no certificate, has odd names, or is larger than [`MAX_CERTIFICATE_LEN`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is no certificate that can be read")]
pub struct NotACertificate;

/// The certificate of whoever asks, read once.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    der: Vec<u8>,
    chain: Vec<Vec<u8>>,
    thumbprint: CertificateThumbprint,
    subject: DistinguishedName,
    names: AlternativeNames,
    key: Option<Jwk>,
}

/// The alternative names of a certificate's subject (RFC 5280 §4.2.1.6), as far as clients are known by them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlternativeNames {
    /// Host names.
    pub dns: Vec<String>,
    /// Addresses of resources, such as `spiffe://…`.
    pub uri: Vec<String>,
    /// IP addresses.
    pub ip: Vec<IpAddr>,
    /// E-mail addresses.
    pub email: Vec<String>,
}

/// The certificate of whoever asks: that of the connection, unless it is a trusted proxy's own; then the one it tells, if the settings say
/// by which header.
pub fn of_request(
    app: &App,
    peer: IpAddr,
    headers: &HeaderMap,
    connection: Option<Arc<ClientCertificate>>,
) -> Result<Option<Arc<ClientCertificate>>, Refusal> {
    if !is_trusted(peer, &app.trusted) {
        return Ok(connection);
    }
    // That of the connection is the proxy's: it would be everybody's.
    let Some(name) = &app.settings.tls.client_certificate_header else { return Ok(None) };
    let told = header::told(headers, name.name());
    Ok(told.map_err(|problem| Refusal::Malformed(format!("{problem}.")))?.map(Arc::new))
}

impl ClientCertificate {
    /// Reads a certificate in DER; `chain` is what else came with it, unread.
    pub fn read(der: &[u8], chain: Vec<Vec<u8>>) -> Result<Self, NotACertificate> {
        if der.len() > MAX_CERTIFICATE_LEN {
            return Err(NotACertificate);
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| NotACertificate)?;
        if !rest.is_empty() {
            return Err(NotACertificate);
        }
        Ok(ClientCertificate {
            chain,
            thumbprint: CertificateThumbprint::of(der),
            subject: DistinguishedName::of(certificate.subject()),
            names: AlternativeNames::of(&certificate)?,
            // One of a kind or size that we do not know is no key of a client's set either.
            key: Jwk::from_spki(certificate.public_key().raw).ok(),
            der: der.to_vec(),
        })
    }

    /// The document.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What came with it to lead to an authority, unread.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// By what tokens are bound to it (`x5t#S256`).
    pub const fn thumbprint(&self) -> &CertificateThumbprint {
        &self.thumbprint
    }

    /// Whose it says it is.
    pub const fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Its other names.
    pub const fn names(&self) -> &AlternativeNames {
        &self.names
    }

    /// Its public key, where it is of a kind and size that we know.
    pub const fn key(&self) -> Option<&Jwk> {
        self.key.as_ref()
    }
}

impl AlternativeNames {
    fn of(certificate: &X509Certificate<'_>) -> Result<Self, NotACertificate> {
        let mut names = AlternativeNames::default();
        let Some(found) = certificate.subject_alternative_name().map_err(|_| NotACertificate)? else {
            return Ok(names);
        };
        if found.value.general_names.len() > MAX_NAMES {
            return Err(NotACertificate);
        }
        for name in &found.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::URI(name) => names.uri.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => names.email.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.ip.push(address(bytes).ok_or(NotACertificate)?),
                GeneralName::Invalid(..) => return Err(NotACertificate),
                _ => {}
            }
        }
        Ok(names)
    }
}

/// Four bytes or sixteen (RFC 5280 §4.2.1.6).
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))).ok()
}

#[cfg(test)]
mod tests;
