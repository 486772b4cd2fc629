//! One call of a machine: the endpoints that clients and resources ask, answered on the shortest way, without a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use gateward_guard::forwarded::ClientAddress;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::id::PersonId;
use gateward_kernel::oauth::{OAuthCode, OAuthError};
use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::{Loudness, Refusal};
use gateward_kernel::time::Moment;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL,
    CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, PRAGMA, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde_json::json;

use super::endpoints::{Endpoint, Takes, find};
use crate::app::App;
use crate::certificate::{self, ClientCertificate};
use crate::face::answer::{Body, finish};
use crate::face::failure::Failure;
use crate::face::form::{FORM, Form, is_of_type};

/// What pages may read of an answer besides its body.
const EXPOSED: &str = "DPoP-Nonce, WWW-Authenticate";

/// A call, read once.
#[derive(Debug)]
pub struct Call {
    /// The program.
    pub app: Arc<App>,
    /// When it came.
    pub now: Moment,
    /// Its name in logs, answers and audit events.
    pub request: String,
    /// From where it came, behind proxies that are trusted.
    pub address: IpAddr,
    /// Its method.
    pub method: Method,
    /// The path of the endpoint.
    pub endpoint: &'static str,
    /// What comes after the endpoint's path, where it ends with a slash.
    pub rest: String,
    /// The certificate of whoever calls (RFC 8705): that they have its key is sure, and nothing else.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its form, where it has one.
    pub form: Form,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub enum Trouble {
    /// An error of the protocol.
    Error(OAuthError),
    /// The same, with the challenges that belong to it.
    Challenge(OAuthError, Vec<HeaderValue>),
    /// The client is asked for another DPoP nonce (RFC 9449 §8).
    Nonce(OAuthError, HeaderValue),
    /// A resource was asked without the proof that its token needs; with the nonce for it, where one is wanted (RFC 9449 §7.1, §9).
    Unproved(OAuthError, HeaderValue, Option<HeaderValue>),
    /// The request could not be read at all.
    Refusal(Refusal),
    /// Something that is needed failed.
    Failure(Failure),
}

impl From<OAuthError> for Trouble {
    fn from(error: OAuthError) -> Self {
        Trouble::Error(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Trouble::Refusal(refusal)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Failure(fault.into())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refusal(refusal) => Trouble::Refusal(refusal),
            other => Trouble::Failure(other),
        }
    }
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Trouble::Failure(error.into())
    }
}

/// What an endpoint answers.
pub type Answered = Result<Response<Body>, Trouble>;

/// Answers a call of one of the endpoints; gives the request back when it is for none of them.
pub async fn serve<B>(
    app: &Arc<App>,
    request: Request<B>,
    peer: SocketAddr,
) -> Result<Response<Body>, Request<B>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some((endpoint, rest)) = find(request.uri().path()) else { return Err(request) };
    let rest = rest.to_owned();
    let (mut parts, body) = request.into_parts();
    let name = app.next_request_id();
    let origin = parts.headers.get(ORIGIN).cloned();
    let mut response = match parts.method {
        Method::OPTIONS => preflight(endpoint),
        ref method if !endpoint.methods.contains(method) => not_allowed(endpoint),
        _ => {
            let call = Call {
                app: app.clone(),
                now: app.clock.now(),
                request: name.clone(),
                address: peer.ip(),
                method: parts.method,
                endpoint: endpoint.path,
                rest,
                certificate: parts.extensions.remove::<Arc<ClientCertificate>>(),
                headers: parts.headers,
                body: Bytes::new(),
                form: Form::default(),
            };
            answer(call, endpoint, parts.uri.query(), peer, body).await
        }
    };
    if origin.is_some() {
        response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    }
    finish(app, &name, &mut response);
    Ok(response)
}

async fn answer<B>(
    mut call: Call,
    endpoint: &'static Endpoint,
    query: Option<&str>,
    peer: SocketAddr,
    body: B,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut told = Told {
        client_id: None,
        request: call.request.clone(),
        endpoint: endpoint.path,
        from_pages: endpoint.from_pages,
        authorization: call.headers.get(AUTHORIZATION).cloned(),
    };
    if let Err(trouble) = read(&mut call, endpoint, query, peer, body).await {
        return told.tell(trouble);
    }
    told.client_id = call.optional("client_id").map(str::to_owned);
    match (endpoint.handler)(call).await {
        Ok(response) => response,
        Err(trouble) => told.tell(trouble),
    }
}

/// Reads what the endpoint takes, and refuses what is sent in another way (RFC 6749 §3.2).
async fn read<B>(
    call: &mut Call,
    endpoint: &Endpoint,
    query: Option<&str>,
    peer: SocketAddr,
    body: B,
) -> Result<(), Trouble>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    call.address = ClientAddress::read(peer.ip(), &call.headers, &call.app.trusted)
        .map_err(|problem| Refusal::Malformed(format!("{problem}.")))?
        .ip();
    call.certificate = certificate::of_request(&call.app, peer.ip(), &call.headers, call.certificate.take())?;
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(OAuthError::request("parameters of this endpoint do not stand in the address").into());
    }
    let limit = call.app.settings.limits.body.as_usize();
    let announced =
        call.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit).into());
    }
    let read =
        Limited::new(body, limit).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::TooLarge(limit),
            false => Refusal::Malformed("The body broke off.".into()),
        })?;
    call.body = read.to_bytes();
    let is_form = is_of_type(&call.headers, FORM);
    match endpoint.takes {
        Takes::Form if !is_form => {
            Err(OAuthError::request("the body must be application/x-www-form-urlencoded").into())
        }
        Takes::FormOrNothing if !is_form && !call.body.is_empty() => {
            Err(OAuthError::request("the body must be application/x-www-form-urlencoded").into())
        }
        Takes::Form | Takes::FormOrNothing => {
            call.form = Form::read(&call.body).map_err(|refusal| as_request_error(&refusal))?;
            Ok(())
        }
        Takes::Anything => Ok(()),
    }
}

fn as_request_error(refusal: &Refusal) -> Trouble {
    let detail = refusal.detail().unwrap_or_default();
    OAuthError::request(detail.trim_end_matches('.').to_owned()).into()
}

impl Call {
    /// A parameter that must be there. An empty one counts as left out (RFC 6749 §3.2).
    pub fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.optional(name).ok_or_else(|| OAuthError::request(format!("{name} is missing")))
    }

    /// A parameter; an empty one counts as left out.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.form.get(name).filter(|value| !value.is_empty())
    }

    /// The address of this endpoint, as clients know it.
    pub fn address_of_endpoint(&self) -> String {
        format!("{}{}", self.app.tokens.mint.issuer(), self.endpoint)
    }

    /// An audit event of this call.
    pub fn event(&self, fact: Fact, about: Option<PersonId>) -> Event {
        let mut event = Event::new(self.now, fact, Actor::Nobody);
        event.person = about;
        event.address = Some(self.address);
        event.request = Some(self.request.clone());
        event
    }

    /// Writes an audit event.
    pub async fn record(&self, event: Event) {
        self.app.record(event).await;
    }

    /// Lets a page of this origin read the answer, where the client has said that it is one of its own.
    pub fn allow_origin(&self, origins: &[String], response: &mut Response<Body>) {
        let Some(origin) = self.headers.get(ORIGIN) else { return };
        if origins.iter().any(|own| own.as_bytes() == origin.as_bytes()) {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

/// JSON that nobody on the way keeps (RFC 6749 §5.1).
pub fn json_answer(status: StatusCode, value: &impl Serialize) -> Answered {
    let text = serde_json::to_vec(value)
        .map_err(|error| Trouble::Failure(Failure::Fault(crate::face::gate::mistake(error))))?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// A token that nobody on the way keeps.
pub fn text_answer(media_type: &'static str, text: String) -> Answered {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What is needed to tell trouble once the call is gone.
struct Told {
    request: String,
    endpoint: &'static str,
    from_pages: bool,
    /// By which the client said who it is, if it did.
    client_id: Option<String>,
    authorization: Option<HeaderValue>,
}

impl Told {
    fn tell(&self, trouble: Trouble) -> Response<Body> {
        let (error, challenges) = match trouble {
            Trouble::Error(error) => (error, Vec::new()),
            Trouble::Challenge(error, challenges) => (error, challenges),
            Trouble::Nonce(error, nonce) => {
                let mut response = self.error(&error, &[]);
                response.headers_mut().insert("dpop-nonce", nonce);
                return response;
            }
            Trouble::Unproved(error, challenge, nonce) => {
                let mut response = self.error(&error, &[challenge]);
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                if let Some(nonce) = nonce {
                    response.headers_mut().insert("dpop-nonce", nonce);
                }
                return response;
            }
            Trouble::Refusal(refusal) => return self.refusal(&refusal),
            Trouble::Failure(failure) => {
                failure.log(&self.request, self.endpoint);
                return match failure.refusal() {
                    Some(refusal) => self.refusal(&refusal),
                    None => self.error(&OAuthError::new(OAuthCode::ServerError, "internal error"), &[]),
                };
            }
        };
        self.error(&error, &challenges)
    }

    /// A refusal that is none of the protocol's.
    fn refusal(&self, refusal: &Refusal) -> Response<Body> {
        let row = refusal.row();
        let (code, status) = match row.status {
            413 => (OAuthCode::InvalidRequest, 413),
            429 | 503 => (OAuthCode::TemporarilyUnavailable, row.status),
            500.. => (OAuthCode::ServerError, row.status),
            _ => (OAuthCode::InvalidRequest, 400),
        };
        let description = refusal.detail().unwrap_or_else(|| row.title.to_owned());
        let mut response = self.error(&OAuthError::new(code, description), &[]);
        *response.status_mut() = crate::face::answer::status(status);
        if let Some(seconds) = refusal.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn error(&self, error: &OAuthError, challenges: &[HeaderValue]) -> Response<Body> {
        let client = super::client_auth::claimed(self.client_id.as_deref(), self.authorization.as_ref());
        let (request, endpoint) = (&self.request, self.endpoint);
        let (code, description) = (error.code.name(), &*error.description);
        match error.code.loudness() {
            Loudness::Debug => tracing::debug!(request, endpoint, client, code, description, "refused"),
            Loudness::Info => tracing::info!(request, endpoint, client, code, description, "refused"),
            Loudness::Warn => tracing::warn!(request, endpoint, client, code, description, "refused"),
        }
        let body = json!({ "error": code, "error_description": description });
        let status = crate::face::answer::status(error.code.status());
        let mut response = json_answer(status, &body).unwrap_or_default();
        for challenge in challenges {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
        }
        // Whoever came with the header learns which scheme is taken (RFC 6749 §5.2).
        if error.code == OAuthCode::InvalidClient && self.authorization.is_some() {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"gateward\""));
        }
        // A page of a client reads its errors, too; there is nothing in them for others.
        if self.from_pages {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        response
    }
}

/// What a browser asks before a page may call (Fetch §4.8). The answer to the call itself names the origins of the client.
fn preflight(endpoint: &Endpoint) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if endpoint.from_pages {
        let methods = names(endpoint);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, DPoP"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        if let Ok(methods) = HeaderValue::from_str(&methods) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
    }
    response
}

fn not_allowed(endpoint: &Endpoint) -> Response<Body> {
    let body =
        json!({ "error": "invalid_request", "error_description": "this endpoint does not take this method" });
    let mut response = json_answer(StatusCode::METHOD_NOT_ALLOWED, &body).unwrap_or_default();
    if let Ok(methods) = HeaderValue::from_str(&names(endpoint)) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

fn names(endpoint: &Endpoint) -> String {
    let names: Vec<&str> = endpoint.methods.iter().map(Method::as_str).collect();
    names.join(", ")
}
