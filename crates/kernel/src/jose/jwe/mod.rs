//! JWE in compact form (RFC 7516), and JWTs that are signed and then encrypted (RFC 7519 §11.2).
//!
//! Nothing in a token chooses how it is decrypted: both algorithms must be on the caller's list, the key is bound to its
//! own, and `kid` only names one of the keys the caller holds. There is no RSA1_5, no password-based encryption and
//! no decompression. Every failure to decrypt looks the same, whatever went wrong.
//!
//! **Encryption says nothing about who sent a token**: with a public key everybody can make one. Believe the
//! content when it is itself signed ([`Encrypted::open_nested`]), or when the key is a secret shared with the sender.

mod agreement;
mod compact;
mod content;
mod keys;
mod wrap;

#[cfg(test)]
mod tests;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::alg::{ContentEncryption, KeyManagementAlgorithm};
use super::keyset::MAX_TRIED;
use crate::secret::Entropy;
pub use compact::{Header, Malformed};
use compact::{NewHeader, Parts};
use content::{ContentKey, MAX_IV_LEN, MAX_TAG_LEN};
pub use keys::{DecryptingKey, EncryptingKey};

/// The most characters of a token, made or read.
pub const MAX_TOKEN_LEN: usize = 64 * 1024;
/// The most bytes of a decoded header.
pub const MAX_HEADER_LEN: usize = 4 * 1024;

/// What the header says about the content, besides the algorithms and the key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    /// What the token is (RFC 7516 §4.1.11).
    pub typ: Option<&'a str>,
    /// What the content is (RFC 7516 §4.1.12).
    pub cty: Option<&'a str>,
}

/// Why nothing was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEncrypted {
    /// The token would have more than [`MAX_TOKEN_LEN`] characters, or its header more than [`MAX_HEADER_LEN`] bytes.
    #[error("the content or its labels are too long for an encrypted token")]
    TooLong,
    /// What was to be nested is no signed token.
    #[error("the content has not the form of a signed token")]
    NotSigned,
    /// The crypto library could not encrypt: it had no randomness or no memory.
    #[error("the crypto library could not encrypt")]
    Library,
}

impl EncryptingKey {
    /// Encrypts `plain` for the owner of the key.
    pub fn encrypt(
        &self,
        plain: &[u8],
        labels: Labels<'_>,
        entropy: &dyn Entropy,
    ) -> Result<String, NotEncrypted> {
        // Before any work: even without a header it would be too long.
        if plain.len() > MAX_TOKEN_LEN {
            return Err(NotEncrypted::TooLong);
        }
        let delivery = self.deliver(entropy).map_err(|_| NotEncrypted::Library)?;
        let header = NewHeader {
            alg: self.algorithm,
            enc: self.encryption,
            kid: self.kid.as_deref(),
            typ: labels.typ,
            cty: labels.cty,
            epk: delivery.epk.as_ref(),
        };
        let header = serde_json::to_vec(&header).map_err(|_| NotEncrypted::Library)?;
        if header.len() > MAX_HEADER_LEN {
            return Err(NotEncrypted::TooLong);
        }
        let parts = [
            header.len(),
            delivery.encrypted_key.len(),
            content::iv_len(self.encryption),
            content::ciphertext_len(self.encryption, plain.len()),
            content::tag_len(self.encryption),
        ];
        let dots = parts.len() - 1;
        let length: usize = parts.into_iter().map(|part| BASE64URL_NOPAD.encode_len(part)).sum();
        if length + dots > MAX_TOKEN_LEN {
            return Err(NotEncrypted::TooLong);
        }
        let header = BASE64URL_NOPAD.encode(&header);
        let mut room = [0; MAX_IV_LEN];
        let iv = room.get_mut(..content::iv_len(self.encryption)).ok_or(NotEncrypted::Library)?;
        entropy.fill(iv);
        let sealed =
            delivery.content_key.seal(iv, header.as_bytes(), plain).map_err(|_| NotEncrypted::Library)?;
        Ok(compact::join(header, [&delivery.encrypted_key, iv, &sealed.ciphertext, &sealed.tag]))
    }

    /// Encrypts a signed token for the owner of the key, with `cty` `JWT` (RFC 7519 §5.2).
    pub fn encrypt_nested(
        &self,
        signed: &str,
        typ: Option<&str>,
        entropy: &dyn Entropy,
    ) -> Result<String, NotEncrypted> {
        if !compact::is_signed_form(signed) {
            return Err(NotEncrypted::NotSigned);
        }
        self.encrypt(signed.as_bytes(), Labels { typ, cty: Some("JWT") }, entropy)
    }
}

/// What a reader takes. Both lists matter: an algorithm that is not there is refused, whatever the keys could do.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    /// How content keys may reach it.
    pub algorithms: &'a [KeyManagementAlgorithm],
    /// How content may be encrypted.
    pub encryptions: &'a [ContentEncryption],
}

/// Why a token was not decrypted with these keys. No variant holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecrypted {
    /// An algorithm is not one the caller allows.
    #[error("the token's algorithm is not allowed here")]
    NotAllowed,
    /// No key has the id the token names, or none is for its algorithms.
    #[error("no key is known for the token")]
    UnknownKey,
    /// The token names no key, and more than [`MAX_TRIED`] could be meant.
    #[error("the token names no key and more than {MAX_TRIED} could be meant")]
    Ambiguous,
    /// It was made with another key, or changed on the way, or made wrongly: which of these is not said, since the answer
    /// would help to find out the content (RFC 7516 §11.5).
    #[error("the token does not decrypt")]
    Undecryptable,
    /// A nested token is due, and the header does not say that this is one, or the content is none.
    #[error("the token does not hold a signed one")]
    NotNested,
}

/// A token that has been taken apart.
#[derive(Clone)]
pub struct Encrypted<'a> {
    header: Header,
    parts: Parts<'a>,
}

/// Takes a token apart. Errors when it could not be decrypted with any key.
pub fn parse<T: AsRef<[u8]> + ?Sized>(token: &T) -> Result<Encrypted<'_>, Malformed> {
    let (header, parts) = compact::split(token.as_ref())?;
    Ok(Encrypted { header, parts })
}

impl Encrypted<'_> {
    /// The header, which nobody has vouched for.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Decrypts the content with the key the token names or, when that is unknown here or it names none, with those
    /// that it can mean. `entropy` makes the content key that stands in for one that did not decrypt.
    ///
    /// That the content is encrypted says nothing about who wrote it.
    pub fn open(
        &self,
        keys: &[DecryptingKey],
        allowed: Allowed<'_>,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<Vec<u8>>, NotDecrypted> {
        if !allowed.algorithms.contains(&self.header.alg())
            || !allowed.encryptions.contains(&self.header.enc())
        {
            return Err(NotDecrypted::NotAllowed);
        }
        // As for signatures: with an id that is known, the keys of that id; with another, those that have none; without, all.
        let kid = self.header.kid();
        let known = kid.filter(|kid| keys.iter().any(|key| key.kid() == Some(kid)));
        let meant = |key: &&DecryptingKey| (kid.is_none() || key.kid() == known) && key.fits(&self.header);
        let candidates = || keys.iter().filter(meant);
        match candidates().take(MAX_TRIED + 1).count() {
            0 => return Err(NotDecrypted::UnknownKey),
            1..=MAX_TRIED => {}
            _ => return Err(NotDecrypted::Ambiguous),
        }
        let raw = RawParts::decode(&self.parts).ok_or(NotDecrypted::Undecryptable)?;
        candidates().find_map(|key| self.open_with(key, &raw, entropy)).ok_or(NotDecrypted::Undecryptable)
    }

    /// Decrypts a token that must hold a signed one, and hands that out: to be verified, nothing in it to be believed yet.
    pub fn open_nested(
        &self,
        keys: &[DecryptingKey],
        allowed: Allowed<'_>,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<String>, NotDecrypted> {
        if !self.header.says_nested() {
            return Err(NotDecrypted::NotNested);
        }
        let content = self.open(keys, allowed, entropy)?;
        match std::str::from_utf8(&content) {
            Ok(signed) if compact::is_signed_form(signed) => Ok(Zeroizing::new(signed.to_owned())),
            _ => Err(NotDecrypted::NotNested),
        }
    }

    fn open_with(
        &self,
        key: &DecryptingKey,
        raw: &RawParts,
        entropy: &dyn Entropy,
    ) -> Option<Zeroizing<Vec<u8>>> {
        // RFC 7516 §11.5: a content key that does not decrypt is replaced by a random one, so that this fails where a wrong
        // tag does, after the same work.
        let substitute = ContentKey::random(self.header.enc(), entropy);
        let content_key = key.receive(&self.header, &raw.encrypted_key).unwrap_or(substitute);
        content_key.open(&raw.iv, self.parts.header, raw.ciphertext.clone(), &raw.tag).ok()
    }
}

impl std::fmt::Debug for Encrypted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encrypted({:?})", self.header)
    }
}

/// The parts besides the header, decoded.
struct RawParts {
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    /// Decrypted where it is, and wiped.
    ciphertext: Zeroizing<Vec<u8>>,
    tag: Vec<u8>,
}

impl RawParts {
    fn decode(parts: &Parts<'_>) -> Option<Self> {
        let decode = |part: &[u8], most: usize| {
            // The parts that have a largest size are not decoded beyond it.
            (BASE64URL_NOPAD.decode_len(part.len()).ok()? <= most)
                .then(|| BASE64URL_NOPAD.decode(part).ok())?
        };
        Some(RawParts {
            encrypted_key: decode(parts.encrypted_key, MAX_ENCRYPTED_KEY_LEN)?,
            iv: decode(parts.iv, MAX_IV_LEN)?,
            ciphertext: Zeroizing::new(decode(parts.ciphertext, MAX_TOKEN_LEN)?),
            tag: decode(parts.tag, MAX_TAG_LEN)?,
        })
    }
}

/// The longest encrypted content key, in bytes: that for the largest private RSA key.
const MAX_ENCRYPTED_KEY_LEN: usize = super::jwk::MAX_PRIVATE_RSA_BITS / 8;
