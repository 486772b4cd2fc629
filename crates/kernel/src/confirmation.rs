//! To which key a token is bound (RFC 7800): whoever presents it must show to have that key, too.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::jose::Jwk;
use crate::secret::Digest;

/// A text was no thumbprint: 43 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint is 43 characters of letters, digits, '-' and '_'")]
pub struct NotAThumbprint;

macro_rules! thumbprint {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAThumbprint;
            fn from_str(text: &str) -> Result<Self, NotAThumbprint> {
                let mut bytes = [0; 32];
                if text.len() != 43 || BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes).is_err() {
                    return Err(NotAThumbprint);
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

thumbprint! {
    /// The SHA-256 thumbprint of a public key (RFC 7638 §3). It is public.
    Thumbprint
}

thumbprint! {
    /// The SHA-256 of a certificate's DER document (RFC 8705 §3.1). It is public.
    CertificateThumbprint
}

impl Thumbprint {
    /// Of this key; never of a shared secret, whose thumbprint would not be public.
    pub fn of(key: &Jwk) -> Option<Self> {
        key.public().map(|public| Thumbprint(public.thumbprint_bytes()))
    }
}

impl CertificateThumbprint {
    /// Of the certificate with this DER document.
    pub fn of(der: &[u8]) -> Self {
        CertificateThumbprint(*Digest::of(der).as_bytes())
    }
}

/// The claim `cnf`: the key, the certificate, or both that a token is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Confirmation {
    /// The key of the DPoP proof that must come with it (RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<Thumbprint>,
    /// The certificate of the TLS connection over which it must come (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateThumbprint>,
}

impl Confirmation {
    /// Bound to nothing: whoever has the token may use it.
    pub const NONE: Confirmation = Confirmation { jkt: None, certificate: None };

    /// Bound to this key.
    pub const fn key(jkt: Thumbprint) -> Self {
        Confirmation { jkt: Some(jkt), certificate: None }
    }

    /// Bound to this certificate.
    pub const fn certificate(thumbprint: CertificateThumbprint) -> Self {
        Confirmation { jkt: None, certificate: Some(thumbprint) }
    }

    /// Whether it binds to nothing; such a one is not written into tokens.
    pub const fn is_none(&self) -> bool {
        self.jkt.is_none() && self.certificate.is_none()
    }

    /// Whether everything this is bound to was shown: the key by a verified proof, the certificate by the connection.
    pub fn is_shown_by(&self, key: Option<&Thumbprint>, certificate: Option<&CertificateThumbprint>) -> bool {
        self.jkt.is_none_or(|own| key == Some(&own))
            && self.certificate.is_none_or(|own| certificate == Some(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The certificate thumbprint of RFC 8705 §3.1 and the key thumbprint of RFC 9449 §6.1.
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn some(seed: u8) -> (Thumbprint, CertificateThumbprint) {
        (Thumbprint([seed; 32]), CertificateThumbprint::of(&[seed]))
    }

    #[test]
    fn the_json_is_that_of_the_rfcs() {
        let bound: Confirmation = serde_json::from_str(&format!(r#"{{"jkt":"{JKT}"}}"#)).unwrap();
        assert_eq!(bound, Confirmation::key(JKT.parse().unwrap()));
        assert_eq!(serde_json::to_string(&bound).unwrap(), format!(r#"{{"jkt":"{JKT}"}}"#));
        let (_, certificate) = some(1);
        let text = serde_json::to_string(&Confirmation::certificate(certificate)).unwrap();
        assert_eq!(text, format!(r##"{{"x5t#S256":"{certificate}"}}"##));
        assert_eq!(
            serde_json::from_str::<Confirmation>(&text).unwrap(),
            Confirmation::certificate(certificate)
        );
        assert_eq!(serde_json::to_string(&Confirmation::NONE).unwrap(), "{}");
    }

    /// That of the RFC's example has stray bits at its end, so that two texts would be one thumbprint.
    #[test]
    fn a_thumbprint_has_one_spelling() {
        assert_eq!(X5T.parse::<CertificateThumbprint>(), Err(NotAThumbprint));
        let long = format!("{JKT}A");
        let padded = format!("{JKT}=");
        let standard = JKT.replace('-', "+");
        for odd in ["", &JKT[..42], &long, &padded, &standard, &format!(" {}", &JKT[1..])] {
            assert_eq!(odd.parse::<Thumbprint>(), Err(NotAThumbprint), "{odd}");
        }
        for odd in ["null", "1", "\"\"", "[]"] {
            assert!(
                serde_json::from_str::<Confirmation>(&format!(r#"{{"jkt":{odd}}}"#)).is_err()
                    == (odd != "null")
            );
        }
    }

    #[test]
    fn everything_it_is_bound_to_must_be_shown() {
        let ((key, certificate), (other, another)) = (some(1), some(2));
        let both = Confirmation { jkt: Some(key), certificate: Some(certificate) };
        for (bound, by_key, by_certificate) in [
            (Confirmation::NONE, true, true),
            (Confirmation::key(key), true, false),
            (Confirmation::certificate(certificate), false, true),
            (both, false, false),
        ] {
            assert_eq!(bound.is_shown_by(None, None), bound.is_none());
            assert_eq!(bound.is_shown_by(Some(&key), None), by_key);
            assert_eq!(bound.is_shown_by(None, Some(&certificate)), by_certificate);
            assert!(bound.is_shown_by(Some(&key), Some(&certificate)));
            assert_eq!(bound.is_shown_by(Some(&other), Some(&another)), bound.is_none());
            assert_eq!(bound.is_shown_by(Some(&other), Some(&certificate)), bound.jkt.is_none());
            assert_eq!(bound.is_shown_by(Some(&key), Some(&another)), bound.certificate.is_none());
        }
    }

    #[test]
    fn a_shared_secret_has_no_public_thumbprint() {
        let secret = Jwk::from_secret(&[7; 32]).unwrap();
        assert_eq!(Thumbprint::of(&secret), None);
        // RFC 7638 §3.1.
        let rfc = r#"{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;
        let key = Jwk::from_json(rfc.as_bytes()).unwrap();
        assert_eq!(Thumbprint::of(&key).unwrap().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
