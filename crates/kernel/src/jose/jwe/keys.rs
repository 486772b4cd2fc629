//! Keys made ready for encryption: parsed once, bound to one algorithm, then used for every token.

use std::fmt;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{
    OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

use super::super::alg::{ContentEncryption, KeyAlgorithm, KeyManagementAlgorithm};
use super::super::jwk::{Jwk, JwkSet, KeyError, KeyMaterial, KeyOperation};
use super::agreement::{Epk, PrivateScalar, PublicPoint, Purpose};
use super::compact::Header;
use super::content::ContentKey;
use super::wrap::{aes_unwrap, aes_wrap, rsa_unwrap, rsa_wrap};
use crate::secret::Entropy;

/// A public key or shared secret that encrypts with one pair of algorithms.
pub struct EncryptingKey {
    pub(super) algorithm: KeyManagementAlgorithm,
    pub(super) encryption: ContentEncryption,
    pub(super) kid: Option<String>,
    secret: Encrypts,
}

enum Encrypts {
    Rsa(OaepPublicEncryptingKey),
    Agreement(PublicPoint),
    Wrap(Zeroizing<Vec<u8>>),
    Direct(ContentKey),
}

/// A content key, and how it reaches the reader.
pub(super) struct Delivery {
    pub(super) content_key: ContentKey,
    /// Empty where the reader needs none.
    pub(super) encrypted_key: Vec<u8>,
    pub(super) epk: Option<Epk>,
}

impl EncryptingKey {
    /// The key, bound to both algorithms. Errors when its type, curve, size, `alg`, `use` or `key_ops` is not for that.
    ///
    /// A shared secret that is used directly ([`KeyManagementAlgorithm::Dir`]) with AES-GCM serves at most 2³² tokens
    /// (RFC 7518 §8.4), since their initialization vectors are random.
    pub fn new(
        key: &Jwk,
        algorithm: KeyManagementAlgorithm,
        encryption: ContentEncryption,
    ) -> Result<Self, KeyError> {
        let operations: &[KeyOperation] = match algorithm {
            KeyManagementAlgorithm::RsaOaep256 => &[KeyOperation::WrapKey, KeyOperation::Encrypt],
            KeyManagementAlgorithm::A256Kw => &[KeyOperation::WrapKey],
            KeyManagementAlgorithm::Dir => &[KeyOperation::Encrypt],
            _ => &[KeyOperation::DeriveKey, KeyOperation::DeriveBits],
        };
        check_purpose(key, algorithm, operations)?;
        let secret = match (algorithm, key.material()) {
            (KeyManagementAlgorithm::RsaOaep256, KeyMaterial::Rsa(rsa)) => {
                let public = PublicEncryptingKey::from_der(&rsa.spki()?).map_err(|_| KeyError::NotAKey)?;
                Encrypts::Rsa(OaepPublicEncryptingKey::new(public).map_err(|_| KeyError::NotAKey)?)
            }
            (
                KeyManagementAlgorithm::EcdhEs
                | KeyManagementAlgorithm::EcdhEsA128Kw
                | KeyManagementAlgorithm::EcdhEsA256Kw,
                material,
            ) => Encrypts::Agreement(PublicPoint::of(material).ok_or(WRONG_TYPE)?),
            (KeyManagementAlgorithm::A256Kw, material) => Encrypts::Wrap(wrapping_secret(material)?),
            (KeyManagementAlgorithm::Dir, _) => Encrypts::Direct(direct_key(key, encryption)?),
            (KeyManagementAlgorithm::RsaOaep256, _) => return Err(WRONG_TYPE),
        };
        Ok(EncryptingKey { algorithm, encryption, kid: key.kid().map(Into::into), secret })
    }

    /// The first key of a set that is for this.
    pub fn among(
        set: &JwkSet,
        algorithm: KeyManagementAlgorithm,
        encryption: ContentEncryption,
    ) -> Option<Self> {
        set.keys.iter().find_map(|key| Self::new(key, algorithm, encryption).ok())
    }

    /// How the content key reaches the reader.
    pub const fn algorithm(&self) -> KeyManagementAlgorithm {
        self.algorithm
    }

    /// How the content is encrypted.
    pub const fn encryption(&self) -> ContentEncryption {
        self.encryption
    }

    /// Under which id the reader knows the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// A content key for one token.
    pub(super) fn deliver(&self, entropy: &dyn Entropy) -> Result<Delivery, Unspecified> {
        match &self.secret {
            Encrypts::Rsa(to) => {
                let content_key = ContentKey::random(self.encryption, entropy);
                let encrypted_key = rsa_wrap(to, content_key.bytes())?;
                Ok(Delivery { content_key, encrypted_key, epk: None })
            }
            Encrypts::Agreement(to) => {
                let ephemeral = PrivateScalar::generate(to.curve)?;
                self.deliver_agreed(&ephemeral, to, entropy)
            }
            Encrypts::Wrap(kek) => {
                let content_key = ContentKey::random(self.encryption, entropy);
                let encrypted_key = aes_wrap(kek, content_key.bytes())?;
                Ok(Delivery { content_key, encrypted_key, epk: None })
            }
            Encrypts::Direct(key) => {
                Ok(Delivery { content_key: key.clone(), encrypted_key: Vec::new(), epk: None })
            }
        }
    }

    fn deliver_agreed(
        &self,
        ephemeral: &PrivateScalar,
        to: &PublicPoint,
        entropy: &dyn Entropy,
    ) -> Result<Delivery, Unspecified> {
        let epk = Some(ephemeral.epk()?);
        let agreed = agree(self.algorithm, self.encryption, ephemeral, to, (&[], &[]))?;
        if self.algorithm == KeyManagementAlgorithm::EcdhEs {
            let content_key = ContentKey::from_bytes(self.encryption, agreed).ok_or(Unspecified)?;
            return Ok(Delivery { content_key, encrypted_key: Vec::new(), epk });
        }
        let content_key = ContentKey::random(self.encryption, entropy);
        let encrypted_key = aes_wrap(&agreed, content_key.bytes())?;
        Ok(Delivery { content_key, encrypted_key, epk })
    }
}

/// A private key or shared secret that decrypts what was encrypted with one key management algorithm.
pub struct DecryptingKey {
    algorithm: KeyManagementAlgorithm,
    kid: Option<String>,
    secret: Decrypts,
}

enum Decrypts {
    Rsa(OaepPrivateDecryptingKey),
    Agreement(PrivateScalar),
    Wrap(Zeroizing<Vec<u8>>),
    Direct(ContentKey),
}

impl DecryptingKey {
    /// The key, bound to `algorithm`. Errors when it has no private part, or its type, curve, size, `alg`, `use` or
    /// `key_ops` is not for that.
    ///
    /// A shared secret that is used directly ([`KeyManagementAlgorithm::Dir`]) is bound to one content encryption as well,
    /// so that no token chooses it: that of its `alg`, or the only one its length fits. 32 bytes fit two, so such
    /// a secret must name one.
    pub fn new(key: &Jwk, algorithm: KeyManagementAlgorithm) -> Result<Self, KeyError> {
        let operations: &[KeyOperation] = match algorithm {
            KeyManagementAlgorithm::RsaOaep256 => &[KeyOperation::UnwrapKey, KeyOperation::Decrypt],
            KeyManagementAlgorithm::A256Kw => &[KeyOperation::UnwrapKey],
            KeyManagementAlgorithm::Dir => &[KeyOperation::Decrypt],
            _ => &[KeyOperation::DeriveKey, KeyOperation::DeriveBits],
        };
        check_purpose(key, algorithm, operations)?;
        if !key.is_private() {
            return Err(KeyError::NotPrivate);
        }
        let secret = match (algorithm, key.material()) {
            (KeyManagementAlgorithm::RsaOaep256, KeyMaterial::Rsa(rsa)) => {
                let document = rsa.pkcs8().ok_or(KeyError::NotPrivate)?;
                let private = PrivateDecryptingKey::from_pkcs8(document).map_err(|_| KeyError::NotAKey)?;
                Decrypts::Rsa(OaepPrivateDecryptingKey::new(private).map_err(|_| KeyError::NotAKey)?)
            }
            (
                KeyManagementAlgorithm::EcdhEs
                | KeyManagementAlgorithm::EcdhEsA128Kw
                | KeyManagementAlgorithm::EcdhEsA256Kw,
                material,
            ) => Decrypts::Agreement(PrivateScalar::of(material).ok_or(WRONG_TYPE)?),
            (KeyManagementAlgorithm::A256Kw, material) => Decrypts::Wrap(wrapping_secret(material)?),
            (KeyManagementAlgorithm::Dir, _) => Decrypts::Direct(direct_key(key, direct_encryption(key)?)?),
            (KeyManagementAlgorithm::RsaOaep256, _) => return Err(WRONG_TYPE),
        };
        Ok(DecryptingKey { algorithm, kid: key.kid().map(Into::into), secret })
    }

    /// How the content key reaches this reader.
    pub const fn algorithm(&self) -> KeyManagementAlgorithm {
        self.algorithm
    }

    /// Under which id the senders know the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the key is for the algorithms of this header.
    pub(super) fn fits(&self, header: &Header) -> bool {
        let encryption_fits = match &self.secret {
            Decrypts::Direct(key) => key.encryption() == header.enc(),
            _ => true,
        };
        self.algorithm == header.alg() && encryption_fits
    }

    /// The content key the sender meant.
    pub(super) fn receive(&self, header: &Header, encrypted_key: &[u8]) -> Result<ContentKey, Unspecified> {
        let bytes = match (&self.secret, &header.agreement) {
            (Decrypts::Rsa(with), None) => rsa_unwrap(with, encrypted_key)?,
            (Decrypts::Wrap(kek), None) => aes_unwrap(kek, encrypted_key)?,
            (Decrypts::Direct(key), None) if encrypted_key.is_empty() => return Ok(key.clone()),
            (Decrypts::Agreement(with), Some(from)) => {
                let parties = (from.apu.as_slice(), from.apv.as_slice());
                let agreed = agree(self.algorithm, header.enc(), with, &from.epk, parties)?;
                match (self.algorithm, encrypted_key) {
                    (KeyManagementAlgorithm::EcdhEs, []) => agreed,
                    // RFC 7516 §5.2, step 10: there must be none.
                    (KeyManagementAlgorithm::EcdhEs, _) => return Err(Unspecified),
                    (_, wrapped) => aes_unwrap(&agreed, wrapped)?,
                }
            }
            _ => return Err(Unspecified),
        };
        ContentKey::from_bytes(header.enc(), bytes).ok_or(Unspecified)
    }
}

/// The key both sides come to, with the length and the name its use has (RFC 7518 §4.6.2).
fn agree(
    algorithm: KeyManagementAlgorithm,
    encryption: ContentEncryption,
    own: &PrivateScalar,
    peer: &PublicPoint,
    (apu, apv): (&[u8], &[u8]),
) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    if own.curve() != peer.curve {
        return Err(Unspecified);
    }
    let (name, length) = match algorithm {
        KeyManagementAlgorithm::EcdhEs => (encryption.name(), encryption.key_size()),
        KeyManagementAlgorithm::EcdhEsA128Kw => (algorithm.name(), 16),
        KeyManagementAlgorithm::EcdhEsA256Kw => (algorithm.name(), 32),
        KeyManagementAlgorithm::RsaOaep256 | KeyManagementAlgorithm::A256Kw | KeyManagementAlgorithm::Dir => {
            return Err(Unspecified);
        }
    };
    own.agree(peer, &Purpose { algorithm: name, apu, apv }, length)
}

const WRONG_TYPE: KeyError = KeyError::Purpose("its type, curve or size is not that of the algorithm");

/// Refuses a key whose `alg`, `use` or `key_ops` speaks against `algorithm`. One of `operations` is enough: libraries
/// differ in which they name.
fn check_purpose(
    key: &Jwk,
    algorithm: KeyManagementAlgorithm,
    operations: &[KeyOperation],
) -> Result<(), KeyError> {
    match key.alg() {
        None => {}
        Some(KeyAlgorithm::Management(own)) if own == algorithm => {}
        Some(KeyAlgorithm::Content(_)) if algorithm == KeyManagementAlgorithm::Dir => {}
        Some(_) => return Err(KeyError::Purpose("it is for another algorithm")),
    }
    if operations.iter().any(|operation| key.allows(*operation)) {
        return Ok(());
    }
    Err(KeyError::Purpose("its `use` or `key_ops` does not allow it"))
}

fn wrapping_secret(material: &KeyMaterial) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    match material {
        KeyMaterial::Oct(secret) if secret.bytes().len() == 32 => Ok(Zeroizing::new(secret.bytes().to_vec())),
        _ => Err(WRONG_TYPE),
    }
}

fn direct_key(key: &Jwk, encryption: ContentEncryption) -> Result<ContentKey, KeyError> {
    if matches!(key.alg(), Some(KeyAlgorithm::Content(own)) if own != encryption) {
        return Err(KeyError::Purpose("it is for another algorithm"));
    }
    let KeyMaterial::Oct(secret) = key.material() else { return Err(WRONG_TYPE) };
    ContentKey::from_bytes(encryption, Zeroizing::new(secret.bytes().to_vec())).ok_or(WRONG_TYPE)
}

/// The one content encryption a directly used secret is for.
fn direct_encryption(key: &Jwk) -> Result<ContentEncryption, KeyError> {
    let KeyMaterial::Oct(secret) = key.material() else { return Err(WRONG_TYPE) };
    match (key.alg(), secret.bytes().len()) {
        (Some(KeyAlgorithm::Content(encryption)), _) => Ok(encryption),
        (_, 16) => Ok(ContentEncryption::A128Gcm),
        (_, 64) => Ok(ContentEncryption::A256CbcHs512),
        (_, 32) => Err(KeyError::Purpose(
            "a secret of 32 bytes fits two content encryptions: its `alg` must name one",
        )),
        _ => Err(WRONG_TYPE),
    }
}

impl fmt::Debug for EncryptingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptingKey({}, {}, {:?})", self.algorithm, self.encryption, self.kid)
    }
}

impl fmt::Debug for DecryptingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptingKey({}, {:?})", self.algorithm, self.kid)
    }
}
