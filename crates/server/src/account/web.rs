//! The account page and its forms.

use std::time::Duration;

use gateward_kernel::event::{EventQuery, Fact};
use gateward_kernel::person::{Email, Person, UserName, tidy_display_name};
use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Transport;
use gateward_kernel::time::Moment;
use http::StatusCode;

use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{AccountNotice, AccountPage, Field, FieldProblem, Problem};
use crate::face::visit::Visit;
use crate::login::setup::{name_problem, taken_problem};
use crate::password::flow::{NotSet, change_own};
use crate::password::web::limits;
use crate::people::NotChanged;
use crate::session::view::row;
use crate::session::web::{clear_cookie, end_others, end_own, hand_over};

/// For so long the person is told that a key of an app was used twice.
const TOLD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// `GET /account`
pub async fn page(visit: Visit) -> Answer {
    let notice = match visit.query.text("done") {
        "profile" => Some(AccountNotice::ProfileSaved),
        "password" => Some(AccountNotice::PasswordChanged),
        "session" => Some(AccountNotice::SessionEnded),
        "others" => Some(AccountNotice::OthersEnded),
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
        Some(typed) => typed.chars().take(320).collect(),
        None => stored.unwrap_or_default().to_owned(),
    };
    Ok(AccountPage {
        csrf: visit.token("account"),
        now: visit.now.micros(),
        username: typed("username", Some(person.name.as_str())),
        display_name: typed("display_name", person.display_name.as_deref()),
        email: typed("email", person.email.as_ref().map(|email| email.as_str())),
        groups: person.groups.clone(),
        sessions: sessions.iter().map(|session| row(&session.record, Some(current))).collect(),
        apps: apps.iter().map(|session| row(&session.record, Some(current))).collect(),
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

async fn refused(visit: &Visit, problem: FieldProblem) -> Answer {
    let page = content(visit, None, vec![problem]).await?;
    answer::page_with(visit, StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /account/profile`
pub async fn profile(visit: Visit) -> Answer {
    let person = visit.signed_in()?;
    let read = match read_profile(&visit, person) {
        Ok(read) => read,
        Err(problem) => return refused(&visit, problem).await,
    };
    let set = |person: &mut Person| -> Result<(), Refusal> {
        (person.name, person.display_name, person.email) = read.clone();
        Ok(())
    };
    match visit.app.sessions.people().change(person.id, visit.now, set).await {
        Ok(_) => {
            visit.record(visit.event(Fact::PersonChanged, Some(person.id))).await;
            answer::see_other("/account?done=profile")
        }
        Err(NotChanged::Taken(taken)) => refused(&visit, taken_problem(taken)).await,
        Err(other) => {
            Err(crate::password::flow::changed(Err(other)).err().unwrap_or(Refusal::NotFound.into()))
        }
    }
}

fn read_profile(
    visit: &Visit,
    person: &Person,
) -> Result<(UserName, Option<String>, Option<Email>), FieldProblem> {
    let wrong = |field, problem| FieldProblem { field, problem };
    let form = &visit.form;
    let name = match form.get("username") {
        Some(typed) => typed.parse().map_err(|problem| wrong(Field::Username, name_problem(problem)))?,
        None => person.name.clone(),
    };
    let display_name = tidy_display_name(form.text("display_name"))
        .map_err(|_| wrong(Field::DisplayName, Problem::NotText))?;
    let email = match form.text("email").trim() {
        "" => None,
        typed => Some(Email::parse(typed).map_err(|_| wrong(Field::Email, Problem::EmailInvalid))?),
    };
    Ok((name, display_name, email))
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
            refused(&visit, FieldProblem { field, problem }).await
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
