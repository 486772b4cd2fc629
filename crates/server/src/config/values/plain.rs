//! Numbers, truth values and short names.

use std::fmt;

use crate::config::definition::{Scalar, Written};

macro_rules! whole_number {
    ($($type:ty)*) => { $(
        impl Scalar for $type {
            const KIND: &'static str = "a whole number";
            const WRITTEN: Written = Written::Number;

            fn allowed() -> String {
                "a whole number".to_owned()
            }

            fn brief() -> String {
        "whole number".to_owned()
    }

    fn parse(text: &str) -> Result<$type, String> {
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("is not a whole number".to_owned());
                }
                text.parse().map_err(|_| "is out of range".to_owned())
            }

            fn show(&self) -> toml::Value {
                toml::Value::Integer(i64::from(*self))
            }
        }
    )* };
}

whole_number! { u16 u32 }

impl Scalar for bool {
    const KIND: &'static str = "a truth value";
    const WRITTEN: Written = Written::Truth;

    fn allowed() -> String {
        "true or false".to_owned()
    }

    fn parse(text: &str) -> Result<bool, String> {
        text.parse().map_err(|_| "is not a truth value".to_owned())
    }

    fn show(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

/// Any text on one line.
impl Scalar for String {
    const KIND: &'static str = "a text";

    fn allowed() -> String {
        "a text on one line".to_owned()
    }

    fn brief() -> String {
        "text".to_owned()
    }

    fn parse(text: &str) -> Result<String, String> {
        if text.chars().any(char::is_control) {
            return Err("has a control character in it".to_owned());
        }
        Ok(text.to_owned())
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

macro_rules! short_name {
    ($(#[doc = $doc:literal])+ $name:ident, $kind:literal, $allowed:literal, $brief:literal, $good:expr) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Scalar for $name {
            const KIND: &'static str = $kind;

            fn allowed() -> String {
                $allowed.to_owned()
            }

            fn brief() -> String {
                $brief.to_owned()
            }

            fn parse(text: &str) -> Result<$name, String> {
                let good: fn(&str) -> bool = $good;
                if good(text) {
                    return Ok($name(text.to_owned()));
                }
                Err(format!("is not {}", $kind))
            }

            fn show(&self) -> toml::Value {
                toml::Value::String(self.0.clone())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

short_name! {
    /// The name of a node: the route part of sticky cookies.
    NodeName, "a node name", "up to 16 letters, digits and hyphens", "up to 16 letters, digits and hyphens",
    |text| {
        let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=16).contains(&text.len()) && good
    }
}

short_name! {
    /// The name of a group of people.
    GroupName, "a group name", "1 to 64 characters without comma, control characters and blanks at the ends",
    "group name",
    |text| {
        let length = text.chars().count();
        // The header `Remote-Groups` separates groups by commas.
        (1..=64).contains(&length)
            && text.trim() == text
            && !text.chars().any(|one| one == ',' || one.is_control())
    }
}

short_name! {
    /// The method of a request, which is case sensitive (RFC 9110, section 9.1): `GET`.
    Method, "a method", "a method in capitals such as \"GET\"", "method",
    |text| {
        let letters = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        (1..=32).contains(&text.len()) && letters
    }
}

short_name! {
    /// The name of a resource in the `aud` claim (RFC 8707 §2): compared exactly.
    ResourceName, "the name of a resource", "1 to 512 characters without blanks, usually an https address",
    "address or name",
    |text| gateward_kernel::token::Audience::of(text).is_ok()
}

short_name! {
    /// The `client_id` of a client (RFC 6749 appendix A.1).
    ClientName, "a client_id", "1 to 512 printable ASCII characters without blanks", "client_id",
    |text| (1..=gateward_kernel::oauth::client::MAX_CLIENT_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

short_name! {
    /// The name of an issuer in the `iss` claim: compared exactly.
    IssuerName, "the name of an issuer", "1 to 512 characters without blanks, usually an https address",
    "address or name",
    |text| gateward_kernel::token::Audience::of(text).is_ok()
}

short_name! {
    /// Where somebody publishes their keys.
    KeysAddress, "the address of a key set", "an https address without a user and a fragment", "https address",
    |text| {
        let url = url::Url::parse(text).ok().filter(|_| text.len() <= 2048);
        url.is_some_and(|url| {
            url.scheme() == "https"
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        })
    }
}

short_name! {
    /// The name of a claim in somebody else's token.
    ForeignClaim, "the name of a claim", "1 to 256 characters without control characters", "claim name",
    |text| (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}

short_name! {
    /// One scope (RFC 6749 §3.3).
    ScopeName, "a scope", "printable ASCII without blanks, quotes and backslashes", "scope",
    |text| !text.is_empty() && !text.contains(' ') && text.parse::<gateward_kernel::token::Scope>().is_ok()
}

short_name! {
    /// The name of a custom claim of a person; those that tokens have anyway are taken.
    ClaimName, "the name of a custom claim", "1 to 64 letters, digits, \"_\", \"-\", \".\", \":\" and \"/\", none of the registered claims",
    "claim name",
    |text| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(good) && !TOKEN_CLAIMS.contains(&text)
    }
}

/// The claims that every token has for itself.
const TOKEN_CLAIMS: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "groups",
    "status",
    "cnf",
    "gateward_iat",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(<u32 as Scalar>::parse("1000"), Ok(1000));
        for text in ["", "-", "+1", "1_000", "1.0", "ten", " 1"] {
            assert_eq!(<u32 as Scalar>::parse(text).unwrap_err(), "is not a whole number", "{text:?}");
        }
        for text in ["-1", "65536"] {
            assert_eq!(<u16 as Scalar>::parse(text).unwrap_err(), "is out of range", "{text:?}");
        }
    }

    #[test]
    fn names_hold_what_they_allow_and_no_more() {
        for (text, good) in [("a", true), ("Node-1", true), ("", false), ("a.b", false), ("a b", false)] {
            assert_eq!(NodeName::parse(text).is_ok(), good, "{text:?}");
        }
        assert!(NodeName::parse(&"n".repeat(16)).is_ok() && NodeName::parse(&"n".repeat(17)).is_err());
        for (text, good) in [("admins", true), ("Büro 2", true), ("", false), (" a", false), ("a,b", false)]
        {
            assert_eq!(GroupName::parse(text).is_ok(), good, "{text:?}");
        }
        assert!(GroupName::parse(&"ä".repeat(64)).is_ok() && GroupName::parse(&"ä".repeat(65)).is_err());
        for (text, good) in [("GET", true), ("M-SEARCH", true), ("get", false), ("", false), ("G T", false)] {
            assert_eq!(Method::parse(text).is_ok(), good, "{text:?}");
        }
    }
}
