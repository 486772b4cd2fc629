//! What the issuer says of itself (RFC 8414): where its keys are, and where it answers and tells.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::time::{Clock, Moment};
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::age;
use super::client::{Client, FetchError, lifetime};

/// The shortest and the longest time that a document of the issuer is kept, whatever it says itself.
pub(crate) const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// After a failure the issuer is left in peace for this long, while nothing is known at all.
const PAUSE: Duration = Duration::from_secs(1);
/// And for this long, while there is something to go on with.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// The members that matter here.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) keys: Url,
    pub(crate) introspection: Option<Url>,
    pub(crate) events: Option<Url>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    introspection_endpoint: Option<String>,
    gateward_status_events: Option<String>,
}

pub(crate) struct Discovery {
    client: Arc<Client>,
    /// Compared as it is, and asked as an address.
    issuer: String,
    address: Url,
    clock: Arc<dyn Clock>,
    /// Held while it is fetched: one work serves everybody who asks meanwhile.
    known: Mutex<Known>,
}

struct Known {
    metadata: Option<Arc<Metadata>>,
    asked: Moment,
    again: Moment,
}

impl Discovery {
    pub(crate) fn new(client: Arc<Client>, issuer: String, address: Url, clock: Arc<dyn Clock>) -> Self {
        let known = Known { metadata: None, asked: Moment::DAWN, again: Moment::DAWN };
        Discovery { client, issuer, address, clock, known: Mutex::new(known) }
    }

    /// The metadata; `None` while they were never had. Old ones serve while the issuer is away.
    pub(crate) async fn metadata(&self) -> Option<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if age(now, known.asked) == Duration::MAX || now >= known.again {
            known.asked = now;
            match self.fetch().await {
                Ok((metadata, kept)) => {
                    known.metadata = Some(Arc::new(metadata));
                    known.again = now + kept;
                }
                Err(error) => {
                    tracing::warn!(issuer = self.issuer, %error, "the issuer's metadata could not be fetched");
                    known.again = now + if known.metadata.is_some() { LONG_PAUSE } else { PAUSE };
                }
            }
        }
        known.metadata.clone()
    }

    async fn fetch(&self) -> Result<(Metadata, Duration), FetchError> {
        let mut refused = FetchError::Status(StatusCode::NOT_FOUND);
        for place in places(&self.address) {
            let answer = self.client.get(&place, "application/json", None).await?;
            if answer.status == StatusCode::NOT_FOUND {
                continue;
            }
            if answer.status != StatusCode::OK {
                refused = FetchError::Status(answer.status);
                break;
            }
            let document: Document = serde_json::from_slice(&answer.body)
                .map_err(|_| FetchError::Malformed("no metadata (RFC 8414)"))?;
            // Whoever answers for this issuer must be this issuer (RFC 8414 §3.3).
            if document.issuer != self.issuer {
                return Err(FetchError::Malformed("the metadata are those of another issuer"));
            }
            let url = |text: String| {
                Url::parse(&text).map_err(|_| FetchError::Malformed("an address in the metadata"))
            };
            let metadata = Metadata {
                keys: url(document.jwks_uri)?,
                introspection: document.introspection_endpoint.map(url).transpose()?,
                events: document.gateward_status_events.map(url).transpose()?,
            };
            return Ok((metadata, lifetime(&answer.headers, KEPT.0, KEPT.1)));
        }
        Err(refused)
    }
}

/// Where the metadata may be: between host and path (RFC 8414 §3), behind the path, or where OpenID Connect has them.
fn places(issuer: &Url) -> Vec<Url> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    let path = issuer.path().trim_end_matches('/').to_owned();
    let mut paths = vec![format!("{OAUTH}{path}"), format!("{path}{OAUTH}"), format!("{path}{OPENID}")];
    paths.dedup();
    let at = |path: String| {
        let mut place = issuer.clone();
        place.set_path(&path);
        place
    };
    paths.into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_sought_where_the_standards_put_them() {
        let sought = |issuer: &str| -> Vec<String> {
            places(&Url::parse(issuer).unwrap()).into_iter().map(Into::into).collect()
        };
        let host = "https://login.example.com";
        assert_eq!(
            sought(host),
            [
                format!("{host}/.well-known/oauth-authorization-server"),
                format!("{host}/.well-known/openid-configuration")
            ]
        );
        assert_eq!(
            sought(&format!("{host}/tenant")),
            [
                format!("{host}/.well-known/oauth-authorization-server/tenant"),
                format!("{host}/tenant/.well-known/oauth-authorization-server"),
                format!("{host}/tenant/.well-known/openid-configuration")
            ]
        );
    }
}
