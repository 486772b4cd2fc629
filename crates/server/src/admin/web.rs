//! `/admin`: the people, and everything one of them has open.

use gateward_kernel::event::Fact;
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Detail, Person};
use gateward_kernel::ports::PeopleQuery;
use gateward_kernel::refusal::Refusal;

use super::flow;
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{PeoplePage, PersonDetail, PersonNotice, PersonPage, PersonRow};
use crate::face::visit::Visit;
use crate::oauth::applications;
use crate::session::view::row;

const PER_PAGE: usize = 50;

/// `GET /admin`
pub async fn people(visit: Visit) -> Answer {
    let search = visit.query.get("q").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let after = visit.query.get("after").map(str::to_owned);
    let query = PeopleQuery { search: search.clone(), after, limit: PER_PAGE + 1 };
    let mut found = visit.app.directory().people(&query).await?;
    let more = found.len() > PER_PAGE;
    found.truncate(PER_PAGE);
    let next = found.last().filter(|_| more).map(|last| next_page(search.as_deref(), last.record.name.key()));
    let mut rows = Vec::with_capacity(found.len());
    for person in &found {
        let sessions = visit.app.sessions.list(person.record.id, visit.now).await?.len();
        rows.push(person_row(&person.record, sessions));
    }
    answer::page(&visit, &PeoplePage { query: search.unwrap_or_default(), people: rows, next })
}

fn next_page(search: Option<&str>, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(search) = search {
        query.append_pair("q", search);
    }
    query.append_pair("after", after);
    format!("/admin?{}", query.finish())
}

fn person_row(person: &Person, sessions: usize) -> PersonRow {
    PersonRow {
        id: person.id.to_string(),
        username: person.name.to_string(),
        display_name: person.display_name.clone().unwrap_or_default(),
        email: person.email.as_ref().map(ToString::to_string),
        groups: person.groups.clone(),
        disabled: person.disabled,
        sessions: u64::try_from(sessions).ok(),
    }
}

/// `GET /admin/people/{id}`
pub async fn person(visit: Visit) -> Answer {
    let notice = match visit.query.text("done") {
        "session" => Some(PersonNotice::SessionEnded),
        "all" => Some(PersonNotice::AllEnded),
        "application" => Some(PersonNotice::ApplicationEnded),
        "disabled" => Some(PersonNotice::Disabled),
        "enabled" => Some(PersonNotice::Enabled),
        _ => None,
    };
    show(&visit, notice, None).await
}

async fn show(visit: &Visit, notice: Option<PersonNotice>, reset_link: Option<String>) -> Answer {
    let loaded = visit.app.directory().person(id(visit)?).await?.ok_or(Refusal::NotFound)?;
    let person = &loaded.record;
    let sessions = visit.app.sessions.list(person.id, visit.now).await?;
    let current = visit.session()?.session.record.id;
    let page = PersonPage {
        csrf: visit.token("admin"),
        now: visit.now.micros(),
        id: person.id.to_string(),
        username: person.name.to_string(),
        display_name: person.display_name.clone().unwrap_or_default(),
        email: person.email.as_ref().map(ToString::to_string),
        email_verified: person.email_verified(),
        details: details(person),
        groups: person.groups.clone(),
        disabled: person.disabled,
        is_self: visit.signed_in()?.id == person.id,
        created: person.created.micros(),
        changed: person.changed.micros(),
        sessions: sessions.iter().map(|session| row(&session.record, Some(current))).collect(),
        applications: applications::rows(&visit.app, person.id, visit.now).await?,
        notice,
        reset_link,
    };
    answer::page(visit, &page)
}

fn details(person: &Person) -> Vec<PersonDetail> {
    let profile = &person.profile;
    let one = |(field, value): (Detail, &str)| PersonDetail {
        field,
        value: value.to_owned(),
        is_verified: field == Detail::PhoneNumber && profile.phone_verified(),
    };
    profile.iter().map(one).collect()
}

fn id(visit: &Visit) -> Result<PersonId, Refusal> {
    visit.param("id").parse().map_err(|_| Refusal::NotFound)
}

/// `POST /admin/people/{id}/sessions/end`
pub async fn end_session(visit: Visit) -> Answer {
    let session = visit.form.text("id").parse().map_err(|_| Refusal::NotFound)?;
    match flow::end_session(&visit.app, session, visit.now).await {
        Ok(person) => {
            let event = visit.event(Fact::SessionEnded, person);
            visit.record(flow::about(event, Fact::SessionEnded, person, Some(session))).await;
        }
        Err(Failure::Refusal(Refusal::NotFound)) => {}
        Err(failure) => return Err(failure),
    }
    back(&visit, "session")
}

/// `POST /admin/people/{id}/sessions/end-all`
pub async fn end_all(visit: Visit) -> Answer {
    let id = id(&visit)?;
    visit.app.sessions.end_all(id, visit.now).await?;
    visit.record(visit.event(Fact::SessionsEnded, Some(id))).await;
    back(&visit, "all")
}

/// `POST /admin/people/{id}/applications/end`
pub async fn end_application(visit: Visit) -> Answer {
    applications::end(&visit, id(&visit)?, visit.form.text("client_id")).await?;
    back(&visit, "application")
}

/// `POST /admin/people/{id}/disable`
pub async fn disable(visit: Visit) -> Answer {
    let id = id(&visit)?;
    if visit.signed_in()?.id == id {
        return Err(Refusal::Invalid {
            field: "user",
            problem: "is yourself: another administrator has to do it".into(),
        }
        .into());
    }
    flow::set_disabled(&visit.app, id, true, visit.now).await?;
    visit.record(visit.event(Fact::PersonDisabled, Some(id))).await;
    back(&visit, "disabled")
}

/// `POST /admin/people/{id}/enable`
pub async fn enable(visit: Visit) -> Answer {
    let id = id(&visit)?;
    flow::set_disabled(&visit.app, id, false, visit.now).await?;
    visit.record(visit.event(Fact::PersonEnabled, Some(id))).await;
    back(&visit, "enabled")
}

/// `POST /admin/people/{id}/reset`: the page itself shows the link, once; it is stored nowhere.
pub async fn reset(visit: Visit) -> Answer {
    let id = id(&visit)?;
    let code = flow::issue_reset(&visit.app, id, visit.now).await?;
    visit.record(visit.event(Fact::ResetIssued, Some(id))).await;
    show(&visit, Some(PersonNotice::ResetIssued), Some(code.link(&visit.app.base))).await
}

fn back(visit: &Visit, done: &str) -> Answer {
    answer::see_other(&format!("/admin/people/{}?done={done}", id(visit)?))
}
