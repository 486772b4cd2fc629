//! The JSON API of sessions, and the pages of sign-out.

use axum::response::Response;
use gateward_kernel::event::Fact;
use gateward_kernel::id::SessionId;
use gateward_kernel::person::Person;
use gateward_kernel::redirect::ReturnTo;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Data, DataRefusal, Session, Transport};
use http::header::{ETAG, IF_MATCH, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::view::SessionView;
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{LogoutPage, SignedOutPage};
use crate::face::visit::Visit;
use crate::oauth::logout::browser_state;
use crate::oauth::logout::web::leave;

/// The person in JSON.
#[derive(Debug, Serialize)]
pub struct UserView<'a> {
    /// The id, which stays when the name changes.
    pub id: String,
    /// The user name.
    pub username: &'a str,
    /// How to call them.
    pub name: &'a str,
    /// The address, if known.
    pub email: Option<&'a str>,
    /// What they belong to.
    pub groups: &'a [String],
}

impl<'a> UserView<'a> {
    /// As the person themselves may see it.
    pub fn of(person: &'a Person) -> Self {
        UserView {
            id: person.id.to_string(),
            username: person.name.as_str(),
            name: person.shown_name(),
            email: person.email.as_ref().map(|email| email.as_str()),
            groups: &person.groups,
        }
    }
}

/// `GET /api/v1/session`
pub async fn show(visit: Visit) -> Answer {
    let living = visit.session()?;
    let person = visit.signed_in()?;
    let session = &living.session.record;
    let view = SessionView::of(session, Some(session.id), visit.app.sessions.policy());
    answer::json(&json!({ "user": UserView::of(person), "session": view }))
}

/// `GET /api/v1/sessions`
pub async fn list(visit: Visit) -> Answer {
    let current = visit.session()?.session.record.id;
    let sessions = visit.app.sessions.list(visit.signed_in()?.id, visit.now).await?;
    let policy = visit.app.sessions.policy();
    let views: Vec<_> =
        sessions.iter().map(|session| SessionView::of(&session.record, Some(current), policy)).collect();
    answer::json(&json!({ "sessions": views }))
}

/// `DELETE /api/v1/sessions/{id}`
pub async fn end_one(visit: Visit) -> Answer {
    let id = visit.param("id").parse().map_err(|_| Refusal::NotFound)?;
    end_own(&visit, id).await?;
    let mut response = answer::no_content()?;
    if visit.session()?.session.record.id == id {
        clear_cookie(&visit, &mut response);
    }
    Ok(response)
}

/// Ends a session of the person who is signed in; those of others are not found.
pub async fn end_own(visit: &Visit, id: SessionId) -> Result<(), Failure> {
    let person = visit.signed_in()?.id;
    let found = visit.app.sessions.find(id, visit.now).await?;
    if found.is_none_or(|session| session.record.person() != Some(person))
        || !visit.app.sessions.end(id, visit.now).await?
    {
        return Err(Refusal::NotFound.into());
    }
    let mut event = visit.event(Fact::SessionEnded, Some(person));
    event.session = Some(id);
    visit.record(event).await;
    Ok(())
}

/// `DELETE /api/v1/sessions?keep=current`, and without `keep` all of them.
pub async fn end_many(visit: Visit) -> Answer {
    match visit.query.get("keep") {
        Some("current") => {
            let (mut response, count) = end_others(&visit, |_| answer::no_content()).await?;
            response.headers_mut().insert("gateward-ended", HeaderValue::from(count));
            Ok(response)
        }
        None => {
            let person = visit.signed_in()?.id;
            visit.app.sessions.end_all(person, visit.now).await?;
            visit.record(visit.event(Fact::SessionsEnded, Some(person))).await;
            let mut response = answer::no_content()?;
            clear_cookie(&visit, &mut response);
            Ok(response)
        }
        Some(_) => {
            Err(Refusal::Malformed("keep is \"current\", or is left out to end all sessions.".into()).into())
        }
    }
}

/// Ends the other sessions; the one that asks goes on under a new secret, which the answer hands out. Says how many.
pub async fn end_others(
    visit: &Visit,
    respond: impl FnOnce(usize) -> Answer,
) -> Result<(Response, usize), Failure> {
    let session = &visit.session()?.session.record;
    let ended = visit.app.sessions.end_others(session, visit.now).await?;
    let (opened, count) = ended.ok_or(Refusal::NotSignedIn)?;
    visit.record(visit.event(Fact::SessionsEnded, session.person())).await;
    let mut response = respond(count)?;
    hand_over(visit, &opened, &mut response)?;
    Ok((response, count))
}

/// `GET /api/v1/session/data`
pub async fn data(visit: Visit) -> Answer {
    let data = &visit.session()?.session.record.data;
    tagged(data, answer::json(&serde_json::from_str::<Value>(data.json()).unwrap_or_default())?)
}

/// `PATCH /api/v1/session/data`: a JSON merge patch (RFC 7396), on the version in `If-Match` when it is there.
/// Somebody who has no session gets a guest's.
pub async fn patch_data(visit: Visit) -> Answer {
    let expected = if_match(&visit.headers)?;
    let patch: Value = visit.json()?;
    let guest = match &visit.living {
        Some(_) => None,
        None => {
            // Nobody is known, and something is stored: only so often for one network.
            visit.app.throttle.guest(visit.client, visit.now).await?;
            Some(visit.app.sessions.begin_guest(visit.origin(), visit.now).await?)
        }
    };
    let id = match (&guest, &visit.living) {
        (Some(opened), _) => opened.session.record.id,
        (None, Some(living)) => living.session.record.id,
        (None, None) => return Err(Refusal::NotSignedIn.into()),
    };
    let data = match visit
        .app
        .sessions
        .patch_data(id, &patch, expected, visit.now)
        .await?
        .ok_or(Refusal::NotSignedIn)?
    {
        Ok(data) => data,
        Err(DataRefusal::Stale { current }) => return Err(Refusal::Stale(current).into()),
        Err(DataRefusal::TooLarge { limit }) => return Err(Refusal::TooLarge(limit).into()),
        Err(refusal @ DataRefusal::TooDeep) => return Err(Refusal::Malformed(refusal.to_string()).into()),
    };
    let mut response =
        tagged(&data, answer::json(&serde_json::from_str::<Value>(data.json()).unwrap_or_default())?)?;
    if let Some(opened) = &guest {
        hand_over(&visit, opened, &mut response)?;
    }
    Ok(response)
}

fn tagged(data: &Data, mut response: Response) -> Answer {
    response
        .headers_mut()
        .insert(ETAG, HeaderValue::from_str(&format!("\"{}\"", data.version())).map_err(http::Error::from)?);
    Ok(response)
}

/// The version in `If-Match` (RFC 9110 §13.1.1); `*` is any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let mut all = headers.get_all(IF_MATCH).iter();
    let wrong = || Refusal::Malformed("If-Match is the ETag of this data, such as \"3\", once.".into());
    match (all.next().map(HeaderValue::as_bytes), all.next()) {
        (None, _) | (Some(b"*"), None) => Ok(None),
        (Some(tag), None) => {
            let text = tag.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or_else(wrong)?;
            let text = std::str::from_utf8(text).map_err(|_| wrong())?;
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().map(Some).map_err(|_| wrong()) } else { Err(wrong()) }
        }
        _ => Err(wrong()),
    }
}

/// Hands a session's new secret to its owner: in the cookie, or for apps in a header of the answer.
pub fn hand_over(
    visit: &Visit,
    opened: &gateward_guard::Opened,
    response: &mut Response,
) -> Result<(), Failure> {
    let text = opened.handle.print();
    match opened.session.record.transport {
        Transport::Cookie => {
            let header = visit.app.cookies.session(&opened.session.record, &text, visit.now)?;
            response.headers_mut().append(SET_COOKIE, header);
            put_state(visit, Some(&opened.session.record), response);
        }
        Transport::Header | Transport::Url => {
            let mut value = HeaderValue::from_str(&text).map_err(http::Error::from)?;
            value.set_sensitive(true);
            response.headers_mut().insert("gateward-session", value);
        }
        // Its app has tokens, which do not change with the secret that nobody has.
        Transport::Token => {}
    }
    Ok(())
}

/// Takes the session cookie away.
pub fn clear_cookie(visit: &Visit, response: &mut Response) {
    if let Ok(header) = visit.app.cookies.session.clear() {
        response.headers_mut().append(SET_COOKIE, header);
    }
    put_state(visit, None, response);
}

fn put_state(visit: &Visit, session: Option<&Session>, response: &mut Response) {
    if let Some(cookie) = browser_state::follow(visit, session) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogoutBody {
    refresh_token: Option<String>,
}

/// `POST /api/v1/logout`: ends the session that comes with the request, and that of the refresh token in the body.
pub async fn logout(visit: Visit) -> Answer {
    if !visit.body.is_empty() {
        let body: LogoutBody = visit.json()?;
        if let Some(token) = &body.refresh_token {
            crate::tokens::flow::give_back(&visit, token).await?;
        }
    }
    sign_out(&visit).await?;
    let mut response = answer::no_content()?;
    clear_cookie(&visit, &mut response);
    Ok(response)
}

/// `GET /logout`: asks first, so that no link can sign anybody out.
pub async fn logout_page(visit: Visit) -> Answer {
    let Some(person) = visit.person() else { return answer::page(&visit, &SignedOutPage::default()) };
    let page = LogoutPage {
        csrf: visit.token("logout"),
        display_name: person.display_name.clone().unwrap_or_default(),
        username: person.name.to_string(),
        return_to: visit.query.get("return_to").map(str::to_owned),
    };
    answer::page(&visit, &page)
}

/// `POST /logout`
pub async fn logout_form(visit: Visit) -> Answer {
    let ended = visit.living.as_ref().map(|living| living.session.clone());
    sign_out(&visit).await?;
    let back = ReturnTo::read(visit.form.text("return_to"), &visit.app.base, |host| visit.app.is_app(host));
    let next = back.map(|back| back.target().to_owned());
    leave(visit, ended, next).await
}

async fn sign_out(visit: &Visit) -> Result<(), Failure> {
    let Some(living) = &visit.living else { return Ok(()) };
    let session = &living.session.record;
    visit.app.sessions.end(session.id, visit.now).await?;
    let mut event = visit.event(Fact::SignedOut, session.person());
    event.session = Some(session.id);
    visit.record(event).await;
    Ok(())
}
