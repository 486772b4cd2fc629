//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037): one parsed, checked key, public or private or a shared secret.
//!
//! A [`Jwk`] that exists is sound: its numbers form a key the crypto library takes, its sizes are allowed, and what it
//! says about its purpose (`use`, `key_ops`, `alg`) does not contradict itself. Members which would fetch or bring other
//! keys (`x5u`, `x5c`, `x5t`) are not kept.

mod der;
mod generate;
mod material;
mod pem;
mod read;
mod rsa;
mod set;
mod write;

use super::alg::{KeyAlgorithm, SignatureAlgorithm, SignatureFamily};
pub use material::{EcCurve, EcKey, KeyMaterial, OctKey, OkpCurve, OkpKey};
pub use rsa::RsaKey;
pub use set::{JwkSet, MAX_KEYS, MAX_SET_LEN};

/// The longest key document that is read, in bytes.
pub const MAX_KEY_LEN: usize = 64 * 1024;
/// The fewest bits an RSA modulus may have.
pub const MIN_RSA_BITS: usize = 2048;
/// The most bits the modulus of an RSA key with its private part may have: signing gets eight times slower when it doubles.
pub const MAX_PRIVATE_RSA_BITS: usize = 4096;
/// The most bits the modulus of a public RSA key may have.
pub const MAX_PUBLIC_RSA_BITS: usize = 8192;
/// The most bytes a shared secret may have.
pub const MAX_SECRET_LEN: usize = 1024;
/// The most bytes a key id may have.
pub const MAX_KID_LEN: usize = 256;

/// Why a key cannot be taken or used. No variant holds anything of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The document is longer than [`MAX_KEY_LEN`] or, for a set, [`MAX_SET_LEN`].
    #[error("the key document is too long")]
    TooLong,
    /// A set has more than [`MAX_KEYS`] keys.
    #[error("the set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// Not JSON, or JSON that two readers could understand differently.
    #[error("the key is {0}")]
    NotJson(#[from] super::strict::NotStrict),
    /// A member that the key type requires is not there.
    #[error("the key lacks the member `{0}`")]
    Missing(&'static str),
    /// A member has the wrong JSON type, is not base64url without padding, or has the wrong length.
    #[error("the key's member `{0}` is malformed")]
    Malformed(&'static str),
    /// A key type, curve or algorithm that is not in the lists of this program.
    #[error("the key's `{0}` is not supported")]
    Unsupported(&'static str),
    /// The members say different things about what the key is for.
    #[error("the key contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The size of the key is not allowed.
    #[error("the key has a size that is not allowed: {0}")]
    Size(&'static str),
    /// The document or its numbers form no key: a point off its curve, factors that do not multiply to the modulus, a curve or
    /// size that is not in the lists, and the like.
    #[error("this is no valid key of a supported kind and size")]
    NotAKey,
    /// A private RSA key with nothing but its exponent: it would sign slowly and unprotected, so the library takes none.
    #[error(
        "the private RSA key lacks its prime factors (p, q, dp, dq, qi): export it again with them, or as PEM"
    )]
    NoPrimeFactors,
    /// The text is no PEM that is understood here.
    #[error("the PEM text is not understood: {0}")]
    Pem(&'static str),
    /// The key has no private part, and the purpose needs one.
    #[error("the key has no private part")]
    NotPrivate,
    /// The key's type, curve, size, `alg`, `use` or `key_ops` does not allow this purpose.
    #[error("the key is not for this purpose: {0}")]
    Purpose(&'static str),
}

/// What a key is for (RFC 7517 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyUse {
    /// `sig`: signatures and message authentication.
    Signature,
    /// `enc`: encryption of content and keys.
    Encryption,
}

impl KeyUse {
    /// The registered value.
    pub const fn name(self) -> &'static str {
        match self {
            KeyUse::Signature => "sig",
            KeyUse::Encryption => "enc",
        }
    }
}

/// What may be done with a key (RFC 7517 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those of the RFC")]
pub enum KeyOperation {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    WrapKey,
    UnwrapKey,
    DeriveKey,
    DeriveBits,
}

impl KeyOperation {
    const ALL: [(KeyOperation, &'static str); 8] = [
        (KeyOperation::Sign, "sign"),
        (KeyOperation::Verify, "verify"),
        (KeyOperation::Encrypt, "encrypt"),
        (KeyOperation::Decrypt, "decrypt"),
        (KeyOperation::WrapKey, "wrapKey"),
        (KeyOperation::UnwrapKey, "unwrapKey"),
        (KeyOperation::DeriveKey, "deriveKey"),
        (KeyOperation::DeriveBits, "deriveBits"),
    ];

    const fn purpose(self) -> KeyUse {
        match self {
            KeyOperation::Sign | KeyOperation::Verify => KeyUse::Signature,
            _ => KeyUse::Encryption,
        }
    }
}

/// One JSON Web Key. `Debug` shows no private part; private bytes are wiped when dropped.
#[derive(Clone, Debug)]
pub struct Jwk {
    kid: Option<String>,
    alg: Option<KeyAlgorithm>,
    purpose: Option<KeyUse>,
    operations: Option<Vec<KeyOperation>>,
    material: KeyMaterial,
}

impl Jwk {
    /// A key of this material that says nothing about itself.
    pub(super) const fn bare(material: KeyMaterial) -> Self {
        Jwk { kid: None, alg: None, purpose: None, operations: None, material }
    }

    /// The key id, an opaque name within its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm the key is bound to, where it is.
    pub const fn alg(&self) -> Option<KeyAlgorithm> {
        self.alg
    }

    /// The `use` member, where there is one.
    pub const fn key_use(&self) -> Option<KeyUse> {
        self.purpose
    }

    /// The numbers of the key.
    pub const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Whether it holds a private part or a shared secret.
    pub const fn is_private(&self) -> bool {
        match &self.material {
            KeyMaterial::Ec(key) => key.d().is_some(),
            KeyMaterial::Okp(key) => key.d().is_some(),
            KeyMaterial::Rsa(key) => key.pkcs8().is_some(),
            KeyMaterial::Oct(_) => true,
        }
    }

    /// The same key under this id.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The same key, bound to this algorithm and its `use`. Errors when the material cannot serve it.
    pub fn for_algorithm(mut self, alg: KeyAlgorithm) -> Result<Self, KeyError> {
        self.alg = Some(alg);
        self.purpose = Some(match alg {
            KeyAlgorithm::Signature(_) => KeyUse::Signature,
            _ => KeyUse::Encryption,
        });
        self.check_consistency()?;
        Ok(self)
    }

    /// The key without its private part. A shared secret has nothing but a private part: `None`.
    pub fn public(&self) -> Option<Jwk> {
        let material = match &self.material {
            KeyMaterial::Ec(key) => KeyMaterial::Ec(key.public()),
            KeyMaterial::Okp(key) => KeyMaterial::Okp(key.public()),
            KeyMaterial::Rsa(key) => KeyMaterial::Rsa(key.public()),
            KeyMaterial::Oct(_) => return None,
        };
        // `sign` of the private key is `verify` of the public one; `use` says enough.
        let operations = None;
        let (kid, alg, purpose) = (self.kid.clone(), self.alg, self.effective_use());
        Some(Jwk { kid, alg, purpose, operations, material })
    }

    /// Whether the key may do `operation`: neither `use` nor `key_ops` nor `alg` speaks against it.
    pub fn allows(&self, operation: KeyOperation) -> bool {
        let by_use = self.effective_use().is_none_or(|purpose| purpose == operation.purpose());
        by_use && self.operations.as_ref().is_none_or(|allowed| allowed.contains(&operation))
    }

    /// Whether the key's type, curve and size, and its `alg` where it has one, are those of `algorithm`.
    pub fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        self.alg.is_none_or(|alg| alg == KeyAlgorithm::Signature(algorithm))
            && match (algorithm.family(), &self.material) {
                (SignatureFamily::Hmac { least }, KeyMaterial::Oct(key)) => key.bytes().len() >= least,
                (SignatureFamily::Rsa, KeyMaterial::Rsa(_)) => true,
                (SignatureFamily::Ec(curve), KeyMaterial::Ec(key)) => key.curve() == curve,
                (SignatureFamily::Ed25519, KeyMaterial::Okp(key)) => key.curve() == OkpCurve::Ed25519,
                _ => false,
            }
    }

    fn effective_use(&self) -> Option<KeyUse> {
        self.purpose.or_else(|| match self.operations.as_deref() {
            Some([first, rest @ ..]) if rest.iter().all(|other| other.purpose() == first.purpose()) => {
                Some(first.purpose())
            }
            _ => None,
        })
    }

    /// RFC 7517 §4.3: `use` and `key_ops` must agree; and `alg` must be one the key could ever serve.
    fn check_consistency(&self) -> Result<(), KeyError> {
        if let (Some(purpose), Some(operations)) = (self.purpose, &self.operations)
            && operations.iter().any(|operation| operation.purpose() != purpose)
        {
            return Err(KeyError::Contradiction("`use` and `key_ops` differ"));
        }
        let Some(alg) = self.alg else { return Ok(()) };
        let (fits, purpose) = match alg {
            KeyAlgorithm::Signature(algorithm) => (self.fits(algorithm), KeyUse::Signature),
            KeyAlgorithm::Management(algorithm) => {
                (self.material.fits_management(algorithm), KeyUse::Encryption)
            }
            KeyAlgorithm::Content(algorithm) => (self.material.fits_content(algorithm), KeyUse::Encryption),
        };
        if !fits {
            return Err(KeyError::Contradiction("`alg` is not one for this type and size of key"));
        }
        if self.effective_use().is_some_and(|other| other != purpose) {
            return Err(KeyError::Contradiction("`alg` and `use` or `key_ops` differ"));
        }
        Ok(())
    }
}
