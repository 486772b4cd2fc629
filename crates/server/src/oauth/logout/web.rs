//! `/oauth/logout`: a client asks that its person be signed out (OpenID Connect RP-Initiated Logout 1.0); and the frame by which it asks
//! whether they still are signed in.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::event::Fact;
use gateward_kernel::oauth::OAuthError;
use gateward_kernel::ports::Fault;
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use super::{browser_state, front_channel};
use crate::app::App;
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::form::Form;
use crate::face::language::Language;
use crate::face::page::SignedOutPage;
use crate::face::visit::Visit;
use crate::oauth::authorize::web::error_page;
use crate::oauth::hint;
use crate::session::web::{clear_cookie, logout_page};

/// The path of the endpoint.
pub const PATH: &str = "/oauth/logout";
/// What a request is sealed for that came by a form.
const CONTEXT: &[u8] = b"logout request 1";
/// A form is led on at once.
const LIFETIME: Duration = Duration::from_secs(60);
/// The longest `state` and `ui_locales`, in bytes.
const LONGEST: usize = 1024;
/// For so long the answer waits for the clients that are told.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked for, as far as it was proved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Asked {
    /// The client that has proved itself by an ID token of ours, and whom that was about.
    proved: Option<(Box<str>, Box<str>)>,
    /// Where to lead on, with `state`; only for such a client.
    next: Option<String>,
    /// In which languages to speak.
    locales: Option<Box<str>>,
    /// When it came.
    at: Moment,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// The session ends.
    End,
    /// The person is asked, and led nowhere.
    Confirm,
    /// Nobody is signed in: it is so already.
    LeadOn,
}

/// Whoever is signed in is signed out at once when the client shows an ID token about them, and asked otherwise (§2): a link alone
/// signs nobody out.
fn next(subject_asked: Option<&str>, subject_here: Option<&str>) -> Next {
    match (subject_asked, subject_here) {
        (_, None) => Next::LeadOn,
        (Some(asked), Some(here)) if asked == here => Next::End,
        _ => Next::Confirm,
    }
}

/// `GET /oauth/logout`
pub async fn ask(visit: Visit) -> Answer {
    let asked = match visit.query.get("request") {
        Some(text) => match open(&visit.app, text, visit.now) {
            Some(asked) => asked,
            None => {
                return error_page(&visit, &OAuthError::request("this request is too old, begin it again"));
            }
        },
        None => match read(&visit.app, &visit.query, visit.now).await? {
            Ok(asked) => asked,
            Err(error) => return error_page(&visit, &error),
        },
    };
    go_on(visit, asked).await
}

/// `POST /oauth/logout`: the same from a form of the client. It comes without our cookies when it comes from another site; the page
/// that it is led to comes with them.
pub async fn ask_by_form(visit: Visit) -> Answer {
    let asked = match read(&visit.app, &visit.form, visit.now).await? {
        Ok(asked) => asked,
        Err(error) => return error_page(&visit, &error),
    };
    let plain =
        serde_json::to_vec(&asked).map_err(|error| Failure::Fault(crate::face::gate::mistake(error)))?;
    let sealed = visit.app.oauth.flows.seal(&*visit.app.entropy, CONTEXT, &plain);
    answer::see_other(&format!("{PATH}?request={}", BASE64URL_NOPAD.encode(&sealed)))
}

fn open(app: &App, text: &str, now: Moment) -> Option<Asked> {
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let plain = app.oauth.flows.open(CONTEXT, &sealed).ok()?;
    let asked: Asked = serde_json::from_slice(&plain).ok()?;
    (now.since(asked.at) < LIFETIME).then_some(asked)
}

async fn read(app: &App, form: &Form, now: Moment) -> Result<Result<Asked, OAuthError>, Fault> {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let refuse = |why: &'static str| Ok(Err(OAuthError::request(why)));
    for name in ["state", "ui_locales"] {
        if given(name).is_some_and(|text| text.len() > LONGEST) {
            return Ok(Err(OAuthError::request(format!("{name} is longer than {LONGEST} bytes"))));
        }
    }
    let named = given("client_id");
    if let Some(named) = named
        && app.oauth.clients.find(named, now).await?.is_none()
    {
        return refuse("client_id names no client that is known here");
    }
    // In memory before the hint is read, which may be signed by the secret of its client.
    if let Some(claimed) = given("id_token_hint").and_then(hint::claimed_client) {
        app.oauth.clients.find(&claimed, now).await?;
    }
    let hint = given("id_token_hint").and_then(|text| hint::read(app, text, now));
    let client = match &hint {
        Some(hint) => app.oauth.clients.find(&hint.client, now).await?,
        None => None,
    };
    let proved = hint.filter(|_| client.is_some());
    if let (Some(proved), Some(named)) = (&proved, named)
        && *proved.client != *named
    {
        return refuse("client_id is not the client that id_token_hint was issued to");
    }
    let next = match (&client, given("post_logout_redirect_uri")) {
        // Nobody is led anywhere by a client that has not proved itself.
        (None, _) | (_, None) => None,
        (Some(client), Some(uri)) => {
            let registered = &client.record.metadata.post_logout_redirect_uris;
            if !registered.iter().any(|own| own.as_str() == uri) {
                return refuse("post_logout_redirect_uri is not one that the client has registered");
            }
            Some(with_state(uri, given("state")))
        }
    };
    let locales = given("ui_locales").map(Into::into);
    Ok(Ok(Asked { proved: proved.map(|hint| (hint.client, hint.subject)), next, locales, at: now }))
}

/// The address with the `state` handed back as it came (§3).
fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return uri.to_owned() };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    let mark = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{mark}{query}")
}

async fn go_on(mut visit: Visit, asked: Asked) -> Answer {
    if let Some(locales) = &asked.locales
        && visit.app.settings.language == crate::config::Language::Auto
    {
        visit.language = Language::preferred(locales).unwrap_or(visit.language);
    }
    let here = match (&asked.proved, visit.person()) {
        (_, None) => None,
        (None, Some(person)) => Some(person.id.to_string()),
        (Some((client, _)), Some(person)) => {
            let client = visit.app.oauth.clients.find(client, visit.now).await?;
            Some(match client {
                Some(client) => visit.app.oauth.subject(&client.record, person.id),
                None => person.id.to_string(),
            })
        }
    };
    let subject = asked.proved.as_ref().map(|(_, subject)| &**subject);
    match next(subject, here.as_deref()) {
        Next::Confirm => logout_page(visit).await,
        Next::LeadOn => leave(visit, None, asked.next).await,
        Next::End => {
            let session = visit.session()?.session.clone();
            visit.app.sessions.end(session.record.id, visit.now).await?;
            let mut event = visit.event(Fact::SignedOut, session.record.person());
            event.session = Some(session.record.id);
            event.detail = asked.proved.map(|(client, _)| format!("client {client}"));
            visit.record(event).await;
            leave(visit, Some(session), asked.next).await
        }
    }
}

/// What a browser gets whose session was ended: clients are told through it and beside it, and then it is led on.
pub async fn leave(visit: Visit, ended: Option<Arc<Loaded<Session>>>, next: Option<String>) -> Answer {
    let mut frames = Vec::new();
    if let Some(session) = &ended {
        frames = front_channel::frames(&visit.app, &session.record, visit.now).await?;
        visit.app.oauth.outbox.settled(&session.record, PATIENCE, visit.now).await?;
    }
    let visit = Visit { living: None, ..visit };
    let mut response = match next {
        Some(next) if frames.is_empty() => answer::see_other(&next)?,
        next => {
            let page = SignedOutPage { frames: frames.iter().map(ToString::to_string).collect(), next };
            let origins: Vec<String> = frames.iter().map(|uri| uri.origin().ascii_serialization()).collect();
            answer::page_framing(&visit, StatusCode::OK, &page, &origins)?
        }
    };
    clear_cookie(&visit, &mut response);
    Ok(response)
}

/// `GET /oauth/check-session`: the frame of session management. Anybody may frame it: it shows nothing, and tells only who knows a
/// `session_state`.
pub async fn check_session(visit: Visit) -> Answer {
    let html = browser_state::document(&visit.app).ok_or(Refusal::NotFound)?;
    let policy = "default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'";
    let response = Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, policy)
        .header(CACHE_CONTROL, "no-store")
        .body(html.into())?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_the_token_is_about_is_signed_out_unasked() {
        assert_eq!(next(Some("ann"), Some("ann")), Next::End);
        assert_eq!(next(Some("ann"), Some("bob")), Next::Confirm);
        assert_eq!(next(None, Some("ann")), Next::Confirm);
        assert_eq!(next(Some("ann"), None), Next::LeadOn);
        assert_eq!(next(None, None), Next::LeadOn);
    }

    #[test]
    fn state_goes_behind_whatever_the_address_has() {
        assert_eq!(with_state("https://a.example/out", None), "https://a.example/out");
        assert_eq!(with_state("https://a.example/out", Some("a b&c")), "https://a.example/out?state=a+b%26c");
        assert_eq!(with_state("https://a.example/out?x=1", Some("s")), "https://a.example/out?x=1&state=s");
    }
}
