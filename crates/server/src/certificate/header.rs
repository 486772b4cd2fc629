//! The certificate a proxy has seen, in the header it was told to write.
//!
//! One of three spellings, which begin differently: RFC 9440 (`:…:`, base64 of the DER document), PEM with percent-encoding
//! (`$ssl_client_escaped_cert` of nginx), and bare base64 of the DER document (HAProxy, Caddy).

use data_encoding::BASE64;
use gateward_guard::forwarded::is_hop_by_hop;
use http::HeaderMap;
use http::header::HeaderName;

use super::{ClientCertificate, MAX_CERTIFICATE_LEN, NotACertificate};

/// The longest header: base64, every sign of which may be escaped.
const MAX_HEADER_LEN: usize = 4 * MAX_CERTIFICATE_LEN;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Why the header of a trusted proxy could not be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateProblem {
    /// It is there more than once.
    #[error("{0} is there more than once")]
    Duplicate(HeaderName),
    /// It is named by `Connection`, which means that it was not meant to travel further (RFC 9110 §7.6.1).
    #[error("{0} is listed in Connection")]
    HopByHop(HeaderName),
    /// It is in none of the spellings, or what it spells is no certificate.
    #[error("{0} {1}")]
    Unreadable(HeaderName, NotACertificate),
}

/// The certificate that this header of a trusted proxy tells. None where the header is missing or empty: the client has shown none.
pub fn told(headers: &HeaderMap, name: &HeaderName) -> Result<Option<ClientCertificate>, CertificateProblem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(CertificateProblem::Duplicate(name.clone()));
    }
    if is_hop_by_hop(headers, name) {
        return Err(CertificateProblem::HopByHop(name.clone()));
    }
    if value.is_empty() {
        return Ok(None);
    }
    let read =
        read(value.as_bytes()).map_err(|problem| CertificateProblem::Unreadable(name.clone(), problem))?;
    Ok(Some(read))
}

/// Reads the value of the header.
pub fn read(value: &[u8]) -> Result<ClientCertificate, NotACertificate> {
    if value.len() > MAX_HEADER_LEN {
        return Err(NotACertificate);
    }
    let text = std::str::from_utf8(value).map_err(|_| NotACertificate)?;
    let der = match text.strip_prefix(':') {
        Some(rest) => base64(rest.strip_suffix(':').ok_or(NotACertificate)?)?,
        None if text.starts_with('-') => pem(&unescaped(text)?)?,
        None => base64(text)?,
    };
    ClientCertificate::read(&der, Vec::new())
}

fn base64(text: &str) -> Result<Vec<u8>, NotACertificate> {
    BASE64.decode(text.as_bytes()).map_err(|_| NotACertificate)
}

/// Exactly one certificate, with nothing around it but blanks.
fn pem(text: &str) -> Result<Vec<u8>, NotACertificate> {
    let inner = text
        .trim_ascii()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(NotACertificate)?;
    let lines: String = inner.split_ascii_whitespace().collect();
    base64(&lines)
}

/// Without percent-encoding (RFC 3986 §2.1). A `+` is a `+`.
fn unescaped(text: &str) -> Result<String, NotACertificate> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(NotACertificate)?;
        let byte =
            data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| NotACertificate)?;
        out.extend_from_slice(&byte);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).map_err(|_| NotACertificate)
}
