//! Codes, got as browsers get them: by a request for one with the session of somebody who is not asked for consent.

use std::cell::Cell;

use anyhow::{Context, Result, bail};
use url::Url;
use url::form_urlencoded::Serializer;

use super::asking::{self, Tokens};
use super::provider::{Client, Endpoint, PATIENCE, Provider};
use crate::load::Work;
use crate::scenario::{CONNECTIONS, header};
use crate::wire::{self, Kept};

/// Where codes are sent. Nobody goes there.
pub(super) const REDIRECT_URI: &str = "https://app.example.com/callback";
/// What a usual application asks for.
pub(super) const SCOPE: &str = "openid profile email";

/// Where codes are got, each for another person than the one before.
pub(super) struct Desk<'a> {
    provider: &'a Provider,
    client: &'a Client,
    cookies: &'a [String],
    next: Cell<usize>,
}

impl<'a> Desk<'a> {
    /// For this client, by the sessions of these people.
    pub(super) fn new(provider: &'a Provider, client: &'a Client, cookies: &'a [String]) -> Self {
        Self { provider, client, cookies, next: Cell::new(0) }
    }

    /// That many codes against tokens, each once. A code counts for a minute: they are to be used at once.
    pub(super) fn exchange(&self, count: usize) -> Result<Work> {
        asking::exchange(self.provider, self.client, REDIRECT_URI, &self.codes(count)?)
    }

    /// That many apps that have signed in.
    pub(super) fn apps(&self, count: usize) -> Result<Vec<Tokens>> {
        let place = self.provider.endpoint(Endpoint::Token)?;
        let request = |code: &String| asking::exchange_request(self.client, &place, REDIRECT_URI, code);
        let requests: Vec<_> = self.codes(count)?.iter().map(request).collect();
        let answers = wire::ask_each(place.address, &requests, CONNECTIONS, PATIENCE)?;
        answers.iter().map(tokens).collect()
    }

    /// The next people's codes.
    fn codes(&self, count: usize) -> Result<Vec<String>> {
        let place = self.provider.endpoint(Endpoint::Authorization)?;
        let mut query = Serializer::new(String::new());
        query.extend_pairs(asking::code_request(self.client, REDIRECT_URI, SCOPE));
        let path = format!("{}?{}", place.path, query.finish());
        let begin = self.next.replace(self.next.get() + count);
        let cookies = self.cookies.iter().cycle().skip(begin % self.cookies.len().max(1)).take(count);
        let request = |cookie: &String| {
            let cookie = header("Cookie", format!("gateward={cookie}"));
            wire::request("GET", &path, &place.authority, &[cookie], "")
        };
        let requests: Vec<_> = cookies.map(request).collect();
        wire::ask_each(place.address, &requests, CONNECTIONS, PATIENCE)?.iter().map(code).collect()
    }
}

/// The code with which somebody is sent back.
fn code(answer: &Kept) -> Result<String> {
    let location = answer.header("location").filter(|_| (300..400).contains(&answer.status));
    let location = location.with_context(|| {
        format!("a request for a code was answered with {}: {}", answer.status, answer.body)
    })?;
    let url = Url::parse(location).ok().filter(|url| url.as_str().starts_with(REDIRECT_URI));
    let code = url.and_then(|url| {
        let mut parameters = url.query_pairs();
        parameters.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    });
    code.with_context(|| format!("a request for a code leads to {location}"))
}

fn tokens(answer: &Kept) -> Result<Tokens> {
    if answer.status != 200 {
        bail!("a code was answered with {}: {}", answer.status, answer.body);
    }
    serde_json::from_str(&answer.body).context("the answer of the token endpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_where_it_leads_back_and_nowhere_else() {
        let answer = |status, location: &str| Kept {
            status,
            headers: vec![header("Location", location)],
            body: "why".to_owned(),
        };
        let back = format!("{REDIRECT_URI}?state=s&code=a%2Bb&iss=x");
        assert_eq!(code(&answer(303, &back)).unwrap(), "a+b");
        let error = |status, location: &str| code(&answer(status, location)).unwrap_err().to_string();
        assert!(error(303, "/login?return_to=x").ends_with("leads to /login?return_to=x"));
        assert!(error(303, &format!("{REDIRECT_URI}?error=access_denied")).contains("access_denied"));
        assert!(error(400, &back).ends_with("answered with 400: why"));
    }
}
