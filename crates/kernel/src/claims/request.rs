//! The parameter `claims` of an authorization request (OpenID Connect Core §5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Claim, Custom, StandardScope, is_own};
use crate::jose::strict;
use crate::token::Scope;

/// The longest request in its text form, in bytes.
pub const MAX_REQUEST: usize = 8 * 1024;
/// The most claims that are asked for at one place, those nobody knows included.
pub const MAX_WISHES: usize = 64;

/// About the sign-in rather than the person, and answered by the authorization endpoint.
const SIGN_IN: [&str; 3] = ["sub", "acr", "auth_time"];

/// What an application asks for by name, as it is kept with a code and a grant: only what this server knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// At UserInfo.
    #[serde(skip_serializing_if = "Wishes::is_empty")]
    pub userinfo: Wishes,
    /// In the ID token.
    #[serde(skip_serializing_if = "Wishes::is_empty")]
    pub id_token: Wishes,
}

/// What is asked for at one place, by the names of claims.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wishes(BTreeMap<Box<str>, Wish>);

/// How a claim is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Whether the application cannot do without.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// One of these values is wanted, the best first; any when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<Value>,
}

/// Why something is no request for claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAClaimsRequest {
    /// Longer than [`MAX_REQUEST`].
    #[error("a request for claims has at most {MAX_REQUEST} bytes")]
    TooLong,
    /// More than [`MAX_WISHES`] at one place.
    #[error("at most {MAX_WISHES} claims are asked for at one place")]
    TooMany,
    /// Not strict JSON.
    #[error("a request for claims is one JSON object, in which no member is named twice")]
    NotJson,
    /// A place is not an object.
    #[error("userinfo and id_token are JSON objects")]
    Place,
    /// A wish is of another form.
    #[error(
        "a claim is asked for by null or by an object with \"essential\" (true or false) and either \"value\" or \"values\" (a list)"
    )]
    Wish,
    /// The value of a claim that is a text is none.
    #[error("the values of sub and acr are texts")]
    NotText,
}

/// What is asked of the strength of the sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acr<'a> {
    /// Whether one of the values must be reached, or the request fails (§5.5.1.1).
    pub essential: bool,
    /// The wanted values, the best first; any when there is none.
    pub values: Vec<&'a str>,
}

impl ClaimsRequest {
    /// Reads the parameter. Of claims that nobody knows, and of names with a language (`family_name#de`), nothing is kept.
    pub fn parse(text: &str, custom: Custom<'_>) -> Result<Self, NotAClaimsRequest> {
        if text.len() > MAX_REQUEST {
            return Err(NotAClaimsRequest::TooLong);
        }
        let members = strict::object(text.as_bytes()).map_err(|_| NotAClaimsRequest::NotJson)?;
        ClaimsRequest::read(&members, custom)
    }

    /// Reads the member of a request object (§6.1), which was bounded and read strictly before.
    pub fn read(members: &Map<String, Value>, custom: Custom<'_>) -> Result<Self, NotAClaimsRequest> {
        let at = |name| match members.get(name) {
            None | Some(Value::Null) => Ok(Wishes::default()),
            Some(Value::Object(wishes)) => Wishes::read(wishes, custom),
            Some(_) => Err(NotAClaimsRequest::Place),
        };
        Ok(ClaimsRequest { userinfo: at("userinfo")?, id_token: at("id_token")? })
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// Whether this subject may be signed in: the one that was asked for by the value of `sub`, or any. Another one must not be
    /// answered for (§5.5.1).
    pub fn allows_subject(&self, subject: &str) -> bool {
        let wishes = [&self.userinfo, &self.id_token];
        wishes.iter().filter_map(|wishes| wishes.get("sub")).all(|wish| wish.takes(&subject.into()))
    }

    /// What is asked of `acr`, if anything is.
    pub fn acr(&self) -> Option<Acr<'_>> {
        let wish = self.id_token.get("acr")?;
        Some(Acr { essential: wish.essential, values: wish.among.iter().filter_map(Value::as_str).collect() })
    }

    /// Whether the ID token is to say when the person proved who they are.
    pub fn wants_auth_time(&self) -> bool {
        self.id_token.get("auth_time").is_some()
    }

    /// The scopes that stand for what is asked for: what a person has to be shown before they grant it.
    pub fn scopes(&self) -> impl Iterator<Item = StandardScope> {
        let is_asked =
            |claim: Claim| [&self.userinfo, &self.id_token].iter().any(|at| at.get(claim.name()).is_some());
        StandardScope::ALL.into_iter().filter(move |scope| scope.claims().any(is_asked))
    }

    /// What of it is left where only these scopes are granted. What no scope stands for stays.
    #[must_use]
    pub fn within(self, scope: &Scope) -> Self {
        self.only(|of_claim| scope.has(of_claim))
    }

    /// What of it is left where these scopes were declined. What no scope stands for stays.
    #[must_use]
    pub fn without(self, declined: &Scope) -> Self {
        self.only(|of_claim| !declined.has(of_claim))
    }

    fn only(self, stays: impl Fn(&str) -> bool) -> Self {
        let only = |Wishes(mut wishes): Wishes| {
            wishes.retain(|name, _| Claim::named(name).is_none_or(|claim| stays(claim.scope().name())));
            Wishes(wishes)
        };
        ClaimsRequest { userinfo: only(self.userinfo), id_token: only(self.id_token) }
    }

    /// About how many bytes it takes in memory, beyond its own size.
    pub fn weight(&self) -> usize {
        #[expect(clippy::borrowed_box, reason = "what the map yields")]
        let one = |(name, wish): (&Box<str>, &Wish)| {
            let values = wish.among.iter().map(|value| size_of::<Value>() + value.to_string().len());
            name.len() + size_of::<(Box<str>, Wish)>() * 2 + values.sum::<usize>()
        };
        self.userinfo.0.iter().chain(&self.id_token.0).map(one).sum()
    }
}

impl Wishes {
    fn read(asked: &Map<String, Value>, custom: Custom<'_>) -> Result<Self, NotAClaimsRequest> {
        if asked.len() > MAX_WISHES {
            return Err(NotAClaimsRequest::TooMany);
        }
        let mut wishes = BTreeMap::new();
        for (name, value) in asked {
            let wish = Wish::read(value)?;
            let is_known = Claim::named(name).is_some()
                || SIGN_IN.contains(&name.as_str())
                || (is_own(name) && custom.has(name));
            if matches!(name.as_str(), "sub" | "acr") && !wish.among.iter().all(Value::is_string) {
                return Err(NotAClaimsRequest::NotText);
            }
            if is_known {
                wishes.insert(name.as_str().into(), wish);
            }
        }
        Ok(Wishes(wishes))
    }

    /// How this claim is asked for, if it is.
    pub fn get(&self, name: &str) -> Option<&Wish> {
        self.0.get(name)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Wish {
    /// Members of other names are read past (§5.5.1); one that is null is as good as absent.
    fn read(value: &Value) -> Result<Self, NotAClaimsRequest> {
        let members = match value {
            Value::Null => return Ok(Wish::default()),
            Value::Object(members) => members,
            _ => return Err(NotAClaimsRequest::Wish),
        };
        let member = |name| members.get(name).filter(|value| !value.is_null());
        let essential = match member("essential") {
            None => false,
            Some(Value::Bool(essential)) => *essential,
            Some(_) => return Err(NotAClaimsRequest::Wish),
        };
        let among = match (member("value"), member("values")) {
            (None, None) => Vec::new(),
            (Some(value), None) => vec![value.clone()],
            (None, Some(Value::Array(values))) => values.clone(),
            _ => return Err(NotAClaimsRequest::Wish),
        };
        Ok(Wish { essential, among })
    }

    /// Whether this value is one that is wanted.
    pub fn takes(&self, value: &Value) -> bool {
        self.among.is_empty() || self.among.contains(value)
    }
}
