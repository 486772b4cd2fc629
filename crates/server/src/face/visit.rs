//! One request as handlers see it: read once at the door, then passed as a value.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateward_guard::Living;
use gateward_guard::cookies::{Found, find};
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::Person;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::secret::Digest;
use gateward_kernel::session::{Handle, Origin, Transport};
use gateward_kernel::time::Moment;
use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::form::Form;
use super::language::Language;
use crate::app::App;
use crate::certificate::ClientCertificate;
use crate::people::Known;
use crate::tokens::bearer::Bearer;

/// What access token came with a request.
#[derive(Clone, Debug, Default)]
pub enum Presented {
    /// None.
    #[default]
    Nothing,
    /// One that is not good here, or not any more.
    Bad,
    /// One that is good.
    Good(Bearer),
}

/// A request, and everything that was found out about it before its handler runs.
#[derive(Debug)]
pub struct Visit {
    /// The program.
    pub app: Arc<App>,
    /// When it came.
    pub now: Moment,
    /// Its name in logs, answers and audit events.
    pub request: String,
    /// From where it came, behind proxies that are trusted.
    pub client: IpAddr,
    /// The certificate of whoever asks (RFC 8705): that they have its key is sure, and nothing else.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its path with its query, as it came.
    pub target: String,
    /// Its query.
    pub query: Form,
    /// Its headers.
    pub headers: HeaderMap,
    /// The variable parts of its path.
    pub params: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// Its form, where the gate asks for one.
    pub form: Form,
    /// The session secret that was presented and how; maybe of a dead session, maybe made up.
    pub presented: Option<(Handle, Transport)>,
    /// The living session.
    pub living: Option<Living<Known>>,
    /// The access token that was presented, and whether it is good.
    pub bearer: Presented,
    /// In which language to answer.
    pub language: Language,
    /// The random value in the cookie that form tokens are bound to.
    pub browser: Option<[u8; 16]>,
}

impl Visit {
    /// The person who is signed in.
    pub fn person(&self) -> Option<&Person> {
        self.living.as_ref()?.person.as_ref().map(|known| known.person())
    }

    /// The person who is signed in, where the gate let nobody else through.
    pub fn signed_in(&self) -> Result<&Person, Refusal> {
        self.person().ok_or(Refusal::NotSignedIn)
    }

    /// The session, where the gate let nobody without one through.
    pub fn session(&self) -> Result<&Living<Known>, Refusal> {
        self.living.as_ref().ok_or(Refusal::NotSignedIn)
    }

    /// Whether an authority vouches for the certificate (`tls.client_ca_file`), now.
    pub fn certificate_is_vouched_for(&self) -> bool {
        match (&self.certificate, self.app.authorities.get()) {
            (Some(certificate), Some(authorities)) => authorities.vouch_for(certificate, self.now),
            _ => false,
        }
    }

    /// A variable part of the path.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::Malformed(format!("The body is not the JSON that is wanted here: {}.", unquoted(&error)))
        })
    }

    /// From where, for a session that begins now.
    pub fn origin(&self) -> Origin {
        let agent = self.header(USER_AGENT.as_str());
        Origin {
            device: crate::session::device::describe(agent).into(),
            agent: agent_digest(agent),
            address: self.client,
        }
    }

    /// A header as text; empty when it is not there or is no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What this request's forms are bound to: the form, and the session if there is one, so that a form of one
    /// person is not accepted from another.
    ///
    /// Forms that anybody may send are bound to the browser alone: an old sign-in form counts though somebody has
    /// signed in from another tab meanwhile.
    pub fn form_name(&self, form: &str) -> String {
        match self.person() {
            Some(person) if !matches!(form, "login" | "setup" | "reset") => format!("{form} {}", person.id),
            _ => form.to_owned(),
        }
    }

    /// A token for a form on the page that is answered with. Empty when the browser has no cookie yet: the answer
    /// gives it one, see [`Answer`](super::answer).
    pub fn token(&self, form: &str) -> String {
        let browser = self.browser.unwrap_or_default();
        self.app.form_tokens.issue(&browser, &self.form_name(form), self.now)
    }

    /// An audit event of this request, about the person given.
    pub fn event(&self, fact: Fact, about: Option<PersonId>) -> Event {
        let actor = self.person().map_or(Actor::Nobody, |person| Actor::Person(person.id));
        let mut event = Event::new(self.now, fact, actor);
        event.person = about;
        event.address = Some(self.client);
        event.request = Some(self.request.clone());
        event
    }

    /// Writes an audit event. When it cannot be written that is logged; what it tells of has happened all the same.
    pub async fn record(&self, event: Event) {
        self.app.record(event).await;
    }
}

/// What the parser says without what was sent, which may be a password at the wrong place: a refusal's detail is logged.
/// Its messages are "missing field …", or "… `what was sent`, expected … at line 1 column 2".
fn unquoted(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(", expected ") {
        Some(at) => text.get(at + 2..).unwrap_or_default().to_owned(),
        None if error.is_data() && !text.starts_with("missing field") => {
            format!("a value cannot be taken at line {} column {}", error.line(), error.column())
        }
        None => text,
    }
}

/// The digest that binds a session in a URL to its browser.
pub fn agent_digest(agent: &str) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(Digest::of(agent.as_bytes()).as_bytes()) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}

/// The language the person reads best among those we speak, unless the settings fix one.
pub fn language(app: &App, headers: &HeaderMap) -> Language {
    match app.settings.language {
        crate::config::Language::En => Language::English,
        crate::config::Language::De => Language::German,
        crate::config::Language::Auto => {
            Language::negotiate(headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
        }
    }
}

/// The value of the cookie that form tokens are bound to.
pub fn browser_cookie(app: &App, headers: &HeaderMap) -> Option<[u8; 16]> {
    match find(headers, app.cookies.form.name()) {
        Found::One(value) => {
            let decoded = data_encoding::BASE64URL_NOPAD.decode(value).ok()?;
            decoded.try_into().ok()
        }
        _ => None,
    }
}
