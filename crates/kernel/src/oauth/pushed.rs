//! Pushed authorization requests (RFC 9126): one record each, opened by the client that pushed it, and spent by whoever completes
//! it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::handle;
use crate::record::Record;
use crate::secret::Digest;
use crate::time::Moment;

pub use crate::id::PushedId;

/// What follows the prefix of a `request_uri`: `gwu1_` and 72 characters.
pub type PushedHandle = handle::Handle<PushedId>;

/// How a `request_uri` of ours begins (RFC 9126 §2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
/// For so long a person who came in time may take to sign in and agree.
pub const PATIENCE: Duration = Duration::from_secs(3600);

/// A request that a client has pushed, and that was found good then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pushed {
    /// Its public name.
    pub id: PushedId,
    /// Of its secret.
    #[serde(rename = "secret")]
    pub digest: Digest,
    /// Whose it is.
    pub client: Box<str>,
    /// What it says; the key of a DPoP proof that came with it stands there as `dpop_jkt` (RFC 9449 §10.1).
    pub parameters: Vec<(String, String)>,
    /// Whether the client has signed it (RFC 9101).
    pub signed: bool,
    /// Until when a person can come with it.
    pub expires: Moment,
}

/// Why a `request_uri` leads to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotOpened {
    /// The secret is another.
    Secret,
    /// Another client has pushed it (RFC 9126 §4).
    OtherClient,
    /// It is too old.
    Expired,
}

impl Pushed {
    /// Whether this client may begin it with this secret now. That spends nothing: a page may be loaded again.
    pub fn opens(&self, secret: &Digest, client: &str, now: Moment) -> Result<(), NotOpened> {
        if self.digest != *secret {
            return Err(NotOpened::Secret);
        }
        if *self.client != *client {
            return Err(NotOpened::OtherClient);
        }
        if now >= self.expires {
            return Err(NotOpened::Expired);
        }
        Ok(())
    }
}

impl Record for Pushed {
    const KIND: &'static str = "pushed";
    const SCHEMA: u8 = 1;
    type Id = PushedId;

    fn id(&self) -> PushedId {
        self.id
    }

    fn death(&self) -> Moment {
        self.expires + PATIENCE
    }

    fn weight(&self) -> usize {
        let texts: usize = self.parameters.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        size_of::<Self>() + self.client.len() + texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_client_opens_it_and_only_in_time() {
        let (secret, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let pushed = Pushed {
            id: PushedId::from_bytes([1; 16]),
            digest: secret,
            client: "app".into(),
            parameters: vec![("scope".into(), "openid".into())],
            signed: false,
            expires: Moment::from_micros(90),
        };
        let at = Moment::from_micros;
        assert_eq!(pushed.opens(&secret, "app", at(89)), Ok(()));
        assert_eq!(pushed.opens(&secret, "app", at(90)), Err(NotOpened::Expired));
        assert_eq!(pushed.opens(&secret, "app", at(91)), Err(NotOpened::Expired));
        assert_eq!(pushed.opens(&secret, "other", at(1)), Err(NotOpened::OtherClient));
        assert_eq!(pushed.opens(&other, "app", at(1)), Err(NotOpened::Secret));
        assert_eq!(pushed.death(), at(90) + PATIENCE);
        let text = serde_json::to_string(&pushed).unwrap();
        assert_eq!(serde_json::from_str::<Pushed>(&text).unwrap(), pushed);
    }
}
