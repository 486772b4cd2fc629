//! E-mail addresses: one parser, one address, one normal form.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// The longest address in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_EMAIL: usize = 254;

/// An address in its normal form: the local part NFKC and lower case, the domain as IDNA ASCII in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

/// A text was not a plain e-mail address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "an e-mail address is like name@example.com: one address, without a display name, quotes or comments"
)]
pub struct NotAnEmail;

impl Email {
    /// Reads one plain address (RFC 5321 `Mailbox` with a dot-string local part and a domain name).
    pub fn parse(typed: &str) -> Result<Self, NotAnEmail> {
        let typed = typed.trim();
        let (local, domain) = typed.rsplit_once('@').ok_or(NotAnEmail)?;
        let url::Host::Domain(domain) = url::Host::parse(domain).map_err(|_| NotAnEmail)? else {
            return Err(NotAnEmail);
        };
        let local = local.nfkc().collect::<String>().to_lowercase();
        if local.contains('"') || !domain.contains('.') || domain.ends_with('.') {
            return Err(NotAnEmail);
        }
        let normal = format!("{local}@{domain}");
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if normal.len() > MAX_EMAIL
            || normal.chars().any(odd)
            || !email_address::EmailAddress::is_valid(&normal)
        {
            return Err(NotAnEmail);
        }
        Ok(Email(normal.into()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Email::parse(&std::borrow::Cow::<str>::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_normal_form() {
        for (typed, normal) in [
            ("Ann@Example.COM", "ann@example.com"),
            (" a.b+c@sub.example.org ", "a.b+c@sub.example.org"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ] {
            assert_eq!(Email::parse(typed).unwrap().as_str(), normal);
        }
    }

    #[test]
    fn anything_but_one_plain_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for odd in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@localhost",
            "a@b@example.com",
            "\"a b\"@example.com",
            "Ann <ann@example.com>",
            "ann@example.com,bob@example.com",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "a\nb@example.com",
            "ann@example.com.",
            "ann@exa mple.com",
            &long,
        ] {
            assert_eq!(Email::parse(odd), Err(NotAnEmail), "{odd:?}");
        }
    }
}
