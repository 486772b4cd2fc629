//! The one way by which Gateward asks other servers for what clients and their registrations name: keys, sector identifiers,
//! request objects, documents, logos, logout. Whoever writes such an address down decides where this program goes, so it
//! goes nowhere but to public servers by https, or to those the settings except.
//!
//! [`law`] decides on the address as written and as resolved; `dial` connects to exactly the addresses that were judged;
//! `exchange` asks once, follows nothing, and reads to a limit. No proxy of the environment is asked, for it would
//! resolve names by itself. Nothing is sent but what the request itself needs: no cookie, no credentials, no `Referer`.

mod dial;
mod error;
mod exchange;
pub mod kept;
pub mod keys;
pub mod law;
mod lines;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use gateward_guard::outward;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use rustls::pki_types::CertificateDer;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Position, Url};

pub use dial::{Looked, Resolver, SystemResolver};
pub use error::OutboundError;
pub use exchange::Fetched;
pub use law::Forbidden;

use crate::config::{self, OutboundTarget};
use law::Target;

/// How long one request may take: its turn, the name, the connection, TLS, and reading to the end.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The largest body that is ever read, in bytes.
pub const LARGEST: usize = 1024 * 1024;
/// The largest answer to a form: it is only looked at for its status.
pub const LARGEST_REPLY: usize = 64 * 1024;

/// So many requests are on their way at the same time; further ones wait, for no longer than they may take.
const AT_ONCE: usize = 128;
const AGENT: &str = concat!("gateward/", env!("CARGO_PKG_VERSION"));

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The types of documents, as the header `Accept` names them.
    pub accept: &'static str,
    /// The largest one, in bytes; never more than [`LARGEST`].
    pub largest: usize,
}

impl Wanted {
    /// A JSON document.
    pub const JSON: Wanted = Wanted { accept: "application/json", largest: LARGEST };
    /// A key set (RFC 7517 §8.5.2).
    pub const KEYS: Wanted =
        Wanted { accept: "application/jwk-set+json, application/json", largest: LARGEST };
    /// A request object (RFC 9101 §10.2).
    pub const REQUEST_OBJECT: Wanted =
        Wanted { accept: "application/oauth-authz-req+jwt, application/jwt", largest: LARGEST };
}

/// Asks other servers, guardedly.
pub struct Outbound {
    exceptions: Vec<OutboundTarget>,
    authorities: Vec<CertificateDer<'static>>,
    resolver: Arc<dyn Resolver>,
    patience: Duration,
    at_once: Semaphore,
    /// Made at the first use, for the authorities of the system are many.
    tls: OnceCell<TlsConnector>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("exceptions", &self.exceptions).finish_non_exhaustive()
    }
}

impl Outbound {
    /// Reads the authorities that the settings name, and logs every exception from the rules.
    ///
    /// # Errors
    /// The file of authorities cannot be read, or holds none.
    pub fn open(settings: &config::Outbound) -> anyhow::Result<Self> {
        let mut authorities = Vec::new();
        if let Some(file) = &settings.ca_file {
            let shown = file.display();
            let pem = std::fs::read(file)
                .with_context(|| format!("outbound.ca_file: the file {shown} cannot be read"))?;
            let wrong = |reason: String| anyhow::anyhow!("outbound.ca_file: {shown}: {reason}");
            authorities = outward::certificates(&pem).map_err(wrong)?;
            // Whether they are any good is told now, and not when somebody first needs them.
            outward::trusting(&authorities, false).map_err(wrong)?;
            let count = authorities.len();
            tracing::warn!(file = %shown, count, "outbound.ca_file: servers are also trusted by these authorities");
        }
        if !settings.allow.is_empty() {
            let targets: Vec<String> = settings.allow.iter().map(ToString::to_string).collect();
            let targets = targets.join(", ");
            tracing::warn!(targets, "outbound.allow: these are asked though they are no public servers");
        }
        Ok(Outbound {
            exceptions: settings.allow.clone(),
            authorities,
            resolver: Arc::new(SystemResolver::default()),
            patience: PATIENCE,
            at_once: Semaphore::new(AT_ONCE),
            tls: OnceCell::new(),
        })
    }

    /// The same, with names that are resolved by the caller's means: tests hold the network.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Outbound { resolver, ..self }
    }

    /// The same, with other time for one request than [`PATIENCE`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Outbound { patience, ..self }
    }

    /// Whether this address can be asked at all, as far as its text tells: for registrations. What it resolves to is looked at
    /// whenever it is asked.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn may_ask(&self, url: &Url) -> Result<(), Forbidden> {
        Target::of(url, &self.exceptions).map(drop)
    }

    /// Fetches a document. Its status is any but a redirect.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn get(&self, url: &Url, wanted: Wanted) -> Result<Fetched, OutboundError> {
        let mut request = request(Method::GET, url, Bytes::new())?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(wanted.accept));
        self.ask(url, request, wanted.largest.min(LARGEST)).await
    }

    /// Sends a form. The status of the answer is any but a redirect; its body is read to [`LARGEST_REPLY`].
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Fetched, OutboundError> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = request(Method::POST, url, form.into())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.ask(url, request, LARGEST_REPLY).await
    }

    async fn ask(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        largest: usize,
    ) -> Result<Fetched, OutboundError> {
        let target = Target::of(url, &self.exceptions)?;
        let work = async {
            let _turn = self.at_once.acquire().await.map_err(|error| OutboundError::failed(&error))?;
            let stream = dial::dial(&target, &*self.resolver, self.patience).await?;
            if !target.is_tls {
                return exchange::exchange(stream, request, largest).await;
            }
            let name = dial::server_name(&target.host)?;
            let connecting = self.connector().await?.connect(name, stream);
            let stream = connecting.await.map_err(|error| OutboundError::failed(&error))?;
            exchange::exchange(stream, request, largest).await
        };
        timeout(self.patience, work).await.map_err(|_| OutboundError::TimedOut)?
    }

    async fn connector(&self) -> Result<&TlsConnector, OutboundError> {
        let make = || async {
            let authorities = self.authorities.clone();
            let made = tokio::task::spawn_blocking(move || outward::trusting(&authorities, true)).await;
            let mut tls =
                made.map_err(|error| OutboundError::failed(&error))?.map_err(OutboundError::Failed)?;
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(TlsConnector::from(Arc::new(tls)))
        };
        self.tls.get_or_try_init(make).await
    }
}

fn request(method: Method, url: &Url, body: Bytes) -> Result<Request<Full<Bytes>>, OutboundError> {
    Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(USER_AGENT, AGENT)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|_| OutboundError::Malformed("the address itself"))
}
