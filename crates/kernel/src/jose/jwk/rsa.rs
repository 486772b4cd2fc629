//! RSA keys.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair, RsaPublicKeyComponents, RsaSubjectPublicKey};
use zeroize::Zeroizing;

use super::{KeyError, MAX_PRIVATE_RSA_BITS, MAX_PUBLIC_RSA_BITS, MIN_RSA_BITS, der};

/// An RSA key. Its private part is kept as the library's own PKCS#8 document.
#[derive(Clone)]
pub struct RsaKey {
    n: Box<[u8]>,
    e: Box<[u8]>,
    pkcs8: Option<Zeroizing<Vec<u8>>>,
}

impl RsaKey {
    /// The public key with these big-endian numbers, without leading zero bytes.
    pub(super) fn from_numbers(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        check_bits(n, MAX_PUBLIC_RSA_BITS)?;
        let document = RsaPublicKeyComponents { n, e }.as_der().map_err(|_| KeyError::NotAKey)?;
        // Reading it back makes the library check the numbers (odd modulus, usable exponent).
        RsaSubjectPublicKey::from_der(document.as_ref()).map_err(|_| KeyError::NotAKey)?;
        Ok(RsaKey { n: n.into(), e: e.into(), pkcs8: None })
    }

    /// The public key of a DER document: PKCS#1 or `SubjectPublicKeyInfo`.
    pub(super) fn from_public_der(document: &[u8]) -> Result<Self, KeyError> {
        let key = RsaSubjectPublicKey::from_der(document).map_err(|_| KeyError::NotAKey)?;
        match der::unsigned_numbers(key.as_ref()).as_deref() {
            Some([n, e]) => RsaKey::from_numbers(n, e),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// The private key that the library has checked.
    pub(super) fn from_pair(pair: &RsaKeyPair) -> Result<Self, KeyError> {
        let mut key = RsaKey::from_public_der(pair.public_key().as_ref())?;
        check_bits(&key.n, MAX_PRIVATE_RSA_BITS)?;
        let document = AsDer::as_der(pair).map_err(|_| KeyError::NotAKey)?;
        key.pkcs8 = Some(Zeroizing::new(document.as_ref().to_vec()));
        key.private_numbers().is_some().then_some(key).ok_or(KeyError::NotAKey)
    }

    /// The modulus, big-endian, without leading zero bytes.
    pub fn n(&self) -> &[u8] {
        &self.n
    }

    /// The public exponent, big-endian, without leading zero bytes.
    pub fn e(&self) -> &[u8] {
        &self.e
    }

    /// The private key as a PKCS#8 DER document, such as `PrivateDecryptingKey::from_pkcs8` takes.
    pub const fn pkcs8(&self) -> Option<&Zeroizing<Vec<u8>>> {
        self.pkcs8.as_ref()
    }

    /// The private numbers under their names in JSON (RFC 7518 §6.3.2).
    pub(super) fn private_numbers(&self) -> Option<[(&'static str, &[u8]); 6]> {
        let numbers = der::unsigned_numbers(der::pkcs8_content(self.pkcs8.as_deref()?)?)?;
        match numbers.as_slice() {
            [_version, _n, _e, d, p, q, dp, dq, qi] => {
                Some([("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)])
            }
            _ => None,
        }
    }

    /// The public key as a `SubjectPublicKeyInfo` DER document, such as `PublicEncryptingKey::from_der` takes.
    pub fn spki(&self) -> Result<Vec<u8>, KeyError> {
        let document = RsaPublicKeyComponents { n: &self.n, e: &self.e }.as_der();
        Ok(document.map_err(|_| KeyError::NotAKey)?.as_ref().to_vec())
    }

    pub(super) fn public(&self) -> RsaKey {
        RsaKey { n: self.n.clone(), e: self.e.clone(), pkcs8: None }
    }
}

/// Refuses a modulus outside of [`MIN_RSA_BITS`] to `most` bits.
fn check_bits(n: &[u8], most: usize) -> Result<(), KeyError> {
    let unused = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = (n.len() * 8).saturating_sub(unused);
    if bits < MIN_RSA_BITS {
        return Err(KeyError::Size("an RSA modulus has at least 2048 bits"));
    }
    if bits > most {
        return Err(KeyError::Size("an RSA modulus has at most 8192 bits, and 4096 with its private part"));
    }
    Ok(())
}
