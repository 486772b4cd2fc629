//! Secrets: types that never print themselves, and the keys derived from the one root key.
//!
//! All cryptography is the library's (aws-lc-rs): SHA-256, HMAC (RFC 2104), HKDF (RFC 5869), AES-256-GCM (NIST SP
//! 800-38D). This module only fixes purposes and formats.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Where randomness comes from: cryptographically secure in production, seeded in tests.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// 256 random bits that open something. It has no `Display`, its `Debug` hides it, and it is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A fresh secret.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Secret(bytes)
    }

    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Secret(bytes)
    }

    /// The bytes themselves: for the one place that hands the secret to its owner.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is stored in its stead.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret: what stores keep. Compared in constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Digest(out)
    }

    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Digest).map_err(|_| serde::de::Error::custom("a digest has 32 bytes"))
    }
}

/// The 32-byte key of an installation, kept outside its database. Every other key is derived from it by purpose
/// (HKDF-SHA256, RFC 5869), so that no key ever serves two purposes.
#[derive(Clone, ZeroizeOnDrop)]
pub struct RootKey([u8; 32]);

impl RootKey {
    /// The root key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        RootKey(bytes)
    }

    /// A fresh root key.
    pub fn random(entropy: &dyn Entropy) -> Self {
        RootKey(*Secret::random(entropy).expose())
    }

    /// The bytes, for writing the key file.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for message authentication with this purpose.
    pub fn mac(&self, purpose: &'static str) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose)))
    }

    /// The key for sealing values with this purpose.
    pub fn seal(&self, purpose: &'static str) -> SealKey {
        SealKey::from_bytes(&self.derive(purpose))
    }

    /// 32 bytes bound to `purpose`.
    fn derive(&self, purpose: &'static str) -> [u8; 32] {
        let mut out = [0; 32];
        let pseudo_random = hkdf::Salt::new(hkdf::HKDF_SHA256, b"gateward root key v1").extract(&self.0);
        let info = [purpose.as_bytes()];
        // Both can fail only for an output longer than 255 hashes (RFC 5869 §2.3); it is one.
        if let Ok(material) = pseudo_random.expand(&info, hkdf::HKDF_SHA256)
            && material.fill(&mut out).is_ok()
        {
            return out;
        }
        unreachable!("HKDF-SHA256 yields 32 bytes")
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

/// A key for HMAC-SHA256, bound to one purpose.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The full 32-byte tag over the parts, each preceded by its length so that no two lists of parts read alike.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// The first `N` bytes of [`tag`](Self::tag), for `N` up to 32.
    pub fn short_tag<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let full = self.tag(parts);
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(full) {
            *to = from;
        }
        out
    }

    /// Whether `tag` is the (possibly shortened) tag over the parts, in constant time. An empty tag never is.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        let full = self.tag(parts);
        match full.get(..tag.len()) {
            Some(expected) if !tag.is_empty() => expected.ct_eq(tag).into(),
            _ => false,
        }
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

/// A key for authenticated encryption (AES-256-GCM, random 96-bit nonces), bound to one purpose.
pub struct SealKey(LessSafeKey);

/// A sealed value did not open: another key, another context, or changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed value does not open: it was made with another key or for another purpose, or it was changed"
)]
pub struct NotSealedHere;

impl SealKey {
    fn from_bytes(bytes: &[u8; 32]) -> Self {
        match UnboundKey::new(&AES_256_GCM, bytes) {
            Ok(key) => SealKey(LessSafeKey::new(key)),
            Err(_) => unreachable!("AES-256 takes keys of 32 bytes"),
        }
    }

    /// Encrypts `plain`; it opens only with the same key and the same `context`.
    pub fn seal(&self, entropy: &dyn Entropy, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        self.seal_by(nonce, context, plain)
    }

    /// The same, always alike for the same content in the same context: for names that others compare. The nonce is made of both under
    /// `nonces`, a key for that alone, so that none serves two contents.
    pub fn seal_alike(&self, nonces: &MacKey, context: &[u8], plain: &[u8]) -> Vec<u8> {
        self.seal_by(nonces.short_tag(&[context, plain]), context, plain)
    }

    fn seal_by(&self, nonce: [u8; NONCE_LEN], context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let sealed = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut body,
        );
        // Refused only above 2^36 bytes, which no value here can reach.
        if sealed.is_err() {
            unreachable!("a value of {} bytes is within what AES-GCM takes", plain.len());
        }
        let mut out = nonce.to_vec();
        out.append(&mut body);
        out
    }

    /// Decrypts what [`seal`](Self::seal) made.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotSealedHere)?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| NotSealedHere)?;
        Ok(plain.to_vec())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// Randomness that is the same in every run: for tests, and only for tests.
#[derive(Debug)]
pub struct SeededEntropy(parking_lot::Mutex<u64>);

impl SeededEntropy {
    /// Randomness that starts from `seed`.
    pub const fn new(seed: u64) -> Self {
        SeededEntropy(parking_lot::Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock();
        for chunk in bytes.chunks_mut(32) {
            *state = state.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(Digest::of(&state.to_be_bytes()).as_bytes()) {
                *to = *from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_do_not_mix() {
        let root = RootKey::from_bytes([1; 32]);
        assert_ne!(root.mac("a").tag(&[b"x"]), root.mac("b").tag(&[b"x"]));
        assert_ne!(root.mac("a").tag(&[b"xy"]), root.mac("a").tag(&[b"x", b"y"]));
        assert!(!root.mac("a").verify(&[b"x"], b""));
    }

    #[test]
    fn sealed_values_open_only_here_and_unchanged() {
        let root = RootKey::from_bytes([1; 32]);
        let (here, there) = (root.seal("a"), root.seal("b"));
        let sealed = here.seal(&SeededEntropy::new(1), b"name", b"value");
        assert_eq!(here.open(b"name", &sealed).unwrap(), b"value");
        assert_eq!(here.open(b"other", &sealed), Err(NotSealedHere));
        assert_eq!(there.open(b"name", &sealed), Err(NotSealedHere));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(here.open(b"name", &changed), Err(NotSealedHere));
            assert_eq!(here.open(b"name", &sealed[..at]), Err(NotSealedHere));
        }
    }

    #[test]
    fn nothing_prints_itself() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::from_bytes([65; 32]),
            RootKey::from_bytes([65; 32]),
            Digest::of(b"x")
        );
        assert_eq!(shown, "Secret(…) RootKey(…) Digest(…)");
    }
}
