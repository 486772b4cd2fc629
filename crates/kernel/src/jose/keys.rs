//! Keys made ready for work: parsed once, bound to one algorithm, then used for every token.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair, RsaParameters, RsaPublicKeyComponents,
    RsaSignatureEncoding,
};

use super::alg::SignatureAlgorithm;
use super::jwk::{
    EcCurve, Jwk, KeyError, KeyMaterial, KeyOperation, MAX_PRIVATE_RSA_BITS, MAX_PUBLIC_RSA_BITS,
};

/// The longest signature there is, in bytes: that of the largest RSA key.
pub const MAX_SIGNATURE_LEN: usize = MAX_PUBLIC_RSA_BITS / 8;

/// The crypto library could not sign: it had no randomness or no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the crypto library could not sign")]
pub struct SigningFailed;

/// A private key or shared secret that signs with one algorithm.
pub struct SigningKey {
    algorithm: SignatureAlgorithm,
    kid: Option<String>,
    secret: Signs,
}

enum Signs {
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// The key, bound to `algorithm`. Errors when it has no private part, or its type, curve, size, `alg`, `use` or
    /// `key_ops` is not for that.
    pub fn new(key: &Jwk, algorithm: SignatureAlgorithm) -> Result<Self, KeyError> {
        check_purpose(key, algorithm, key.allows(KeyOperation::Sign))?;
        if !key.is_private() {
            return Err(KeyError::NotPrivate);
        }
        let secret = match key.material() {
            KeyMaterial::Oct(secret) => Signs::Hmac(hmac_key(algorithm, secret.bytes())?),
            KeyMaterial::Rsa(key) => {
                let pair = RsaKeyPair::from_pkcs8(key.pkcs8().ok_or(KeyError::NotPrivate)?);
                Signs::Rsa(pair.map_err(|_| KeyError::NotAKey)?, rsa_encoding(algorithm)?)
            }
            KeyMaterial::Ec(key) => {
                let d = key.d().ok_or(KeyError::NotPrivate)?;
                let pair =
                    EcdsaKeyPair::from_private_key_and_public_key(key.curve().signing(), d, key.point());
                Signs::Ec(pair.map_err(|_| KeyError::NotAKey)?)
            }
            KeyMaterial::Okp(key) => {
                let d = key.d().ok_or(KeyError::NotPrivate)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(&**d, key.x());
                Signs::Ed25519(pair.map_err(|_| KeyError::NotAKey)?)
            }
        };
        Ok(SigningKey { algorithm, kid: key.kid().map(Into::into), secret })
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Under which id the others know its public key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The signature of `message`, in the form of RFC 7518 §3.
    pub fn sign(&self, message: &[u8]) -> Result<SignatureBytes, SigningFailed> {
        match &self.secret {
            Signs::Hmac(key) => SignatureBytes::copied(hmac::sign(key, message).as_ref()),
            Signs::Rsa(pair, encoding) => {
                let mut out =
                    SignatureBytes { room: [0; MAX_PRIVATE_RSA_BITS / 8], len: pair.public_modulus_len() };
                let signature = out.room.get_mut(..out.len).ok_or(SigningFailed)?;
                pair.sign(*encoding, &own_randomness(), message, signature).map_err(|_| SigningFailed)?;
                Ok(out)
            }
            Signs::Ec(pair) => {
                let signature = pair.sign(&own_randomness(), message).map_err(|_| SigningFailed)?;
                SignatureBytes::copied(signature.as_ref())
            }
            Signs::Ed25519(pair) => {
                SignatureBytes::copied(pair.try_sign(message).map_err(|_| SigningFailed)?.as_ref())
            }
        }
    }
}

/// The bytes of a signature, without an allocation.
#[derive(Clone, Copy)]
pub struct SignatureBytes {
    room: [u8; MAX_PRIVATE_RSA_BITS / 8],
    len: usize,
}

impl SignatureBytes {
    fn copied(signature: &[u8]) -> Result<Self, SigningFailed> {
        let mut out = SignatureBytes { room: [0; MAX_PRIVATE_RSA_BITS / 8], len: signature.len() };
        out.room.get_mut(..signature.len()).ok_or(SigningFailed)?.copy_from_slice(signature);
        Ok(out)
    }
}

impl AsRef<[u8]> for SignatureBytes {
    fn as_ref(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureBytes({})", self.len)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {:?})", self.algorithm, self.kid)
    }
}

/// What the signing functions ask for and do not look at: nonces of ECDSA and salts of PSS come from the crypto library
/// itself, which offers no other way.
#[expect(
    clippy::disallowed_methods,
    reason = "the library draws its nonces itself; this argument is ignored"
)]
fn own_randomness() -> SystemRandom {
    SystemRandom::new()
}

/// A public key or shared secret that verifies signatures of one algorithm.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: SignatureAlgorithm,
    kid: Option<String>,
    key: Verifies,
}

#[derive(Clone)]
enum Verifies {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl VerifyingKey {
    /// The key, bound to `algorithm`; of a private key, its public part. Errors when its type, curve, size, `alg`, `use` or
    /// `key_ops` is not for that.
    pub fn new(key: &Jwk, algorithm: SignatureAlgorithm) -> Result<Self, KeyError> {
        let own = key.is_private() && key.allows(KeyOperation::Sign);
        check_purpose(key, algorithm, own || key.allows(KeyOperation::Verify))?;
        let kid = key.kid().map(Into::into);
        let key = match key.material() {
            KeyMaterial::Oct(secret) => Verifies::Hmac(hmac_key(algorithm, secret.bytes())?),
            KeyMaterial::Rsa(key) => {
                let numbers = RsaPublicKeyComponents { n: key.n(), e: key.e() };
                Verifies::Public(
                    numbers
                        .to_parsed_public_key(rsa_parameters(algorithm)?)
                        .map_err(|_| KeyError::NotAKey)?,
                )
            }
            KeyMaterial::Ec(key) => Verifies::Public(parsed_point(key.curve(), key.point())?),
            KeyMaterial::Okp(key) => {
                Verifies::Public(ParsedPublicKey::new(&ED25519, key.x()).map_err(|_| KeyError::NotAKey)?)
            }
        };
        Ok(VerifyingKey { algorithm, kid, key })
    }

    /// What it verifies.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The id of the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `signature`, in the form of RFC 7518 §3, is that of `message`. Secrets are compared in constant time.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Verifies::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Verifies::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {:?})", self.algorithm, self.kid)
    }
}

fn check_purpose(key: &Jwk, algorithm: SignatureAlgorithm, allowed: bool) -> Result<(), KeyError> {
    if !key.fits(algorithm) {
        return Err(KeyError::Purpose("its type, curve, size or `alg` is not that of the algorithm"));
    }
    if !allowed {
        return Err(KeyError::Purpose("its `use` or `key_ops` does not allow it"));
    }
    Ok(())
}

const NOT_ITS_FAMILY: KeyError = KeyError::Purpose("its type is not that of the algorithm");

fn hmac_key(algorithm: SignatureAlgorithm, secret: &[u8]) -> Result<Box<hmac::Key>, KeyError> {
    let hash = match algorithm {
        SignatureAlgorithm::Hs256 => hmac::HMAC_SHA256,
        SignatureAlgorithm::Hs384 => hmac::HMAC_SHA384,
        SignatureAlgorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return Err(NOT_ITS_FAMILY),
    };
    Ok(Box::new(hmac::Key::new(hash, secret)))
}

fn rsa_encoding(algorithm: SignatureAlgorithm) -> Result<&'static RsaSignatureEncoding, KeyError> {
    Ok(match algorithm {
        SignatureAlgorithm::Rs256 => &RSA_PKCS1_SHA256,
        SignatureAlgorithm::Rs384 => &RSA_PKCS1_SHA384,
        SignatureAlgorithm::Rs512 => &RSA_PKCS1_SHA512,
        SignatureAlgorithm::Ps256 => &RSA_PSS_SHA256,
        SignatureAlgorithm::Ps384 => &RSA_PSS_SHA384,
        SignatureAlgorithm::Ps512 => &RSA_PSS_SHA512,
        _ => return Err(NOT_ITS_FAMILY),
    })
}

fn rsa_parameters(algorithm: SignatureAlgorithm) -> Result<&'static RsaParameters, KeyError> {
    Ok(match algorithm {
        SignatureAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        SignatureAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        SignatureAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        SignatureAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return Err(NOT_ITS_FAMILY),
    })
}

fn parsed_point(curve: EcCurve, point: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    ParsedPublicKey::new(curve.verification(), point).map_err(|_| KeyError::NotAKey)
}
