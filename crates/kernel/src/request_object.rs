//! Request objects (RFC 9101, OpenID Connect Core §6): the parameters of an authorization request, signed by the client.
//!
//! What comes out is a list of parameters as they would stand in the query, so that one law reads both. An object that is
//! encrypted to us is decrypted by the caller first.

use std::time::Duration;

use serde_json::{Map, Number, Value};

use crate::jose::jwt::Audience;
use crate::jose::{
    BadClaims, Claims, Expectations, Invalid, KeySet, Limits, Malformed, SignatureAlgorithm, parse,
};
use crate::once::{Purpose, UsedOnce, is_jti};
use crate::time::Moment;

/// The types a request object may have, besides none at all (RFC 9101 §10.8).
const TYPES: [&str; 2] = ["oauth-authz-req+jwt", "JWT"];
/// The most parameters of an object.
pub const MAX_PARAMETERS: usize = 64;
/// The longest name of a parameter, in bytes.
const MAX_NAME_LEN: usize = 128;
/// How long ago `nbf` may lie, and how long after it `exp` (FAPI 2.0 Message Signing §5.3.1).
const HOUR: Duration = Duration::from_secs(3600);
/// How far clocks may be apart where nothing else is configured.
pub const SKEW: Duration = Duration::from_secs(30);
/// Room for a `claims` parameter and rich authorization details.
const LIMITS: Limits = Limits { token: 32 * 1024, header: 4 * 1024 };

/// Why a request object is not believed. No variant holds anything of the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRequestObject {
    /// It is no signed token.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature was not verified with the client's keys and algorithms.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Type, issuer, audience, time, or the JSON of the claims.
    #[error(transparent)]
    Claims(#[from] BadClaims),
    /// `client_id` is another client.
    #[error("the request object's `client_id` is another client")]
    Client,
    /// `sub` is the client: it is an assertion of who the client is, which must not become a request (RFC 9101 §10.8).
    #[error("the token says who the client is, and is no request object")]
    Assertion,
    /// It brings another request object, or the address of one (RFC 9101 §4).
    #[error("a request object must not hold `request` or `request_uri`")]
    Nested,
    /// A parameter is null, a number with a fraction, or has a name that none has.
    #[error("a parameter of the request object has a form that no parameter has")]
    Parameter,
    /// There are more than [`MAX_PARAMETERS`].
    #[error("the request object has more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// `nbf` is more than an hour ago.
    #[error("the request object's `nbf` is more than an hour ago")]
    TooOld,
    /// `exp` is more than an hour after `nbf`.
    #[error("the request object's `exp` is more than an hour after its `nbf`")]
    TooLong,
}

/// What the request objects of one client must satisfy.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The client, as the request around the object names it.
    pub client: &'a str,
    /// Its keys.
    pub keys: &'a KeySet,
    /// The algorithms it may use.
    pub allowed: &'a [SignatureAlgorithm],
    /// Our issuer, for whom the object must be.
    pub issuer: &'a str,
    /// Whether FAPI 2.0 Message Signing §5.3.1 counts: `iss`, `aud`, `client_id`, `nbf` and `exp` must all be there, `nbf` at most an
    /// hour ago and `exp` at most an hour after it. Otherwise each may be missing, and one that is there must be right.
    pub strict: bool,
    /// How far the clocks of client and server may be apart.
    pub skew: Duration,
}

/// A request object whose signature is right, and that is of this client and for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestObject {
    /// The parameters, in the form they would have in a query: what is not text there is JSON here. In the order of their names; only
    /// `resource` may stand there several times.
    pub parameters: Vec<(String, String)>,
    /// The object's own name, where it has one.
    pub jti: Option<String>,
    /// From when on it is refused anyway, where it says so.
    pub expires: Option<Moment>,
}

impl RequestObject {
    /// A parameter that stands there once at most.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The mark that it was used, where it has a name and an end; for clients whose objects count once.
    pub fn used(&self, client: &str) -> Option<UsedOnce> {
        let (jti, expires) = (self.jti.as_deref()?, self.expires?);
        Some(UsedOnce::new(Purpose::RequestObject, client, jti, expires))
    }
}

/// Verifies a request object (RFC 9101 §6). Nothing it says is looked at before its signature is right.
pub fn verify(object: &str, rules: &Rules<'_>, now: Moment) -> Result<RequestObject, BadRequestObject> {
    let unverified = parse(object, LIMITS)?;
    let payload = unverified.verify(rules.keys, rules.allowed)?.into_payload();
    let claims = Claims::read(&payload)?;
    let audiences = [rules.issuer];
    let for_us = Expectations::new(&TYPES, &audiences, now);
    let expected = Expectations {
        untyped: true,
        skew: rules.skew,
        expires: rules.strict,
        issuer: (rules.strict || claims.issuer.is_some()).then_some(rules.client),
        audience: match rules.strict || !claims.audiences.is_empty() {
            true => for_us.audience,
            false => Audience::Anybody,
        },
        ..for_us
    };
    expected.check(unverified.header(), &claims)?;
    if claims.subject.as_deref() == Some(rules.client) {
        return Err(BadRequestObject::Assertion);
    }
    match claims.text("client_id")? {
        Some(client) if client == rules.client => {}
        None if !rules.strict => {}
        None => return Err(BadClaims::Missing("client_id").into()),
        Some(_) => return Err(BadRequestObject::Client),
    }
    if rules.strict {
        check_hour(&claims, rules.skew, now)?;
    }
    if claims.id.as_deref().is_some_and(|jti| !is_jti(jti)) {
        return Err(BadClaims::Type("jti").into());
    }
    let expires = claims.expires.map(|expires| expires + rules.skew);
    Ok(RequestObject { parameters: parameters(claims.others)?, jti: claims.id, expires })
}

fn check_hour(claims: &Claims, skew: Duration, now: Moment) -> Result<(), BadRequestObject> {
    let start = claims.not_before.ok_or(BadClaims::Missing("nbf"))?;
    let end = claims.expires.ok_or(BadClaims::Missing("exp"))?;
    if now.since(start) > HOUR + skew {
        return Err(BadRequestObject::TooOld);
    }
    if end.since(start) > HOUR {
        return Err(BadRequestObject::TooLong);
    }
    Ok(())
}

/// The claims that are no registered ones, as parameters.
fn parameters(claims: Map<String, Value>) -> Result<Vec<(String, String)>, BadRequestObject> {
    let mut parameters = Vec::new();
    for (name, value) in claims {
        if matches!(name.as_str(), "request" | "request_uri") {
            return Err(BadRequestObject::Nested);
        }
        if name.is_empty() || name.len() > MAX_NAME_LEN || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadRequestObject::Parameter);
        }
        match value {
            // Several resources are several parameters (RFC 8707 §2).
            Value::Array(all) if name == "resource" => {
                for one in all {
                    let Value::String(one) = one else { return Err(BadRequestObject::Parameter) };
                    parameters.push((name.clone(), one));
                }
            }
            value => parameters.push((name, text(value)?)),
        }
        if parameters.len() > MAX_PARAMETERS {
            return Err(BadRequestObject::TooMany);
        }
    }
    Ok(parameters)
}

/// A value as it stands in a query: text as it is, whole numbers such as `max_age` in digits, objects and lists such as `claims` as
/// JSON.
fn text(value: Value) -> Result<String, BadRequestObject> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Object(_) | Value::Array(_) => Ok(value.to_string()),
        Value::Number(number) => whole(&number).ok_or(BadRequestObject::Parameter),
        Value::Null => Err(BadRequestObject::Parameter),
    }
}

fn whole(number: &Number) -> Option<String> {
    (number.is_i64() || number.is_u64()).then(|| number.to_string())
}

#[cfg(test)]
mod tests;
