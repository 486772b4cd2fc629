//! `/api/v1/admin/…`: who is signed in, and cutting it.

use gateward_kernel::event::{Event, EventQuery, Fact};
use gateward_kernel::person::{Login, Person};
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use serde_json::{Value, json};

use super::flow;
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::visit::Visit;
use crate::session::view::SessionView;

/// `GET /api/v1/admin/sessions?user=NAME`
pub async fn sessions(visit: Visit) -> Answer {
    let person = named(&visit).await?;
    let sessions = visit.app.sessions.list(person.record.id, visit.now).await?;
    let current = visit.session()?.session.record.id;
    let policy = visit.app.sessions.policy();
    let views: Vec<_> =
        sessions.iter().map(|session| SessionView::of(&session.record, Some(current), policy)).collect();
    answer::json(&json!({ "user": person.record.name.as_str(), "sessions": views }))
}

/// `DELETE /api/v1/admin/sessions/{id}`
pub async fn end_session(visit: Visit) -> Answer {
    let id = visit.param("id").parse().map_err(|_| Refusal::NotFound)?;
    let person = flow::end_session(&visit.app, id, visit.now).await?;
    let event = visit.event(Fact::SessionEnded, person);
    visit.record(flow::about(event, Fact::SessionEnded, person, Some(id))).await;
    answer::no_content()
}

/// `DELETE /api/v1/admin/sessions?user=NAME`
pub async fn end_all(visit: Visit) -> Answer {
    let person = named(&visit).await?.record.id;
    visit.app.sessions.end_all(person, visit.now).await?;
    visit.record(visit.event(Fact::SessionsEnded, Some(person))).await;
    answer::no_content()
}

/// The most audit events in one answer, and how many there are unless said.
const MOST_EVENTS: usize = 1000;
const SOME_EVENTS: usize = 100;

/// `GET /api/v1/admin/events?user=NAME&limit=N`: the newest audit events, about one person or all.
pub async fn events(visit: Visit) -> Answer {
    let person = match visit.query.get("user") {
        Some(_) => Some(named(&visit).await?.record.id),
        None => None,
    };
    let limit = match visit.query.get("limit") {
        None => SOME_EVENTS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MOST_EVENTS).contains(limit))
            .ok_or_else(|| Refusal::Malformed(format!("limit is a number from 1 to {MOST_EVENTS}.")))?,
    };
    let events = visit.app.directory().events(&EventQuery { person, limit, ..EventQuery::default() }).await?;
    let views: Vec<_> = events.iter().map(view).collect();
    answer::json(&json!({ "events": views }))
}

/// An event with its time as all times are shown: RFC 3339.
fn view(event: &Event) -> Value {
    let mut value = json!(event);
    if let Some(members) = value.as_object_mut() {
        members.insert("at".into(), event.at.rfc3339().into());
    }
    value
}

async fn named(visit: &Visit) -> Result<Loaded<Person>, Failure> {
    let Some(name) = visit.query.get("user") else {
        return Err(Refusal::Malformed("The parameter user is missing: whose sessions?".into()).into());
    };
    Ok(visit.app.directory().person_by_login(&Login::read(name)).await?.ok_or(Refusal::NotFound)?)
}
