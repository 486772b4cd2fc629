//! Grants: what one person gave to one client, and the refresh token by which the client keeps it.
//!
//! A refresh token (RFC 6749 §1.5) names its grant and its generation under keyed checksums, and nothing of it is stored:
//! it can be derived again from the grant. So a client that lost an answer and asks again gets *the same* successor, on
//! any node, and a genuine token of an older generation (reuse, RFC 9700 §4.14.2) is told apart from a forged one without
//! any history.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::ClaimsRequest;
use crate::confirmation::Confirmation;
use crate::handle::{self, HandleKey};
use crate::id::{GrantId, PersonId, SessionId};
use crate::record::{Decision, Record};
use crate::secret::{Entropy, MacKey, RootKey, Secret};
use crate::session::{Proof, Validity};
use crate::status::StatusIndex;
use crate::time::Moment;
use crate::token::{Audience, Scope};

/// A refresh token as it travels: `gwr1_` and 72 characters.
pub type RefreshToken = handle::Handle<GrantId>;

/// The bytes of the generation at the front of a refresh token's secret.
const GENERATION: usize = 4;

/// What the settings say of refresh tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefreshPolicy {
    /// For so long after a rotation the predecessor still yields the same successor.
    pub grace: Duration,
    /// A grant that was not refreshed for so long is dead.
    pub idle: Duration,
    /// A grant is dead so long after its beginning, whatever the traffic.
    pub absolute: Duration,
}

/// Why a grant was ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its person, its client or an administrator ended it.
    Asked,
    /// An older refresh token was used again: two hold what one should hold.
    Reused,
}

/// One grant: one versioned record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// Its public name.
    pub id: GrantId,
    /// Who gave it.
    pub person: PersonId,
    /// To which client (`client_id`).
    pub client: Box<str>,
    /// The session it hangs on and ends with; none for offline access.
    pub session: Option<SessionId>,
    /// What it rests on; compared with the person's `valid_from`.
    pub since: Moment,
    /// By which proofs the person was known when it was given.
    pub proofs: Vec<Proof>,
    /// For which resources its access tokens are good.
    pub audience: Audience,
    /// What it allows.
    pub scope: Scope,
    /// Where the revocation of its access tokens is published.
    pub status: Option<StatusIndex>,
    /// Where it was before: tokens that name that place may still live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<StatusIndex>,
    /// When it was given.
    pub created: Moment,
    /// When it dies, whatever the traffic.
    pub ends: Moment,
    /// How often its refresh token was rotated.
    pub generation: u32,
    /// When it was rotated last.
    pub rotated: Moment,
    /// Whether and why it was ended, and when.
    pub ended: Option<(Moment, Ending)>,
    /// What clients of others have besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Box<Extent>>,
    /// For how long an unused one lives, in microseconds.
    idle: i64,
    /// What makes its refresh tokens its own, beside the root key.
    seed: [u8; 16],
}

/// What a grant to an OAuth client holds besides.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Extent {
    /// The `claims` that were asked for and agreed to (OpenID Connect Core §5.5).
    #[serde(skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// How the person signed in, as `acr` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<Box<str>>,
    /// The rich authorization details (RFC 9396).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// What its refresh tokens are bound to, for clients that cannot prove themselves otherwise (RFC 9449 §5).
    #[serde(skip_serializing_if = "Confirmation::is_none")]
    pub confirmation: Confirmation,
    /// Whether its refresh token stays the same (FAPI 2.0 Security Profile §5.3.2.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stays: bool,
}

/// A grant that stays the same writes down its use so often at most.
const USE_STEP: Duration = Duration::from_secs(60);

/// What a new grant begins with.
#[derive(Clone, Debug)]
pub struct Given {
    /// Who gives it.
    pub person: PersonId,
    /// To which client.
    pub client: Box<str>,
    /// The session it hangs on; none for offline access.
    pub session: Option<SessionId>,
    /// What it rests on.
    pub since: Moment,
    /// By which proofs the person is known.
    pub proofs: Vec<Proof>,
    /// For which resources.
    pub audience: Audience,
    /// What it allows.
    pub scope: Scope,
    /// What clients of others have besides.
    pub extent: Option<Box<Extent>>,
}

/// How a refresh came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refreshed {
    /// There is a successor now.
    Rotated,
    /// There was one already, made a moment ago: it is handed out again.
    Repeated,
    /// An older token was used again: the grant is ended by this.
    Reused,
    /// The grant had been ended before.
    Ended,
    /// It was unused for too long, or its end has come.
    Expired,
    /// The token is none of this grant's.
    Foreign,
}

impl Grant {
    /// A new grant, in its first generation.
    pub fn begin(
        id: GrantId,
        given: Given,
        entropy: &dyn Entropy,
        now: Moment,
        policy: &RefreshPolicy,
    ) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        Grant {
            id,
            person: given.person,
            client: given.client,
            session: given.session,
            since: given.since,
            proofs: given.proofs,
            audience: given.audience,
            scope: given.scope,
            status: None,
            earlier: None,
            created: now,
            ends: now + policy.absolute,
            generation: 0,
            rotated: now,
            ended: None,
            extent: given.extent,
            idle: i64::try_from(policy.idle.as_micros()).unwrap_or(i64::MAX),
            seed,
        }
    }

    /// When it dies if it is not refreshed again.
    pub fn expires(&self) -> Moment {
        self.ends.min(self.rotated + Duration::from_micros(u64::try_from(self.idle).unwrap_or(0)))
    }

    /// Whether what hangs on it counts, as far as the grant itself and its person can tell. One that hangs on a session
    /// lives no longer than the session, which is to be asked besides, and as long: a session that was kept while the
    /// others were ended keeps its grants.
    pub fn is_alive(&self, person: Option<Validity>, now: Moment) -> bool {
        let counts = person.is_some_and(|valid| {
            let is_since = self.session.is_some() || self.since > valid.from;
            valid.person == self.person && !valid.disabled && is_since
        });
        counts && self.ended.is_none() && now < self.expires()
    }

    /// Refreshes by a token of this generation, which [`Keys::generation`] has read.
    ///
    /// The current one is rotated. Its predecessor yields the same successor within the grace time: of many that ask at
    /// once with one token, every one gets the same answer, and only one writes. Whatever is older is reuse and ends
    /// the grant (RFC 9700 §4.14.2).
    pub fn refresh(
        &self,
        generation: u32,
        now: Moment,
        policy: &RefreshPolicy,
    ) -> Decision<Grant, Refreshed> {
        if self.ended.is_some() {
            return Decision::Leave(Refreshed::Ended);
        }
        if now >= self.expires() {
            return Decision::Leave(Refreshed::Expired);
        }
        if self.extent.as_ref().is_some_and(|extent| extent.stays) && generation == self.generation {
            return match now.since(self.rotated) >= USE_STEP {
                true => Decision::Write(Grant { rotated: now, ..self.clone() }, Refreshed::Repeated),
                false => Decision::Leave(Refreshed::Repeated),
            };
        }
        let is_predecessor = generation.checked_add(1) == Some(self.generation);
        if generation == self.generation {
            let next = Grant {
                generation: generation.saturating_add(1),
                rotated: self.rotated.max(now),
                ..self.clone()
            };
            Decision::Write(next, Refreshed::Rotated)
        } else if is_predecessor && now.since(self.rotated) <= policy.grace {
            Decision::Leave(Refreshed::Repeated)
        } else if generation < self.generation {
            Decision::Write(self.end(Ending::Reused, now), Refreshed::Reused)
        } else {
            // A generation that was never reached: made by the same key for another history of this record.
            Decision::Leave(Refreshed::Foreign)
        }
    }

    /// The same grant with another place in the status lists for the tokens to come.
    #[must_use]
    pub fn placed(&self, place: StatusIndex) -> Grant {
        Grant { status: Some(place), earlier: self.status, ..self.clone() }
    }

    /// The places that its access tokens can name.
    pub fn places(&self) -> impl Iterator<Item = StatusIndex> {
        self.status.into_iter().chain(self.earlier)
    }

    /// The same grant, ended. The first reason stays.
    #[must_use]
    pub fn end(&self, why: Ending, now: Moment) -> Grant {
        Grant { ended: self.ended.or(Some((now, why))), ..self.clone() }
    }
}

impl Record for Grant {
    const KIND: &'static str = "grant";
    const SCHEMA: u8 = 1;
    type Id = GrantId;

    fn id(&self) -> GrantId {
        self.id
    }

    /// An ended one stays until it would have died, so that its tokens are known for what they are.
    fn death(&self) -> Moment {
        self.expires()
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.client.len() + self.audience.weight() + self.scope.weight()
    }
}

/// The keys of refresh tokens.
#[derive(Clone, Debug)]
pub struct Keys {
    handle: HandleKey<GrantId>,
    secret: MacKey,
}

impl Keys {
    /// The keys that belong to this root key.
    pub fn new(root: &RootKey) -> Self {
        Keys { handle: HandleKey::new(root), secret: root.mac("refresh token") }
    }

    /// Whether a token was made by this key at all. What was not need not be looked for in any store.
    pub fn made(&self, token: &RefreshToken) -> bool {
        self.handle.made(token)
    }

    /// The refresh token of the grant's present generation.
    pub fn token(&self, grant: &Grant) -> RefreshToken {
        let generation = grant.generation.to_be_bytes();
        let tag: [u8; 32 - GENERATION] =
            self.secret.short_tag(&[grant.id.as_bytes(), &grant.seed, &generation]);
        let mut secret = [0; 32];
        for (to, from) in secret.iter_mut().zip(generation.iter().chain(&tag)) {
            *to = *from;
        }
        self.handle.handle(grant.id, Secret::from_bytes(secret))
    }

    /// Of which generation of this grant the token is; `None` when it is none of this grant's.
    pub fn generation(&self, grant: &Grant, token: &RefreshToken) -> Option<u32> {
        let (generation, tag) = token.secret.expose().split_first_chunk::<GENERATION>()?;
        let ours = self.secret.verify(&[grant.id.as_bytes(), &grant.seed, generation], tag);
        (ours && token.id == grant.id).then(|| u32::from_be_bytes(*generation))
    }
}

#[cfg(test)]
mod tests;
