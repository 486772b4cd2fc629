//! The JSON API of tokens.

use gateward_kernel::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::flow;
use crate::face::answer::{self, Answer};
use crate::face::visit::Visit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    refresh_token: String,
}

/// `POST /api/v1/token/refresh`
pub async fn refresh(visit: Visit) -> Answer {
    let body: RefreshBody = visit.json()?;
    answer::json(&flow::refresh(&visit, &body.refresh_token).await?.view())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandBody {
    audience: String,
    command: String,
    #[serde(default)]
    parameters: Value,
}

/// `POST /api/v1/commands`: a one-time command of the person who is signed in.
pub async fn command(visit: Visit) -> Answer {
    let body: CommandBody = visit.json()?;
    let person = visit.signed_in()?;
    let resources = &visit.app.tokens.resources;
    let resource = resources.find(Some(&body.audience)).ok_or_else(|| Refusal::Invalid {
        field: "audience",
        problem: "is no [[resource]] of the settings".into(),
    })?;
    let issued = super::command::issue(
        &visit.app,
        person,
        resource,
        &body.audience,
        body.command,
        body.parameters,
        visit.now,
    )?;
    answer::json(&json!({ "command": issued.token.as_str(), "expires_in": issued.expires_in.as_secs() }))
}
