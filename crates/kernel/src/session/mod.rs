//! Sessions: who, by which proofs, since when, last used, ends when, and the application's data.

mod data;
mod parties;
mod roster;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub use data::{Data, DataRefusal, MAX_DATA};
pub use parties::{MAX_PARTIES, Parties};
pub use roster::{Entry, Roster};

use crate::handle;
use crate::id::{GrantId, PersonId, SessionId};
use crate::record::{Decision, Record};
use crate::secret::Digest;
use crate::time::Moment;

/// A session's secret as it travels: `gws1_` and 72 characters.
pub type Handle = handle::Handle<SessionId>;

/// How long sessions of one sort live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Ended when unused for so long.
    pub idle: Duration,
    /// Ended so long after its beginning, whatever the traffic.
    pub absolute: Duration,
}

/// What the settings say of sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Of guests, who have not signed in.
    pub guest: Lifetimes,
    /// Of people who signed in.
    pub plain: Lifetimes,
    /// Of people who asked to be remembered.
    pub remembered: Lifetimes,
    /// Of apps that signed in for tokens: used when they refresh.
    pub app: Lifetimes,
    /// A use is written at most once per this share of the idle time, in per cent (1 to 50).
    pub renew_percent: u8,
    /// The largest application data, in bytes.
    pub data_limit: usize,
    /// The most sessions of one person.
    pub per_person: usize,
}

impl Policy {
    fn lifetimes(&self, life: Life) -> Lifetimes {
        match life {
            Life::Guest => self.guest,
            Life::Plain => self.plain,
            Life::Remembered => self.remembered,
            Life::App => self.app,
        }
    }
}

/// Of which sort a session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Nobody has signed in yet.
    Guest,
    /// Signed in.
    #[default]
    Plain,
    /// Signed in, and asked to be remembered.
    Remembered,
    /// An app that was given tokens.
    App,
}

/// How the secret travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// In the session cookie.
    #[default]
    Cookie,
    /// In `Authorization: Bearer`, for apps.
    Header,
    /// In the URL, for browsers without cookies.
    Url,
    /// Not at all: the app has tokens, and nobody has the session's secret.
    Token,
}

/// How somebody proved who they are (`amr` of RFC 8176).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Method {
    /// A password.
    #[serde(rename = "pwd")]
    Password,
}

/// One proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// How.
    pub method: Method,
    /// When.
    pub at: Moment,
}

/// Who signed in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// The person.
    pub person: PersonId,
    /// What this session rests on; compared with the person's `valid_from`.
    pub since: Moment,
    /// By which proofs.
    #[serde(deserialize_with = "exact")]
    pub proofs: Vec<Proof>,
}

/// From where a session was begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The device in words, such as `Firefox 140 on Linux`.
    pub device: Box<str>,
    /// A digest of the user agent, for transports that are bound to it; 0 for others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: u64,
    /// The network address.
    pub address: IpAddr,
}

/// One session: one versioned record. Its secret is elsewhere; only its digest is here. There are millions of them, so what is
/// so for most is not written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its public name, which stays when the secret changes.
    pub id: SessionId,
    /// Of the secret that opens it now.
    #[serde(rename = "secret")]
    pub digest: Digest,
    /// Who signed in; nobody for a guest.
    pub subject: Option<Subject>,
    /// Of which sort it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub life: Life,
    /// How the secret travels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub transport: Transport,
    /// From where it was begun.
    pub origin: Origin,
    /// When it was begun.
    pub created: Moment,
    /// The last use that was worth a write.
    pub used: Moment,
    /// When it ends, whatever the traffic.
    pub ends: Moment,
    /// The application's data.
    #[serde(default, skip_serializing_if = "is_default")]
    pub data: Data,
    /// The grants that hang on it and end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub grants: Vec<GrantId>,
    /// The clients that learned of it by an ID token, and are told when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parties: Option<Box<Parties>>,
}

/// The most grants that hang on one session.
pub const MAX_GRANTS: usize = 100;

/// How a session stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It lives.
    Alive,
    /// It was unused for too long.
    IdleOut,
    /// Its absolute end has come.
    Over,
    /// The person's sessions were ended after it began, or the person is disabled or gone.
    Ended,
    /// The presented secret is not (any more) the one that opens it.
    WrongSecret,
}

/// What decides whether a person's sessions and tokens count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// Whose.
    pub person: PersonId,
    /// What rests on a proof from this moment or before is dead.
    pub from: Moment,
    /// Nothing counts while this is set.
    pub disabled: bool,
}

/// What somebody proved when signing in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignIn {
    /// Who.
    pub person: PersonId,
    /// By what.
    pub proof: Proof,
    /// Whether they asked to be remembered.
    pub remember: bool,
}

impl Session {
    /// Begins a session for somebody who has not signed in.
    pub fn guest(id: SessionId, digest: Digest, origin: Origin, now: Moment, policy: &Policy) -> Self {
        Session {
            id,
            digest,
            subject: None,
            life: Life::Guest,
            transport: Transport::Cookie,
            origin: Origin { agent: 0, ..origin },
            created: now,
            used: now,
            ends: now + policy.guest.absolute,
            data: Data::default(),
            grants: Vec::new(),
            parties: None,
        }
    }

    /// Begins a session for somebody who just signed in.
    pub fn begin(
        id: SessionId,
        digest: Digest,
        sign_in: SignIn,
        transport: Transport,
        origin: Origin,
        now: Moment,
        policy: &Policy,
    ) -> Self {
        let agent = if transport == Transport::Url { origin.agent } else { 0 };
        let mut session = Session::guest(id, digest, origin, now, policy);
        session.transport = transport;
        session.origin.agent = agent;
        session.accept(sign_in, now, policy);
        session
    }

    /// The same session with a person in it, under a new secret: what a guest becomes at sign-in, and what a session
    /// becomes when its own person proves themselves again. It keeps its data. A session of one person never becomes
    /// another's: `None`.
    pub fn elevate(&self, digest: Digest, sign_in: SignIn, now: Moment, policy: &Policy) -> Option<Self> {
        if self.person().is_some_and(|person| person != sign_in.person) {
            return None;
        }
        let mut next = self.clone();
        next.digest = digest;
        next.used = self.used.max(now);
        next.accept(sign_in, now, policy);
        Some(next)
    }

    fn accept(&mut self, sign_in: SignIn, now: Moment, policy: &Policy) {
        self.life = match self.transport {
            Transport::Token => Life::App,
            _ if sign_in.remember || self.life == Life::Remembered => Life::Remembered,
            _ => Life::Plain,
        };
        self.ends = now + policy.lifetimes(self.life).absolute;
        self.subject =
            Some(Subject { person: sign_in.person, since: sign_in.proof.at, proofs: vec![sign_in.proof] });
    }

    /// The same session under a new secret.
    #[must_use]
    pub fn renewed(&self, digest: Digest) -> Self {
        Session { digest, ..self.clone() }
    }

    /// The same session resting on the moment `now`, so that it outlives the end of all that began before.
    #[must_use]
    pub fn resting_on(&self, now: Moment) -> Self {
        let mut next = self.clone();
        if let Some(subject) = &mut next.subject {
            subject.since = subject.since.max(now);
        }
        next
    }

    /// The same session with a grant that ends with it; `None` when it has [`MAX_GRANTS`] already.
    pub fn with_grant(&self, grant: GrantId) -> Option<Self> {
        if self.grants.contains(&grant) {
            return Some(self.clone());
        }
        let mut next = self.clone();
        next.grants.push(grant);
        (next.grants.len() <= MAX_GRANTS).then_some(next)
    }

    /// The same session without a grant that has ended.
    #[must_use]
    pub fn without_grant(&self, grant: GrantId) -> Self {
        let grants = self.grants.iter().filter(|own| **own != grant).copied().collect();
        Session { grants, ..self.clone() }
    }

    /// The same session with a client that has learned of it.
    #[must_use]
    pub fn with_party(&self, client: &str) -> Self {
        let parties = self.parties.as_deref().cloned().unwrap_or_default().with(client);
        Session { parties: Some(Box::new(parties)), ..self.clone() }
    }

    /// The clients that have learned of it, by `client_id`.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        self.parties.iter().flat_map(|parties| parties.iter())
    }

    /// Whether anything hangs on it that has to end, or to hear of its end.
    pub fn has_dependents(&self) -> bool {
        !self.grants.is_empty() || self.parties.is_some()
    }

    /// The person who signed in.
    pub fn person(&self) -> Option<PersonId> {
        self.subject.as_ref().map(|subject| subject.person)
    }

    /// How the session stands by the clock alone.
    pub fn check(&self, now: Moment, policy: &Policy) -> Standing {
        if now >= self.ends {
            Standing::Over
        } else if now >= self.idle_end(policy) {
            Standing::IdleOut
        } else {
            Standing::Alive
        }
    }

    /// How the session stands: by the clock, and by what was done to its person since.
    pub fn check_with(&self, person: Option<Validity>, now: Moment, policy: &Policy) -> Standing {
        match (self.check(now, policy), &self.subject, person) {
            (Standing::Alive, None, _) => Standing::Alive,
            (Standing::Alive, Some(subject), Some(validity))
                if validity.person == subject.person
                    && !validity.disabled
                    && subject.since > validity.from =>
            {
                Standing::Alive
            }
            (Standing::Alive, ..) => Standing::Ended,
            (dead, ..) => dead,
        }
    }

    /// Whether the presented secret is the one that opens this session now.
    pub fn opens_with(&self, digest: &Digest) -> bool {
        self.digest == *digest
    }

    /// When it ends if it is not used again.
    pub fn idle_end(&self, policy: &Policy) -> Moment {
        self.used + policy.lifetimes(self.life).idle
    }

    /// The earlier of the two ends.
    pub fn expires(&self, policy: &Policy) -> Moment {
        self.ends.min(self.idle_end(policy))
    }

    /// Whether this use is worth a write: a share of the idle time has passed since the last one that was written.
    pub fn wants_touch(&self, now: Moment, policy: &Policy) -> bool {
        let step = policy.lifetimes(self.life).idle / 100 * u32::from(policy.renew_percent);
        now >= self.used + step
    }

    /// Writes the use, if it is still worth it.
    pub fn touch(&self, now: Moment, policy: &Policy) -> Decision<Session, ()> {
        if self.check(now, policy) == Standing::Alive && self.wants_touch(now, policy) {
            let mut next = self.clone();
            next.used = now;
            Decision::Write(next, ())
        } else {
            Decision::Leave(())
        }
    }

    /// Whether its strongest proof is from within the last `window`.
    pub fn is_fresh(&self, window: Duration, now: Moment) -> bool {
        let newest = self.subject.iter().flat_map(|subject| &subject.proofs).map(|proof| proof.at).max();
        newest.is_some_and(|at| now.since(at) < window)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Without room for more, which a list that was read has and seldom needs.
fn exact<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let mut all = Vec::deserialize(from)?;
    all.shrink_to_fit();
    Ok(all)
}

impl Record for Session {
    const KIND: &'static str = "session";
    const SCHEMA: u8 = 1;
    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }

    fn death(&self) -> Moment {
        self.ends
    }

    fn weight(&self) -> usize {
        let proofs = self.subject.as_ref().map_or(0, |subject| subject.proofs.len() * size_of::<Proof>());
        let grants = self.grants.len() * size_of::<GrantId>();
        let parties = self.parties.as_ref().map_or(0, |parties| parties.weight());
        size_of::<Self>() + self.origin.device.len() + proofs + grants + parties + self.data.json().len()
    }
}

#[cfg(test)]
mod tests;
