//! Choosing a new password: judged, hashed, and then one change of the person that also ends what must end.

use gateward_kernel::event::Fact;
use gateward_kernel::id::PersonId;
use gateward_kernel::person::password::{Password, PasswordProblem};
use gateward_kernel::person::{Person, StoredPassword};
use gateward_kernel::refusal::Refusal;

use super::hasher::Verified;
use crate::face::failure::Failure;
use crate::face::page::Problem;
use crate::face::visit::Visit;
use crate::people::NotChanged;

/// Why a password was not changed.
#[derive(Debug)]
pub enum NotSet {
    /// The new one cannot be accepted.
    Problem(Problem),
    /// Something else.
    Failure(Failure),
}

impl<F: Into<Failure>> From<F> for NotSet {
    fn from(failure: F) -> Self {
        NotSet::Failure(failure.into())
    }
}

/// Reads a new password and its repetition, and judges it for this person.
pub fn choose(visit: &Visit, text: &str, again: &str, person: &Person) -> Result<Password, NotSet> {
    if text != again {
        return Err(NotSet::Problem(Problem::Mismatch));
    }
    let Some(password) = Password::typed(text.to_owned()) else {
        return Err(NotSet::Problem(Problem::TooLong));
    };
    match visit.app.passwords.judge(&password, person) {
        Ok(()) => Ok(password),
        Err(problem) => Err(NotSet::Problem(match problem {
            PasswordProblem::TooShort => Problem::TooShort,
            PasswordProblem::TooLong => Problem::TooLong,
            PasswordProblem::Common => Problem::Common,
            PasswordProblem::ContainsName => Problem::ContainsName,
        })),
    }
}

/// Changes the password of the person who is signed in, who proves once more that it is them. Their other sessions
/// end; this one goes on under a new secret.
pub async fn change_own(
    visit: &Visit,
    current: &str,
    text: &str,
    again: &str,
) -> Result<gateward_guard::Opened, NotSet> {
    let living = visit.session()?;
    let person = visit.signed_in()?;
    prove_current(visit, person, current).await?;
    let password = choose(visit, text, again, person)?;
    let stored = visit.app.passwords.hash(&password, visit.now).await?;
    let before = person.password.clone();
    // The kept session first, so that it outlives the end of the others; its new secret last, so that no failure in
    // between leaves its owner with a secret that opens nothing.
    let (sessions, session) = (&visit.app.sessions, living.session.record.id);
    if !sessions.outlive(session, visit.now).await? {
        return Err(Refusal::NotSignedIn.into());
    }
    let open = sessions.listed(person.id, visit.now).await?;
    let set = |person: &mut Person| -> Result<(), Refusal> {
        // Somebody else has changed it meanwhile: what was proved no longer counts.
        if person.password != before {
            return Err(Refusal::NotFresh);
        }
        put(person, &stored, visit.now);
        Ok(())
    };
    let announced = sessions.announce_end(person.id, Some(session), visit.now).await;
    changed(sessions.people().change(person.id, visit.now, set).await)?;
    sessions.tidy(person.id, Some(session), &open, visit.now).await?;
    announced?;
    visit.record(visit.event(Fact::PasswordChanged, Some(person.id))).await;
    Ok(sessions.renew(session, visit.now).await?.ok_or(Refusal::NotSignedIn)?)
}

async fn prove_current(visit: &Visit, person: &Person, current: &str) -> Result<(), NotSet> {
    let wrong = || NotSet::Problem(Problem::CurrentPasswordWrong);
    // Strangers who exhaust the account do not keep its owner from changing the password.
    let device = crate::login::flow::known_device(visit, person);
    let counted = match visit.app.throttle.attempt(person.name.key(), device, visit.client, visit.now).await {
        Err(Failure::Refusal(Refusal::Throttled(_))) => return Err(NotSet::Problem(Problem::Throttled)),
        other => other?,
    };
    let typed = Password::typed(current.to_owned()).ok_or_else(wrong)?;
    let verified = visit.app.passwords.verify(&typed, person.password.clone()).await;
    if !matches!(verified, Ok(Verified::Wrong)) {
        // It was right, or nothing was compared: no guess.
        visit.app.throttle.refund(counted, visit.now).await?;
    }
    match verified? {
        Verified::Wrong => Err(wrong()),
        Verified::Right | Verified::RightButOld => Ok(()),
    }
}

/// The one way a password gets into a person: it ends the living one-time code and everything that began before.
pub fn put(person: &mut Person, stored: &StoredPassword, now: gateward_kernel::time::Moment) {
    person.password = Some(stored.clone());
    person.reset = None;
    person.end_everything(now);
}

/// Redeems a one-time code for a new password, in one change. All sessions end.
pub async fn redeem(visit: &Visit, code: &str, text: &str, again: &str) -> Result<PersonId, NotSet> {
    let invalid = || NotSet::Problem(Problem::CodeInvalid);
    let code = super::reset::Code::read(code).ok_or_else(invalid)?;
    let person = living_code(visit, &code).await?.ok_or_else(invalid)?;
    let password = choose(visit, text, again, &person)?;
    let stored = visit.app.passwords.hash(&password, visit.now).await?;
    let redeem = |person: &mut Person| match person.redeem_reset(&code.digest(), visit.now) {
        true => {
            put(person, &stored, visit.now);
            Ok(())
        }
        false => Err(Refusal::CodeInvalid),
    };
    let announced = visit.app.sessions.announce_end(person.id, None, visit.now).await;
    match changed(visit.app.sessions.people().change(person.id, visit.now, redeem).await) {
        Err(Failure::Refusal(Refusal::CodeInvalid)) => return Err(invalid()),
        other => other?,
    };
    visit.app.sessions.end_all(person.id, visit.now).await?;
    announced?;
    visit.record(visit.event(Fact::PasswordReset, Some(person.id))).await;
    Ok(person.id)
}

/// The person whose living one-time code this is.
pub async fn living_code(visit: &Visit, code: &super::reset::Code) -> Result<Option<Person>, Failure> {
    let Some(loaded) = visit.app.directory().person(code.person()).await? else { return Ok(None) };
    let mut probe = loaded.record.clone();
    Ok(probe.redeem_reset(&code.digest(), visit.now).then_some(loaded.record))
}

/// A change of a person, told as a handler tells failures.
pub fn changed(result: Result<Person, NotChanged<Refusal>>) -> Result<Person, Failure> {
    result.map_err(|problem| match problem {
        NotChanged::Absent => Refusal::NotFound.into(),
        NotChanged::Taken(taken) => Refusal::Taken(taken_name(taken)).into(),
        NotChanged::Refused(refusal) => refusal.into(),
        NotChanged::Fault(fault) => fault.into(),
    })
}

/// What is taken, in words.
pub fn taken_name(taken: gateward_kernel::ports::Taken) -> &'static str {
    use gateward_kernel::ports::Taken;
    match taken {
        Taken::Name => "user name",
        Taken::LookAlike => "user name (another one looks the same)",
        Taken::Email => "e-mail address",
    }
}
