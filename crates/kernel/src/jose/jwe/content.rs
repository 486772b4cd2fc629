//! Content encryption (RFC 7518 §5): AES-CBC with HMAC, and AES-GCM. Primitives are the library's; this only puts them
//! together as the RFC says.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::{FixedLength, IV_LEN_128_BIT};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::alg::ContentEncryption;
use crate::secret::Entropy;

/// The longest initialization vector, in bytes.
pub(super) const MAX_IV_LEN: usize = IV_LEN_128_BIT;
/// The longest authentication tag, in bytes.
pub(super) const MAX_TAG_LEN: usize = 32;
const BLOCK_LEN: usize = 16;

/// The key one token's content is encrypted with, wiped when dropped.
#[derive(Clone)]
pub(super) struct ContentKey {
    encryption: ContentEncryption,
    bytes: Zeroizing<Vec<u8>>,
}

/// The encrypted content and its authentication tag.
pub(super) struct Sealed {
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// How many bytes the initialization vector of `encryption` has.
pub(super) const fn iv_len(encryption: ContentEncryption) -> usize {
    match encryption {
        ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => IV_LEN_128_BIT,
        ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => NONCE_LEN,
    }
}

/// How many bytes the authentication tag of `encryption` has.
pub(super) const fn tag_len(encryption: ContentEncryption) -> usize {
    match encryption {
        ContentEncryption::A256CbcHs512 => 32,
        ContentEncryption::A128CbcHs256 | ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => 16,
    }
}

/// How many bytes `plain` bytes become.
pub(super) const fn ciphertext_len(encryption: ContentEncryption, plain: usize) -> usize {
    match encryption {
        ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => {
            (plain / BLOCK_LEN).saturating_add(1).saturating_mul(BLOCK_LEN)
        }
        ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => plain,
    }
}

impl ContentKey {
    /// A fresh key.
    pub(super) fn random(encryption: ContentEncryption, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new(vec![0; encryption.key_size()]);
        entropy.fill(&mut bytes);
        ContentKey { encryption, bytes }
    }

    /// The key with these bytes. `None` when there are not as many as the encryption takes.
    pub(super) fn from_bytes(encryption: ContentEncryption, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == encryption.key_size()).then_some(ContentKey { encryption, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn encryption(&self) -> ContentEncryption {
        self.encryption
    }

    /// Encrypts `plain` and authenticates it together with `aad`. `iv` must never come back under the same key.
    pub(super) fn seal(&self, iv: &[u8], aad: &[u8], plain: &[u8]) -> Result<Sealed, Unspecified> {
        match self.encryption {
            ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => {
                self.seal_cbc(iv, aad, plain)
            }
            ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => {
                let mut ciphertext = plain.to_vec();
                let tag = self.gcm()?.seal_in_place_separate_tag(
                    Nonce::try_assume_unique_for_key(iv)?,
                    Aad::from(aad),
                    &mut ciphertext,
                )?;
                Ok(Sealed { ciphertext, tag: tag.as_ref().to_vec() })
            }
        }
    }

    /// Decrypts `content` in place when `tag` authenticates it and `aad`.
    pub(super) fn open(
        &self,
        iv: &[u8],
        aad: &[u8],
        mut content: Zeroizing<Vec<u8>>,
        tag: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        // The library would take a shorter tag of AES-GCM for some of its lengths; JOSE has one length alone.
        if iv.len() != iv_len(self.encryption) || tag.len() != tag_len(self.encryption) {
            return Err(Unspecified);
        }
        let length = match self.encryption {
            ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => {
                self.open_cbc(iv, aad, &mut content, tag)?
            }
            ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => {
                let nonce = Nonce::try_assume_unique_for_key(iv)?;
                let opened =
                    self.gcm()?.open_in_place_separate_tag(nonce, Aad::from(aad), tag, &mut content)?;
                opened.len()
            }
        };
        content.truncate(length);
        Ok(content)
    }

    fn gcm(&self) -> Result<LessSafeKey, Unspecified> {
        let algorithm = match self.encryption {
            ContentEncryption::A128Gcm => &aead::AES_128_GCM,
            _ => &aead::AES_256_GCM,
        };
        Ok(LessSafeKey::new(UnboundKey::new(algorithm, &self.bytes)?))
    }

    /// RFC 7518 §5.2.2.1: encrypt, then authenticate.
    fn seal_cbc(&self, iv: &[u8], aad: &[u8], plain: &[u8]) -> Result<Sealed, Unspecified> {
        let context = EncryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv)?));
        // With room for the padding, so that no copy of the plain text is left where the vector was before it grew.
        let mut ciphertext = Vec::with_capacity(plain.len() + BLOCK_LEN);
        ciphertext.extend_from_slice(plain);
        PaddedBlockEncryptingKey::cbc_pkcs7(self.block_key()?)?
            .less_safe_encrypt(&mut ciphertext, context)?;
        let tag = self.cbc_tag(iv, aad, &ciphertext)?;
        let tag = tag.as_ref().get(..tag_len(self.encryption)).ok_or(Unspecified)?.to_vec();
        Ok(Sealed { ciphertext, tag })
    }

    /// RFC 7518 §5.2.2.2: authenticate, and decrypt only then. The padding is looked at last, so nobody learns anything of
    /// it who could not have made the tag. Returns the length of the plain text.
    fn open_cbc(&self, iv: &[u8], aad: &[u8], content: &mut [u8], tag: &[u8]) -> Result<usize, Unspecified> {
        let context = DecryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv)?));
        let full = self.cbc_tag(iv, aad, content)?;
        let expected = full.as_ref().get(..tag_len(self.encryption)).ok_or(Unspecified)?;
        if !bool::from(expected.ct_eq(tag)) {
            return Err(Unspecified);
        }
        // The library takes whole blocks, at least one: a sender with the key may still have sent something else.
        if content.is_empty() || !content.len().is_multiple_of(BLOCK_LEN) {
            return Err(Unspecified);
        }
        Ok(PaddedBlockDecryptingKey::cbc_pkcs7(self.block_key()?)?.decrypt(content, context)?.len())
    }

    /// The second half of the key encrypts (RFC 7518 §5.2.2.1, step 1).
    fn block_key(&self) -> Result<UnboundCipherKey, Unspecified> {
        let (_, key) = self.bytes.split_at_checked(self.bytes.len() / 2).ok_or(Unspecified)?;
        let algorithm = match self.encryption {
            ContentEncryption::A128CbcHs256 => &cipher::AES_128,
            _ => &cipher::AES_256,
        };
        UnboundCipherKey::new(algorithm, key)
    }

    /// The whole HMAC with the first half of the key, over aad, iv, ciphertext and the length of aad in bits. The tag is
    /// its first half.
    fn cbc_tag(&self, iv: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<hmac::Tag, Unspecified> {
        let (key, _) = self.bytes.split_at_checked(self.bytes.len() / 2).ok_or(Unspecified)?;
        let algorithm = match self.encryption {
            ContentEncryption::A128CbcHs256 => hmac::HMAC_SHA256,
            _ => hmac::HMAC_SHA512,
        };
        let bits = (aad.len() as u64).checked_mul(8).ok_or(Unspecified)?;
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        for part in [aad, iv, ciphertext, &bits.to_be_bytes()] {
            context.update(part);
        }
        Ok(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SeededEntropy;

    /// Who has the key can authenticate anything; what is no padded content is refused all the same.
    #[test]
    fn authenticated_nonsense_is_refused() {
        for encryption in [ContentEncryption::A128CbcHs256, ContentEncryption::A256CbcHs512] {
            let key = ContentKey::random(encryption, &SeededEntropy::new(1));
            let iv = [3; 16];
            let sealed = key.seal(&iv, b"aad", &[0; 32]).unwrap();
            let open = |ciphertext: &[u8]| {
                let tag = key.cbc_tag(&iv, b"aad", ciphertext).unwrap();
                let tag = &tag.as_ref()[..tag_len(encryption)];
                key.open(&iv, b"aad", Zeroizing::new(ciphertext.to_vec()), tag).map(|plain| plain.to_vec())
            };
            assert_eq!(open(&sealed.ciphertext).unwrap(), [0; 32]);
            // Without the last block the content ends in zeros, which are no padding.
            assert!(open(&sealed.ciphertext[..32]).is_err());
            for length in [0, 1, 15, 17, 31, 33, 47] {
                assert!(open(&sealed.ciphertext[..length]).is_err(), "{length}");
            }
        }
    }
}
