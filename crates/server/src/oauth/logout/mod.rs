//! The end of a session, as clients hear of it: by a call of ours ([`back_channel`]), by the person's browser ([`front_channel`]), and
//! by asking ([`browser_state`]); and how a client asks for it ([`web`]).

pub mod back_channel;
pub mod browser_state;
pub mod front_channel;
pub mod outbox;
pub mod web;

use std::sync::Arc;

use gateward_guard::Dependents;
use gateward_kernel::id::PersonId;
use gateward_kernel::ports::Answer;
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;

use crate::tokens::grants::Grants;
use outbox::Outbox;

/// What hangs on sessions: grants, which end with them, and clients, which are told.
pub struct Endings {
    /// The grants.
    pub grants: Arc<Grants>,
    /// What clients are yet to be told.
    pub outbox: Arc<Outbox>,
}

impl std::fmt::Debug for Endings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endings")
    }
}

impl Dependents for Endings {
    fn end_with<'a>(&'a self, session: &'a Session, now: Moment) -> Answer<'a, ()> {
        Box::pin(async move {
            self.outbox.write(session, now).await?;
            self.grants.end_with(session, now).await
        })
    }

    fn end_with_person(&self, person: PersonId, now: Moment) -> Answer<'_, ()> {
        self.grants.end_with_person(person, now)
    }

    fn announce<'a>(&'a self, session: &'a Session, now: Moment) -> Answer<'a, ()> {
        Box::pin(self.outbox.write(session, now))
    }

    fn gone(&self, session: &Session) {
        self.outbox.hint(session);
    }
}
