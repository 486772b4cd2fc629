//! The compact form (RFC 7516 §7.1): five parts taken apart within bounds, and put together.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::alg::{ContentEncryption, KeyManagementAlgorithm};
use super::super::jwk::MAX_KID_LEN;
use super::super::strict;
use super::agreement::{Epk, PublicPoint};
use super::{MAX_HEADER_LEN, MAX_TOKEN_LEN};

/// Why a text is no JWE that could be decrypted here, whatever the keys. No variant holds anything of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has more than [`MAX_TOKEN_LEN`] characters.
    #[error("the token is too long")]
    TooLong,
    /// It has not five parts, or the header, initialization vector or tag is empty.
    #[error("the token has not the five parts of an encrypted token")]
    Parts,
    /// It has the form of a JWS (RFC 7516 §9).
    #[error("the token is signed where an encrypted one is due")]
    Signed,
    /// A part is not base64url without padding, without stray bits, without anything else in between (RFC 7515 §2).
    #[error("a part of the token is not base64url")]
    Base64,
    /// The header is longer than [`MAX_HEADER_LEN`] bytes, no strict JSON object, or a member has the wrong type.
    #[error("the token's header is malformed")]
    Header,
    /// A key management or content encryption algorithm that is not supported, or none.
    #[error("the token's algorithm is not supported")]
    Algorithm,
    /// The header demands compression or an extension (`zip`, `crit`); none is understood (RFC 7516 §4.1.13).
    #[error("the token's header demands an extension that is not supported")]
    Extension,
    /// Key agreement without an ephemeral key, or with one that is no valid point of a supported curve.
    #[error("the token's ephemeral key is missing or no valid public key")]
    EphemeralKey,
}

/// The header of an encrypted token: the members that are understood, checked. Nobody has vouched for them before the
/// token is decrypted; afterwards whoever encrypted it has.
#[derive(Clone)]
pub struct Header {
    alg: KeyManagementAlgorithm,
    enc: ContentEncryption,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    pub(super) agreement: Option<AgreementHeader>,
}

/// What the header says for key agreement (RFC 7518 §4.6.1).
#[derive(Clone)]
pub(super) struct AgreementHeader {
    pub(super) epk: PublicPoint,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
}

impl Header {
    fn read(json: &[u8]) -> Result<Self, Malformed> {
        let mut members = strict::object(json).map_err(|_| Malformed::Header)?;
        if members.contains_key("crit") || members.contains_key("zip") {
            return Err(Malformed::Extension);
        }
        let alg = text(&mut members, "alg")?.ok_or(Malformed::Algorithm)?;
        let enc = text(&mut members, "enc")?.ok_or(Malformed::Algorithm)?;
        let alg: KeyManagementAlgorithm = alg.parse().map_err(|_| Malformed::Algorithm)?;
        let enc = enc.parse().map_err(|_| Malformed::Algorithm)?;
        let kid = text(&mut members, "kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_LEN) {
            return Err(Malformed::Header);
        }
        let (typ, cty) = (text(&mut members, "typ")?, text(&mut members, "cty")?);
        let agreement = match alg {
            KeyManagementAlgorithm::EcdhEs
            | KeyManagementAlgorithm::EcdhEsA128Kw
            | KeyManagementAlgorithm::EcdhEsA256Kw => Some(AgreementHeader::read(&mut members)?),
            KeyManagementAlgorithm::RsaOaep256
            | KeyManagementAlgorithm::A256Kw
            | KeyManagementAlgorithm::Dir => None,
        };
        Ok(Header { alg, enc, kid, typ, cty, agreement })
    }

    /// How the token says its content key reaches the reader.
    pub const fn alg(&self) -> KeyManagementAlgorithm {
        self.alg
    }

    /// How the token says its content is encrypted.
    pub const fn enc(&self) -> ContentEncryption {
        self.enc
    }

    /// The id of the key the token names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What the token is (RFC 7516 §4.1.11).
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// What the content is (RFC 7516 §4.1.12).
    pub fn cty(&self) -> Option<&str> {
        self.cty.as_deref()
    }

    /// Whether the content says it is a JWT (RFC 7519 §5.2): `JWT`, in any case, with or without `application/`.
    pub fn says_nested(&self) -> bool {
        self.cty().is_some_and(|cty| {
            ["JWT", "application/jwt"].into_iter().any(|name| cty.eq_ignore_ascii_case(name))
        })
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Header { alg, enc, kid, typ, cty, agreement: _ } = self;
        write!(f, "Header {{ alg: {alg}, enc: {enc}, kid: {kid:?}, typ: {typ:?}, cty: {cty:?} }}")
    }
}

impl AgreementHeader {
    fn read(members: &mut Map<String, Value>) -> Result<Self, Malformed> {
        let Some(Value::Object(epk)) = members.get("epk") else { return Err(Malformed::EphemeralKey) };
        let epk = PublicPoint::from_epk(epk).ok_or(Malformed::EphemeralKey)?;
        let mut party = |name| {
            let text = text(members, name)?.unwrap_or_default();
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Malformed::Header)
        };
        Ok(AgreementHeader { epk, apu: party("apu")?, apv: party("apv")? })
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Malformed> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::Header),
    }
}

/// The five parts, still encoded.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    /// The encoded header: what is authenticated besides the content (RFC 7516 §5.1, step 14).
    pub(super) header: &'a [u8],
    pub(super) encrypted_key: &'a [u8],
    pub(super) iv: &'a [u8],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8],
}

/// Takes a token apart and reads its header.
pub(super) fn split(token: &[u8]) -> Result<(Header, Parts<'_>), Malformed> {
    if token.len() > MAX_TOKEN_LEN {
        return Err(Malformed::TooLong);
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let mut part = || parts.next().ok_or(Malformed::Parts);
    let (header, encrypted_key, iv) = (part()?, part()?, part()?);
    let Ok(ciphertext) = part() else { return Err(Malformed::Signed) };
    let tag = part()?;
    if parts.next().is_some() || header.is_empty() || iv.is_empty() || tag.is_empty() {
        return Err(Malformed::Parts);
    }
    // A length that no encoding has yields an error further down.
    if BASE64URL_NOPAD.decode_len(header.len()).is_ok_and(|len| len > MAX_HEADER_LEN) {
        return Err(Malformed::Header);
    }
    let json = BASE64URL_NOPAD.decode(header).map_err(|_| Malformed::Base64)?;
    Ok((Header::read(&json)?, Parts { header, encrypted_key, iv, ciphertext, tag }))
}

/// The header of a token that is being made.
#[derive(Serialize)]
pub(super) struct NewHeader<'a> {
    pub(super) alg: KeyManagementAlgorithm,
    pub(super) enc: ContentEncryption,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) typ: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cty: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epk: Option<&'a Epk>,
}

/// Joins the encoded header and the four other parts.
pub(super) fn join(header: String, parts: [&[u8]; 4]) -> String {
    let mut token = header;
    token.reserve_exact(parts.iter().map(|part| 1 + BASE64URL_NOPAD.encode_len(part.len())).sum());
    for part in parts {
        token.push('.');
        BASE64URL_NOPAD.encode_append(part, &mut token);
    }
    token
}

/// Whether `text` has the form of a JWS: three parts of base64url characters, none but the middle one empty.
pub(super) fn is_signed_form(text: &str) -> bool {
    let encoded = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => {
            !header.is_empty()
                && !signature.is_empty()
                && [header, payload, signature].into_iter().all(encoded)
        }
        _ => false,
    }
}
