//! What administrators do to people, from a page, from a program or from the command line.

use gateward_kernel::event::{Event, Fact};
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::person::Person;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::time::Moment;

use crate::app::App;
use crate::face::failure::Failure;
use crate::password::flow::changed;
use crate::password::reset::Code;

/// Keeps a person out, or lets them in again. Keeping out ends all they have open; letting in brings nothing back.
pub async fn set_disabled(app: &App, id: PersonId, disabled: bool, now: Moment) -> Result<Person, Failure> {
    let set = |person: &mut Person| -> Result<(), Refusal> {
        person.disabled = disabled;
        if disabled {
            person.reset = None;
            person.end_everything(now);
        }
        Ok(())
    };
    let announced = match disabled {
        true => app.sessions.announce_end(id, None, now).await,
        false => Ok(()),
    };
    let person = changed(app.sessions.people().change(id, now, set).await)?;
    if disabled {
        app.sessions.end_all(id, now).await?;
    }
    announced?;
    Ok(person)
}

/// Issues a one-time code for a new password; an older one counts no longer.
pub async fn issue_reset(app: &App, id: PersonId, now: Moment) -> Result<Code, Failure> {
    let code = Code::issue(id, &*app.entropy);
    let put = |person: &mut Person| match person.disabled {
        true => Err(Refusal::Invalid { field: "user", problem: "is disabled: enable them first".into() }),
        false => {
            code.put(person, now);
            Ok(())
        }
    };
    changed(app.sessions.people().change(id, now, put).await)?;
    Ok(code)
}

/// Takes a person away, and ends all they have open and have given to others.
pub async fn remove(app: &App, id: PersonId, now: Moment) -> Result<(), Failure> {
    // First dead, then gone: a crash in between leaves somebody disabled, not somebody signed in.
    set_disabled(app, id, true, now).await?;
    app.oauth.consents.forget(id, now).await?;
    match app.directory().remove_person(id).await? {
        true => Ok(()),
        false => Err(Refusal::NotFound.into()),
    }
}

/// Ends one session, whoever has it.
pub async fn end_session(app: &App, id: SessionId, now: Moment) -> Result<Option<PersonId>, Failure> {
    let person = app.sessions.find(id, now).await?.and_then(|session| session.record.person());
    match app.sessions.end(id, now).await? {
        true => Ok(person),
        false => Err(Refusal::NotFound.into()),
    }
}

/// The same event about another fact, person and session.
#[must_use]
pub fn about(event: Event, fact: Fact, person: Option<PersonId>, session: Option<SessionId>) -> Event {
    Event { fact, person, session, ..event }
}
