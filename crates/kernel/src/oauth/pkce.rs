//! Proof Key for Code Exchange (RFC 7636): whoever redeems a code shows that they asked for it.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Digest;

/// The shortest and the longest verifier (RFC 7636 §4.1).
const LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// Why a text is no challenge or no verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a verifier has 43 to 128 letters, digits, and - . _ ~ (RFC 7636, section 4.1)")]
pub struct NotAVerifier;

/// A challenge of the method `S256`, the only one there is here: `plain` protects from nothing that reads the request
/// (RFC 9700 §2.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Challenge(Digest);

impl Challenge {
    /// Whether this is the verifier it was made from, in constant time.
    pub fn is_met_by(&self, verifier: &str) -> Result<bool, NotAVerifier> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !LENGTHS.contains(&verifier.len()) || !verifier.bytes().all(fits) {
            return Err(NotAVerifier);
        }
        Ok(Digest::of(verifier.as_bytes()) == self.0)
    }
}

impl FromStr for Challenge {
    type Err = NotAVerifier;

    /// Reads `code_challenge`: base64url of a SHA-256, 43 characters.
    fn from_str(text: &str) -> Result<Self, NotAVerifier> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NotAVerifier)?;
        Ok(Challenge(Digest::from_bytes(bytes.try_into().map_err(|_| NotAVerifier)?)))
    }
}

impl Serialize for Challenge {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Challenge {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Digest::deserialize(from).map(Challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7636, appendix B.
        let challenge: Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().unwrap();
        assert_eq!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), Ok(true));
        assert_eq!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"), Ok(false));
    }

    #[test]
    fn lengths_and_letters_at_their_limits() {
        let challenge: Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().unwrap();
        for (length, reads) in [(42, false), (43, true), (128, true), (129, false)] {
            assert_eq!(challenge.is_met_by(&"a".repeat(length)).is_ok(), reads, "{length}");
        }
        for odd in ["+", "/", "=", " ", "ä", "\n"] {
            assert!(challenge.is_met_by(&format!("{}{odd}", "a".repeat(60))).is_err(), "{odd:?}");
        }
        for odd in [
            "",
            "abc",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c",
        ] {
            assert!(odd.parse::<Challenge>().is_err(), "{odd}");
        }
    }
}
