//! Identifiers: public names of things. Knowing one opens nothing.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::handle::Openable;
use crate::secret::Entropy;

/// A text was not an identifier: 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 22 characters of letters, digits, '-' and '_'")]
pub struct NotAnId;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A fresh random identifier.
            pub fn random(entropy: &dyn Entropy) -> Self {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                Self(bytes)
            }

            /// The identifier with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NotAnId;
            fn try_from(bytes: &[u8]) -> Result<Self, NotAnId> {
                bytes.try_into().map(Self).map_err(|_| NotAnId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if text.len() != 22 {
                    return Err(NotAnId);
                }
                let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NotAnId)?;
                Self::try_from(bytes.as_slice())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier! {
    /// Names a person for ever; never reused, and independent of the user name.
    PersonId
}
identifier! {
    /// Names a session in lists, in `DELETE /api/v1/sessions/{id}` and in logs. It is not the session's secret.
    SessionId
}
identifier! {
    /// Names a grant: what one person, or one client, gave to one client. It is not the grant's refresh token.
    GrantId
}
identifier! {
    /// Names an opaque access token (`jti` of its introspection). It is not the token.
    AccessTokenId
}
identifier! {
    /// Names one start of the program on one node.
    NodeId
}
identifier! {
    /// Names a status list; the last part of its address.
    ListId
}

identifier! {
    /// An authorization code.
    CodeId
}
identifier! {
    /// A device that asks to be let in.
    DeviceId
}

identifier! {
    /// A pushed authorization request.
    PushedId
}

impl Openable for SessionId {
    const PREFIX: [u8; 5] = *b"gws1_";
    const PURPOSE: &'static str = "session handle";
}

impl Openable for AccessTokenId {
    const PREFIX: [u8; 5] = *b"gwa1_";
    const PURPOSE: &'static str = "access token handle";
}

impl Openable for CodeId {
    const PREFIX: [u8; 5] = *b"gwz1_";
    const PURPOSE: &'static str = "authorization code handle";
}

impl Openable for PushedId {
    const PREFIX: [u8; 5] = *b"gwu1_";
    const PURPOSE: &'static str = "pushed request handle";
}

impl Openable for DeviceId {
    const PREFIX: [u8; 5] = *b"gwd1_";
    const PURPOSE: &'static str = "device code handle";
}

impl Openable for GrantId {
    const PREFIX: [u8; 5] = *b"gwr1_";
    const PURPOSE: &'static str = "refresh token handle";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_strict() {
        let id = SessionId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for odd in
            ["", "AAAA", "BwcHBwcHBwcHBwcHBwcHBw==", "BwcHBwcHBwcHBwcHBwcHB+", "BwcHBwcHBwcHBwcHBwcHBx", "é"]
        {
            assert_eq!(odd.parse::<SessionId>(), Err(NotAnId), "{odd}");
        }
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"BwcHBwcHBwcHBwcHBwcHBw\"");
        assert_eq!(serde_json::from_str::<SessionId>("\"BwcHBwcHBwcHBwcHBwcHBw\"").unwrap(), id);
    }
}
