//! Sessions as they are shown: never their secret, never the data of somebody else's.

use gateward_kernel::id::SessionId;
use gateward_kernel::session::{Life, Policy, Session, Transport};
use gateward_kernel::time::Moment;
use serde::Serialize;

use crate::face::page::{SessionRow, Transport as Shown};

/// A session in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// The public id.
    pub id: String,
    /// Whether it is the session that asks.
    pub current: bool,
    /// The device in words.
    pub device: String,
    /// The network address it was begun from.
    pub address: String,
    /// How its secret travels: `cookie`, `header` or `url`; `token` for an app that has tokens instead.
    pub transport: Transport,
    /// Whether the person asked to be remembered.
    pub remembered: bool,
    /// When it was begun, RFC 3339.
    pub created_at: String,
    /// Its last use that was written down, RFC 3339.
    pub last_used_at: String,
    /// When it ends if it is not used again, RFC 3339.
    pub expires_at: String,
    /// When it ends whatever the traffic, RFC 3339.
    pub ends_at: String,
    /// When the person last proved who they are, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated_at: Option<String>,
}

impl SessionView {
    /// As it is shown to whoever has the session `current`.
    pub fn of(session: &Session, current: Option<SessionId>, policy: &Policy) -> Self {
        SessionView {
            id: session.id.to_string(),
            current: current == Some(session.id),
            device: session.origin.device.to_string(),
            address: session.origin.address.to_string(),
            transport: session.transport,
            remembered: session.life == Life::Remembered,
            created_at: session.created.rfc3339(),
            last_used_at: session.used.rfc3339(),
            expires_at: session.expires(policy).rfc3339(),
            ends_at: session.ends.rfc3339(),
            authenticated_at: proved_at(session).map(Moment::rfc3339),
        }
    }
}

fn proved_at(session: &Session) -> Option<Moment> {
    session.subject.as_ref()?.proofs.iter().map(|proof| proof.at).max()
}

/// A session as a row on a page.
pub fn row(session: &Session, current: Option<SessionId>) -> SessionRow {
    SessionRow {
        id: session.id.to_string(),
        device: session.origin.device.to_string(),
        address: session.origin.address.to_string(),
        transport: match session.transport {
            Transport::Cookie => Shown::Cookie,
            Transport::Header => Shown::Header,
            Transport::Url => Shown::Url,
            Transport::Token => Shown::Token,
        },
        remembered: session.life == Life::Remembered,
        created: session.created.micros(),
        last_used: session.used.micros(),
        current: current == Some(session.id),
    }
}
