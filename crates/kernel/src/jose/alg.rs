//! The closed lists of algorithms (RFC 7518, RFC 8037): what is not here does not exist for this program. There is no
//! `none`, no RSA1_5, no PBES2.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use super::jwk::EcCurve;

/// The name of an algorithm that is not in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is not supported")]
pub struct UnknownAlgorithm;

/// Declares a list of algorithms with their registered names, exact in case (RFC 7515 §4.1.1).
macro_rules! algorithms {
    ($(#[$about:meta])* $list:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $list { $($(#[$doc])* #[serde(rename = $name)] $variant,)+ }

        impl $list {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The registered name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl FromStr for $list {
            type Err = UnknownAlgorithm;
            fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
                match name { $($name => Ok(Self::$variant),)+ _ => Err(UnknownAlgorithm) }
            }
        }

        impl fmt::Display for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

algorithms! {
    /// How a JWS is signed or authenticated (RFC 7518 §3.1, RFC 8037 §3.1).
    SignatureAlgorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = "RS512",
        /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
        Ps256 = "PS256",
        /// RSASSA-PSS with SHA-384 and a salt of 48 bytes.
        Ps384 = "PS384",
        /// RSASSA-PSS with SHA-512 and a salt of 64 bytes.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
        /// ECDSA on P-521 with SHA-512.
        Es512 = "ES512",
        /// EdDSA on Ed25519.
        EdDsa = "EdDSA",
    }
}

/// What kind of key a signature algorithm takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureFamily {
    /// A shared secret of at least this many bytes: the output of the hash (RFC 7518 §3.2).
    Hmac {
        /// The fewest bytes the secret may have.
        least: usize,
    },
    /// An RSA key.
    Rsa,
    /// A key on this curve.
    Ec(EcCurve),
    /// An Ed25519 key.
    Ed25519,
}

impl SignatureAlgorithm {
    /// The kind of key it takes.
    pub const fn family(self) -> SignatureFamily {
        match self {
            Self::Hs256 => SignatureFamily::Hmac { least: 32 },
            Self::Hs384 => SignatureFamily::Hmac { least: 48 },
            Self::Hs512 => SignatureFamily::Hmac { least: 64 },
            Self::Rs256 | Self::Rs384 | Self::Rs512 => SignatureFamily::Rsa,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => SignatureFamily::Rsa,
            Self::Es256 => SignatureFamily::Ec(EcCurve::P256),
            Self::Es384 => SignatureFamily::Ec(EcCurve::P384),
            Self::Es512 => SignatureFamily::Ec(EcCurve::P521),
            Self::EdDsa => SignatureFamily::Ed25519,
        }
    }

    /// Whether signer and verifier share one secret.
    pub const fn is_hmac(self) -> bool {
        matches!(self.family(), SignatureFamily::Hmac { .. })
    }
}

/// The left half of the hash that goes with a signature algorithm: `at_hash`, `c_hash` and `s_hash` (OpenID Connect Core §3.1.3.6).
/// Ed25519 goes with SHA-512, which it uses itself.
pub fn half_hash(algorithm: SignatureAlgorithm, text: &[u8]) -> Vec<u8> {
    use SignatureAlgorithm::{Es256, Es384, Hs256, Hs384, Ps256, Ps384, Rs256, Rs384};
    let hash = match algorithm {
        Hs256 | Rs256 | Ps256 | Es256 => &digest::SHA256,
        Hs384 | Rs384 | Ps384 | Es384 => &digest::SHA384,
        _ => &digest::SHA512,
    };
    let whole = digest::digest(hash, text);
    let (half, _) = whole.as_ref().split_at(whole.as_ref().len() / 2);
    half.to_vec()
}

algorithms! {
    /// How the content key of a JWE reaches its reader (RFC 7518 §4.1).
    KeyManagementAlgorithm {
        /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
        RsaOaep256 = "RSA-OAEP-256",
        /// Ephemeral-static Diffie-Hellman; the agreed key is the content key.
        EcdhEs = "ECDH-ES",
        /// Ephemeral-static Diffie-Hellman; the agreed key wraps the content key with AES-128.
        EcdhEsA128Kw = "ECDH-ES+A128KW",
        /// Ephemeral-static Diffie-Hellman; the agreed key wraps the content key with AES-256.
        EcdhEsA256Kw = "ECDH-ES+A256KW",
        /// AES-256 key wrap with a shared secret.
        A256Kw = "A256KW",
        /// The shared secret is the content key.
        Dir = "dir",
    }
}

impl KeyManagementAlgorithm {
    /// Whether both sides have the same secret key.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::A256Kw | Self::Dir)
    }
}

algorithms! {
    /// How the content of a JWE is encrypted (RFC 7518 §5.1).
    ContentEncryption {
        /// AES-128 in CBC mode, authenticated with HMAC-SHA-256.
        A128CbcHs256 = "A128CBC-HS256",
        /// AES-256 in CBC mode, authenticated with HMAC-SHA-512.
        A256CbcHs512 = "A256CBC-HS512",
        /// AES-128 in GCM mode.
        A128Gcm = "A128GCM",
        /// AES-256 in GCM mode.
        A256Gcm = "A256GCM",
    }
}

impl Default for ContentEncryption {
    /// What a client means that names a key algorithm alone (OpenID Connect Registration §2).
    fn default() -> Self {
        Self::A128CbcHs256
    }
}

impl ContentEncryption {
    /// How many bytes the content key has.
    pub const fn key_size(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }
}

/// What the `alg` member of a key binds it to (RFC 7517 §4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyAlgorithm {
    /// Signatures of this algorithm only.
    Signature(SignatureAlgorithm),
    /// Key management by this algorithm only.
    Management(KeyManagementAlgorithm),
    /// Direct encryption of content with this algorithm only.
    Content(ContentEncryption),
}

impl KeyAlgorithm {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature(algorithm) => algorithm.name(),
            Self::Management(algorithm) => algorithm.name(),
            Self::Content(algorithm) => algorithm.name(),
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        SignatureAlgorithm::from_str(name)
            .map(Self::Signature)
            .or_else(|_| KeyManagementAlgorithm::from_str(name).map(Self::Management))
            .or_else(|_| ContentEncryption::from_str(name).map(Self::Content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_hash_is_that_of_the_example() {
        // OpenID Connect Core, appendix A.3 and A.4.
        let encoded =
            |text: &[u8]| data_encoding::BASE64URL_NOPAD.encode(&half_hash(SignatureAlgorithm::Rs256, text));
        assert_eq!(encoded(b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(
            encoded(b"Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            "LDktKdoQak3Pk0cnXxCltA"
        );
        for (algorithm, length) in [(SignatureAlgorithm::Es384, 24), (SignatureAlgorithm::EdDsa, 32)] {
            assert_eq!(half_hash(algorithm, b"x").len(), length);
        }
    }

    #[test]
    fn names_go_both_ways_and_are_exact() {
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
            let other_case = algorithm.name().to_ascii_lowercase();
            assert_eq!(other_case.parse::<SignatureAlgorithm>(), Err(UnknownAlgorithm));
        }
        for algorithm in KeyManagementAlgorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(KeyAlgorithm::Management(*algorithm)));
        }
        for algorithm in ContentEncryption::ALL {
            assert_eq!(algorithm.name().parse(), Ok(KeyAlgorithm::Content(*algorithm)));
        }
        for name in
            ["none", "None", "NONE", "nOnE", "", "HS1", "RS1", "ES256K", "RSA1_5", "PBES2-HS256+A128KW"]
        {
            assert_eq!(name.parse::<KeyAlgorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }
}
