//! Which client calls, and whether it is the one (RFC 6749 §2.3): by exactly one method, the registered one.

use std::sync::Arc;

use data_encoding::BASE64;
use gateward_kernel::oauth::client::AuthMethod;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::call::{Call, Trouble};
use crate::face::form;

/// The longest name of a client that is logged, in bytes.
const LONGEST_NAME: usize = 256;

/// What a client shows.
enum Shown<'a> {
    /// A secret in the header.
    Basic { client_id: String, secret: Zeroizing<String> },
    /// A secret in the body.
    Post { client_id: &'a str, secret: &'a str },
    /// A signed JWT.
    Assertion { client_id: Option<&'a str>, assertion: &'a str },
    /// Its name, and nothing else but perhaps a certificate.
    Name { client_id: &'a str },
}

fn invalid(description: &'static str) -> Trouble {
    OAuthError::new(OAuthCode::InvalidClient, description).into()
}

/// The client that calls, proved by the method that it registered.
pub async fn authenticate(call: &Call) -> Result<Arc<Loaded<Client>>, Trouble> {
    let shown = shown(call)?;
    let claimed;
    let client_id = match &shown {
        Shown::Basic { client_id, .. } => client_id.as_str(),
        Shown::Post { client_id, .. } | Shown::Name { client_id } => client_id,
        Shown::Assertion { client_id, assertion } => {
            claimed = super::assertion::claimed_client(assertion, *client_id)?;
            &claimed
        }
    };
    let found = call.app.oauth.clients.find(client_id, call.now).await?;
    let client =
        found.ok_or_else(|| invalid("the client is unknown, or did not prove that it is this one"))?;
    prove(call, &client.record, &shown).await?;
    super::registration::used(&call.app, &client.record, call.now).await;
    Ok(client)
}

/// Which client a call says it is from, for the log: by its parameter, else by its header. Nothing is proved, and nothing said when it
/// does not look like a name.
pub fn claimed(parameter: Option<&str>, header: Option<&HeaderValue>) -> String {
    let by_header = || credential(header?).ok().map(|(name, _)| name);
    let named = parameter.map(str::to_owned).or_else(by_header);
    let is_name =
        |name: &String| name.len() <= LONGEST_NAME && name.chars().all(|one| one.is_ascii_graphic());
    named.filter(is_name).unwrap_or_default()
}

async fn prove(call: &Call, client: &Client, shown: &Shown<'_>) -> Result<(), Trouble> {
    let registered = client.metadata.token_endpoint_auth_method;
    let proved = match (registered, shown) {
        (AuthMethod::SecretBasic, Shown::Basic { secret, .. }) => client.opens_with(secret, call.now),
        (AuthMethod::SecretPost, Shown::Post { secret, .. }) => client.opens_with(secret, call.now),
        (AuthMethod::SecretJwt | AuthMethod::PrivateKeyJwt, Shown::Assertion { assertion, .. }) => {
            // Boxed like everything that is rare, so that no call carries around what it takes.
            return Box::pin(super::assertion::prove(call, client, assertion)).await;
        }
        (AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth, Shown::Name { .. }) => {
            return Box::pin(super::mtls::prove(call, client)).await;
        }
        (AuthMethod::None, Shown::Name { .. }) => true,
        _ => return Err(invalid("the client authenticates by another method than it registered")),
    };
    match proved {
        true => Ok(()),
        false => Err(invalid("the client is unknown, or did not prove that it is this one")),
    }
}

/// What stands in the request, if it is one thing.
fn shown(call: &Call) -> Result<Shown<'_>, Trouble> {
    let several = || OAuthError::request("several methods of client authentication are used at once");
    let client_id = call.optional("client_id");
    let secret = call.optional("client_secret");
    let assertion = call.optional("client_assertion");
    let basic = basic(call)?;
    if [basic.is_some(), secret.is_some(), assertion.is_some()].iter().filter(|is_there| **is_there).count()
        > 1
    {
        return Err(several().into());
    }
    if let Some((name, secret)) = basic {
        if client_id.is_some_and(|named| named != name) {
            return Err(
                OAuthError::request("client_id names another client than the Authorization header").into()
            );
        }
        return Ok(Shown::Basic { client_id: name, secret });
    }
    if let Some(assertion) = assertion {
        let kind = call.optional("client_assertion_type");
        if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
            return Err(OAuthError::request("client_assertion_type is not jwt-bearer").into());
        }
        return Ok(Shown::Assertion { client_id, assertion });
    }
    let client_id = client_id.ok_or_else(|| invalid("the client does not say which it is"))?;
    Ok(match secret {
        Some(secret) => Shown::Post { client_id, secret },
        None => Shown::Name { client_id },
    })
}

/// Name and secret of the `Authorization` header: each form-encoded, then both together in base64 (RFC 6749 §2.3.1).
fn basic(call: &Call) -> Result<Option<(String, Zeroizing<String>)>, Trouble> {
    let mut all = call.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(OAuthError::request("there are several Authorization headers").into());
    }
    credential(value).map(Some)
}

fn credential(header: &HeaderValue) -> Result<(String, Zeroizing<String>), Trouble> {
    let bad = || invalid("the Authorization header is no Basic credential");
    let (scheme, credential) = header.as_bytes().split_at_checked(6).ok_or_else(bad)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Err(bad());
    }
    let decoded = Zeroizing::new(BASE64.decode(credential.trim_ascii()).map_err(|_| bad())?);
    let text = std::str::from_utf8(&decoded).map_err(|_| bad())?;
    let (name, secret) = text.split_once(':').ok_or_else(bad)?;
    let decode = |part: &str| form::decode(part.as_bytes()).map_err(|_| bad());
    Ok((decode(name)?, Zeroizing::new(decode(secret)?)))
}
