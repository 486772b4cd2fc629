//! Requests in a signed object (RFC 9101, OpenID Connect Core §6): by value, or by an address that the client has registered.

use gateward_kernel::jose::{Jwk, KeySet, Limits, SignatureAlgorithm, VerifyingKey, parse};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::ports::Fault;
use gateward_kernel::request_object::{self, RequestObject, Rules, SKEW};
use gateward_kernel::time::Moment;
use url::Url;

use super::{assertion, keys};
use crate::app::App;
use crate::face::form::Form;
use crate::outbound::Wanted;

/// As much as is read of an object to learn which key it names.
const LIMITS: Limits = Limits { token: 32 * 1024, header: 4 * 1024 };
/// What FAPI 2.0 Security Profile §5.4.1 allows.
const STRICT: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Ps256, SignatureAlgorithm::Es256, SignatureAlgorithm::EdDsa];

fn bad(description: impl Into<std::borrow::Cow<'static, str>>) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidRequestObject, description)
}

fn bad_uri(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthCode::InvalidRequestUri, description)
}

/// The parameters that stand in an object, if the request has one. Nothing that stands beside it counts (RFC 9101 §5), but must
/// not contradict it (OpenID Connect Core §6.1).
pub async fn parameters(
    app: &App,
    client: &Client,
    form: &Form,
    now: Moment,
) -> Result<Result<Option<Form>, OAuthError>, Fault> {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let object = match (given("request"), given("request_uri")) {
        (None, None) => return Ok(Ok(None)),
        (Some(_), Some(_)) => {
            return Ok(Err(OAuthError::request(
                "request and request_uri exclude each other (RFC 9101, section 5)",
            )));
        }
        (Some(object), None) => object.to_owned(),
        (None, Some(uri)) => match fetched(app, client, uri).await {
            Ok(object) => object,
            Err(error) => return Ok(Err(error)),
        },
    };
    let object = match verified(app, client, &object, now).await? {
        Ok(object) => object,
        Err(error) => return Ok(Err(error)),
    };
    if given("response_type").is_some_and(|outside| object.parameter("response_type") != Some(outside)) {
        return Ok(Err(OAuthError::request("response_type is another than in the request object")));
    }
    Ok(Ok(Some(Form::of(object.parameters))))
}

/// The object at an address that the client has registered, and no other (RFC 9101 §10.4.1). A fragment only tells those who
/// keep what was there that it is something else now (OpenID Connect Core §6.2); here nothing is kept.
async fn fetched(app: &App, client: &Client, uri: &str) -> Result<String, OAuthError> {
    let bare = uri.split('#').next().unwrap_or_default();
    if !client.metadata.request_uris.iter().any(|own| own == uri || own == bare) {
        return Err(bad_uri("request_uri is not one that the client has registered"));
    }
    let url = Url::parse(uri).map_err(|_| bad_uri("request_uri is no address"))?;
    let turn = app.oauth.fetching.acquire().await;
    let fetched = match app.outbound.get(&url, Wanted::REQUEST_OBJECT).await {
        Ok(fetched) => fetched.ok(),
        Err(error) => Err(error),
    };
    drop(turn);
    let fetched = fetched.map_err(|error| {
        tracing::warn!(client = %client.client_id, %error, "a request object could not be fetched");
        bad_uri("what is at request_uri could not be fetched")
    })?;
    let text = std::str::from_utf8(&fetched.body).map_err(|_| bad("the request object is no text"))?;
    Ok(text.trim().to_owned())
}

async fn verified(
    app: &App,
    client: &Client,
    object: &str,
    now: Moment,
) -> Result<Result<RequestObject, OAuthError>, Fault> {
    let strict = client.metadata.require_signed_request_object;
    let allowed: Vec<SignatureAlgorithm> = match client.metadata.request_object_signing_alg {
        Some(one) => vec![one],
        None if strict => STRICT.to_vec(),
        None => assertion::ASYMMETRIC.to_vec(),
    };
    let keys = if allowed.iter().all(|algorithm| algorithm.is_hmac()) {
        by_secret(app, client, &allowed, now)?
    } else {
        let kid = parse(object, LIMITS).ok().and_then(|jws| jws.header().kid().map(str::to_owned));
        match keys::verifying(app, client, kid.as_deref(), &allowed, now).await {
            Ok(keys) => keys,
            Err(problem) => return Ok(Err(bad(problem.to_string()))),
        }
    };
    let rules = Rules {
        client: &client.client_id,
        keys: &keys,
        allowed: &allowed,
        issuer: app.tokens.mint.issuer(),
        strict,
        skew: SKEW,
    };
    Ok(request_object::verify(object, &rules, now).map_err(|problem| bad(problem.to_string())))
}

/// The client's secrets as keys, where it has registered to sign by them.
fn by_secret(
    app: &App,
    client: &Client,
    allowed: &[SignatureAlgorithm],
    now: Moment,
) -> Result<KeySet, Fault> {
    let mut keys = KeySet::new();
    for secret in app.oauth.clients.plain_secrets(client, now)? {
        for algorithm in allowed {
            let key = Jwk::from_secret(&secret).and_then(|key| VerifyingKey::new(&key, *algorithm));
            if let Ok(key) = key {
                keys.insert(key);
            }
        }
    }
    Ok(keys)
}
