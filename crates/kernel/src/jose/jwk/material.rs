//! The numbers of a key, checked by the crypto library when they come in.

use std::fmt;

use aws_lc_rs::agreement;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, ED25519,
    EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair, ParsedPublicKey,
};
use zeroize::Zeroizing;

use super::super::alg::{ContentEncryption, KeyManagementAlgorithm};
use super::{KeyError, MAX_SECRET_LEN, RsaKey};

/// The kinds of keys there are (RFC 7518 §6.1, RFC 8037 §2).
#[derive(Clone, Debug)]
pub enum KeyMaterial {
    /// `EC`: a key on a NIST curve.
    Ec(EcKey),
    /// `OKP`: an Ed25519 or X25519 key.
    Okp(OkpKey),
    /// `RSA`.
    Rsa(RsaKey),
    /// `oct`: a shared secret.
    Oct(OctKey),
}

impl KeyMaterial {
    pub(super) fn fits_management(&self, algorithm: KeyManagementAlgorithm) -> bool {
        match (algorithm, self) {
            (KeyManagementAlgorithm::RsaOaep256, KeyMaterial::Rsa(_)) => true,
            (
                KeyManagementAlgorithm::EcdhEs
                | KeyManagementAlgorithm::EcdhEsA128Kw
                | KeyManagementAlgorithm::EcdhEsA256Kw,
                KeyMaterial::Ec(_),
            ) => true,
            (
                KeyManagementAlgorithm::EcdhEs
                | KeyManagementAlgorithm::EcdhEsA128Kw
                | KeyManagementAlgorithm::EcdhEsA256Kw,
                KeyMaterial::Okp(key),
            ) => matches!(key.curve, OkpCurve::X25519),
            (KeyManagementAlgorithm::A256Kw, KeyMaterial::Oct(key)) => key.0.len() == 32,
            (KeyManagementAlgorithm::Dir, KeyMaterial::Oct(key)) => matches!(key.0.len(), 16 | 32 | 64),
            _ => false,
        }
    }

    pub(super) fn fits_content(&self, algorithm: ContentEncryption) -> bool {
        match self {
            KeyMaterial::Oct(key) => key.0.len() == algorithm.key_size(),
            _ => false,
        }
    }
}

/// The curves of RFC 7518 §6.2.1.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EcCurve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl EcCurve {
    pub(super) const ALL: [EcCurve; 3] = [EcCurve::P256, EcCurve::P384, EcCurve::P521];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            EcCurve::P256 => "P-256",
            EcCurve::P384 => "P-384",
            EcCurve::P521 => "P-521",
        }
    }

    /// How many bytes a coordinate and a private number have.
    pub const fn size(self) -> usize {
        match self {
            EcCurve::P256 => 32,
            EcCurve::P384 => 48,
            EcCurve::P521 => 66,
        }
    }

    pub(in super::super) const fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            EcCurve::P256 => &ECDSA_P256_SHA256_FIXED,
            EcCurve::P384 => &ECDSA_P384_SHA384_FIXED,
            EcCurve::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    pub(in super::super) const fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            EcCurve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            EcCurve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            EcCurve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }
}

/// A key on a NIST curve: a point on it, and the private number where it is known.
#[derive(Clone)]
pub struct EcKey {
    curve: EcCurve,
    /// 0x04, x, y (SEC 1 §2.3.3).
    point: Box<[u8]>,
    d: Option<Zeroizing<Box<[u8]>>>,
}

impl EcKey {
    /// The key with this uncompressed point. Errors when it is not on the curve or `d` is not its private number.
    pub(super) fn new(curve: EcCurve, point: &[u8], d: Option<Zeroizing<Vec<u8>>>) -> Result<Self, KeyError> {
        if point.len() != 1 + 2 * curve.size() || point.first() != Some(&4) {
            return Err(KeyError::NotAKey);
        }
        ParsedPublicKey::new(curve.verification(), point).map_err(|_| KeyError::NotAKey)?;
        if let Some(d) = &d {
            if d.len() != curve.size() {
                return Err(KeyError::Malformed("d"));
            }
            EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), d, point)
                .map_err(|_| KeyError::NotAKey)?;
        }
        let d = d.map(|mut d| Zeroizing::new(std::mem::take(&mut *d).into_boxed_slice()));
        Ok(EcKey { curve, point: point.into(), d })
    }

    /// The curve.
    pub const fn curve(&self) -> EcCurve {
        self.curve
    }

    /// The uncompressed point: 0x04, x, y.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// The first coordinate, big-endian, in the full size of the curve.
    pub fn x(&self) -> &[u8] {
        self.point.get(1..=self.curve.size()).unwrap_or_default()
    }

    /// The second coordinate, big-endian, in the full size of the curve.
    pub fn y(&self) -> &[u8] {
        self.point.get(1 + self.curve.size()..).unwrap_or_default()
    }

    /// The private number, big-endian, in the full size of the curve.
    pub const fn d(&self) -> Option<&Zeroizing<Box<[u8]>>> {
        self.d.as_ref()
    }

    pub(super) fn public(&self) -> EcKey {
        EcKey { curve: self.curve, point: self.point.clone(), d: None }
    }
}

/// The curves of RFC 8037 §2 that are supported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OkpCurve {
    /// For signatures.
    Ed25519,
    /// For key agreement.
    X25519,
}

impl OkpCurve {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            OkpCurve::Ed25519 => "Ed25519",
            OkpCurve::X25519 => "X25519",
        }
    }
}

/// An Ed25519 or X25519 key: its 32 public bytes, and the 32 private ones where they are known.
#[derive(Clone)]
pub struct OkpKey {
    curve: OkpCurve,
    x: [u8; 32],
    d: Option<Zeroizing<[u8; 32]>>,
}

impl OkpKey {
    /// The key with these bytes. Errors when the private bytes are not those of the public ones.
    pub(super) fn new(
        curve: OkpCurve,
        x: [u8; 32],
        d: Option<Zeroizing<[u8; 32]>>,
    ) -> Result<Self, KeyError> {
        if curve == OkpCurve::Ed25519 {
            ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::NotAKey)?;
        }
        if let Some(d) = &d {
            let same = match curve {
                OkpCurve::Ed25519 => Ed25519KeyPair::from_seed_and_public_key(&**d, &x).is_ok(),
                OkpCurve::X25519 => agreement::PrivateKey::from_private_key(&agreement::X25519, &**d)
                    .and_then(|private| Ok(private.compute_public_key()?))
                    .is_ok_and(|public| public.as_ref() == x),
            };
            if !same {
                return Err(KeyError::NotAKey);
            }
        }
        Ok(OkpKey { curve, x, d })
    }

    /// The curve.
    pub const fn curve(&self) -> OkpCurve {
        self.curve
    }

    /// The public bytes.
    pub const fn x(&self) -> &[u8; 32] {
        &self.x
    }

    /// The private bytes: the seed of RFC 8032, the scalar of RFC 7748.
    pub const fn d(&self) -> Option<&Zeroizing<[u8; 32]>> {
        self.d.as_ref()
    }

    pub(super) const fn public(&self) -> OkpKey {
        OkpKey { curve: self.curve, x: self.x, d: None }
    }
}

/// A shared secret.
#[derive(Clone)]
pub struct OctKey(Zeroizing<Box<[u8]>>);

impl OctKey {
    /// The secret with these bytes: at least 16 (128 bits), at most [`MAX_SECRET_LEN`].
    pub(super) fn new(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        if bytes.len() < 16 {
            return Err(KeyError::Size("a shared secret has at least 16 bytes"));
        }
        if bytes.len() > MAX_SECRET_LEN {
            return Err(KeyError::Size("a shared secret has at most 1024 bytes"));
        }
        Ok(OctKey(Zeroizing::new(std::mem::take(&mut *bytes).into_boxed_slice())))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Shows the kind of key and whether it is private; numbers never.
macro_rules! discreet_debug {
    ($($kind:ty: |$key:ident| $shown:expr;)+) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $key = self;
                let (name, private) = $shown;
                write!(f, "{}({name})", if private { "private" } else { "public" })
            }
        }
    )+};
}

discreet_debug! {
    EcKey: |key| (key.curve.name(), key.d.is_some());
    OkpKey: |key| (key.curve.name(), key.d.is_some());
    RsaKey: |key| ("RSA", key.pkcs8().is_some());
    OctKey: |_key| ("oct", true);
}
