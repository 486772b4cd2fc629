//! What a person has given to applications of others, as they and administrators see it, and its end.

use gateward_kernel::event::Fact;
use gateward_kernel::id::PersonId;
use gateward_kernel::oauth::Consent;
use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::time::Moment;
use serde_json::json;

use crate::app::App;
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::ApplicationRow;
use crate::face::visit::Visit;

/// One application.
#[derive(Clone, PartialEq, Debug)]
pub struct Application {
    /// What people read; its `client_id` where it is known no more.
    pub name: String,
    /// When it last came for itself: with a code, or to refresh.
    pub used: Moment,
    /// What it was given.
    pub consent: Consent,
}

/// All of a person, the last used first.
pub async fn of(app: &App, person: PersonId, now: Moment) -> Result<Vec<Application>, Fault> {
    let consents = app.oauth.consents.of(person, now).await?;
    let mut all = Vec::with_capacity(consents.all.len());
    for consent in consents.all {
        let client = app.oauth.clients.find_any(&consent.client, now).await?;
        let name =
            client.map_or_else(|| consent.client.to_string(), |client| client.record.shown_name().to_owned());
        let mut used = consent.used;
        for grant in &consent.grants {
            if let Some(grant) = app.tokens.grants.load(*grant, now).await? {
                used = used.max(grant.record.rotated);
            }
        }
        all.push(Application { name, used, consent });
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.used));
    Ok(all)
}

/// The same as rows of a page.
pub async fn rows(app: &App, person: PersonId, now: Moment) -> Result<Vec<ApplicationRow>, Fault> {
    let row = |one: Application| ApplicationRow {
        client_id: one.consent.client.to_string(),
        name: one.name,
        scopes: one.consent.scope.iter().map(str::to_owned).collect(),
        resources: one.consent.resources.iter().map(ToString::to_string).collect(),
        offline: one.consent.scope.has("offline_access"),
        since: one.consent.given.micros(),
        last_used: one.used.micros(),
    };
    Ok(of(app, person, now).await?.into_iter().map(row).collect())
}

/// Takes back what this person gave to a client, and ends everything that came of it; whether there was anything.
pub async fn end(visit: &Visit, person: PersonId, client: &str) -> Result<bool, Failure> {
    if !visit.app.oauth.consents.withdraw(person, client, visit.now).await? {
        return Ok(false);
    }
    let mut event = visit.event(Fact::ConsentWithdrawn, Some(person));
    event.detail = Some(format!("client {client}"));
    visit.record(event).await;
    Ok(true)
}

/// `POST /account/applications/end`
pub async fn end_by_form(visit: Visit) -> Answer {
    // When it was gone already, what was wanted is so.
    end(&visit, visit.signed_in()?.id, visit.form.text("client_id")).await?;
    answer::see_other("/account?done=application")
}

/// `GET /api/v1/applications`
pub async fn list(visit: Visit) -> Answer {
    let all = of(&visit.app, visit.signed_in()?.id, visit.now).await?;
    let view = |one: &Application| {
        json!({
            "client_id": one.consent.client,
            "name": one.name,
            "scope": one.consent.scope,
            "resources": one.consent.resources,
            "granted_at": one.consent.given.rfc3339(),
            "last_used_at": one.used.rfc3339(),
        })
    };
    let views: Vec<_> = all.iter().map(view).collect();
    answer::json(&json!({ "applications": views }))
}

/// `DELETE /api/v1/applications/{client_id}`
pub async fn end_one(visit: Visit) -> Answer {
    match end(&visit, visit.signed_in()?.id, visit.param("client_id")).await? {
        true => answer::no_content(),
        false => Err(Refusal::NotFound.into()),
    }
}
