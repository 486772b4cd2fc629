//! Wrapping content keys: AES key wrap (RFC 3394, RFC 7518 §4.4) and RSAES-OAEP (RFC 8017 §7.1, RFC 7518 §4.3).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey};
use zeroize::Zeroizing;

/// What AES key wrap adds, in bytes.
const WRAP_OVERHEAD: usize = 8;

/// Wraps `key` with a key-encryption key of 16 or 32 bytes.
pub(super) fn aes_wrap(kek: &[u8], key: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut out = vec![0; key.len() + WRAP_OVERHEAD];
    let length = aes_kek(kek)?.wrap(key, &mut out)?.len();
    out.truncate(length);
    Ok(out)
}

/// Unwraps what [`aes_wrap`] made with the same key.
pub(super) fn aes_unwrap(kek: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut out = Zeroizing::new(vec![0; wrapped.len().checked_sub(WRAP_OVERHEAD).ok_or(Unspecified)?]);
    let length = aes_kek(kek)?.unwrap(wrapped, &mut out)?.len();
    out.truncate(length);
    Ok(out)
}

fn aes_kek(kek: &[u8]) -> Result<AesKek, Unspecified> {
    let cipher = if kek.len() == AES_128_LEN { &AES_128 } else { &AES_256 };
    AesKek::new(cipher, kek)
}

const AES_128_LEN: usize = 16;

/// Encrypts `key` for the owner of the RSA key. The padding's randomness is the library's own.
pub(super) fn rsa_wrap(to: &OaepPublicEncryptingKey, key: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut out = vec![0; to.ciphertext_size()];
    let length = to.encrypt(&OAEP_SHA256_MGF1SHA256, key, &mut out, None)?.len();
    out.truncate(length);
    Ok(out)
}

/// Decrypts what [`rsa_wrap`] made for this key.
pub(super) fn rsa_unwrap(
    with: &OaepPrivateDecryptingKey,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    if wrapped.len() != with.key_size_bytes() {
        return Err(Unspecified);
    }
    let mut out = Zeroizing::new(vec![0; with.min_output_size()]);
    let length = with.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut out, None)?.len();
    out.truncate(length);
    Ok(out)
}
