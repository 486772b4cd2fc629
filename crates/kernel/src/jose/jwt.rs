//! Claims of JWTs (RFC 7519), read strictly: the JSON type of every registered claim, then its value.

use std::time::Duration;

use serde_json::{Map, Value};

use super::alg::SignatureAlgorithm;
use super::header::Header;
use super::jws::{Invalid, Limits, Malformed, parse};
use super::keyset::KeySet;
use super::strict;
use crate::time::Moment;

/// How far in the future a time in a token may lie: 10 years of 365 days. Later ones are mistakes or traps (such as
/// milliseconds where seconds are due).
pub const MAX_AHEAD: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The most audiences a token may name.
pub const MAX_AUDIENCES: usize = 64;

/// Why claims are not believed. No variant holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadClaims {
    /// The content is not a strict JSON object.
    #[error("the token's claims are {0}")]
    NotJson(#[from] strict::NotStrict),
    /// A claim has another JSON type than RFC 7519 §4.1 gives it, or a number no time can have.
    #[error("the token's claim `{0}` has the wrong type or form")]
    Type(&'static str),
    /// A claim that is needed is not there.
    #[error("the token lacks the claim `{0}`")]
    Missing(&'static str),
    /// The header's `typ` is not one that is expected: the token is for something else (RFC 8725 §3.11).
    #[error("the token is of another type")]
    Typ,
    /// `iss` is not the expected issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` names none of the expected audiences.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iat` lies in the future.
    #[error("the token was issued in the future")]
    FromTheFuture,
    /// `exp`, `nbf` or `iat` lies more than [`MAX_AHEAD`] in the future.
    #[error("the token's claim `{0}` is more than ten years ahead")]
    FarFuture(&'static str),
    /// `iat` is longer ago than the expected age.
    #[error("the token is too old")]
    TooOld,
}

/// The claims of a token. Whether they are true is another question: see [`Expectations`].
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`: who issued it.
    pub issuer: Option<String>,
    /// `sub`: whom it is about.
    pub subject: Option<String>,
    /// `aud`: for whom it is. Empty when it names nobody.
    pub audiences: Vec<String>,
    /// `exp`: from when on it is no longer valid.
    pub expires: Option<Moment>,
    /// `nbf`: before when it is not valid.
    pub not_before: Option<Moment>,
    /// `iat`: when it was issued.
    pub issued_at: Option<Moment>,
    /// `jti`: its own id.
    pub id: Option<String>,
    /// All other claims, as they came.
    pub others: Map<String, Value>,
}

impl Claims {
    /// Reads the claims of a payload.
    pub fn read(payload: &[u8]) -> Result<Self, BadClaims> {
        let (claims, []) = Self::read_with(payload, [])?;
        Ok(claims)
    }

    /// The same, with the claims of these names apart, as they came and in the order of the names, instead of among the others.
    pub fn read_with<const N: usize>(
        payload: &[u8],
        names: [&str; N],
    ) -> Result<(Self, [Option<Value>; N]), BadClaims> {
        const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
        let (registered, apart, others) = strict::object_with(payload, &REGISTERED, &names)?;
        let [iss, sub, aud, exp, nbf, iat, jti] = registered;
        let claims = Claims {
            issuer: text_claim(iss, "iss")?,
            subject: text_claim(sub, "sub")?,
            audiences: audiences(aud)?,
            expires: time_claim(exp, "exp")?,
            not_before: time_claim(nbf, "nbf")?,
            issued_at: time_claim(iat, "iat")?,
            id: text_claim(jti, "jti")?,
            others,
        };
        Ok((claims, apart))
    }

    /// Another claim that is a text where it is there.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, BadClaims> {
        match self.others.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(BadClaims::Type(name)),
        }
    }

    /// Another claim that is a time where it is there, such as `auth_time`.
    pub fn time(&self, name: &'static str) -> Result<Option<Moment>, BadClaims> {
        self.others.get(name).map(|value| moment(value, name)).transpose()
    }
}

/// A claim that is a text where it is there. Errors name it.
pub fn text_claim(member: Option<Value>, name: &'static str) -> Result<Option<String>, BadClaims> {
    match member {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(BadClaims::Type(name)),
    }
}

/// One text, or a list of texts (RFC 7519 §4.1.3).
fn audiences(member: Option<Value>) -> Result<Vec<String>, BadClaims> {
    let wrong = BadClaims::Type("aud");
    match member {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(list)) if !list.is_empty() && list.len() <= MAX_AUDIENCES => {
            let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(wrong) };
            list.into_iter().map(text).collect()
        }
        Some(_) => Err(wrong),
    }
}

/// A claim that is a time where it is there, such as `auth_time`. Errors name it.
pub fn time_claim(member: Option<Value>, name: &'static str) -> Result<Option<Moment>, BadClaims> {
    member.map(|value| moment(&value, name)).transpose()
}

/// Seconds since 1970, possibly with a fraction (RFC 7519 §2), up to the year 9999.
fn moment(value: &Value, name: &'static str) -> Result<Moment, BadClaims> {
    const YEAR_10000: i64 = 253_402_300_800;
    let wrong = BadClaims::Type(name);
    if let Some(seconds) = value.as_i64() {
        return if (0..YEAR_10000).contains(&seconds) {
            Ok(Moment::from_micros(seconds * 1_000_000))
        } else {
            Err(wrong)
        };
    }
    match value.as_f64() {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "both are below 2^53"
        )]
        Some(seconds) if seconds >= 0.0 && seconds < YEAR_10000 as f64 => {
            Ok(Moment::from_micros((seconds * 1e6) as i64))
        }
        _ => Err(wrong),
    }
}

/// For whom a token must be.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// It must name one of these.
    OneOf(&'a [&'a str]),
    /// Tokens of this kind name nobody (such as status lists); whom one names does not matter.
    Anybody,
}

/// What a verifier expects of a token. Everything here is the verifier's own knowledge.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// The header's `typ` must be one of these, in any case, with or without `application/` before it (RFC 7515 §4.1.9).
    pub types: &'a [&'a str],
    /// Whether the header may also have no `typ` at all, as old kinds of tokens do.
    pub untyped: bool,
    /// `iss` must be exactly this; `None` leaves the issuer to the caller.
    pub issuer: Option<&'a str>,
    /// For whom the token must be.
    pub audience: Audience<'a>,
    /// Whether there must be an `exp`. One that is there always counts.
    pub expires: bool,
    /// `iat` must be there and at most so long ago.
    pub max_age: Option<Duration>,
    /// How far the clocks of issuer and verifier may be apart.
    pub skew: Duration,
    /// The present moment.
    pub now: Moment,
}

impl<'a> Expectations<'a> {
    /// Tokens of this type for one of these audiences, that expire, with clocks at most a minute apart.
    pub const fn new(types: &'a [&'a str], audiences: &'a [&'a str], now: Moment) -> Self {
        Expectations {
            types,
            untyped: false,
            issuer: None,
            audience: Audience::OneOf(audiences),
            expires: true,
            max_age: None,
            skew: Duration::from_secs(60),
            now,
        }
    }

    /// The same with this issuer.
    #[must_use]
    pub const fn from(mut self, issuer: &'a str) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Checks the header and claims of a token whose signature is right.
    pub fn check(&self, header: &Header, claims: &Claims) -> Result<(), BadClaims> {
        let typ_fits = match header.typ() {
            None => self.untyped,
            Some(typ) => self.types.iter().any(|wanted| same_type(wanted, typ)),
        };
        if !typ_fits {
            return Err(BadClaims::Typ);
        }
        match (self.issuer, &claims.issuer) {
            (Some(_), None) => return Err(BadClaims::Missing("iss")),
            (Some(wanted), Some(issuer)) if wanted != issuer => return Err(BadClaims::Issuer),
            _ => {}
        }
        if let Audience::OneOf(wanted) = self.audience {
            if claims.audiences.is_empty() {
                return Err(BadClaims::Missing("aud"));
            }
            if !claims.audiences.iter().any(|audience| wanted.contains(&audience.as_str())) {
                return Err(BadClaims::Audience);
            }
        }
        self.check_times(claims)
    }

    fn check_times(&self, claims: &Claims) -> Result<(), BadClaims> {
        let horizon = self.now + MAX_AHEAD;
        for (name, time) in [("exp", claims.expires), ("nbf", claims.not_before), ("iat", claims.issued_at)] {
            if time.is_some_and(|time| time > horizon) {
                return Err(BadClaims::FarFuture(name));
            }
        }
        match claims.expires {
            None if self.expires => return Err(BadClaims::Missing("exp")),
            Some(expires) if self.now >= expires + self.skew => return Err(BadClaims::Expired),
            _ => {}
        }
        if claims.not_before.is_some_and(|start| self.now + self.skew < start) {
            return Err(BadClaims::NotYet);
        }
        if claims.issued_at.is_some_and(|issued| self.now + self.skew < issued) {
            return Err(BadClaims::FromTheFuture);
        }
        if let Some(max_age) = self.max_age {
            let issued = claims.issued_at.ok_or(BadClaims::Missing("iat"))?;
            if self.now.since(issued) > max_age + self.skew {
                return Err(BadClaims::TooOld);
            }
        }
        Ok(())
    }
}

/// Media types are compared without case; `application/` may be left out where no other slash follows.
fn same_type(wanted: &str, typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    };
    wanted.eq_ignore_ascii_case(bare)
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no signed token.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature was not verified.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// What it says is not what is expected.
    #[error(transparent)]
    Claims(#[from] BadClaims),
}

/// Takes a token apart, verifies its signature, reads its claims and checks them: in this order, so that no claim is looked
/// at before the signature is right.
pub fn verify<T: AsRef<[u8]> + ?Sized>(
    token: &T,
    limits: Limits,
    keys: &KeySet,
    allowed: &[SignatureAlgorithm],
    expected: &Expectations<'_>,
) -> Result<Claims, Refused> {
    let unverified = parse(token, limits)?;
    let verified = unverified.verify(keys, allowed)?;
    let claims = Claims::read(verified.payload())?;
    expected.check(verified.header(), &claims)?;
    Ok(claims)
}
