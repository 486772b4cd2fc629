//! The simple signed token: who, when, what for, and a signature, in one compact string that fits into any URL.
//!
//! `gwt1_` and base64url of: the person (16 bytes), the moment it ends (8 bytes, microseconds since 1970, big-endian), and
//! the first 24 bytes of HMAC-SHA256 over purpose, person, moment and context. The purpose and the context (what the link
//! is about, such as an address) are not inside: both sides know them, and a token made for others does not verify.
//! Nothing is stored; who needs single use makes what the token rests on part of the context (a version, a password
//! hash), so that the deed itself ends the token.

use data_encoding::BASE64URL_NOPAD;

use crate::id::PersonId;
use crate::secret::{MacKey, RootKey};
use crate::time::Moment;

const PREFIX: &str = "gwt1_";
const TAG: usize = 24;
const BODY: usize = 16 + 8 + TAG;
const TEXT: usize = PREFIX.len() + BODY / 3 * 4;

/// Why a simple token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SimpleTokenProblem {
    /// It has not the form, or not the signature: for another purpose, another context, or changed.
    #[error("this is no token for this purpose")]
    Invalid,
    /// It was ours, and its time is over.
    #[error("this token has expired")]
    Expired,
}

/// What a valid simple token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimpleToken {
    /// Whom it is about.
    pub person: PersonId,
    /// From when on it is worth nothing.
    pub ends: Moment,
}

/// The key for the simple tokens of one purpose.
#[derive(Clone, Debug)]
pub struct SimpleKey {
    purpose: &'static str,
    key: MacKey,
}

impl SimpleKey {
    /// The key for this purpose.
    pub fn new(root: &RootKey, purpose: &'static str) -> Self {
        SimpleKey { purpose, key: root.mac("simple token") }
    }

    /// A token for this person and context, valid before `ends`.
    pub fn sign(&self, token: SimpleToken, context: &[u8]) -> String {
        let mut body = Vec::with_capacity(BODY);
        body.extend_from_slice(token.person.as_bytes());
        body.extend_from_slice(&token.ends.micros().to_be_bytes());
        let tag: [u8; TAG] = self.key.short_tag(&[self.purpose.as_bytes(), &body, context]);
        body.extend_from_slice(&tag);
        let mut text = String::with_capacity(TEXT);
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(&body, &mut text);
        text
    }

    /// Reads and checks a token. The signature is compared in constant time and before anything is believed.
    pub fn verify(
        &self,
        text: &[u8],
        context: &[u8],
        now: Moment,
    ) -> Result<SimpleToken, SimpleTokenProblem> {
        let invalid = SimpleTokenProblem::Invalid;
        let encoded = text.strip_prefix(PREFIX.as_bytes()).ok_or(invalid)?;
        let mut body = [0; BODY];
        if encoded.len() != BODY / 3 * 4 || BASE64URL_NOPAD.decode_mut(encoded, &mut body).is_err() {
            return Err(invalid);
        }
        let (said, tag) = body.split_first_chunk::<{ BODY - TAG }>().ok_or(invalid)?;
        if !self.key.verify(&[self.purpose.as_bytes(), said, context], tag) {
            return Err(invalid);
        }
        let (person, ends) = said.split_first_chunk::<16>().ok_or(invalid)?;
        let ends = Moment::from_micros(i64::from_be_bytes(ends.try_into().map_err(|_| invalid)?));
        match now < ends {
            true => Ok(SimpleToken { person: PersonId::from_bytes(*person), ends }),
            false => Err(SimpleTokenProblem::Expired),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(purpose: &'static str) -> SimpleKey {
        SimpleKey::new(&RootKey::from_bytes([3; 32]), purpose)
    }

    const TOKEN: SimpleToken =
        SimpleToken { person: PersonId::from_bytes([7; 16]), ends: Moment::from_micros(1000) };
    const BEFORE: Moment = Moment::from_micros(999);

    #[test]
    fn for_one_purpose_one_context_one_time_one_key() {
        let text = key("confirm address").sign(TOKEN, b"a@example.com");
        assert_eq!(text.len(), TEXT);
        assert_eq!(TEXT, 69);
        let verify = |key: SimpleKey, context: &[u8], now| key.verify(text.as_bytes(), context, now);
        assert_eq!(verify(key("confirm address"), b"a@example.com", BEFORE), Ok(TOKEN));
        let expired = Err(SimpleTokenProblem::Expired);
        assert_eq!(verify(key("confirm address"), b"a@example.com", TOKEN.ends), expired);
        let invalid = Err(SimpleTokenProblem::Invalid);
        assert_eq!(verify(key("other"), b"a@example.com", BEFORE), invalid);
        assert_eq!(verify(key("confirm address"), b"b@example.com", BEFORE), invalid);
        let other = SimpleKey::new(&RootKey::from_bytes([4; 32]), "confirm address");
        assert_eq!(verify(other, b"a@example.com", BEFORE), invalid);
    }

    #[test]
    fn every_other_form_is_refused() {
        let text = key("p").sign(TOKEN, b"");
        let cut: Vec<String> = (0..text.len()).map(|at| text[..at].to_owned()).collect();
        let others = [
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            text.to_uppercase(),
            text.to_lowercase(),
        ];
        for odd in cut.iter().chain(&others) {
            assert_eq!(
                key("p").verify(odd.as_bytes(), b"", BEFORE),
                Err(SimpleTokenProblem::Invalid),
                "{odd}"
            );
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_refused(at in 0..TEXT, byte: u8) {
            let mut text = key("p").sign(TOKEN, b"").into_bytes();
            prop_assume!(text[at] != byte);
            text[at] = byte;
            prop_assert_eq!(key("p").verify(&text, b"", BEFORE), Err(SimpleTokenProblem::Invalid));
        }
    }
}
