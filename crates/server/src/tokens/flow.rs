//! What apps do with tokens: sign in for them, refresh them, give them back.

use std::sync::Arc;

use gateward_guard::{Accountable, Opened, People};
use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Given, Grant, RefreshToken, Refreshed};
use gateward_kernel::person::Person;
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Session, Transport};
use gateward_kernel::token::Scope;
use serde::Serialize;

use super::mint::{Minted, Order};
use super::resource::Resource;
use crate::face::failure::Failure;
use crate::face::visit::Visit;
use crate::people::Known;

/// The client of people's own apps that sign in by name and password.
pub const FIRST_PARTY: &str = "first-party";
/// The client of tokens that an administrator signs.
pub const COMMAND_LINE: &str = "command-line";

/// Tokens on their way to their client.
#[derive(Debug)]
pub struct Issued {
    access: Minted,
    refresh: RefreshToken,
    scope: Scope,
    /// The session they hang on.
    pub session: Option<Arc<Loaded<Session>>>,
    /// Whose they are.
    pub person: Arc<Known>,
}

/// The answer of a token endpoint (RFC 6749 §5.1).
#[derive(Debug, Serialize)]
pub struct TokenView<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: &'a Scope,
}

impl Issued {
    /// For the client's eyes only.
    pub fn view(&self) -> TokenView<'_> {
        TokenView {
            access_token: &self.access.token,
            token_type: "Bearer",
            expires_in: self.access.expires_in.as_secs(),
            refresh_token: self.refresh.print().to_string(),
            scope: &self.scope,
        }
    }
}

/// Gives an app that has just signed somebody in its first tokens. When that fails, the sign-in is taken back: nobody
/// would have anything of it.
pub async fn begin(
    visit: &Visit,
    person: &Person,
    opened: &Opened,
    resource: &Resource,
    scope: Scope,
) -> Result<Issued, Failure> {
    let session = &opened.session.record;
    match begin_in(visit, person, session, resource, scope).await {
        Ok(issued) => Ok(issued),
        Err(failure) => {
            visit.app.sessions.end(session.id, visit.now).await?;
            Err(failure)
        }
    }
}

async fn begin_in(
    visit: &Visit,
    person: &Person,
    session: &Session,
    resource: &Resource,
    scope: Scope,
) -> Result<Issued, Failure> {
    let subject = session.subject.as_ref().ok_or(Refusal::NotSignedIn)?;
    let given = Given {
        person: subject.person,
        client: FIRST_PARTY.into(),
        session: Some(session.id),
        since: subject.since,
        proofs: subject.proofs.clone(),
        audience: resource.audience.clone(),
        scope,
        extent: None,
    };
    let tokens = &visit.app.tokens;
    let grant = tokens.grants.begin(given, visit.now).await?;
    let hung = visit.app.sessions.attach(session.id, grant.record.id, visit.now).await?;
    let session = hung.ok_or(Refusal::NotSignedIn)?;
    let known = visit.app.sessions.people().load(person.id, visit.now).await?.ok_or(Refusal::NotSignedIn)?;
    issue(visit, &grant.record, Some(session), known, resource).await
}

async fn issue(
    visit: &Visit,
    grant: &Grant,
    session: Option<Arc<Loaded<Session>>>,
    person: Arc<Known>,
    resource: &Resource,
) -> Result<Issued, Failure> {
    let tokens = &visit.app.tokens;
    let bound = session.as_ref().map(|session| &session.record);
    let order = Order::whole(grant, bound, person.person(), resource);
    let access = tokens.mint.access_token(&order, visit.now).await?;
    Ok(Issued { access, refresh: tokens.grants.token(grant), scope: grant.scope.clone(), session, person })
}

/// Refreshes (RFC 6749 §6). Whatever is wrong with the token, the answer is the same.
pub async fn refresh(visit: &Visit, text: &str) -> Result<Issued, Failure> {
    let invalid = || Failure::from(Refusal::TokenInvalid);
    let app = &visit.app;
    let token = RefreshToken::read(text.as_bytes()).map_err(|_| invalid())?;
    let (seen, generation) = app.tokens.grants.of_token(&token, visit.now).await?.ok_or_else(invalid)?;
    // Those of OAuth clients are for the token endpoint, where the client proves itself.
    if *seen.record.client != *FIRST_PARTY {
        return Err(invalid());
    }
    let session = match seen.record.session {
        None => None,
        // A use of the grant is a use of its session.
        Some(id) => Some(app.sessions.touch(id, visit.now).await?.ok_or_else(invalid)?.session),
    };
    let person = app.sessions.people().load(seen.record.person, visit.now).await?.ok_or_else(invalid)?;
    if seen.record.ended.is_none() && !seen.record.is_alive(Some(person.validity()), visit.now) {
        return Err(invalid());
    }
    let audience = seen.record.audience.iter().next();
    let resource = app.tokens.resources.find(audience).ok_or_else(invalid)?;
    let refreshed = app.tokens.grants.refresh(token.id, generation, visit.now).await?;
    match refreshed {
        Some((grant, Refreshed::Rotated | Refreshed::Repeated)) => {
            issue(visit, &grant.record, session, person, resource).await
        }
        Some((grant, Refreshed::Reused)) => {
            reused(visit, &grant.record, session.as_deref()).await?;
            Err(invalid())
        }
        Some((_, Refreshed::Ended | Refreshed::Expired | Refreshed::Foreign)) | None => Err(invalid()),
    }
}

/// Two hold what one should hold. The grant is ended already; an app's session is nothing without it. The person finds
/// the event on the account page.
async fn reused(visit: &Visit, grant: &Grant, session: Option<&Loaded<Session>>) -> Result<(), Failure> {
    let mut event = visit.event(Fact::RefreshTokenReused, Some(grant.person));
    event.session = grant.session;
    event.detail = Some(format!("client {}", grant.client));
    if let Some(session) = session.filter(|session| session.record.transport == Transport::Token) {
        visit.app.sessions.end(session.record.id, visit.now).await?;
    }
    visit.record(event).await;
    Ok(())
}

/// Gives a refresh token back: what hangs on its grant ends (RFC 7009 §2.1). One that is not ours, or not any more, is as
/// good as given back.
pub async fn give_back(visit: &Visit, text: &str) -> Result<(), Failure> {
    let app = &visit.app;
    let Ok(token) = RefreshToken::read(text.as_bytes()) else { return Ok(()) };
    let found = app.tokens.grants.of_token(&token, visit.now).await?;
    let Some((grant, _)) = found.filter(|(grant, _)| *grant.record.client == *FIRST_PARTY) else {
        return Ok(());
    };
    let session = match grant.record.session {
        None => None,
        Some(id) => app.sessions.find(id, visit.now).await?,
    };
    let is_app = session.as_ref().is_some_and(|session| session.record.transport == Transport::Token);
    match session.filter(|_| is_app) {
        Some(session) => {
            app.sessions.end(session.record.id, visit.now).await?;
        }
        None => {
            let id = grant.record.id;
            app.tokens.grants.end(id, gateward_kernel::grant::Ending::Asked, visit.now).await?;
            if let Some(session) = grant.record.session {
                app.sessions.detach(session, id, visit.now).await?;
            }
        }
    }
    let mut event = visit.event(Fact::SignedOut, Some(grant.record.person));
    event.session = grant.record.session;
    visit.record(event).await;
    Ok(())
}
