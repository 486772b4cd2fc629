//! Making tokens that this program itself would never make.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::{
    Invalid, Jwk, KeySet, Limits, Malformed, SignatureAlgorithm, Signer, SigningKey, VerifyingKey, parse,
};
use gateward_kernel::secret::SeededEntropy;

/// What an attempt to verify came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted(Vec<u8>),
    Malformed(Malformed),
    Invalid(Invalid),
}

pub(crate) fn attempt<T: AsRef<[u8]> + ?Sized>(
    token: &T,
    keys: &KeySet,
    allowed: &[SignatureAlgorithm],
) -> Outcome {
    match parse(token, Limits::default()) {
        Err(malformed) => Outcome::Malformed(malformed),
        Ok(unverified) => match unverified.verify(keys, allowed) {
            Err(invalid) => Outcome::Invalid(invalid),
            Ok(verified) => Outcome::Accepted(verified.into_payload()),
        },
    }
}

/// A fresh key for `algorithm`, named `kid`.
pub(crate) fn key(algorithm: SignatureAlgorithm, kid: &str) -> Jwk {
    Jwk::generate(algorithm, &SeededEntropy::new(7)).unwrap().with_kid(kid)
}

/// A set with the public halves of these keys, each for the algorithm it is bound to; secrets as they are.
pub(crate) fn set(keys: &[(&Jwk, SignatureAlgorithm)]) -> KeySet {
    let mut set = KeySet::new();
    for (key, algorithm) in keys {
        let public = key.public().unwrap_or_else(|| (*key).clone());
        set.insert(VerifyingKey::new(&public, *algorithm).unwrap());
    }
    set
}

/// A token with this very header and payload, and a right signature.
pub(crate) fn forged(header: &str, payload: &[u8], key: &Jwk, algorithm: SignatureAlgorithm) -> String {
    let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(payload));
    let signature = SigningKey::new(key, algorithm).unwrap().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", encoded(signature.as_ref()))
}

/// A token as this program makes it.
pub(crate) fn honest(key: &Jwk, algorithm: SignatureAlgorithm, payload: &[u8]) -> String {
    Signer::new(SigningKey::new(key, algorithm).unwrap(), "JWT").sign(payload).unwrap()
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
