//! `/reset`, and the strength meter's question.

use gateward_kernel::refusal::Refusal;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::flow::{self, NotSet};
use super::reset::Code;
use crate::face::answer::{self, Answer};
use crate::face::page::{PasswordLimits, Problem, ResetForm, ResetPage};
use crate::face::visit::Visit;
use crate::session::web::clear_cookie;

/// `GET /reset`
pub async fn page(visit: Visit) -> Answer {
    let Some(text) = visit.query.get("code").filter(|text| !text.is_empty()) else {
        return answer::page(&visit, &ResetPage::Ask { errors: Vec::new() });
    };
    let person = match Code::read(text) {
        Some(code) => flow::living_code(&visit, &code).await?,
        None => None,
    };
    match person {
        Some(person) => {
            answer::page(&visit, &choose(&visit, text, Some(person.name.to_string()), Vec::new()))
        }
        None => ask_again(&visit),
    }
}

/// `POST /reset`
pub async fn submit(mut visit: Visit) -> Answer {
    let (code, form) = (visit.form.text("code"), &visit.form);
    match flow::redeem(&visit, code, form.text("password"), form.text("password_again")).await {
        Ok(person) if visit.person().is_some_and(|own| own.id == person) => {
            // The session in this browser has ended with all the others.
            visit.living = None;
            let mut response = answer::page(&visit, &ResetPage::Done)?;
            clear_cookie(&visit, &mut response);
            Ok(response)
        }
        Ok(_) => answer::page(&visit, &ResetPage::Done),
        Err(NotSet::Problem(Problem::CodeInvalid)) => ask_again(&visit),
        Err(NotSet::Problem(problem)) => {
            let person = match Code::read(code) {
                Some(code) => flow::living_code(&visit, &code).await?,
                None => None,
            };
            let page = choose(&visit, code, person.map(|person| person.name.to_string()), vec![problem]);
            answer::page_with(&visit, StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(NotSet::Failure(failure)) => Err(failure),
    }
}

fn choose(visit: &Visit, code: &str, username: Option<String>, errors: Vec<Problem>) -> ResetPage {
    ResetPage::Choose(ResetForm {
        csrf: visit.token("reset"),
        code: code.to_owned(),
        username,
        errors,
        limits: limits(visit),
    })
}

fn ask_again(visit: &Visit) -> Answer {
    let status = answer::status(Refusal::CodeInvalid.row().status);
    answer::page_with(visit, status, &ResetPage::Ask { errors: vec![Problem::CodeInvalid] })
}

/// The lengths that the pages tell.
pub fn limits(visit: &Visit) -> PasswordLimits {
    PasswordLimits {
        min: visit.app.passwords.min_length(),
        max: gateward_kernel::person::password::MAX_PASSWORD,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    password: String,
    #[serde(default)]
    context: Vec<String>,
}

/// `POST /api/v1/password/strength`: how strong a password seems, for the meter. Nothing is kept.
pub async fn strength(visit: Visit) -> Answer {
    let question: Question = visit.json()?;
    let context = question.context.into_iter().take(4).map(|word| word.chars().take(100).collect()).collect();
    let score = visit.app.passwords.strength(question.password, context).await?;
    let label =
        ["very-weak", "weak", "fair", "good", "strong"].get(usize::from(score)).copied().unwrap_or("strong");
    answer::json(&json!({ "score": score, "label": label }))
}
