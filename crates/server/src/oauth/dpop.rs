//! Proof of possession (RFC 9449): tokens bound to a key that the client shows with every call.

use gateward_kernel::confirmation::{Confirmation, Thumbprint};
use gateward_kernel::dpop::{self, BadProof, NonceRule, Proof, Request, Rules};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use http::HeaderValue;
use url::Url;

use super::call::{Call, Trouble};

/// The key that the call proves, if it proves one.
pub async fn offered(call: &Call) -> Result<Option<Thumbprint>, Trouble> {
    Ok(verified(call, None).await?.map(|proof| proof.jkt))
}

/// The same; an error when the client must prove one and does not.
pub async fn proved(call: &Call, client: &Client) -> Result<Option<Thumbprint>, Trouble> {
    match offered(call).await? {
        Some(jkt) => Ok(Some(jkt)),
        None if client.metadata.dpop_bound_access_tokens => Err(OAuthError::new(
            OAuthCode::InvalidDpopProof,
            "the client has registered to send a DPoP proof",
        )
        .into()),
        None => Ok(None),
    }
}

/// Checks that whoever presents a token at a resource of ours has the key it is bound to (RFC 9449 §7.1).
pub async fn shown_at_resource(call: &Call, token: &str, bound: &Confirmation) -> Result<(), Trouble> {
    let Some(jkt) = bound.jkt else { return Ok(()) };
    let told = |trouble| match trouble {
        Trouble::Error(error) => unproved(error, None),
        Trouble::Nonce(error, nonce) => unproved(error, Some(nonce)),
        other => Ok(other),
    };
    let proof = match verified(call, Some(token)).await {
        Ok(proof) => proof,
        Err(trouble) => return Err(told(trouble)?),
    };
    match proof {
        Some(proof) if proof.jkt == jkt => Ok(()),
        _ => {
            let error = OAuthError::new(
                OAuthCode::InvalidToken,
                "the token is bound to another key, or to none that was shown",
            );
            Err(unproved(error, None)?)
        }
    }
}

fn unproved(error: OAuthError, nonce: Option<HeaderValue>) -> Result<Trouble, Trouble> {
    let algorithms: Vec<&str> = dpop::ALGORITHMS.iter().map(|one| one.name()).collect();
    let (code, algorithms) = (error.code.name(), algorithms.join(" "));
    let text = format!("DPoP realm=\"gateward\", error=\"{code}\", algs=\"{algorithms}\"");
    let challenge = HeaderValue::from_str(&text).map_err(http::Error::from)?;
    Ok(Trouble::Unproved(error, challenge, nonce))
}

/// The proof of this call, used up by it.
async fn verified(call: &Call, access_token: Option<&str>) -> Result<Option<Proof>, Trouble> {
    let headers = call.headers.get_all("dpop").iter().map(HeaderValue::as_bytes);
    let bad = |problem: BadProof| OAuthError::new(OAuthCode::InvalidDpopProof, problem.to_string());
    let Some(text) = dpop::single(headers).map_err(bad)? else { return Ok(None) };
    let own = Url::parse(&call.address_of_endpoint())
        .map_err(|_| OAuthError::request("this address is no address"))?;
    let nonces = &call.app.oauth.nonces;
    let nonce = match call.app.settings.oauth.dpop_nonces {
        true => NonceRule::Required(nonces),
        false => NonceRule::Accepted(nonces),
    };
    let request = Request { method: call.method.as_str(), addresses: &[&own], access_token, now: call.now };
    let proof = match dpop::verify(text, &request, &Rules::new(nonce)) {
        Ok(proof) => proof,
        Err(BadProof::Nonce) => {
            let error =
                OAuthError::new(OAuthCode::UseDpopNonce, "the DPoP proof needs the nonce of this answer");
            let value = HeaderValue::from_str(&nonces.issue(call.now)).map_err(http::Error::from)?;
            return Err(Trouble::Nonce(error, value));
        }
        Err(problem) => return Err(bad(problem).into()),
    };
    match call.app.oauth.used.create(proof.used(), call.now).await? {
        Some(_) => Ok(Some(proof)),
        None => Err(OAuthError::new(OAuthCode::InvalidDpopProof, "the DPoP proof was used before").into()),
    }
}
