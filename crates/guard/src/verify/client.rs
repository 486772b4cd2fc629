//! The HTTP client towards the issuer: https only (loopback excepted), no redirects, bounded in time and bytes, and only
//! to hosts the application named.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use url::{Host, Url};

use crate::outward;

/// How long connecting, asking and reading may take together.
const TIME_OUT: Duration = Duration::from_secs(5);
/// The largest answer that is read.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// Why an answer could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} is not an address that may be asked: https at the issuer's host or at one that was named")]
    NotAllowed(String),
    #[error("no answer: {0}")]
    Failed(String),
    #[error("no answer in {} seconds", TIME_OUT.as_secs())]
    TimedOut,
    #[error("the answer is larger than {LARGEST} bytes, or was cut off")]
    Body,
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer is not understood: {0}")]
    Malformed(&'static str),
}

/// An answer in full.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn etag(&self) -> Option<HeaderValue> {
        self.headers.get(ETAG).cloned()
    }
}

pub(crate) struct Client {
    inner: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The hosts (with ports) that may be asked.
    hosts: Vec<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.hosts.join(", "))
    }
}

impl Client {
    /// A client that asks these hosts and trusts the system's roots and the certificates in `roots` (PEM).
    pub(crate) fn new(hosts: Vec<String>, roots: &[Vec<u8>]) -> Result<Self, String> {
        let system = hosts.iter().any(|host| host.starts_with("https:"));
        let mut extra = Vec::new();
        for pem in roots {
            extra.extend(outward::certificates(pem)?);
        }
        let tls = outward::trusting(&extra, system)?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(TIME_OUT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        let inner = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(2)
            .build(connector);
        Ok(Client { inner, hosts })
    }

    /// Fetches a document; one that has the known tag answers 304.
    pub(crate) async fn get(
        &self,
        url: &Url,
        accept: &'static str,
        known: Option<&HeaderValue>,
    ) -> Result<Answer, FetchError> {
        let mut request = self.request(Method::GET, url, accept, Bytes::new())?;
        if let Some(known) = known {
            request.headers_mut().insert(IF_NONE_MATCH, known.clone());
        }
        self.whole(request).await
    }

    /// Sends a form, with the credentials of a client.
    pub(crate) async fn post(
        &self,
        url: &Url,
        authorization: &HeaderValue,
        form: String,
    ) -> Result<Answer, FetchError> {
        let mut request = self.request(Method::POST, url, "application/json", form.into())?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.whole(request).await
    }

    /// Opens a stream of events, to go on after the one with the id `last`.
    pub(crate) async fn listen(&self, url: &Url, last: Option<&str>) -> Result<Incoming, FetchError> {
        const LAST: HeaderName = HeaderName::from_static("last-event-id");
        let mut request = self.request(Method::GET, url, "text/event-stream", Bytes::new())?;
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            request.headers_mut().insert(LAST, last);
        }
        let answer = timeout(TIME_OUT, self.inner.request(request)).await;
        let answer = answer.map_err(|_| FetchError::TimedOut)?.map_err(|error| failed(&error))?;
        let kind = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        match answer.status() {
            StatusCode::OK if kind.starts_with(b"text/event-stream") => Ok(answer.into_body()),
            StatusCode::OK => Err(FetchError::Malformed("no event stream")),
            status => Err(FetchError::Status(status)),
        }
    }

    fn request(
        &self,
        method: Method,
        url: &Url,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, FetchError> {
        if !self.may_ask(url) {
            return Err(FetchError::NotAllowed(url.origin().ascii_serialization()));
        }
        let agent = concat!("gateward-guard/", env!("CARGO_PKG_VERSION"));
        Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, accept)
            .header(USER_AGENT, agent)
            .body(Full::new(body))
            .map_err(|_| FetchError::Malformed("the address"))
    }

    /// What a document of the issuer names is asked only where the application meant to ask: nobody can make this
    /// program call on its neighbours.
    pub(crate) fn may_ask(&self, url: &Url) -> bool {
        is_safe(url) && host_of(url).is_some_and(|host| self.hosts.contains(&host))
    }

    async fn whole(&self, request: Request<Full<Bytes>>) -> Result<Answer, FetchError> {
        let work = async {
            let (parts, body) =
                self.inner.request(request).await.map_err(|error| failed(&error))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|_| FetchError::Body)?;
            Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        timeout(TIME_OUT, work).await.map_err(|_| FetchError::TimedOut)?
    }
}

/// Whether nobody on the way can read or change what is asked at this address: https, or this very machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    is_plain && (url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_here)
}

/// Scheme, host and port.
pub(crate) fn host_of(url: &Url) -> Option<String> {
    url.has_host().then(|| url.origin().ascii_serialization())
}

/// How long an answer may be kept, within these bounds.
pub(crate) fn lifetime(headers: &HeaderMap, least: Duration, most: Duration) -> Duration {
    outward::max_age(headers).unwrap_or(least).clamp(least, most)
}

fn failed(error: &hyper_util::client::legacy::Error) -> FetchError {
    // The outer text says only that it failed; the reason is further in.
    let mut text = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    FetchError::Failed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for (address, safe) in [
            ("https://login.example.com/oauth/jwks", true),
            ("http://login.example.com/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost/", true),
            ("http://localhost.example.com/", false),
            ("http://0.0.0.0/", false),
            ("http://169.254.169.254/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("https://user@login.example.com/", false),
            ("https://user:word@login.example.com/", false),
            ("ftp://127.0.0.1/", false),
            ("file:///etc/passwd", false),
            ("data:text/plain,x", false),
        ] {
            assert_eq!(is_safe(&Url::parse(address).unwrap()), safe, "{address}");
        }
    }

    #[test]
    fn only_hosts_that_were_named() {
        let hosts = vec!["https://login.example.com".to_owned(), "http://127.0.0.1:81".to_owned()];
        let client = Client::new(hosts, &[]).unwrap();
        for (address, may) in [
            ("https://login.example.com/x", true),
            ("https://login.example.com:443/x", true),
            ("https://LOGIN.example.com/x", true),
            ("https://login.example.com:8443/x", false),
            ("http://login.example.com/x", false),
            ("https://login.example.com.evil.example/x", false),
            ("http://127.0.0.1:81/x", true),
            ("http://127.0.0.1:82/x", false),
            ("http://127.1:81/x", true),
        ] {
            assert_eq!(client.may_ask(&Url::parse(address).unwrap()), may, "{address}");
        }
    }

    #[test]
    fn lifetimes_are_bounded() {
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(3600));
        for (text, seconds) in [
            ("max-age=100", 100),
            ("public, MAX-AGE=\"100\"", 100),
            ("max-age=1", 60),
            ("max-age=99999", 3600),
            ("max-age=99999999999999999999999", 60),
            ("no-store, max-age=100", 60),
            ("max-age=100, no-cache", 60),
            ("private", 60),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cache-control", HeaderValue::from_static(text));
            assert_eq!(lifetime(&headers, least, most).as_secs(), seconds, "{text}");
        }
        assert_eq!(lifetime(&HeaderMap::new(), least, most), least);
    }

    #[test]
    fn roots_must_be_certificates() {
        assert!(Client::new(Vec::new(), &[b"nothing".to_vec()]).is_err());
        assert!(
            Client::new(
                Vec::new(),
                &[b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()]
            )
            .is_err()
        );
    }
}
