//! The names by which clients know a session (`sid`, OpenID Connect Front-Channel Logout §3).
//!
//! A client that knows people by a name of its sector must know their sessions so, too: by one that all clients are told, any two of them
//! could find out whom they have in common (OpenID Connect Core §8.1, §17.3).

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::id::SessionId;
use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::client::SubjectType;
use gateward_kernel::secret::{MacKey, RootKey, SealKey};

/// Makes and reads them.
pub struct SessionNames {
    nonces: MacKey,
    seal: SealKey,
}

impl SessionNames {
    /// Under keys of this installation.
    pub fn new(root: &RootKey) -> Self {
        SessionNames { nonces: root.mac("session name"), seal: root.seal("session name") }
    }

    /// What this client is told: always the same of one session.
    pub fn tell(&self, client: &Client, session: SessionId) -> String {
        match sector(client) {
            None => session.to_string(),
            Some(sector) => {
                let sealed = self.seal.seal_alike(&self.nonces, sector.as_bytes(), session.as_bytes());
                BASE64URL_NOPAD.encode(&sealed)
            }
        }
    }

    /// The session that was told to this client so.
    pub fn read(&self, client: &Client, name: &str) -> Option<SessionId> {
        let Some(sector) = sector(client) else { return name.parse().ok() };
        let opened =
            self.seal.open(sector.as_bytes(), &BASE64URL_NOPAD.decode(name.as_bytes()).ok()?).ok()?;
        Some(SessionId::from_bytes(opened.try_into().ok()?))
    }
}

/// Its sector, where it knows people by names of that.
fn sector(client: &Client) -> Option<String> {
    let is_pairwise = client.metadata.subject_type == Some(SubjectType::Pairwise);
    is_pairwise.then(|| client.sector())
}
