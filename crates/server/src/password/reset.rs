//! One-time codes for a new password: which person, and 128 random bits of which only a digest is kept.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Person, Reset};
use gateward_kernel::secret::{Digest, Entropy};
use gateward_kernel::time::Moment;
use url::Url;
use zeroize::Zeroizing;

/// How long a code counts.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

const PREFIX: &str = "gwp1_";

/// A code as it was given to somebody.
#[derive(Clone)]
pub struct Code(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    /// A fresh code for this person.
    pub fn issue(person: PersonId, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        for (to, from) in bytes.iter_mut().zip(person.as_bytes()) {
            *to = *from;
        }
        Code(bytes)
    }

    /// Reads what somebody gave: the code alone.
    pub fn read(text: &str) -> Option<Self> {
        let encoded = text.trim().strip_prefix(PREFIX)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
        bytes.try_into().ok().map(|bytes| Code(Zeroizing::new(bytes)))
    }

    /// The text to give to the person.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&*self.0)))
    }

    /// The link to give to the person.
    pub fn link(&self, base: &Url) -> String {
        let mut link = base.clone();
        link.set_path("/reset");
        link.query_pairs_mut().append_pair("code", &self.text());
        link.into()
    }

    /// Whose it is.
    pub fn person(&self) -> PersonId {
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
        PersonId::from_bytes(id)
    }

    /// What is kept of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&*self.0)
    }

    /// Puts it into the person, in the place of an older one.
    pub fn put(&self, person: &mut Person, now: Moment) {
        person.reset = Some(Reset { digest: self.digest(), ends: now + LIFETIME });
    }
}

#[cfg(test)]
mod tests {
    use gateward_kernel::secret::SeededEntropy;

    use super::*;

    #[test]
    fn codes_read_back_and_nothing_else_does() {
        let person = PersonId::from_bytes([5; 16]);
        let code = Code::issue(person, &SeededEntropy::new(1));
        let text = code.text();
        let read = Code::read(&format!(" {}\n", *text)).unwrap();
        assert_eq!((read.person(), read.digest()), (person, code.digest()));
        for odd in ["", "gwp1_", &text[5..], &text[..47], &format!("{}A", *text), &text.to_uppercase()] {
            assert!(Code::read(odd).is_none(), "{odd}");
        }
        let base = Url::parse("https://login.example.com").unwrap();
        assert_eq!(code.link(&base), format!("https://login.example.com/reset?code={}", *text));
    }
}
