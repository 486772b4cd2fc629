//! A provider as its clients find it: by its issuer and the document there; and such a client.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use data_encoding::BASE64;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::chain::Requests;
use crate::load::{Expected, Work};
use crate::place::Place;
use crate::scenario::header;
use crate::wire::{self, Kept};

/// How long one answer outside the measured windows may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a provider that has just been started may take to make its keys.
const KEYS_PATIENCE: Duration = Duration::from_secs(60);

/// What is announced, of all that may be (OpenID Connect Discovery §3, RFC 8414 §2).
#[derive(Deserialize)]
struct Document {
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    jwks_uri: Option<String>,
    pushed_authorization_request_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<BTreeSet<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: BTreeSet<String>,
}

/// What a client asks a provider for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    Authorization,
    Token,
    Introspection,
    UserInfo,
    Keys,
    Pushed,
}

/// A provider. Its document is believed wherever it leads, also when it names another issuer: nothing of it is kept secret from.
pub(super) struct Provider {
    /// Where its document is.
    pub(super) discovery: Place,
    document: Document,
    /// Its process on this machine, where it is known.
    process: Option<u32>,
}

impl Provider {
    /// Asks for the document of OpenID Connect, and where there is none for that of OAuth.
    pub(super) fn discover(issuer: &str, process: Option<u32>) -> Result<Self> {
        let mut refusals = Vec::new();
        for discovery in documents(issuer)? {
            let answer = get(&discovery)?;
            if answer.status == 200 {
                let document = serde_json::from_str(&answer.body)
                    .with_context(|| format!("{} is no document of a provider", discovery.path))?;
                return Ok(Self { discovery, document, process });
            }
            refusals.push(format!("{} was answered with {}", discovery.path, answer.status));
        }
        bail!("{issuer} announces nothing: {}", refusals.join(", "))
    }

    /// Where this is asked for.
    pub(super) fn endpoint(&self, endpoint: Endpoint) -> Result<Place> {
        let document = &self.document;
        let (name, url) = match endpoint {
            Endpoint::Authorization => ("authorization_endpoint", &document.authorization_endpoint),
            Endpoint::Token => ("token_endpoint", &document.token_endpoint),
            Endpoint::Introspection => ("introspection_endpoint", &document.introspection_endpoint),
            Endpoint::UserInfo => ("userinfo_endpoint", &document.userinfo_endpoint),
            Endpoint::Keys => ("jwks_uri", &document.jwks_uri),
            Endpoint::Pushed => {
                ("pushed_authorization_request_endpoint", &document.pushed_authorization_request_endpoint)
            }
        };
        let url = url.as_deref().with_context(|| format!("the provider announces no {name}"))?;
        Place::parse(url).with_context(|| name.to_owned())
    }

    /// By which of the two methods with a secret clients prove themselves here (RFC 8414 §2: by the header when nothing is said).
    pub(super) fn client_auth(&self) -> ClientAuth {
        match &self.document.token_endpoint_auth_methods_supported {
            Some(methods) if !methods.contains("client_secret_basic") => ClientAuth::Post,
            _ => ClientAuth::Basic,
        }
    }

    /// Waits until there is a key for everything that is signed: the first RSA key takes a while.
    pub(super) fn await_keys(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Key>,
        }
        #[derive(Deserialize)]
        struct Key {
            alg: Option<String>,
        }
        let place = self.endpoint(Endpoint::Keys)?;
        let deadline = Instant::now() + KEYS_PATIENCE;
        loop {
            let keys: Keys = serde_json::from_str(&get(&place)?.body).context("the key set")?;
            let there: BTreeSet<String> = keys.keys.into_iter().filter_map(|key| key.alg).collect();
            // What is signed by a client's secret takes no key.
            let mut signed = self.document.id_token_signing_alg_values_supported.iter();
            if signed.all(|name| name.starts_with("HS") || name == "none" || there.contains(name)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("after {} s there are keys for {there:?} alone", KEYS_PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// These requests to one of its endpoints, as a load.
    pub(super) fn work(&self, place: &Place, requests: Requests, expected: Expected) -> Work {
        Work::at(place.address, self.process, requests, expected)
    }
}

/// Where the document of this issuer may be: behind its path (OpenID Connect Discovery §4), or before it (RFC 8414 §3.1).
fn documents(issuer: &str) -> Result<[Place; 2]> {
    let issuer = issuer.trim_end_matches('/');
    let openid = Place::parse(&format!("{issuer}/.well-known/openid-configuration"))?;
    let own = Place::parse(issuer)?;
    let path = own.path.trim_end_matches('/');
    let oauth = Place { path: format!("/.well-known/oauth-authorization-server{path}"), ..own.clone() };
    Ok([openid, oauth])
}

/// `GET` of this place, once.
fn get(place: &Place) -> Result<Kept> {
    wire::ask_once(place.address, &wire::request("GET", &place.path, &place.authority, &[], ""), PATIENCE)
}

/// How a client proves itself (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ClientAuth {
    /// By its secret in the Authorization header
    Basic,
    /// By its secret in the body
    Post,
}

/// A client with a secret.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) by: ClientAuth,
}

impl Client {
    /// A form with these fields, and what proves the client.
    pub(super) fn request(&self, place: &Place, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut headers = vec![header("Content-Type", "application/x-www-form-urlencoded")];
        let mut body = Serializer::new(String::new());
        body.extend_pairs(fields);
        match self.by {
            ClientAuth::Basic => {
                // Each form-encoded, then both together in base64 (RFC 6749 §2.3.1).
                let encoded = |part: &str| byte_serialize(part.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.id), encoded(&self.secret));
                headers.push(header("Authorization", format!("Basic {}", BASE64.encode(pair.as_bytes()))));
            }
            ClientAuth::Post => {
                body.extend_pairs([("client_id", &self.id), ("client_secret", &self.secret)]);
            }
        }
        wire::request("POST", &place.path, &place.authority, &headers, &body.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_looked_for_behind_the_issuer_and_before_its_path() {
        let paths = |issuer| documents(issuer).unwrap().map(|place| place.path);
        assert_eq!(
            paths("http://127.0.0.1:1"),
            ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
        );
        assert_eq!(
            paths("http://127.0.0.1:1/realms/a/"),
            [
                "/realms/a/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/a"
            ]
        );
        assert!(documents("https://127.0.0.1").is_err());
    }

    fn provider(document: &str) -> Provider {
        let discovery = Place::parse("http://127.0.0.1:1").unwrap();
        Provider { discovery, document: serde_json::from_str(document).unwrap(), process: None }
    }

    #[test]
    fn what_is_not_announced_or_not_http_is_named() {
        let provider = provider(r#"{"token_endpoint": "http://127.0.0.1:2/t", "jwks_uri": "https://x/k"}"#);
        assert_eq!(provider.endpoint(Endpoint::Token).unwrap().path, "/t");
        let error = |endpoint| format!("{:#}", provider.endpoint(endpoint).unwrap_err());
        assert_eq!(
            error(Endpoint::Pushed),
            "the provider announces no pushed_authorization_request_endpoint"
        );
        assert_eq!(error(Endpoint::Keys), "jwks_uri: https://x/k: only http:// can be measured");
    }

    #[test]
    fn the_method_is_an_announced_one() {
        let by = |document: &str| provider(document).client_auth();
        assert_eq!(by("{}"), ClientAuth::Basic);
        let methods = |names| format!(r#"{{"token_endpoint_auth_methods_supported": {names}}}"#);
        assert_eq!(by(&methods(r#"["client_secret_post"]"#)), ClientAuth::Post);
        assert_eq!(by(&methods(r#"["client_secret_post", "client_secret_basic"]"#)), ClientAuth::Basic);
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        let place = Place::parse("http://h.localhost:1/t");
        let place = place.unwrap_or(Place {
            authority: "h.localhost:1".to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            path: "/t".to_owned(),
        });
        let client = |by| Client { id: "a:b".to_owned(), secret: "s+".to_owned(), by };
        let text = |by| String::from_utf8(client(by).request(&place, &[("scope", "a b")])).unwrap();
        let encoded = BASE64.encode(b"a%3Ab:s%2B");
        assert!(text(ClientAuth::Basic).contains(&format!("\r\nAuthorization: Basic {encoded}\r\n")));
        assert!(text(ClientAuth::Basic).ends_with("\r\n\r\nscope=a+b"));
        assert!(text(ClientAuth::Post).ends_with("\r\n\r\nscope=a+b&client_id=a%3Ab&client_secret=s%2B"));
    }
}
