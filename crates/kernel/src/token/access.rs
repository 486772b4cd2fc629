//! The opaque access token: a secret that is looked up, of which only the digest is stored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Audience, Scope};
use crate::confirmation::Confirmation;
use crate::grant::Extent;
use crate::handle;
use crate::id::{AccessTokenId, GrantId, PersonId, SessionId};
use crate::record::Record;
use crate::secret::Digest;
use crate::session::Proof;
use crate::time::Moment;

/// An opaque access token as it travels: `gwa1_` and 72 characters.
pub type OpaqueToken = handle::Handle<AccessTokenId>;

/// What is stored of an opaque access token. It is never changed; whether it counts follows from what it hangs on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AccessToken {
    /// Its public name.
    pub id: AccessTokenId,
    /// Of its secret.
    #[serde(rename = "secret")]
    pub digest: Digest,
    /// The grant it was made from; none when a client asked for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The session that grant hangs on.
    pub session: Option<SessionId>,
    /// Who gave the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// To which client.
    pub client: Box<str>,
    /// What the grant rests on; compared with the person's `valid_from`.
    pub since: Moment,
    /// By which proofs the person was known.
    pub proofs: Vec<Proof>,
    /// For which resources it is good.
    pub audience: Audience,
    /// What it allows.
    pub scope: Scope,
    /// The key that its bearer has to prove (RFC 7800).
    #[serde(rename = "cnf", default, skip_serializing_if = "Confirmation::is_none")]
    pub confirmation: Confirmation,
    /// The `claims` that UserInfo was asked for, how the person signed in, and what else the grant holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Box<Extent>>,
    /// Who acts for the person (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// When it was issued.
    pub issued: Moment,
    /// When it ends.
    pub expires: Moment,
}

impl AccessToken {
    /// Whether the presented secret is this token's, in constant time.
    pub fn opens_with(&self, token: &OpaqueToken) -> bool {
        self.digest == token.digest()
    }
}

impl Record for AccessToken {
    const KIND: &'static str = "access-token";
    const SCHEMA: u8 = 1;
    type Id = AccessTokenId;

    fn id(&self) -> AccessTokenId {
        self.id
    }

    fn death(&self) -> Moment {
        self.expires
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.client.len() + self.audience.weight() + self.scope.weight()
    }
}
