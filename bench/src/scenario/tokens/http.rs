//! Tokens over HTTP: apps that refresh, show their access tokens, and fetch the key set.

use anyhow::{Context, Result, bail};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::minting::Place;
use crate::chain::{Chain, Requests};
use crate::house::{PASSWORD, Served, USER};
use crate::load::{Expected, Work};
use crate::scenario::header;
use crate::wire;

pub(super) const REFRESH: &str = "gateward refresh";
pub(super) const BEARER: &str = "gateward session by bearer token";
pub(super) const KEYS: &str = "gateward key set";

/// An app that is signed in.
#[derive(Deserialize)]
pub(super) struct App {
    pub(super) access_token: String,
    refresh_token: String,
}

impl App {
    /// Signs this user in from one more app.
    pub(super) fn sign_in(served: &Served, name: &str) -> Result<Self> {
        let body = serde_json::json!({ "username": name, "password": PASSWORD, "transport": "token" });
        let answer = served.send("POST", "/api/v1/login", &[], &body.to_string())?;
        if answer.status != 200 {
            bail!("signing an app in was answered with {}: {}", answer.status, answer.body);
        }
        serde_json::from_str(&answer.body).context("the tokens of an app")
    }

    /// Where its access tokens are revoked.
    pub(super) fn place(&self) -> Result<Place> {
        #[derive(Deserialize)]
        struct Claims {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            status_list: Reference,
        }
        #[derive(Deserialize)]
        struct Reference {
            idx: u32,
            uri: String,
        }
        let payload = self.access_token.split('.').nth(1).context("an access token is a JWT")?;
        let claims: Claims = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes())?)?;
        let Reference { idx, uri } = claims.status.status_list;
        Ok(Place { uri, taken: idx })
    }

    /// Ends everything its person has open: something is revoked, and somebody's tokens are cut.
    pub(super) fn end_everything(&self, served: &Served) -> Result<()> {
        let answer = served.send("DELETE", "/api/v1/sessions", &[self.bearer()], "")?;
        if answer.status == 204 {
            Ok(())
        } else {
            bail!("ending sessions was answered with {}: {}", answer.status, answer.body)
        }
    }

    fn bearer(&self) -> (String, String) {
        header("Authorization", format!("Bearer {}", self.access_token))
    }
}

/// Each connection rotates the refresh tokens of one app.
pub(super) fn refresh(served: &Served, apps: &[App]) -> Result<Work> {
    let authority = served.address.to_string();
    let json = [header("Content-Type", "application/json")];
    let chain = |app: &App| {
        let body = serde_json::json!({ "refresh_token": app.refresh_token }).to_string();
        let request = wire::request("POST", "/api/v1/token/refresh", &authority, &json, &body);
        Chain::new(request, &app.refresh_token, "\"refresh_token\":\"")
    };
    let chains = apps.iter().map(chain).collect::<Result<Vec<_>>>()?;
    let expected = Expected {
        status: 200,
        body_contains: Some("\"access_token\":\"eyJ".to_owned()),
        ..Expected::default()
    };
    Ok(work(served, Requests::chained(chains), expected))
}

/// Who is it, asked with an access token.
pub(super) fn bearer(served: &Served, apps: &[App]) -> Work {
    let authority = served.address.to_string();
    let ask = |app: &App| wire::request("GET", "/api/v1/session", &authority, &[app.bearer()], "");
    let expected = Expected { status: 200, body_contains: Some(format!("\"{USER}-")), ..Expected::default() };
    work(served, Requests::in_turn(apps.iter().map(ask).collect()), expected)
}

pub(super) fn keys(served: &Served) -> Work {
    let request = wire::request("GET", "/oauth/jwks", &served.address.to_string(), &[], "");
    let expected =
        Expected { status: 200, body_contains: Some("\"keys\":[".to_owned()), ..Expected::default() };
    work(served, Requests::in_turn(vec![request]), expected)
}

/// A server that answers everybody would be fast, too.
pub(super) fn refuses_others(served: &Served) -> Result<()> {
    let nonsense = header("Authorization", "Bearer eyJ.e30.x");
    let asked = [
        served.send("GET", "/api/v1/session", &[nonsense], "")?,
        served.send("POST", "/api/v1/token/refresh", &[], "{\"refresh_token\":\"gwr1_x\"}")?,
    ];
    match asked.iter().find(|answer| answer.status != 401) {
        None => Ok(()),
        Some(answer) => bail!("a token that is none was answered with {}", answer.status),
    }
}

fn work(served: &Served, requests: Requests, expected: Expected) -> Work {
    Work::at(served.address, Some(served.running.id()), requests, expected)
}
