//! What may be used once: the memory of it is one record, and creating that record is the one act only one of many can do.

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::secret::Digest;
use crate::time::Moment;

/// The longest name (`jti`) of something that is used once, in bytes.
pub const MAX_JTI_LEN: usize = 256;

/// As what something was used. Names of different purposes never meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A one-time command; its owner is the issuer.
    Command,
    /// A DPoP proof (RFC 9449 §11.1); its owner is the thumbprint of the key.
    DpopProof,
    /// A client's assertion of who it is (RFC 7523 §2.2); its owner is the client.
    ClientAssertion,
    /// An assertion that is exchanged for a token (RFC 7523 §2.1); its owner is the issuer.
    GrantAssertion,
    /// A request object (RFC 9101); its owner is the client.
    RequestObject,
}

impl Purpose {
    /// What goes into the name of the record. Never changed.
    const fn name(self) -> &'static str {
        match self {
            Purpose::Command => "command",
            Purpose::DpopProof => "dpop",
            Purpose::ClientAssertion => "client assertion",
            Purpose::GrantAssertion => "grant assertion",
            Purpose::RequestObject => "request object",
        }
    }
}

/// That something was used. Of many who create this record at once, one does; it dies when the thing would no longer be
/// accepted anyway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsedOnce {
    /// A digest over purpose, owner and `jti`, so that nobody uses up what is somebody else's.
    id: [u8; 32],
    /// Until when it must be remembered.
    until: Moment,
}

impl UsedOnce {
    /// The mark for what `owner` calls `jti`, to be kept until `until`.
    pub fn new(purpose: Purpose, owner: &str, jti: &str, until: Moment) -> Self {
        let length = owner.len().to_be_bytes();
        let named = match purpose {
            // As the first version wrote it.
            Purpose::Command => [length.as_slice(), owner.as_bytes(), jti.as_bytes()].concat(),
            // No owner is as long as the first eight bytes say.
            _ => {
                let (name, mark) = (purpose.name(), usize::MAX.to_be_bytes());
                let purpose = [mark.as_slice(), &name.len().to_be_bytes(), name.as_bytes()].concat();
                [purpose.as_slice(), &length, owner.as_bytes(), jti.as_bytes()].concat()
            }
        };
        UsedOnce { id: *Digest::of(&named).as_bytes(), until }
    }
}

impl Record for UsedOnce {
    /// What the first version kept there were commands alone.
    const KIND: &'static str = "used-command";
    const SCHEMA: u8 = 1;
    type Id = [u8; 32];

    fn id(&self) -> [u8; 32] {
        self.id
    }

    fn death(&self) -> Moment {
        self.until
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// Whether this can name something that is used once: not empty, and at most [`MAX_JTI_LEN`] bytes.
pub(crate) fn is_jti(text: &str) -> bool {
    (1..=MAX_JTI_LEN).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_of_different_purposes_and_owners_never_meet() {
        let purposes = [
            Purpose::Command,
            Purpose::DpopProof,
            Purpose::ClientAssertion,
            Purpose::GrantAssertion,
            Purpose::RequestObject,
        ];
        // Owner and name share their border in every way.
        let names = [("", "abcd"), ("a", "bcd"), ("ab", "cd"), ("abc", "d"), ("abcd", ""), ("dpop", "abcd")];
        let mut seen = HashSet::new();
        for purpose in purposes {
            for (owner, jti) in names {
                assert!(
                    seen.insert(UsedOnce::new(purpose, owner, jti, Moment::DAWN).id()),
                    "{purpose:?} {owner}"
                );
            }
        }
        let (now, later) = (Moment::from_micros(1), Moment::from_micros(2));
        let [one, other] = [now, later].map(|until| UsedOnce::new(Purpose::DpopProof, "a", "b", until));
        assert_eq!(one.id(), other.id(), "until when it is remembered is no part of its name");
        assert_eq!((one.death(), other.death()), (now, later));
    }

    #[test]
    fn a_name_has_one_to_256_bytes() {
        assert!(!is_jti("") && is_jti("a") && is_jti(&"a".repeat(MAX_JTI_LEN)));
        assert!(!is_jti(&"a".repeat(MAX_JTI_LEN + 1)));
    }
}
