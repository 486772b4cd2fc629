//! Clients: the applications that ask for access (RFC 6749 §2).

mod check;
mod kinds;
mod metadata;

use serde::{Deserialize, Serialize};

pub use check::{BadMetadata, Rules};
pub use kinds::{ApplicationType, AssertionAudience, AuthMethod, ConsentPolicy, GrantType, SubjectType};
pub use metadata::{KeySetText, Metadata};

use crate::record::Record;
use crate::secret::Digest;
use crate::time::Moment;

/// The longest `client_id`, in bytes: a client may be named by the https address of its metadata.
pub const MAX_CLIENT_ID: usize = 512;
/// How many secrets a client has at most: the present one, and the one before it until everybody has the new one.
pub const MAX_SECRETS: usize = 2;

/// Under what a client is kept: the SHA-256 of its `client_id`, which may be any text.
pub type ClientKey = [u8; 32];

/// The key of the client of this name.
pub fn client_key(client_id: &str) -> ClientKey {
    *Digest::of(&[b"client ", client_id.as_bytes()].concat()).as_bytes()
}

/// How a client came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// By the settings of this installation.
    Settings,
    /// By an administrator.
    Administrator,
    /// By itself (RFC 7591).
    Registered,
    /// By the document at its `client_id` (OAuth Client ID Metadata Document).
    Document,
}

/// A secret by which a client proves itself, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientSecret {
    /// Of the whole text.
    pub digest: Digest,
    /// The text itself, sealed: only for clients that authenticate by HMAC or are signed for by it, which nobody can do by a
    /// digest (RFC 7518 §3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Box<[u8]>>,
    /// When it was made.
    pub created: Moment,
    /// Not good from then on; when another was made, for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
}

/// A client: one versioned record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Client {
    /// Its name in the protocol.
    pub client_id: Box<str>,
    /// How it came to be known.
    pub origin: Origin,
    /// When that was.
    pub created: Moment,
    /// When it was changed last.
    pub changed: Moment,
    /// When it is forgotten; for clients that registered themselves and are not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
    /// Its secrets, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<ClientSecret>,
    /// Of the token by which it reads and changes its own registration (RFC 7592 §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Digest>,
    /// Kept out, without losing anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// What it says of itself, and what it may do.
    pub metadata: Metadata,
}

impl Client {
    /// Whether this text is one of its secrets, in constant time for each of them.
    pub fn opens_with(&self, secret: &str, now: Moment) -> bool {
        let digest = Digest::of(secret.as_bytes());
        let fits = |own: &ClientSecret| own.digest == digest && own.expires.is_none_or(|end| now < end);
        #[expect(
            clippy::unnecessary_fold,
            reason = "each is compared, so that the time does not tell which one it is"
        )]
        let found = self.secrets.iter().fold(false, |found, own| fits(own) || found);
        found
    }

    /// Whether it can keep a secret, and proves itself by something (RFC 6749 §2.1).
    pub fn is_confidential(&self) -> bool {
        self.metadata.token_endpoint_auth_method != AuthMethod::None
    }

    /// Whether nobody of the installation has named it: what it says of itself is its own word.
    pub const fn came_by_itself(&self) -> bool {
        matches!(self.origin, Origin::Registered | Origin::Document)
    }

    /// The sector whose clients know people by the same names (OpenID Connect Core §8.1): the host of `sector_identifier_uri`, else
    /// that of its redirect URIs, which is one. Where nothing proves that the client is there, it is a sector of its own: at an app's own
    /// scheme or on the person's machine; and where a client that let itself in gets tokens without being led there.
    pub fn sector(&self) -> String {
        let metadata = &self.metadata;
        let is_led_there = |grant: &GrantType| {
            matches!(grant, GrantType::AuthorizationCode | GrantType::Implicit | GrantType::RefreshToken)
        };
        let uris = &metadata.redirect_uris;
        let is_proved = !uris.is_empty()
            && uris.iter().all(|uri| !uri.is_native())
            && (!self.came_by_itself() || metadata.grant_types.0.iter().all(is_led_there));
        let host = |uri: &str| url::Url::parse(uri).ok()?.host_str().map(str::to_owned);
        let named = metadata.sector_identifier_uri.as_deref().and_then(host);
        let first = || uris.first().and_then(|uri| host(uri.as_str()));
        let found = if is_proved { named.or_else(first) } else { None };
        found.unwrap_or_else(|| self.client_id.to_string())
    }

    /// Whether it may use this grant type.
    pub fn may(&self, grant: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant)
    }

    /// What people read: its name, else its `client_id`.
    pub fn shown_name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(&self.client_id)
    }

    /// Adds a secret; the one before it is good until `overlap`, and older ones are forgotten.
    pub fn rotate_secret(&mut self, next: ClientSecret, overlap: Moment) {
        self.secrets.truncate(MAX_SECRETS - 1);
        for old in &mut self.secrets {
            old.expires = Some(old.expires.map_or(overlap, |end| end.min(overlap)));
        }
        self.secrets.insert(0, next);
    }
}

impl Record for Client {
    const KIND: &'static str = "client";
    const SCHEMA: u8 = 1;
    type Id = ClientKey;

    fn id(&self) -> ClientKey {
        client_key(&self.client_id)
    }

    fn death(&self) -> Moment {
        self.expires.unwrap_or(Moment::NEVER)
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.client_id.len() + self.secrets.len() * 96 + self.metadata.weight()
    }
}

#[cfg(test)]
mod tests;
