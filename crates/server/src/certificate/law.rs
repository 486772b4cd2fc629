//! Whether a certificate is that of a client (RFC 8705 §2).

use std::net::IpAddr;

use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::jose::{JwkSet, KeyOperation};

use super::{ClientCertificate, DistinguishedName};

/// The longest name a client may register, in bytes.
const MAX_NAME_LEN: usize = 2048;

/// A client has registered a name that no certificate has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAName {
    /// The metadata parameter is none of the five.
    #[error("is not one of the ways in which a certificate names a client")]
    Kind,
    /// The value is not of the form that the parameter has.
    #[error("is no name of its kind")]
    Value,
}

/// How a certificate of the client names it, when an authority vouches for it (`tls_client_auth`, RFC 8705 §2.1.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`
    Subject(DistinguishedName),
    /// `tls_client_auth_san_dns`
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`
    Ip(IpAddr),
    /// `tls_client_auth_san_email`
    Email(String),
}

impl CertificateName {
    /// The name by the parameter of the client's metadata and its value.
    pub fn read(parameter: &str, value: &str) -> Result<Self, NotAName> {
        let plain =
            (1..=MAX_NAME_LEN).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        let plain = plain.then(|| value.to_owned()).ok_or(NotAName::Value);
        match parameter {
            "tls_client_auth_subject_dn" => {
                DistinguishedName::read(value).map(CertificateName::Subject).map_err(|_| NotAName::Value)
            }
            "tls_client_auth_san_dns" => plain.map(CertificateName::Dns),
            "tls_client_auth_san_uri" => plain.map(CertificateName::Uri),
            "tls_client_auth_san_ip" => value.parse().map(CertificateName::Ip).map_err(|_| NotAName::Value),
            "tls_client_auth_san_email" => plain.and_then(|email| match split_email(&email) {
                Some(_) => Ok(CertificateName::Email(email)),
                None => Err(NotAName::Value),
            }),
            _ => Err(NotAName::Kind),
        }
    }

    /// Whether the certificate bears this name. That says something only when an authority vouches for the certificate.
    pub fn is_of(&self, certificate: &ClientCertificate) -> bool {
        let names = certificate.names();
        match self {
            CertificateName::Subject(name) => name == certificate.subject(),
            // Names of hosts have no case (RFC 4343); a pattern is no name.
            CertificateName::Dns(name) => names.dns.iter().any(|own| own.eq_ignore_ascii_case(name)),
            CertificateName::Uri(name) => names.uri.contains(name),
            CertificateName::Ip(address) => names.ip.contains(address),
            CertificateName::Email(name) => names.email.iter().any(|own| same_email(own, name)),
        }
    }
}

/// Whether the certificate's key is one that the client signs with: for certificates that nobody vouches for
/// (`self_signed_tls_client_auth`, RFC 8705 §2.2). A key's `x5c` has no say: its certificate must have this very key
/// (RFC 7517 §4.7).
pub fn is_key_of(certificate: &ClientCertificate, keys: &JwkSet) -> bool {
    let Some(own) = certificate.key().and_then(Thumbprint::of) else { return false };
    let signing = keys.keys.iter().filter(|key| key.allows(KeyOperation::Verify));
    signing.filter_map(Thumbprint::of).any(|known| known == own)
}

/// The part before the last `@` has a case, that behind it has none (RFC 5280 §7.5).
fn same_email(one: &str, other: &str) -> bool {
    match (split_email(one), split_email(other)) {
        (Some((one, at)), Some((other, there))) => one == other && at.eq_ignore_ascii_case(there),
        _ => false,
    }
}

fn split_email(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty())
}
