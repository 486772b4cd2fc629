//! What clients ask, as loads. Each asks once beforehand, and looks closely at that answer: a server that answers everything would be
//! fast, too.

use anyhow::{Context, Result, bail};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use super::provider::{Client, Endpoint, PATIENCE, Provider};
use crate::chain::{Chain, Requests};
use crate::load::{Expected, Work};
use crate::place::Place;
use crate::scenario::header;
use crate::wire;

/// The challenge of [`VERIFIER`] (RFC 7636 appendix B). One for all: the server hashes each verifier by itself.
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// As servers write it.
const ACTIVE: [&str; 2] = ["\"active\":true", "\"active\": true"];
const ACCESS_TOKEN: [&str; 2] = ["\"access_token\":\"", "\"access_token\": \""];
const REFRESH_TOKEN: [&str; 2] = ["\"refresh_token\":\"", "\"refresh_token\": \""];

/// What a token endpoint has answered.
#[derive(Clone, Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
}

/// What an access token is: signed by this algorithm; `None` when it is opaque.
pub(super) fn algorithm_of(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (head, Some(_), Some(_), None) = (parts.next()?, parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(head.as_bytes()).ok()?).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}

/// Client credentials with these fields besides, as a load; and the first token.
pub(super) fn credentials(
    provider: &Provider,
    client: &Client,
    fields: &[(&str, &str)],
) -> Result<(Work, String)> {
    let place = provider.endpoint(Endpoint::Token)?;
    let fields = [&[("grant_type", "client_credentials")], fields].concat();
    let request = client.request(&place, &fields);
    let body = asked(&place, &request, 200)?;
    let tokens: Tokens = serde_json::from_str(&body).context("the answer of the token endpoint")?;
    let expected = right(200, spelling(&body, ACCESS_TOKEN)?);
    Ok((provider.work(&place, Requests::in_turn(vec![request]), expected), tokens.access_token))
}

/// These tokens in turn, all of them active.
pub(super) fn introspection(provider: &Provider, client: &Client, tokens: &[String]) -> Result<Work> {
    let place = provider.endpoint(Endpoint::Introspection)?;
    let ask = |token: &str| client.request(&place, &[("token", token)]);
    let made_up = asked(&place, &ask("made.up.token"), 200)?;
    if spelling(&made_up, ACTIVE).is_ok() {
        bail!("a token that was made up is active: {made_up}");
    }
    let first = tokens.first().context("there is no token to introspect")?;
    let body = asked(&place, &ask(first), 200)?;
    let expected = right(200, spelling(&body, ACTIVE)?);
    let requests = tokens.iter().map(|token| ask(token)).collect();
    Ok(provider.work(&place, Requests::in_turn(requests), expected))
}

/// UserInfo with these access tokens in turn.
pub(super) fn userinfo(provider: &Provider, tokens: &[String]) -> Result<Work> {
    let place = provider.endpoint(Endpoint::UserInfo)?;
    let ask = |token: &str| {
        let bearer = header("Authorization", format!("Bearer {token}"));
        wire::request("GET", &place.path, &place.authority, &[bearer], "")
    };
    asked(&place, &ask("made.up.token"), 401)?;
    let first = tokens.first().context("there is no access token of a person")?;
    asked(&place, &ask(first), 200)?;
    let requests = tokens.iter().map(|token| ask(token)).collect();
    Ok(provider.work(&place, Requests::in_turn(requests), right(200, "\"sub\"")))
}

/// The key set.
pub(super) fn keys(provider: &Provider) -> Result<Work> {
    published(provider, &provider.endpoint(Endpoint::Keys)?, "\"keys\"")
}

/// The document.
pub(super) fn discovery(provider: &Provider) -> Result<Work> {
    published(provider, &provider.discovery, "\"issuer\"")
}

/// Pushed requests (RFC 9126), each for a code with PKCE.
pub(super) fn pushed(provider: &Provider, client: &Client, redirect_uri: &str, scope: &str) -> Result<Work> {
    let place = provider.endpoint(Endpoint::Pushed)?;
    let request = client.request(&place, &code_request(client, redirect_uri, scope));
    asked(&place, &request, 201)?;
    Ok(provider.work(&place, Requests::in_turn(vec![request]), right(201, "\"request_uri\"")))
}

/// What a request for a code says, pushed or in an address.
pub(super) fn code_request<'a>(
    client: &'a Client,
    redirect_uri: &'a str,
    scope: &'a str,
) -> [(&'a str, &'a str); 8] {
    [
        ("client_id", &client.id),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "af0ifjsldkj"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// Each of these codes against tokens, once.
pub(super) fn exchange(
    provider: &Provider,
    client: &Client,
    redirect_uri: &str,
    codes: &[String],
) -> Result<Work> {
    let place = provider.endpoint(Endpoint::Token)?;
    let requests = codes.iter().map(|code| exchange_request(client, &place, redirect_uri, code)).collect();
    let [expected, _] = ACCESS_TOKEN;
    Ok(provider.work(&place, Requests::in_turn(requests), right(200, expected)))
}

/// One code against tokens.
pub(super) fn exchange_request(client: &Client, place: &Place, redirect_uri: &str, code: &str) -> Vec<u8> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    client.request(place, &fields)
}

/// Refreshing with each of these tokens: each connection takes one, and goes on with the token of each answer. A server that answers
/// with no other token is sent the same again. Each token is used once before, which shows which of both it is.
pub(super) fn refresh(provider: &Provider, client: &Client, tokens: &[String]) -> Result<Work> {
    let place = provider.endpoint(Endpoint::Token)?;
    let ask =
        |token: &str| client.request(&place, &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let (mut chains, mut same) = (Vec::new(), Vec::new());
    for token in tokens {
        let body = asked(&place, &ask(token), 200)?;
        let told: Tokens = serde_json::from_str(&body).context("the answer of the token endpoint")?;
        match told.refresh_token.filter(|next| next != token) {
            Some(next) => chains.push(Chain::new(ask(&next), &next, spelling(&body, REFRESH_TOKEN)?)?),
            None => same.push(ask(token)),
        }
    }
    let requests = match (chains.is_empty(), same.is_empty()) {
        (false, true) => Requests::chained(chains),
        (true, false) => Requests::in_turn(same),
        (true, true) => bail!("there is no refresh token"),
        (false, false) => bail!("some refresh tokens are rotated and some are not"),
    };
    Ok(provider.work(&place, requests, right(200, "\"access_token\"")))
}

fn published(provider: &Provider, place: &Place, holds: &str) -> Result<Work> {
    let request = wire::request("GET", &place.path, &place.authority, &[], "");
    let body = asked(place, &request, 200)?;
    if !body.contains(holds) {
        bail!("{} holds no {holds}: {body}", place.path);
    }
    Ok(provider.work(place, Requests::in_turn(vec![request]), right(200, holds)))
}

fn right(status: u16, body_contains: &str) -> Expected {
    Expected { status, body_contains: Some(body_contains.to_owned()), ..Expected::default() }
}

/// The body of one answer, which must have this status.
fn asked(place: &Place, request: &[u8], status: u16) -> Result<String> {
    let answer = wire::ask_once(place.address, request, PATIENCE)?;
    match answer.status == status {
        true => Ok(answer.body),
        false => {
            bail!("{} was answered with {} instead of {status}: {}", place.path, answer.status, answer.body)
        }
    }
}

/// Which of these the body holds, so that every answer can be held against it without being read as JSON.
fn spelling(body: &str, of: [&'static str; 2]) -> Result<&'static str> {
    let found = of.into_iter().find(|spelling| body.contains(spelling));
    found.with_context(|| format!("the answer holds no {}: {body}", of.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_fits_its_challenge() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        assert_eq!(BASE64URL_NOPAD.encode(digest.as_ref()), CHALLENGE);
    }

    #[test]
    fn a_token_says_how_it_is_signed_or_is_opaque() {
        let jwt = |header: &str| format!("{}.e30.c2ln", BASE64URL_NOPAD.encode(header.as_bytes()));
        assert_eq!(algorithm_of(&jwt(r#"{"alg":"ES256"}"#)).as_deref(), Some("ES256"));
        for opaque in ["gwa1_x", "a.b", &jwt("x"), &format!("{}.x", jwt(r#"{"alg":"ES256"}"#))] {
            assert_eq!(algorithm_of(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn both_spellings_of_json_are_found() {
        assert_eq!(spelling("{\"active\": true}", ACTIVE).unwrap(), "\"active\": true");
        assert_eq!(spelling("{\"active\":true}", ACTIVE).unwrap(), "\"active\":true");
        assert!(spelling("{\"active\":false}", ACTIVE).unwrap_err().to_string().contains("\"active\":false"));
    }
}
