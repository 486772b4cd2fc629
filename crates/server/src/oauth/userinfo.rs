//! `/oauth/userinfo` (OpenID Connect Core §5.3): who signed in, for the bearer of an access token.

use gateward_kernel::claims::{Custom, Place, claims_of};
use gateward_kernel::oauth::{OAuthCode, OAuthError};
use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::call::{Answered, Call, Trouble, json_answer, text_answer};
use super::id_token::sign_for;
use super::metadata::RESOURCE_METADATA;
use crate::tokens::bearer;

/// How the token came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    Bearer,
    Dpop,
}

/// `GET` or `POST /oauth/userinfo`
pub async fn answer(call: Call) -> Answered {
    let (scheme, token) = presented(&call)?;
    let app = &call.app;
    let found = match bearer::inspect_in_memory(app, token.as_bytes(), call.now) {
        Some(found) => found,
        None => bearer::inspect(app, token.as_bytes(), call.now).await?,
    };
    let own = app.tokens.resources.userinfo();
    let is_for_us = |facts: &bearer::Facts| own.audience.iter().any(|name| facts.is_for(name));
    let found = found.filter(|found| is_for_us(&found.facts)).ok_or_else(|| bad_token(scheme))?;
    if found.facts.confirmation.jkt.is_some() != (scheme == Scheme::Dpop) {
        return Err(bad_token(scheme));
    }
    super::dpop::shown_at_resource(&call, &token, &found.facts.confirmation).await?;
    super::mtls::shown_at_resource(&call, &found.facts.confirmation)?;
    let (Some(person), Some(grant)) = (&found.person, &found.grant) else { return Err(bad_token(scheme)) };
    if !found.facts.scope.has("openid") {
        let error = OAuthError::new(OAuthCode::InsufficientScope, "the token has no scope openid");
        return Err(challenge(error, scheme, "scope=\"openid\""));
    }
    let client =
        app.oauth.clients.find(&found.facts.client, call.now).await?.ok_or_else(|| bad_token(scheme))?;
    let client = &client.record;
    let nothing = Default::default();
    let extent = grant.record.extent.as_ref();
    let asked = extent.map_or(&nothing, |extent| &extent.claims).clone();
    // Another client, which has it by an exchange, learns what its scopes say, and nothing that the first one asked for besides.
    let asked = match grant.record.client == client.client_id {
        true => asked,
        false => asked.within(&found.facts.scope),
    };
    let custom = Custom { always: app.tokens.mint.claims(), on_request: &[] };
    let mut claims = claims_of(person.person(), &found.facts.scope, &asked, custom, Place::UserInfo);
    claims.insert("sub".into(), app.oauth.subject(client, person.person().id).into());
    let metadata = &client.metadata;
    let is_encrypted = metadata.userinfo_encrypted_response_alg.is_some();
    let mut response = match metadata.userinfo_signed_response_alg {
        None if !is_encrypted => json_answer(http::StatusCode::OK, &claims)?,
        signed => {
            claims.insert("iss".into(), app.tokens.mint.issuer().into());
            claims.insert("aud".into(), (*client.client_id).into());
            let algorithm = signed.unwrap_or_else(|| metadata.id_token_alg());
            let token = sign_for(app, client, "JWT", algorithm, &claims, call.now)?;
            let token = super::encrypt::for_client(
                app,
                client,
                token,
                metadata.userinfo_encrypted_response_alg,
                metadata.userinfo_encrypted_response_enc,
                call.now,
            )
            .await?;
            text_answer("application/jwt", token)?
        }
    };
    call.allow_origin(&metadata.gateward_cors_origins, &mut response);
    Ok(response)
}

/// The token: in the header (RFC 6750 §2.1, RFC 9449 §7.1), or in the body (RFC 6750 §2.2). Never in both.
fn presented(call: &Call) -> Result<(Scheme, String), Trouble> {
    let in_form = call.form.get("access_token");
    let mut all = call.headers.get_all(AUTHORIZATION).iter();
    let in_header = match (all.next(), all.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => {
            return Err(OAuthError::request("there are several Authorization headers").into());
        }
    };
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(OAuthError::request("a token is in the header and in the body").into()),
        (None, Some(token)) => Ok((Scheme::Bearer, token.to_owned())),
        (None, None) => {
            // Who comes with nothing learns what is taken, and no error (RFC 6750 §3.1).
            let error = OAuthError::new(OAuthCode::InvalidToken, "no access token was sent");
            // And where to learn which server issues tokens (RFC 9728 §5.1).
            let metadata = format!("{}{RESOURCE_METADATA}", call.app.tokens.mint.issuer());
            let challenges = ["Bearer", "DPoP"].into_iter().filter_map(|scheme| {
                HeaderValue::from_str(&format!(
                    "{scheme} realm=\"gateward\", resource_metadata=\"{metadata}\""
                ))
                .ok()
            });
            Err(Trouble::Challenge(error, challenges.collect()))
        }
        (Some(value), None) => {
            let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
            let scheme = match scheme {
                _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
                _ if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
                _ => return Err(bad_token(Scheme::Bearer)),
            };
            Ok((scheme, token.trim().to_owned()))
        }
    }
}

fn bad_token(scheme: Scheme) -> Trouble {
    let error =
        OAuthError::new(OAuthCode::InvalidToken, "the access token is not valid, or not valid any more");
    challenge(error, scheme, "")
}

fn challenge(error: OAuthError, scheme: Scheme, more: &str) -> Trouble {
    let name = if scheme == Scheme::Dpop { "DPoP" } else { "Bearer" };
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    let text = format!("{name} realm=\"gateward\", error=\"{}\"{more}", error.code.name());
    Trouble::Challenge(error, HeaderValue::from_str(&text).into_iter().collect())
}
