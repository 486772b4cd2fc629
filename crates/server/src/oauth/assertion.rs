//! Clients that prove themselves by a JWT (RFC 7523 §2.2, OpenID Connect Core §9).

use std::time::Duration;

use gateward_kernel::assertion::{self, AudienceRule, BadAssertion, ClientKeys, ClientRules};
use gateward_kernel::jose::{Limits, SignatureAlgorithm, parse};
use gateward_kernel::oauth::client::{AssertionAudience, AuthMethod};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};

use super::call::{Call, Trouble};
use super::keys;

/// An assertion lives for five minutes at most.
const LONGEST: Duration = Duration::from_secs(300);
/// Clocks of clients may differ by this much (FAPI 2.0 Security Profile §5.3.2.1: ten seconds are to be accepted, sixty not).
const SKEW: Duration = Duration::from_secs(15);
/// The algorithms of `private_key_jwt` where a client has not registered one.
pub const ASYMMETRIC: [SignatureAlgorithm; 7] = [
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::EdDsa,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
];
/// Those of `client_secret_jwt`.
pub const HMAC: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Hs256, SignatureAlgorithm::Hs384, SignatureAlgorithm::Hs512];

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidClient, description)
}

/// Which client an assertion claims to be of; the same as `client_id` where that is sent, too.
pub fn claimed_client(text: &str, client_id: Option<&str>) -> Result<String, Trouble> {
    let claimed = assertion::claimed_client(text).map_err(|problem| invalid(problem.to_string()))?;
    match client_id {
        Some(named) if named != claimed => {
            Err(invalid("client_id is not the client of the assertion").into())
        }
        _ => Ok(claimed),
    }
}

/// Verifies the assertion by what the client has registered, and uses it up.
pub async fn prove(call: &Call, client: &Client, text: &str) -> Result<(), Trouble> {
    let (app, now) = (&call.app, call.now);
    let metadata = &client.metadata;
    let issuer = app.tokens.mint.issuer();
    let (token_endpoint, own) = (format!("{issuer}/oauth/token"), call.address_of_endpoint());
    let any = [issuer, token_endpoint.as_str(), own.as_str()];
    let audience = match metadata.gateward_assertion_audience {
        AssertionAudience::Any => AudienceRule::OneOf(&any),
        AssertionAudience::Issuer => AudienceRule::IssuerAlone(issuer),
    };
    let registered = metadata.token_endpoint_auth_signing_alg;
    let by_secret = metadata.token_endpoint_auth_method == AuthMethod::SecretJwt;
    let allowed: Vec<SignatureAlgorithm> = match (registered, by_secret) {
        (Some(one), _) => vec![one],
        (None, true) => HMAC.to_vec(),
        (None, false) => ASYMMETRIC.to_vec(),
    };
    let rules = |keys| ClientRules {
        client: &client.client_id,
        keys,
        allowed: &allowed,
        audience,
        longest: LONGEST,
        skew: SKEW,
    };
    let verified = if by_secret {
        let secrets = app.oauth.clients.plain_secrets(client, now)?;
        let mut verified = Err(BadAssertion::Subject);
        for secret in &secrets {
            verified = assertion::verify_client(text, &rules(ClientKeys::Secret(secret)), now);
            if verified.is_ok() {
                break;
            }
        }
        verified
    } else {
        let kid = parse(text, Limits::default()).ok().and_then(|jws| jws.header().kid().map(str::to_owned));
        let set = keys::verifying(app, client, kid.as_deref(), &allowed, now).await;
        let set = set.map_err(|problem| invalid(problem.to_string()))?;
        assertion::verify_client(text, &rules(ClientKeys::Public(&set)), now)
    };
    let verified = verified.map_err(|problem| invalid(problem.to_string()))?;
    match app.oauth.used.create(verified.used(), now).await? {
        Some(_) => Ok(()),
        None => Err(invalid("the assertion was used before").into()),
    }
}
