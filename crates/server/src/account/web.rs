//! The account page and its forms.

use std::collections::BTreeMap;
use std::time::Duration;

use gateward_kernel::event::{EventQuery, Fact};
use gateward_kernel::person::{Detail, DetailProblem, Email, Person, Told, UserName};
use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Transport;
use gateward_kernel::time::Moment;
use http::StatusCode;

use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{AccountNotice, AccountPage, Field, FieldProblem, Problem};
use crate::face::visit::Visit;
use crate::login::setup::{name_problem, read_display_name, taken_problem};
use crate::oauth::applications;
use crate::password::flow::{NotSet, change_own};
use crate::password::web::limits;
use crate::people::NotChanged;
use crate::session::view::row;
use crate::session::web::{clear_cookie, end_others, end_own, hand_over};

/// For so long the person is told that a key of an app was used twice.
const TOLD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The most characters of a refused text that are shown again.
const MOST_SHOWN: usize = 1024;

/// `GET /account`
pub async fn page(visit: Visit) -> Answer {
    let notice = match visit.query.text("done") {
        "profile" => Some(AccountNotice::ProfileSaved),
        "password" => Some(AccountNotice::PasswordChanged),
        "session" => Some(AccountNotice::SessionEnded),
        "others" => Some(AccountNotice::OthersEnded),
        "application" => Some(AccountNotice::ApplicationEnded),
        _ => None,
    };
    let page = content(&visit, notice, Vec::new()).await?;
    answer::page(&visit, &page)
}

async fn content(
    visit: &Visit,
    notice: Option<AccountNotice>,
    errors: Vec<FieldProblem>,
) -> Result<AccountPage, Failure> {
    let person = visit.signed_in()?;
    let current = visit.session()?.session.record.id;
    let (apps, sessions): (Vec<_>, Vec<_>) = (visit.app.sessions.list(person.id, visit.now).await?)
        .into_iter()
        .partition(|session| session.record.transport == Transport::Token);
    // What was typed and refused is shown again, so that it can be mended.
    let typed = |name: &str, stored: Option<&str>| match visit.form.get(name) {
        Some(typed) => typed.chars().take(MOST_SHOWN).collect(),
        None => stored.unwrap_or_default().to_owned(),
    };
    let detail = |detail: Detail| (detail, typed(detail.name(), person.profile.get(detail)));
    Ok(AccountPage {
        csrf: visit.token("account"),
        now: visit.now.micros(),
        username: typed("username", Some(person.name.as_str())),
        display_name: typed("display_name", person.display_name.as_deref()),
        email: typed("email", person.email.as_ref().map(|email| email.as_str())),
        email_verified: person.email_verified(),
        details: Detail::ALL.into_iter().map(detail).collect::<BTreeMap<_, _>>(),
        phone_verified: person.profile.phone_verified(),
        is_more_open: errors.iter().any(|error| matches!(error.field, Field::Detail(_))),
        groups: person.groups.clone(),
        sessions: sessions.iter().map(|session| row(&session.record, Some(current))).collect(),
        apps: apps.iter().map(|session| row(&session.record, Some(current))).collect(),
        applications: applications::rows(&visit.app, person.id, visit.now).await?,
        key_reused: key_reused(visit, person).await?.map(Moment::micros),
        notice,
        errors,
        limits: limits(visit),
    })
}

/// When a key of one of the person's apps was used twice, unless that is long ago or they have set a new password since.
async fn key_reused(visit: &Visit, person: &Person) -> Result<Option<Moment>, Fault> {
    let query = EventQuery {
        person: Some(person.id),
        fact: Some(Fact::RefreshTokenReused),
        limit: 1,
        ..EventQuery::default()
    };
    let newest = visit.app.directory().events(&query).await?.first().map(|event| event.at);
    let is_settled = |at: Moment| person.password.as_ref().is_some_and(|password| password.set > at);
    Ok(newest.filter(|at| visit.now.since(*at) < TOLD_FOR && !is_settled(*at)))
}

async fn refused(visit: &Visit, problems: Vec<FieldProblem>) -> Answer {
    let page = content(visit, None, problems).await?;
    answer::page_with(visit, StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /account/profile`
pub async fn profile(visit: Visit) -> Answer {
    let person = visit.signed_in()?;
    let read = match read_profile(&visit) {
        Ok(read) => read,
        Err(problems) => return refused(&visit, problems).await,
    };
    let set = |person: &mut Person| -> Result<(), Refusal> {
        read.put(person);
        Ok(())
    };
    match visit.app.sessions.people().change(person.id, visit.now, set).await {
        Ok(_) => {
            visit.record(visit.event(Fact::PersonChanged, Some(person.id))).await;
            answer::see_other("/account?done=profile")
        }
        Err(NotChanged::Taken(taken)) => refused(&visit, vec![taken_problem(taken)]).await,
        Err(other) => {
            Err(crate::password::flow::changed(Err(other)).err().unwrap_or(Refusal::NotFound.into()))
        }
    }
}

/// What a person says of themselves, as far as the form holds it.
struct Said {
    name: Option<UserName>,
    display_name: Option<String>,
    email: Option<Email>,
    details: Vec<Told>,
}

impl Said {
    /// What the form leaves out stays as it is; whoever types another address or number has to have it verified anew.
    fn put(&self, person: &mut Person) {
        if let Some(name) = &self.name {
            person.name = name.clone();
        }
        person.display_name.clone_from(&self.display_name);
        person.set_email(self.email.clone());
        for told in &self.details {
            person.profile.put(told.clone());
        }
    }
}

/// What is wrong is told of every field at once.
fn read_profile(visit: &Visit) -> Result<Said, Vec<FieldProblem>> {
    let form = &visit.form;
    let mut problems = Vec::new();
    let mut wrong = |field, problem| problems.push(FieldProblem { field, problem });
    let name = form.get("username").and_then(|typed| {
        typed.parse::<UserName>().map_err(|problem| wrong(Field::Username, name_problem(problem))).ok()
    });
    let display_name = read_display_name(form.text("display_name")).unwrap_or_else(|problem| {
        wrong(Field::DisplayName, problem);
        None
    });
    let email = match form.text("email").trim() {
        "" => None,
        typed => Email::parse(typed).map_err(|_| wrong(Field::Email, Problem::EmailInvalid)).ok(),
    };
    let mut details = Vec::new();
    for detail in Detail::ALL {
        let Some(typed) = form.get(detail.name()) else { continue };
        match detail.read(typed) {
            Ok(told) => details.push(told),
            Err(problem) => wrong(Field::Detail(detail), detail_problem(problem)),
        }
    }
    if problems.is_empty() { Ok(Said { name, display_name, email, details }) } else { Err(problems) }
}

/// What is wrong with a detail, on a page.
fn detail_problem(problem: DetailProblem) -> Problem {
    match problem {
        DetailProblem::TooLong(_) => Problem::TextTooLong,
        DetailProblem::Lines => Problem::TooManyLines,
        DetailProblem::Characters => Problem::TextCharacters,
        DetailProblem::WebAddress => Problem::WebAddressInvalid,
        DetailProblem::Birthdate => Problem::BirthdateInvalid,
        DetailProblem::Zone => Problem::ZoneInvalid,
        DetailProblem::Locale => Problem::LocaleInvalid,
        DetailProblem::Phone => Problem::PhoneInvalid,
    }
}

/// `POST /account/password`
pub async fn password(visit: Visit) -> Answer {
    let form = &visit.form;
    let changed =
        change_own(&visit, form.text("current_password"), form.text("password"), form.text("password_again"))
            .await;
    match changed {
        Ok(opened) => {
            let mut response = answer::see_other("/account?done=password")?;
            hand_over(&visit, &opened, &mut response)?;
            Ok(response)
        }
        Err(NotSet::Failure(failure)) => Err(failure),
        Err(NotSet::Problem(problem)) => {
            let field = match problem {
                Problem::CurrentPasswordWrong | Problem::Throttled => Field::CurrentPassword,
                Problem::Mismatch => Field::PasswordAgain,
                _ => Field::Password,
            };
            refused(&visit, vec![FieldProblem { field, problem }]).await
        }
    }
}

/// `POST /account/sessions/end`
pub async fn end_session(visit: Visit) -> Answer {
    let id = visit.form.text("id").parse().map_err(|_| Refusal::NotFound)?;
    match end_own(&visit, id).await {
        // It was gone already: what was wanted is so.
        Ok(()) | Err(Failure::Refusal(Refusal::NotFound)) => {}
        Err(failure) => return Err(failure),
    }
    if visit.session()?.session.record.id == id {
        let mut response = answer::see_other("/login")?;
        clear_cookie(&visit, &mut response);
        return Ok(response);
    }
    answer::see_other("/account?done=session")
}

/// `POST /account/sessions/end-others`
pub async fn end_other_sessions(visit: Visit) -> Answer {
    end_others(&visit, |_| answer::see_other("/account?done=others")).await.map(|(response, _)| response)
}

/// `GET /`
pub async fn home(_: Visit) -> Answer {
    answer::see_other("/account")
}
