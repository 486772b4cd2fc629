//! Assertions (RFC 7521, RFC 7523): a signed JWT by which a client says who it is, or that somebody exchanges for a token.
//!
//! That an assertion is used once is for the caller to write down: [`ClientAssertion::used`], [`GrantAssertion::used`].

use std::time::Duration;

use serde_json::Value;

use crate::jose::{
    BadClaims, Claims, Expectations, Invalid, Jwk, KeyError, KeySet, Limits, Malformed, SignatureAlgorithm,
    Unverified, VerifyingKey, parse,
};
use crate::once::{Purpose, UsedOnce, is_jti};
use crate::time::Moment;

/// The types an assertion of a client may have, besides none at all: what has another type was made for something else.
const CLIENT_TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// The same for an assertion that is exchanged.
const GRANT_TYPES: [&str; 2] = ["JWT", "authorization-grant+jwt"];
/// The longest an assertion may live where nothing else is configured: so long its name must be remembered.
pub const LONGEST: Duration = Duration::from_secs(600);
/// How far clocks may be apart where nothing else is configured. FAPI 2.0 §5.3.2.1 wants 10 seconds accepted and more than
/// 60 refused.
pub const SKEW: Duration = Duration::from_secs(30);
/// The most characters of an issuer or a subject.
const MAX_NAME_LEN: usize = 2048;

/// Why an assertion is not believed. No variant holds anything of the assertion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAssertion {
    /// It is no signed token.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature was not verified.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The client's secret is no key for its algorithm.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What it says is not what is expected.
    #[error(transparent)]
    Claims(#[from] BadClaims),
    /// `iss` and `sub` differ: a client speaks for itself (RFC 7523 §3).
    #[error("the assertion's `iss` and `sub` are not both the client")]
    Subject,
    /// `aud` is a list, where it must be the issuer alone as a string.
    #[error("the assertion's `aud` must be the issuer as a single string")]
    AudienceForm,
    /// It lives longer than is accepted.
    #[error("the assertion's `exp` is too far in the future")]
    TooLong,
}

/// For whom assertions of clients must be.
#[derive(Clone, Copy, Debug)]
pub enum AudienceRule<'a> {
    /// The issuer, as a single string (FAPI 2.0 Security Profile §5.3.2.1, and the update of RFC 7523).
    IssuerAlone(&'a str),
    /// One of these, as a string or in a list: the issuer, the token endpoint, the endpoint that is called (RFC 7523 §3, OpenID
    /// Connect Core §9, RFC 9126 §2).
    OneOf(&'a [&'a str]),
}

/// With what a client signs its assertions.
#[derive(Clone, Copy, Debug)]
pub enum ClientKeys<'a> {
    /// `private_key_jwt`: its public keys.
    Public(&'a KeySet),
    /// `client_secret_jwt`: the bytes of its secret.
    Secret(&'a [u8]),
}

/// What the assertions of one client must satisfy.
#[derive(Clone, Copy, Debug)]
pub struct ClientRules<'a> {
    /// The client.
    pub client: &'a str,
    /// Its keys.
    pub keys: ClientKeys<'a>,
    /// The algorithms it may use. Of these only count those which its keys are for: a secret is never a public key.
    pub allowed: &'a [SignatureAlgorithm],
    /// For whom they must be.
    pub audience: AudienceRule<'a>,
    /// How long they may live.
    pub longest: Duration,
    /// How far the clocks of client and server may be apart.
    pub skew: Duration,
}

/// Who a client is, by its own assertion. It counts when [`used`](Self::used) was written down by whoever received it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientAssertion {
    /// The client.
    pub client: String,
    /// The assertion's own name.
    pub jti: String,
    /// From when on it is refused anyway.
    pub expires: Moment,
}

impl ClientAssertion {
    /// The mark that it was used; to whoever cannot create this record it is a replay.
    pub fn used(&self) -> UsedOnce {
        UsedOnce::new(Purpose::ClientAssertion, &self.client, &self.jti, self.expires)
    }
}

/// Which client an assertion claims to be of. Nobody has vouched for that: it says whose keys to verify it with.
pub fn claimed_client(assertion: &str) -> Result<String, BadAssertion> {
    let claims = Claims::read(&parse(assertion, Limits::default())?.unverified_payload()?)?;
    let issuer = claims.issuer.ok_or(BadClaims::Missing("iss"))?;
    let subject = claims.subject.ok_or(BadClaims::Missing("sub"))?;
    if issuer != subject || !is_name(&issuer) {
        return Err(BadAssertion::Subject);
    }
    Ok(issuer)
}

/// Verifies the assertion of a client (RFC 7523 §3, OpenID Connect Core §9).
pub fn verify_client(
    assertion: &str,
    rules: &ClientRules<'_>,
    now: Moment,
) -> Result<ClientAssertion, BadAssertion> {
    let unverified = parse(assertion, Limits::default())?;
    let (claims, aud) = match rules.keys {
        ClientKeys::Public(keys) => signed(&unverified, keys, rules.allowed, false)?,
        ClientKeys::Secret(secret) => {
            let keys = secret_keys(secret, unverified.header().alg())?;
            signed(&unverified, &keys, rules.allowed, true)?
        }
    };
    let alone;
    let audiences: &[&str] = match rules.audience {
        AudienceRule::OneOf(all) => all,
        AudienceRule::IssuerAlone(issuer) => {
            if aud == AudienceForm::List {
                return Err(BadAssertion::AudienceForm);
            }
            alone = [issuer];
            &alone
        }
    };
    let expected = Expectations {
        untyped: true,
        skew: rules.skew,
        ..Expectations::new(&CLIENT_TYPES, audiences, now).from(rules.client)
    };
    expected.check(unverified.header(), &claims)?;
    if claims.subject.as_deref().ok_or(BadClaims::Missing("sub"))? != rules.client {
        return Err(BadAssertion::Subject);
    }
    let expires = end(&claims, rules.longest, rules.skew, now)?;
    let jti = name(claims.id)?.ok_or(BadClaims::Missing("jti"))?;
    Ok(ClientAssertion { client: rules.client.to_owned(), jti, expires })
}

/// What assertions of a trusted issuer must satisfy to be exchanged for a token.
#[derive(Clone, Copy, Debug)]
pub struct GrantRules<'a> {
    /// Who must have issued it.
    pub issuer: &'a str,
    /// Its public keys.
    pub keys: &'a KeySet,
    /// The algorithms it may use. Those with shared secrets never are.
    pub allowed: &'a [SignatureAlgorithm],
    /// For whom it must be: our issuer, or the token endpoint.
    pub audiences: &'a [&'a str],
    /// Whether it must have a name, so that it counts once.
    pub once: bool,
    /// How long it may live.
    pub longest: Duration,
    /// How far the clocks of issuer and server may be apart.
    pub skew: Duration,
}

/// What a trusted issuer says about somebody (RFC 7523 §2.1).
#[derive(Clone, PartialEq, Debug)]
pub struct GrantAssertion {
    /// Who says it.
    pub issuer: String,
    /// About whom.
    pub subject: String,
    /// The assertion's own name. An assertion that has one counts once, whatever the rules are.
    pub jti: Option<String>,
    /// From when on it is refused anyway.
    pub expires: Moment,
    /// Everything it says.
    pub claims: Claims,
}

impl GrantAssertion {
    /// The mark that it was used, where it has a name; to whoever cannot create this record it is a replay.
    pub fn used(&self) -> Option<UsedOnce> {
        let jti = self.jti.as_deref()?;
        Some(UsedOnce::new(Purpose::GrantAssertion, &self.issuer, jti, self.expires))
    }
}

/// Who an assertion claims to be issued by. Nobody has vouched for that: it says whose keys to verify it with.
pub fn claimed_issuer(assertion: &str) -> Result<String, BadAssertion> {
    let claims = Claims::read(&parse(assertion, Limits::default())?.unverified_payload()?)?;
    let issuer = claims.issuer.ok_or(BadClaims::Missing("iss"))?;
    if is_name(&issuer) { Ok(issuer) } else { Err(BadClaims::Type("iss").into()) }
}

/// Verifies an assertion that is to be exchanged for a token (RFC 7523 §2.1 and §3).
pub fn verify_grant(
    assertion: &str,
    rules: &GrantRules<'_>,
    now: Moment,
) -> Result<GrantAssertion, BadAssertion> {
    let unverified = parse(assertion, Limits::default())?;
    let (claims, _) = signed(&unverified, rules.keys, rules.allowed, false)?;
    let expected = Expectations {
        untyped: true,
        skew: rules.skew,
        ..Expectations::new(&GRANT_TYPES, rules.audiences, now).from(rules.issuer)
    };
    expected.check(unverified.header(), &claims)?;
    let subject = claims.subject.clone().ok_or(BadClaims::Missing("sub"))?;
    if !is_name(&subject) {
        return Err(BadClaims::Type("sub").into());
    }
    let expires = end(&claims, rules.longest, rules.skew, now)?;
    let jti = name(claims.id.clone())?;
    if rules.once && jti.is_none() {
        return Err(BadClaims::Missing("jti").into());
    }
    Ok(GrantAssertion { issuer: rules.issuer.to_owned(), subject, jti, expires, claims })
}

/// How `aud` was written.
#[derive(Clone, Copy, PartialEq)]
enum AudienceForm {
    Text,
    List,
}

/// The claims, once the signature is right. Shared secrets and public keys never stand in for each other: the algorithm must be
/// of the family of the keys.
fn signed(
    assertion: &Unverified<'_>,
    keys: &KeySet,
    allowed: &[SignatureAlgorithm],
    shared: bool,
) -> Result<(Claims, AudienceForm), BadAssertion> {
    if assertion.header().alg().is_hmac() != shared {
        return Err(Invalid::NotAllowed.into());
    }
    let payload = assertion.verify(keys, allowed)?.into_payload();
    let claims = Claims::read(&payload)?;
    Ok((claims, audience_form(&payload)))
}

/// The payload was read strictly before, so that there is one `aud` at most.
fn audience_form(payload: &[u8]) -> AudienceForm {
    #[derive(serde::Deserialize)]
    struct Form {
        aud: Option<Value>,
    }
    match serde_json::from_slice(payload) {
        Ok(Form { aud: Some(Value::String(_)) | None }) => AudienceForm::Text,
        _ => AudienceForm::List,
    }
}

/// The secret as key for this algorithm; errors when it is too short (RFC 7518 §3.2).
fn secret_keys(secret: &[u8], algorithm: SignatureAlgorithm) -> Result<KeySet, BadAssertion> {
    let mut keys = KeySet::new();
    if algorithm.is_hmac() {
        keys.insert(VerifyingKey::new(&Jwk::from_secret(secret)?, algorithm)?);
    }
    Ok(keys)
}

/// From when on it is refused. What lives too long would have to be remembered for as long.
fn end(claims: &Claims, longest: Duration, skew: Duration, now: Moment) -> Result<Moment, BadAssertion> {
    let expires = claims.expires.ok_or(BadClaims::Missing("exp"))?;
    if expires > now + longest + skew {
        return Err(BadAssertion::TooLong);
    }
    Ok(expires + skew)
}

fn name(jti: Option<String>) -> Result<Option<String>, BadAssertion> {
    match jti {
        Some(jti) if !is_jti(&jti) => Err(BadClaims::Type("jti").into()),
        jti => Ok(jti),
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&text.len())
}

#[cfg(test)]
mod tests;
