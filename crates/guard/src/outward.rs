//! What every client towards another server needs, whatever it asks for: whom to trust, and how long an answer keeps.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The certificates in a PEM text.
///
/// # Errors
/// In words, when the text is broken or holds no certificate.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in the PEM text".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("no PEM certificate: {error}")),
    }
}

/// Trusts these authorities, and where `system` is true those of the system, too. No certificate of our own is shown, and
/// no protocol is named (ALPN).
///
/// # Errors
/// In words, when one of them cannot be an authority.
pub fn trusting(extra: &[CertificateDer<'_>], system: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if system {
        // A system without certificates is no mistake where only own roots are meant.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in extra {
        roots.add(certificate.clone()).map_err(|error| format!("no certificate: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// How long the answer says that it may be kept (RFC 9111 §5.2.2); nothing when it may not be kept at all, and `None` when
/// it does not say, or not in a way that is understood.
pub fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).into_iter();
    let texts = directives.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let mut found = None;
    for directive in texts.map(str::trim) {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("max-age") {
            found = value.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    found
}

/// How long an answer was kept on its way (RFC 9111 §5.1).
pub fn age(headers: &HeaderMap) -> Duration {
    let age = headers.get(http::header::AGE).and_then(|age| age.to_str().ok());
    Duration::from_secs(age.and_then(|age| age.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_an_answer_says_of_its_life_is_read() {
        for (text, seconds) in [
            ("max-age=100", Some(100)),
            ("public, MAX-AGE=\"100\"", Some(100)),
            ("max-age=0", Some(0)),
            ("max-age=99999999999999999999999", None),
            ("max-age=-1", None),
            ("no-store, max-age=100", Some(0)),
            ("max-age=100, no-cache", Some(0)),
            ("private", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cache-control", HeaderValue::from_static(text));
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    #[test]
    fn authorities_must_be_certificates() {
        assert!(certificates(b"").is_err() && certificates(b"nothing").is_err());
        let broken = b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
        assert!(certificates(broken).is_err());
        let hollow = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(trusting(&certificates(hollow).unwrap(), false).is_err());
    }
}
