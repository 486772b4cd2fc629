//! Audit events: facts worth remembering, without any secret.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, SessionId};
use crate::time::Moment;

/// What happened. The text form in logs and in the database is the kebab-case name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// A person signed in.
    SignedIn,
    /// Somebody gave a wrong name or password.
    SignInRefused,
    /// A person signed out.
    SignedOut,
    /// One session was ended from elsewhere.
    SessionEnded,
    /// All sessions of a person were ended, maybe but one.
    SessionsEnded,
    /// A person was created.
    PersonCreated,
    /// A person's name, address or groups changed.
    PersonChanged,
    /// A person was disabled.
    PersonDisabled,
    /// A person was enabled again.
    PersonEnabled,
    /// A person was removed.
    PersonRemoved,
    /// A password was changed by its owner or an administrator.
    PasswordChanged,
    /// A one-time code for a new password was issued.
    ResetIssued,
    /// A new password was chosen with such a code.
    PasswordReset,
    /// A stored password hash was renewed with the present parameters.
    PasswordRehashed,
    /// The first administrator was created through the set-up link.
    SetUp,
    /// A key of the installation was made or added.
    KeyCreated,
    /// A key of the installation was taken away.
    KeyRemoved,
    /// An application refused a signed-in person.
    AccessDenied,
    /// An app signed a person in for tokens.
    TokensIssued,
    /// A refresh token was used again: two hold what one should hold, and what hung on it was ended.
    RefreshTokenReused,
    /// A code was used again: two hold what one should hold, and what came of it was ended.
    CodeReused,
    /// A client gave tokens back.
    TokensRevoked,
    /// A person agreed that a client gets something.
    ConsentGiven,
    /// A person took back what they had agreed to.
    ConsentWithdrawn,
    /// A client could not be told that a session has ended.
    LogoutNotTold,
    /// A client was added.
    ClientAdded,
    /// A client was changed.
    ClientChanged,
    /// A client was taken away.
    ClientRemoved,
    /// A one-time command was issued.
    CommandIssued,
}

impl Fact {
    /// The stable name.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Nobody known yet.
    Nobody,
    /// A signed-in person.
    Person(PersonId),
    /// A command on the machine itself.
    CommandLine,
    /// The program on its own account.
    System,
}

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What.
    pub fact: Fact,
    /// By whom.
    pub actor: Actor,
    /// To whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// To which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The request it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// More, in words; never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Event {
    /// The fact alone, for the caller to fill in what else is known.
    pub fn new(at: Moment, fact: Fact, actor: Actor) -> Self {
        Event { at, fact, actor, person: None, session: None, address: None, request: None, detail: None }
    }
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only those about this person.
    pub person: Option<PersonId>,
    /// Only those that tell of this.
    pub fact: Option<Fact>,
    /// Only those before this moment.
    pub before: Option<Moment>,
    /// At most so many.
    pub limit: usize,
}
