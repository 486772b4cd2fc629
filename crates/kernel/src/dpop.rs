//! Proofs of possession of a key (DPoP, RFC 9449): a fresh signature over method and address of the one request it comes with.
//!
//! The key in the header of a proof proves itself and nothing else: only its thumbprint is handed out, to be compared with
//! what a token or a code is bound to. That a proof is used once is for the caller to write down: [`Proof::used`].

mod address;
mod nonces;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use subtle::ConstantTimeEq;
use url::Url;

use crate::confirmation::Thumbprint;
use crate::jose::jwt::Audience;
use crate::jose::{
    BadClaims, Claims, Expectations, Header, Invalid, Jwk, KeyError, KeySet, Limits, Malformed,
    SignatureAlgorithm, Unverified, VerifyingKey, parse, text_claim,
};
use crate::once::{Purpose, UsedOnce, is_jti};
use crate::secret::Digest;
use crate::time::Moment;

pub use nonces::Nonces;

/// The `typ` of proofs (RFC 9449 §4.2).
pub const TYPE: &str = "dpop+jwt";
/// The algorithms that are taken where nothing else is configured: all that sign with a private key and are strong, without the padding
/// of PKCS #1 v1.5 (FAPI 2.0 Security Profile §5.4.1). They go into the metadata as `dpop_signing_alg_values_supported`.
pub const ALGORITHMS: [SignatureAlgorithm; 5] = [
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::Es512,
    SignatureAlgorithm::EdDsa,
    SignatureAlgorithm::Ps256,
];
/// The largest proof: room for the largest public RSA key and its signature.
const LIMITS: Limits = Limits { token: 8 * 1024, header: 4 * 1024 };
/// The members that only a private key or a shared secret has (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a proof is not believed. No variant holds anything of the proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadProof {
    /// There is more than one `DPoP` header, or none (RFC 9449 §4.3 check 1).
    #[error("exactly one DPoP proof is due")]
    Count,
    /// It is no signed token.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// `jwk` in the header is missing or no object.
    #[error("the proof's header has no key")]
    NoKey,
    /// `jwk` in the header holds private members, or is a shared secret.
    #[error("the proof's header holds a private key: it is private no more")]
    PrivateKey,
    /// `jwk` in the header is no key that is taken here.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature was not made with that key, or by an algorithm that is not allowed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Type, time, or the JSON of the claims.
    #[error(transparent)]
    Claims(#[from] BadClaims),
    /// `htm` is another method.
    #[error("the proof is for another method")]
    Method,
    /// `htu` is another address, or no address.
    #[error("the proof is for another address")]
    Address,
    /// `ath` is not the hash of the access token that came with it.
    #[error("the proof is for another access token")]
    AccessToken,
    /// A nonce is due and there is none, or it is not of ours, or too old. The client is told a new one, with the error
    /// `use_dpop_nonce` (RFC 9449 §8).
    #[error("the proof needs a nonce of this server")]
    Nonce,
}

/// Whether proofs must hold a nonce of ours.
#[derive(Clone, Copy, Debug)]
pub enum NonceRule<'a> {
    /// One that is there must be good.
    Accepted(&'a Nonces),
    /// There must be a good one.
    Required(&'a Nonces),
}

/// The request a proof must be for. Everything here is the verifier's own knowledge.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method, exactly as it came.
    pub method: &'a str,
    /// The addresses under which clients know what they ask: one, or one more for mutual TLS.
    pub addresses: &'a [&'a Url],
    /// The access token that is presented with it, if one is.
    pub access_token: Option<&'a str>,
    /// When it came.
    pub now: Moment,
}

/// What proofs must satisfy.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The algorithms that are taken. Those with shared secrets never are.
    pub allowed: &'a [SignatureAlgorithm],
    /// How old a proof may be.
    pub max_age: Duration,
    /// How far the clocks of client and server may be apart.
    pub skew: Duration,
    /// Whether there must be a nonce.
    pub nonce: NonceRule<'a>,
}

impl<'a> Rules<'a> {
    /// The default algorithms; a minute of age, and clocks at most half a minute apart.
    pub const fn new(nonce: NonceRule<'a>) -> Self {
        let (max_age, skew) = (Duration::from_secs(60), Duration::from_secs(30));
        Rules { allowed: &ALGORITHMS, max_age, skew, nonce }
    }
}

/// A proof that is right. It counts when [`used`](Self::used) was written down by whoever presented it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The thumbprint of the key.
    pub jkt: Thumbprint,
    /// The proof's own name.
    pub jti: String,
    /// From when on it is refused anyway.
    pub expires: Moment,
}

impl Proof {
    /// The mark that it was used. Whoever creates this record may go on; to everybody else the proof is a replay
    /// (RFC 9449 §11.1).
    pub fn used(&self) -> UsedOnce {
        UsedOnce::new(Purpose::DpopProof, &self.jkt.to_string(), &self.jti, self.expires)
    }
}

/// The one proof among the values of the `DPoP` headers of a request; `None` when there is no such header.
pub fn single<'a>(mut headers: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a [u8]>, BadProof> {
    match (headers.next(), headers.next()) {
        (first, None) => Ok(first),
        _ => Err(BadProof::Count),
    }
}

/// Verifies a proof (RFC 9449 §4.3, checks 2 to 12). Nothing it says is looked at before its signature is right.
pub fn verify(proof: &[u8], request: &Request<'_>, rules: &Rules<'_>) -> Result<Proof, BadProof> {
    let unverified = parse(proof, LIMITS)?;
    let key = key_of(unverified.header())?;
    let payload = signed_by(&unverified, &key, rules.allowed)?;
    let names = ["htm", "htu", "ath", "nonce"];
    let (claims, [htm, htu, ath, nonce]) = Claims::read_with(&payload, names)?;
    let expected = Expectations {
        audience: Audience::Anybody,
        expires: false,
        max_age: Some(rules.max_age),
        skew: rules.skew,
        ..Expectations::new(&[TYPE], &[], request.now)
    };
    expected.check(unverified.header(), &claims)?;
    let jti = claims.id.ok_or(BadClaims::Missing("jti"))?;
    if !is_jti(&jti) {
        return Err(BadClaims::Type("jti").into());
    }
    if text_claim(htm, "htm")?.ok_or(BadClaims::Missing("htm"))? != request.method {
        return Err(BadProof::Method);
    }
    let htu = text_claim(htu, "htu")?.ok_or(BadClaims::Missing("htu"))?;
    if !request.addresses.iter().any(|address| address::is_same(&htu, address)) {
        return Err(BadProof::Address);
    }
    check_access_token(ath, request.access_token)?;
    check_nonce(nonce, rules.nonce, request.now)?;
    let issued = claims.issued_at.ok_or(BadClaims::Missing("iat"))?;
    let jkt = Thumbprint::of(&key).ok_or(BadProof::PrivateKey)?;
    // Accepted up to and including the last moment: remembered a second longer.
    let expires = issued + rules.max_age + rules.skew + Duration::from_secs(1);
    Ok(Proof { jkt, jti, expires })
}

/// The public key in the header (checks 4 and 7). The header is the only place where a token brings its own key.
fn key_of(header: &Header) -> Result<Jwk, BadProof> {
    let Some(Value::Object(members)) = header.other("jwk") else { return Err(BadProof::NoKey) };
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(BadProof::PrivateKey);
    }
    let mut members = members.clone();
    // There is one key, whatever it and the header call it.
    members.remove("kid");
    Ok(Jwk::from_members(members)?)
}

fn signed_by(proof: &Unverified<'_>, key: &Jwk, allowed: &[SignatureAlgorithm]) -> Result<Vec<u8>, BadProof> {
    let algorithm = proof.header().alg();
    if algorithm.is_hmac() || !allowed.contains(&algorithm) {
        return Err(Invalid::NotAllowed.into());
    }
    let mut keys = KeySet::new();
    keys.insert(VerifyingKey::new(key, algorithm)?);
    Ok(proof.verify(&keys, &[algorithm])?.into_payload())
}

/// Check 12: with an access token there is its hash.
fn check_access_token(ath: Option<Value>, token: Option<&str>) -> Result<(), BadProof> {
    let ath = text_claim(ath, "ath")?;
    let Some(token) = token else { return Ok(()) };
    let due = BASE64URL_NOPAD.encode(Digest::of(token.as_bytes()).as_bytes());
    let given = ath.ok_or(BadClaims::Missing("ath"))?;
    match given.as_bytes().ct_eq(due.as_bytes()).into() {
        true => Ok(()),
        false => Err(BadProof::AccessToken),
    }
}

/// Check 10.
fn check_nonce(nonce: Option<Value>, rule: NonceRule<'_>, now: Moment) -> Result<(), BadProof> {
    let nonce = text_claim(nonce, "nonce")?;
    let good = match (rule, nonce) {
        (NonceRule::Accepted(_), None) => true,
        (NonceRule::Required(_), None) => false,
        (NonceRule::Accepted(nonces) | NonceRule::Required(nonces), Some(nonce)) => {
            nonces.accepts(&nonce, now)
        }
    };
    if good { Ok(()) } else { Err(BadProof::Nonce) }
}

#[cfg(test)]
mod tests;
