//! Elliptic-curve Diffie-Hellman, ephemeral to static (RFC 7518 §4.6, RFC 8037 §3.2): the curves, the points on them, and
//! the derivation of a key from the secret both sides come to.

use aws_lc_rs::agreement::{self, Algorithm, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::super::jwk::{EcCurve, KeyMaterial, OkpCurve};

/// The curves keys are agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Curve {
    Ec(EcCurve),
    X25519,
}

impl Curve {
    const ALL: [Curve; 4] =
        [Curve::Ec(EcCurve::P256), Curve::Ec(EcCurve::P384), Curve::Ec(EcCurve::P521), Curve::X25519];

    const fn library(self) -> &'static Algorithm {
        match self {
            Curve::Ec(EcCurve::P256) => &agreement::ECDH_P256,
            Curve::Ec(EcCurve::P384) => &agreement::ECDH_P384,
            Curve::Ec(EcCurve::P521) => &agreement::ECDH_P521,
            Curve::X25519 => &agreement::X25519,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Curve::Ec(curve) => curve.name(),
            Curve::X25519 => OkpCurve::X25519.name(),
        }
    }

    const fn kty(self) -> &'static str {
        match self {
            Curve::Ec(_) => "EC",
            Curve::X25519 => "OKP",
        }
    }

    const fn size(self) -> usize {
        match self {
            Curve::Ec(curve) => curve.size(),
            Curve::X25519 => 32,
        }
    }
}

/// A public key that is a valid point of its curve.
#[derive(Clone)]
pub(super) struct PublicPoint {
    pub(super) curve: Curve,
    key: ParsedPublicKey,
}

impl PublicPoint {
    /// The public part of a key. `None` when the key is for no key agreement.
    pub(super) fn of(material: &KeyMaterial) -> Option<Self> {
        match material {
            KeyMaterial::Ec(key) => PublicPoint::new(Curve::Ec(key.curve()), key.point()),
            KeyMaterial::Okp(key) if key.curve() == OkpCurve::X25519 => {
                PublicPoint::new(Curve::X25519, key.x())
            }
            _ => None,
        }
    }

    /// The `epk` of a header (RFC 7518 §4.6.1.1): a public key with full-size coordinates. A private part has no business
    /// there. Other members are ignored.
    pub(super) fn from_epk(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name)?.as_str();
        let curve = Curve::ALL.into_iter().find(|curve| Some(curve.name()) == text("crv"))?;
        if text("kty") != Some(curve.kty()) || members.contains_key("d") {
            return None;
        }
        let coordinate = |name: &str| {
            let bytes = BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok()?;
            (bytes.len() == curve.size()).then_some(bytes)
        };
        let x = coordinate("x")?;
        match curve {
            Curve::Ec(_) => {
                let y = coordinate("y")?;
                PublicPoint::new(curve, &[[4].as_slice(), &x, &y].concat())
            }
            Curve::X25519 => PublicPoint::new(curve, &x),
        }
    }

    /// `bytes` as SEC 1 §2.3.3 (uncompressed) or RFC 7748 writes them. `None` when they are no point of the curve.
    pub(super) fn new(curve: Curve, bytes: &[u8]) -> Option<Self> {
        let key = UnparsedPublicKey::new(curve.library(), bytes);
        Some(PublicPoint { curve, key: ParsedPublicKey::try_from(key).ok()? })
    }
}

/// A private key for key agreement.
pub(super) struct PrivateScalar {
    curve: Curve,
    key: PrivateKey,
}

/// A public key as `epk` shows it.
#[derive(Serialize)]
pub(super) struct Epk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl PrivateScalar {
    /// The private part of a key. `None` when it has none, or is for no key agreement.
    pub(super) fn of(material: &KeyMaterial) -> Option<Self> {
        match material {
            KeyMaterial::Ec(key) => PrivateScalar::new(Curve::Ec(key.curve()), key.d()?),
            KeyMaterial::Okp(key) if key.curve() == OkpCurve::X25519 => {
                PrivateScalar::new(Curve::X25519, key.d()?.as_slice())
            }
            _ => None,
        }
    }

    pub(super) fn new(curve: Curve, bytes: &[u8]) -> Option<Self> {
        Some(PrivateScalar { curve, key: PrivateKey::from_private_key(curve.library(), bytes).ok()? })
    }

    /// A key for one token. The library makes it of its own randomness, since it takes no other.
    pub(super) fn generate(curve: Curve) -> Result<Self, Unspecified> {
        Ok(PrivateScalar { curve, key: PrivateKey::generate(curve.library())? })
    }

    pub(super) const fn curve(&self) -> Curve {
        self.curve
    }

    /// The public key that goes with it.
    pub(super) fn epk(&self) -> Result<Epk, Unspecified> {
        let public = self.key.compute_public_key()?;
        let (x, y) = match self.curve {
            Curve::Ec(_) => {
                let (_, coordinates) = public.as_ref().split_first().ok_or(Unspecified)?;
                let (x, y) = coordinates.split_at_checked(self.curve.size()).ok_or(Unspecified)?;
                (x, Some(BASE64URL_NOPAD.encode(y)))
            }
            Curve::X25519 => (public.as_ref(), None),
        };
        let (kty, crv) = (self.curve.kty(), self.curve.name());
        Ok(Epk { kty, crv, x: BASE64URL_NOPAD.encode(x), y })
    }

    /// The key of `length` bytes agreed with the owner of `peer`. Errors when that is on another curve, or the secret is
    /// the point at infinity or all zeros (RFC 7748 §6.1).
    pub(super) fn agree(
        &self,
        peer: &PublicPoint,
        purpose: &Purpose<'_>,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        // A clone of the parsed key counts one reference; parsing would check the point again.
        agreement::agree(&self.key, peer.key.clone(), Unspecified, |secret| purpose.derive(secret, length))
    }
}

/// What a derived key is bound to (RFC 7518 §4.6.2).
pub(super) struct Purpose<'a> {
    /// `enc` for direct agreement, otherwise `alg`.
    pub(super) algorithm: &'a str,
    /// Information about the sender, decoded; empty where there is none.
    pub(super) apu: &'a [u8],
    /// Information about the recipient, decoded; empty where there is none.
    pub(super) apv: &'a [u8],
}

impl Purpose<'_> {
    /// The Concat KDF of NIST SP 800-56A §5.8.1 with SHA-256, which the library calls single-step KDF.
    pub(super) fn derive(&self, secret: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let mut info = Vec::new();
        for field in [self.algorithm.as_bytes(), self.apu, self.apv] {
            info.extend_from_slice(&u32::try_from(field.len())?.to_be_bytes());
            info.extend_from_slice(field);
        }
        let bits = u32::try_from(length)?.checked_mul(8).ok_or(Unspecified)?;
        info.extend_from_slice(&bits.to_be_bytes());
        let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Unspecified)?;
        let mut out = Zeroizing::new(vec![0; length]);
        sskdf_digest(sha256, secret, &info, &mut out)?;
        Ok(out)
    }
}
