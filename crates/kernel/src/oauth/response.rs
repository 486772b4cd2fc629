//! Response types and response modes (OAuth 2.0 Multiple Response Type Encoding Practices; JARM).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the authorization endpoint is asked for: any of a code, an access token and an ID token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResponseType {
    /// A code.
    pub code: bool,
    /// An access token, in the answer itself (legacy).
    pub token: bool,
    /// An ID token, in the answer itself (legacy).
    pub id_token: bool,
}

/// There is no such response type or mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown")]
pub struct Unknown;

impl ResponseType {
    /// The code flow.
    pub const CODE: ResponseType = ResponseType { code: true, token: false, id_token: false };

    /// All that make sense (OpenID Connect Core §3): a token alone is OAuth's implicit grant.
    pub const ALL: [ResponseType; 7] = [
        ResponseType::CODE,
        ResponseType { code: false, token: true, id_token: false },
        ResponseType { code: false, token: false, id_token: true },
        ResponseType { code: false, token: true, id_token: true },
        ResponseType { code: true, token: false, id_token: true },
        ResponseType { code: true, token: true, id_token: false },
        ResponseType { code: true, token: true, id_token: true },
    ];

    /// Whether tokens are in the answer itself: the implicit and the hybrid flow, which OAuth 2.1 has no more.
    pub const fn is_legacy(self) -> bool {
        self.token || self.id_token
    }

    /// The mode when none is asked for: tokens never stand in a query.
    pub const fn default_mode(self) -> ResponseMode {
        if self.is_legacy() { ResponseMode::FRAGMENT } else { ResponseMode::QUERY }
    }
}

impl FromStr for ResponseType {
    type Err = Unknown;

    /// Reads the values in any order, each once.
    fn from_str(text: &str) -> Result<Self, Unknown> {
        let mut read = ResponseType { code: false, token: false, id_token: false };
        for value in text.split(' ') {
            let part = match value {
                "code" => &mut read.code,
                "token" => &mut read.token,
                "id_token" => &mut read.id_token,
                _ => return Err(Unknown),
            };
            if std::mem::replace(part, true) {
                return Err(Unknown);
            }
        }
        Ok(read)
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("code", self.code), ("id_token", self.id_token), ("token", self.token)];
        let named: Vec<&str> =
            parts.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
        f.write_str(&named.join(" "))
    }
}

/// Where the answer stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Carrier {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment.
    Fragment,
    /// In a form that the browser posts there (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// How the answer reaches the client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResponseMode {
    /// Where it stands.
    pub carrier: Carrier,
    /// Whether it is one signed JWT (JARM, JWT Secured Authorization Response Mode §2.3).
    pub jwt: bool,
}

impl ResponseMode {
    /// `query`
    pub const QUERY: ResponseMode = ResponseMode { carrier: Carrier::Query, jwt: false };
    /// `fragment`
    pub const FRAGMENT: ResponseMode = ResponseMode { carrier: Carrier::Fragment, jwt: false };
    /// `form_post`
    pub const FORM_POST: ResponseMode = ResponseMode { carrier: Carrier::FormPost, jwt: false };

    /// The names that metadata publishes.
    pub const NAMES: [&'static str; 7] =
        ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"];

    /// Reads `response_mode` beside this response type: `jwt` alone is a JWT where the default mode puts it.
    pub fn read(text: &str, response_type: ResponseType) -> Result<Self, Unknown> {
        let (carrier, jwt) = match text {
            "query" => (Carrier::Query, false),
            "fragment" => (Carrier::Fragment, false),
            "form_post" => (Carrier::FormPost, false),
            "query.jwt" => (Carrier::Query, true),
            "fragment.jwt" => (Carrier::Fragment, true),
            "form_post.jwt" => (Carrier::FormPost, true),
            "jwt" => (response_type.default_mode().carrier, true),
            _ => return Err(Unknown),
        };
        Ok(ResponseMode { carrier, jwt })
    }

    /// Whether tokens may travel so: in a query they would stay in logs and histories (Multiple Response Types §2.1).
    /// A JWT in a query may, when it is encrypted; it is not here.
    pub fn may_carry(self, response_type: ResponseType) -> bool {
        self.carrier != Carrier::Query || !response_type.is_legacy()
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        match (self.carrier, self.jwt) {
            (Carrier::Query, false) => "query",
            (Carrier::Fragment, false) => "fragment",
            (Carrier::FormPost, false) => "form_post",
            (Carrier::Query, true) => "query.jwt",
            (Carrier::Fragment, true) => "fragment.jwt",
            (Carrier::FormPost, true) => "form_post.jwt",
        }
    }
}

macro_rules! as_text {
    ($type:ty, $read:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                let read: fn(&str) -> Result<Self, Unknown> = $read;
                read(&text).map_err(|_| serde::de::Error::custom(format_args!("{text} is not supported")))
            }
        }
    };
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

as_text!(ResponseType, |text| text.parse());
as_text!(ResponseMode, |text| ResponseMode::read(text, ResponseType::CODE));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_any_order_each_once() {
        for one in ResponseType::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert_eq!("token code".parse::<ResponseType>(), "code token".parse());
        for odd in ["", "code code", "code ", " code", "Code", "none", "code  token", "code,token"] {
            assert_eq!(odd.parse::<ResponseType>(), Err(Unknown), "{odd:?}");
        }
        assert!(!ResponseType::CODE.is_legacy());
    }

    #[test]
    fn tokens_never_travel_in_a_query() {
        let implicit: ResponseType = "id_token token".parse().unwrap();
        for name in ResponseMode::NAMES {
            let mode = ResponseMode::read(name, implicit).unwrap();
            assert_eq!(mode.may_carry(implicit), !name.starts_with("query"), "{name}");
            assert!(ResponseMode::read(name, ResponseType::CODE).unwrap().may_carry(ResponseType::CODE));
            if name != "jwt" {
                assert_eq!(mode.name(), name);
            }
        }
        assert_eq!(ResponseMode::read("jwt", implicit).unwrap().name(), "fragment.jwt");
        assert_eq!(ResponseMode::read("jwt", ResponseType::CODE).unwrap().name(), "query.jwt");
        assert!(ResponseMode::read("web_message", ResponseType::CODE).is_err());
    }
}
