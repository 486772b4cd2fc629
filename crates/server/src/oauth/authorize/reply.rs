//! The answer of the authorization endpoint, by whatever carries it.

use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::jose::jwe::EncryptingKey;
use gateward_kernel::oauth::{Carrier, Client, OAuthError, ResponseMode};
use gateward_kernel::ports::Fault;
use gateward_kernel::time::Moment;
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use super::law::Back;
use crate::app::App;
use crate::face::answer::{self, Answer, Body, Response};
use crate::face::page::FormPostPage;
use crate::face::visit::Visit;
use crate::oauth::encrypt;
use crate::oauth::id_token::sign_for;

/// A signed answer counts for so long, in seconds.
const LIFETIME: i64 = 600;

/// Whether an answer can be made as the client wants it; otherwise the person would agree, and a request be spent, for nothing.
pub async fn can_be_made(app: &App, client: &Client, mode: ResponseMode, now: Moment) -> Result<(), Fault> {
    if mode.jwt {
        encryption(app, client, now).await?;
    }
    Ok(())
}

/// By what signed answers are encrypted for the client, where it has registered that (JARM §3).
async fn encryption(app: &App, client: &Client, now: Moment) -> Result<Option<EncryptingKey>, Fault> {
    let metadata = &client.metadata;
    let (algorithm, content) =
        (metadata.authorization_encrypted_response_alg, metadata.authorization_encrypted_response_enc);
    encrypt::key(app, client, algorithm, content, now).await
}

/// Parameters on their way to the client.
#[derive(Debug)]
pub struct Reply {
    parameters: Vec<(&'static str, String)>,
}

impl Reply {
    /// These parameters.
    pub const fn new(parameters: Vec<(&'static str, String)>) -> Self {
        Reply { parameters }
    }

    /// An error.
    pub fn error(error: &OAuthError) -> Self {
        Reply::new(vec![
            ("error", error.code.name().to_owned()),
            ("error_description", error.description.clone().into_owned()),
        ])
    }

    /// Sends them back, with the `state` of the request and the issuer's name (RFC 9207).
    pub async fn send(mut self, visit: &Visit, client: &Client, back: &Back) -> Answer {
        if let Some(state) = &back.state {
            self.parameters.push(("state", state.to_string()));
        }
        self.parameters.push(("iss", visit.app.tokens.mint.issuer().to_owned()));
        if back.mode.jwt {
            let signed = self.signed(visit, client)?;
            let key = encryption(&visit.app, client, visit.now).await?;
            self.parameters = vec![("response", encrypt::nested(&visit.app, signed, key.as_ref())?)];
        }
        self.carry(visit, back)
    }

    /// The parameters as one JWT (JARM §2.1).
    fn signed(&self, visit: &Visit, client: &Client) -> Result<String, crate::face::failure::Failure> {
        let metadata = &client.metadata;
        // What is not said is RS256 (JARM §3); where nothing is signed with that, what the client's ID tokens are signed with.
        let has_rs256 = visit.app.oauth.clients.rules().algorithms.contains(&SignatureAlgorithm::Rs256);
        let fallback = if has_rs256 { SignatureAlgorithm::Rs256 } else { metadata.id_token_alg() };
        let algorithm = metadata.authorization_signed_response_alg.unwrap_or(fallback);
        let mut claims: Map<String, Value> =
            self.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        // A number in plain answers' text is one here, too (JARM §2.1).
        if let Some(seconds) = claims.get("expires_in").and_then(|value| value.as_str()?.parse::<u64>().ok())
        {
            claims.insert("expires_in".into(), seconds.into());
        }
        claims.insert("aud".into(), (*client.client_id).into());
        claims.insert("exp".into(), (visit.now.seconds() + LIFETIME).into());
        Ok(sign_for(&visit.app, client, "JWT", algorithm, &claims, visit.now)?)
    }

    fn carry(self, visit: &Visit, back: &Back) -> Answer {
        let ResponseMode { carrier, .. } = back.mode;
        if carrier == Carrier::FormPost {
            let fields = self.parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let page = FormPostPage { action: back.redirect_uri.to_string(), fields };
            return answer::page_leading_to(visit, StatusCode::OK, &page, &back.redirect_uri);
        }
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.parameters);
        let (uri, query) = (&back.redirect_uri, query.finish());
        let target = match carrier {
            Carrier::Fragment => format!("{uri}#{query}"),
            _ if uri.contains('?') => format!("{uri}&{query}"),
            _ => format!("{uri}?{query}"),
        };
        redirect(&target)
    }
}

/// 303, so that no form travels on (RFC 9700 §4.12).
fn redirect(target: &str) -> Answer {
    let response = Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(LOCATION, target)
        .header(CACHE_CONTROL, "no-store")
        .header(REFERRER_POLICY, "no-referrer")
        .body(Body::empty())?;
    Ok(response)
}
