//! Password sign-in: counted, compared, and only then a session.

use std::sync::Arc;

use gateward_guard::Opened;
use gateward_guard::cookies::{Found, find};
use gateward_kernel::event::Fact;
use gateward_kernel::person::password::Password;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Method, Proof, SignIn, Transport};

use super::throttle::Counted;
use crate::app::App;
use crate::face::failure::Failure;
use crate::face::visit::Visit;
use crate::password::hasher::Verified;
use crate::password::pepper::Peppers;

/// What somebody gave to sign in.
#[derive(Clone, Debug)]
pub struct Credentials<'a> {
    /// A user name or an e-mail address.
    pub username: &'a str,
    /// The password, unless it was longer than any can be.
    pub password: Option<Password>,
    /// Whether they asked to be remembered.
    pub remember: bool,
    /// How the session is to travel.
    pub transport: Transport,
}

/// Signs a person in and begins their session.
pub async fn sign_in(visit: &Visit, given: Credentials<'_>) -> Result<(Loaded<Person>, Opened), Failure> {
    let (person, counted) = prove(visit, &given).await?;
    let proof = Proof { method: Method::Password, at: person.record.proved_at(visit.now) };
    let sign_in = SignIn { person: person.record.id, proof, remember: given.remember };
    let presented = visit.presented.as_ref().filter(|(_, transport)| *transport == given.transport);
    let presented = presented.map(|(handle, _)| handle);
    let sessions = &visit.app.sessions;
    let (opened, refunded) = tokio::join!(
        sessions.sign_in(presented, sign_in, given.transport, visit.origin(), visit.now),
        visit.app.throttle.refund(counted, visit.now),
    );
    let opened = opened?;
    if let Err(fault) = refunded {
        tracing::warn!(%fault, "an attempt that was no guess could not be given back");
    }
    let mut event = visit.event(Fact::SignedIn, Some(person.record.id));
    event.session = Some(opened.session.record.id);
    visit.record(event).await;
    Ok((person, opened))
}

/// Finds out whether the password is that person's. Who does not exist, who is disabled, who has no password and who
/// gave a wrong one: all the same answer after the same work.
async fn prove(visit: &Visit, given: &Credentials<'_>) -> Result<(Loaded<Person>, Counted), Failure> {
    let app = &visit.app;
    let login = Login::read(given.username);
    let person = app.directory().person_by_login(&login).await?;
    let known = person.as_ref().and_then(|person| known_device(visit, &person.record));
    // Name and address of one person count together.
    let account = person.as_ref().map_or_else(|| login.normal_form(), |person| person.record.name.key());
    let counted = app.throttle.attempt(account, known, visit.client, visit.now).await?;
    match verify(app, given, person.as_ref()).await {
        Ok(Some(verified)) => {
            let person = person.ok_or(Refusal::WrongCredentials)?;
            if verified == Verified::RightButOld {
                rehash(visit, given, &person.record).await;
            }
            Ok((person, counted))
        }
        Ok(None) => {
            visit.record(visit.event(Fact::SignInRefused, person.map(|person| person.record.id))).await;
            Err(Refusal::WrongCredentials.into())
        }
        // Nothing was compared, so nothing was guessed.
        Err(failure) => {
            app.throttle.refund(counted, visit.now).await?;
            Err(failure)
        }
    }
}

async fn verify(
    app: &Arc<App>,
    given: &Credentials<'_>,
    person: Option<&Loaded<Person>>,
) -> Result<Option<Verified>, Failure> {
    let person = person.map(|person| &person.record).filter(|person| !person.disabled);
    let stored = person.and_then(|person| person.password.clone());
    if let Some(stored) = &stored
        && !app.passwords.knows_pepper_of(stored)
    {
        // Another process has rotated the pepper since.
        reload_peppers(app).await;
    }
    // A password longer than any can be costs what any other costs.
    let (password, stored) = match &given.password {
        Some(password) => (password.clone(), stored),
        None => (Password::typed("too long".into()).ok_or(Refusal::WrongCredentials)?, None),
    };
    let verified = app.passwords.verify(&password, stored).await?;
    Ok((verified != Verified::Wrong).then_some(verified))
}

/// Takes over the peppers that are in the directory now.
pub async fn reload_peppers(app: &Arc<App>) {
    if app.settings.passwords.pepper == crate::config::Pepper::Data {
        match Peppers::from_directory(app.directory(), &app.root).await {
            Ok(peppers) => app.passwords.replace_peppers(peppers),
            Err(problem) => tracing::error!(%problem, "the peppers could not be read"),
        }
    }
}

/// Renews a hash that was made with other parameters. When that fails the old one still serves.
async fn rehash(visit: &Visit, given: &Credentials<'_>, person: &Person) {
    let Some(password) = &given.password else { return };
    let Ok(renewed) = visit.app.passwords.hash(password, visit.now).await else { return };
    let old = person.password.clone();
    let replace = |person: &mut Person| -> Result<(), ()> {
        // Somebody may have changed the password meanwhile; that one stays.
        if person.password != old {
            return Err(());
        }
        person.password = Some(renewed.clone());
        Ok(())
    };
    if visit.app.sessions.people().change(person.id, visit.now, replace).await.is_ok() {
        visit.record(visit.event(Fact::PasswordRehashed, Some(person.id))).await;
    }
}

/// The device of this visit, if it has signed this person in before.
pub fn known_device(visit: &Visit, person: &Person) -> Option<(gateward_kernel::id::PersonId, [u8; 16])> {
    visit.app.throttle.known_device(device_cookie(visit)?, person.id)
}

/// The cookie by which this device may be known.
pub(super) fn device_cookie(visit: &Visit) -> Option<&[u8]> {
    match find(&visit.headers, visit.app.cookies.device.name()) {
        Found::One(value) => Some(value),
        _ => None,
    }
}
