//! Asking the issuer about a token (RFC 7662).

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use gateward_kernel::jose::BadClaims;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::claims::Said;
use super::client::{Client, FetchError};
use super::discovery::Discovery;
use super::{Denied, Outage};

pub(crate) struct Introspector {
    client: Arc<Client>,
    discovery: Arc<Discovery>,
    endpoint: Option<Url>,
    authorization: HeaderValue,
    /// How long an answer is believed.
    pub(crate) kept: Duration,
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Introspector")
    }
}

impl Introspector {
    /// `None` when the credentials cannot be sent.
    pub(crate) fn new(
        client: Arc<Client>,
        discovery: Arc<Discovery>,
        endpoint: Option<Url>,
        credentials: (&str, &str),
        kept: Duration,
    ) -> Option<Self> {
        // RFC 6749 §2.3.1: both are form-encoded before they are put together.
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = Zeroizing::new(format!("{}:{}", encoded(credentials.0), encoded(credentials.1)));
        let text = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
        let mut authorization = HeaderValue::from_str(&text).ok()?;
        authorization.set_sensitive(true);
        Some(Introspector { client, discovery, endpoint, authorization, kept })
    }

    /// What the issuer says of the token, if it vouches for it.
    pub(crate) async fn ask(&self, token: &str) -> Result<Said, Denied> {
        let answer = self.post(token).await.map_err(|error| {
            tracing::warn!(%error, "the issuer could not be asked about a token");
            Denied::Unavailable(Outage::Introspection)
        })?;
        let said = Said::read(&answer)?;
        match said.registered.others.get("active") {
            Some(Value::Bool(true)) => Ok(said),
            Some(Value::Bool(false)) => Err(Denied::NotActive),
            _ => Err(BadClaims::Type("active").into()),
        }
    }

    async fn post(&self, token: &str) -> Result<bytes::Bytes, FetchError> {
        let found = match &self.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => self.discovery.metadata().await.and_then(|metadata| metadata.introspection.clone()),
        };
        let endpoint = found.ok_or(FetchError::Malformed("no introspection endpoint is known"))?;
        let form = form(token);
        let answer = self.client.post(&endpoint, &self.authorization, form).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status));
        }
        Ok(answer.body)
    }
}

fn form(token: &str) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("token", token).append_pair("token_type_hint", "access_token");
    form.finish()
}
