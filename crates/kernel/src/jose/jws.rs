//! JWS in compact form (RFC 7515): taken apart within bounds, verified with keys and algorithms the verifier chose.
//!
//! Nothing in a token chooses how it is verified: the algorithm must be on the caller's list *and* be that of the key;
//! `kid` only names one of the keys the caller holds; keys and addresses in the header (`jwk`, `jku`, `x5c`, `x5u`) are
//! never used. The payload is handed out when a signature has been verified, and not before.

use data_encoding::BASE64URL_NOPAD;

use super::alg::SignatureAlgorithm;
use super::header::Header;
use super::keys::MAX_SIGNATURE_LEN;
use super::keyset::{KeySet, MAX_TRIED, NoKey};

/// How large a token may be. Both are checked before anything is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most characters of the whole token.
    pub token: usize,
    /// The most bytes of the decoded header.
    pub header: usize,
}

impl Default for Limits {
    /// 16 KiB, of which 4 KiB for the header.
    fn default() -> Self {
        Limits { token: 16 * 1024, header: 4 * 1024 }
    }
}

/// Why a text is no JWS that could be verified here, whatever the keys. No variant holds anything of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than the limit.
    #[error("the token is too long")]
    TooLong,
    /// It has not three parts, or the header or signature is empty.
    #[error("the token has not the three parts of a signed token")]
    Parts,
    /// It has the form of a JWE (RFC 7516 §9).
    #[error("the token is encrypted where a signed one is due")]
    Encrypted,
    /// A part is not base64url without padding, without stray bits, without anything else in between (RFC 7515 §2).
    #[error("a part of the token is not base64url")]
    Base64,
    /// The header is longer than the limit, no strict JSON object, or a member has the wrong type.
    #[error("the token's header is malformed")]
    Header,
    /// The algorithm is `none`, not supported, or missing.
    #[error("the token's algorithm is not supported")]
    Algorithm,
    /// The header demands an extension (`crit`, `b64`, `zip`); none is understood (RFC 7515 §4.1.11).
    #[error("the token's header demands an extension that is not supported")]
    Extension,
}

/// Why a token was not verified with these keys. No variant holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The algorithm is not one the caller allows.
    #[error("the token's algorithm is not allowed here")]
    NotAllowed,
    /// No key has the id the token names, or none is for its algorithm. Newer keys may help.
    #[error("no key is known for the token")]
    UnknownKey,
    /// The key the token names is for another algorithm.
    #[error("the token's key is for another algorithm")]
    KeyMismatch,
    /// The token names no key, and more than [`MAX_TRIED`] could be meant.
    #[error("the token names no key and more than {MAX_TRIED} could be meant")]
    Ambiguous,
    /// The signature is not that of the token by any of the keys it can mean.
    #[error("the token's signature is wrong")]
    Signature,
    /// The signature is right, and what it signs is not base64url.
    #[error("the token's content is not base64url")]
    Content,
}

/// A token that has been taken apart, and that nobody may believe yet.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    header: Header,
    /// What is signed: header and payload with the dot between them.
    signed: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

/// A token whose signature is right: its payload may be read.
#[derive(Clone, Debug)]
pub struct Verified<'a> {
    header: &'a Header,
    payload: Vec<u8>,
}

/// Takes a token apart. Errors when it could not be verified with any key.
pub fn parse<T: AsRef<[u8]> + ?Sized>(token: &T, limits: Limits) -> Result<Unverified<'_>, Malformed> {
    let token = token.as_ref();
    if token.len() > limits.token {
        return Err(Malformed::TooLong);
    }
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second)) = (dots.next(), dots.next()) else {
        return Err(Malformed::Parts);
    };
    match dots.count() {
        0 => {}
        2 => return Err(Malformed::Encrypted),
        _ => return Err(Malformed::Parts),
    }
    let (Some(signed), Some(signature)) = (token.get(..second), token.get(second + 1..)) else {
        return Err(Malformed::Parts);
    };
    let (Some(header), Some(payload)) = (signed.get(..first), signed.get(first + 1..)) else {
        return Err(Malformed::Parts);
    };
    if header.is_empty() || signature.is_empty() {
        return Err(Malformed::Parts);
    }
    // A length that no encoding has yields an error further down.
    if BASE64URL_NOPAD.decode_len(header.len()).is_ok_and(|len| len > limits.header) {
        return Err(Malformed::Header);
    }
    let header_json = BASE64URL_NOPAD.decode(header).map_err(|_| Malformed::Base64)?;
    Ok(Unverified { header: Header::read(&header_json)?, signed, payload, signature })
}

impl Unverified<'_> {
    /// The header, which nobody has vouched for.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, which nobody has vouched for: to find out whose keys to verify it with, or to show it. Never to act on.
    pub fn unverified_payload(&self) -> Result<Vec<u8>, Malformed> {
        BASE64URL_NOPAD.decode(self.payload).map_err(|_| Malformed::Base64)
    }

    /// Verifies the signature. The algorithm must be one of `allowed`, and that of the key.
    pub fn verify(&self, keys: &KeySet, allowed: &[SignatureAlgorithm]) -> Result<Verified<'_>, Invalid> {
        let alg = self.header.alg();
        if !allowed.contains(&alg) {
            return Err(Invalid::NotAllowed);
        }
        let mut room = [0; MAX_SIGNATURE_LEN];
        let length = BASE64URL_NOPAD.decode_len(self.signature.len()).map_err(|_| Invalid::Signature)?;
        let signature = room.get_mut(..length).ok_or(Invalid::Signature)?;
        BASE64URL_NOPAD.decode_mut(self.signature, signature).map_err(|_| Invalid::Signature)?;
        let signature = &*signature;
        match keys.any(self.header.kid(), alg, |key| key.verifies(self.signed, signature)) {
            Ok(true) => {}
            Ok(false) => return Err(Invalid::Signature),
            Err(NoKey::Unknown) => return Err(Invalid::UnknownKey),
            Err(NoKey::OtherAlgorithm) => return Err(Invalid::KeyMismatch),
            Err(NoKey::TooMany) => return Err(Invalid::Ambiguous),
        }
        let payload = BASE64URL_NOPAD.decode(self.payload).map_err(|_| Invalid::Content)?;
        Ok(Verified { header: &self.header, payload })
    }
}

impl Verified<'_> {
    /// The header.
    pub const fn header(&self) -> &Header {
        self.header
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was signed, to keep.
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }
}
