//! Fresh keys.

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use zeroize::Zeroizing;

use super::super::alg::{KeyAlgorithm, SignatureAlgorithm, SignatureFamily};
use super::{EcCurve, EcKey, Jwk, KeyError, KeyMaterial, OctKey, OkpCurve, OkpKey, RsaKey};
use crate::secret::Entropy;

impl Jwk {
    /// A fresh key for `algorithm`, bound to it. Its id is its thumbprint; a shared secret, whose thumbprint would be a
    /// digest of it, gets none. RSA keys have 2048 bits. The numbers of RSA and elliptic-curve keys come from the crypto
    /// library's own randomness, since it offers no other way; the rest comes from `entropy`.
    pub fn generate(algorithm: SignatureAlgorithm, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let key = match algorithm.family() {
            SignatureFamily::Hmac { least } => Jwk::generate_oct(least, entropy)?,
            SignatureFamily::Rsa => Jwk::generate_rsa(2048)?,
            SignatureFamily::Ec(curve) => Jwk::generate_ec(curve)?,
            SignatureFamily::Ed25519 => Jwk::generate_okp(OkpCurve::Ed25519, entropy)?,
        };
        let key = key.for_algorithm(KeyAlgorithm::Signature(algorithm))?;
        if algorithm.is_hmac() {
            return Ok(key);
        }
        let kid = key.thumbprint();
        Ok(key.with_kid(kid))
    }

    /// A fresh RSA key of 2048, 3072 or 4096 bits, for any purpose.
    pub fn generate_rsa(bits: usize) -> Result<Self, KeyError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(KeyError::Size("RSA keys are made with 2048, 3072 or 4096 bits")),
        };
        let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::NotAKey)?;
        Ok(Jwk::bare(KeyMaterial::Rsa(RsaKey::from_pair(&pair)?)))
    }

    /// A fresh key on a NIST curve, for any purpose.
    pub fn generate_ec(curve: EcCurve) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(curve.signing()).map_err(|_| KeyError::NotAKey)?;
        Ok(Jwk::bare(KeyMaterial::Ec(ec_key(curve, &pair)?)))
    }

    /// A fresh Ed25519 or X25519 key.
    pub fn generate_okp(curve: OkpCurve, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut d = Zeroizing::new([0; 32]);
        entropy.fill(d.as_mut_slice());
        Ok(Jwk::bare(KeyMaterial::Okp(okp_key(curve, d)?)))
    }

    /// A fresh shared secret of `len` bytes.
    pub fn generate_oct(len: usize, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        entropy.fill(&mut bytes);
        Ok(Jwk::bare(KeyMaterial::Oct(OctKey::new(bytes)?)))
    }

    /// The shared secret with these bytes, such as a client's secret (OpenID Connect Core §10.1).
    pub fn from_secret(bytes: &[u8]) -> Result<Self, KeyError> {
        Ok(Jwk::bare(KeyMaterial::Oct(OctKey::new(Zeroizing::new(bytes.to_vec()))?)))
    }
}

/// The numbers of a key pair of the library.
pub(super) fn ec_key(curve: EcCurve, pair: &EcdsaKeyPair) -> Result<EcKey, KeyError> {
    let d = pair.private_key().as_be_bytes().map_err(|_| KeyError::NotAKey)?;
    EcKey::new(curve, pair.public_key().as_ref(), Some(Zeroizing::new(d.as_ref().to_vec())))
}

/// The key with these private bytes.
pub(super) fn okp_key(curve: OkpCurve, d: Zeroizing<[u8; 32]>) -> Result<OkpKey, KeyError> {
    let mut x = [0; 32];
    match curve {
        OkpCurve::Ed25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(&*d).map_err(|_| KeyError::NotAKey)?;
            x.copy_from_slice(pair.public_key().as_ref());
        }
        OkpCurve::X25519 => {
            let public = agreement::PrivateKey::from_private_key(&agreement::X25519, &*d)
                .map_err(|_| KeyError::NotAKey)?
                .compute_public_key()
                .map_err(|_| KeyError::NotAKey)?;
            x.copy_from_slice(public.as_ref());
        }
    }
    OkpKey::new(curve, x, Some(d))
}
