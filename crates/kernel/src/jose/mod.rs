//! JSON Object Signing and Encryption: keys, signatures, encryption and tokens on the algorithms of a closed list.
//!
//! All cryptography is the library's (aws-lc-rs). This module reads and writes the formats, strictly, and keeps keys,
//! algorithms and purposes from being mixed up: RFC 7515 (JWS), 7516 (JWE), 7517 (JWK), 7518 (algorithms), 7519 (JWT), 7638
//! (thumbprints), 8037 (Ed25519, X25519), 8725 (best practice).

pub mod alg;
mod header;
pub mod jwe;
pub mod jwk;
pub mod jws;
pub mod jwt;
mod keys;
mod keyset;
mod signer;
pub(crate) mod strict;

pub use alg::{
    ContentEncryption, KeyAlgorithm, KeyManagementAlgorithm, SignatureAlgorithm, SignatureFamily,
    UnknownAlgorithm, half_hash,
};
pub use header::Header;
pub use jwk::{
    EcCurve, EcKey, Jwk, JwkSet, KeyError, KeyMaterial, KeyOperation, KeyUse, OctKey, OkpCurve, OkpKey,
    RsaKey,
};
pub use jws::{Invalid, Limits, Malformed, Unverified, Verified, parse};
pub use jwt::{Audience, BadClaims, Claims, Expectations, Refused, text_claim, time_claim};
pub use keys::{MAX_SIGNATURE_LEN, SignatureBytes, SigningFailed, SigningKey, VerifyingKey};
pub use keyset::{KeySet, MAX_TRIED};
pub use signer::{SignError, Signer};
pub use strict::{MAX_DEPTH, NotStrict};
