//! Device authorization (RFC 8628): a device without a browser asks, its person types a short code elsewhere and says yes or no,
//! and the device hears of it by asking again. One record each; what becomes of it is decided by one change.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::code::Authorized;
use crate::confirmation::Thumbprint;
use crate::handle;
use crate::id::GrantId;
use crate::record::{Decision, Record};
use crate::secret::{Digest, Entropy};
use crate::time::Moment;
use crate::token::Scope;

pub use crate::id::DeviceId;

/// A device code as it travels: `gwd1_` and 72 characters.
pub type DeviceHandle = handle::Handle<DeviceId>;

/// For so long a person may take (RFC 8628 §3.2, `expires_in`).
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(600);
/// So long a device waits between two questions at first (RFC 8628 §3.2, `interval`).
pub const DEVICE_INTERVAL: Duration = Duration::from_secs(5);
/// So much longer it has to wait after each question that came too early (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// Longer than this nobody has to wait, however often they asked too early.
const SLOWEST: Duration = Duration::from_secs(60);
/// For so long what became of it is known afterwards, so that the device is told rather than left in the dark.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// The letters of user codes: consonants, which form no words and of which none looks like another (RFC 8628 §6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// So many letters has a user code: 20^8 are more than 34 bits.
const LETTERS: usize = 8;

/// What a person types: eight letters, shown as `XXXX-XXXX`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserCode([u8; LETTERS]);

/// A text is no user code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no code of eight letters")]
pub struct NotAUserCode;

impl UserCode {
    /// A fresh one, every one as likely as any other.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut letters = [0; LETTERS];
        let mut drawn = [0; 1];
        for letter in &mut letters {
            *letter = loop {
                entropy.fill(&mut drawn);
                let [byte] = drawn;
                // Of 256 the last 16 would make some letters likelier.
                if byte < 240
                    && let Some(found) = ALPHABET.get(usize::from(byte % 20))
                {
                    break *found;
                }
            };
        }
        UserCode(letters)
    }

    /// Its letters, without the dash.
    pub const fn letters(&self) -> &[u8; LETTERS] {
        &self.0
    }
}

impl FromStr for UserCode {
    type Err = NotAUserCode;

    /// Reads what was typed: in either case, with dashes and blanks wherever (RFC 8628 §6.1).
    fn from_str(typed: &str) -> Result<Self, NotAUserCode> {
        let mut letters = [0; LETTERS];
        let mut places = letters.iter_mut();
        for typed in typed.chars().filter(|typed| !typed.is_whitespace() && !is_dash(*typed)) {
            let letter = u8::try_from(typed.to_ascii_uppercase()).map_err(|_| NotAUserCode)?;
            if !ALPHABET.contains(&letter) {
                return Err(NotAUserCode);
            }
            *places.next().ok_or(NotAUserCode)? = letter;
        }
        match places.next() {
            None => Ok(UserCode(letters)),
            Some(_) => Err(NotAUserCode),
        }
    }
}

/// The dashes that keyboards and text programs make of one another.
const fn is_dash(typed: char) -> bool {
    matches!(typed, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.iter().enumerate() {
            let dash = if at == LETTERS / 2 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode")
    }
}

/// Which device has which user code. Found by a keyed digest of the code: whoever reads the store learns no code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserCodeEntry {
    /// Its name.
    pub id: [u8; 16],
    /// The device.
    pub device: DeviceId,
    /// Until when it can be typed.
    pub expires: Moment,
}

impl Record for UserCodeEntry {
    const KIND: &'static str = "user-code";
    const SCHEMA: u8 = 1;
    type Id = [u8; 16];

    fn id(&self) -> [u8; 16] {
        self.id
    }

    fn death(&self) -> Moment {
        self.expires
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// A device that asks to be let in: one versioned record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its public name.
    pub id: DeviceId,
    /// Of the device code's secret.
    #[serde(rename = "secret")]
    pub digest: Digest,
    /// Which client it is.
    pub client: Box<str>,
    /// Which scopes it asks for.
    pub scope: Scope,
    /// For which resources (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Box<str>>,
    /// The key that was proved when it asked (RFC 9449), and must be proved when it asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<Thumbprint>,
    /// Until when a person can decide, and it can ask.
    pub expires: Moment,
    /// When it last asked in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Moment>,
    /// How long it has to wait between two questions.
    #[serde(serialize_with = "seconds", deserialize_with = "from_seconds")]
    pub interval: Duration,
    /// What became of it.
    pub state: DeviceState,
}

fn seconds<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(span.as_secs())
}

fn from_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_secs)
}

/// What became of a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending,
    /// A person said yes to this.
    Approved(Box<Authorized>),
    /// A person said no.
    Denied,
    /// It has got its tokens, by this grant.
    Redeemed(GrantId),
}

/// How a person's decision came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceDecision {
    /// It counts.
    Made,
    /// Somebody decided before.
    AlreadyMade,
    /// It came too late.
    Expired,
}

/// How a question of the device came out.
#[derive(Clone, PartialEq, Debug)]
pub enum DevicePoll {
    /// This one may make the grant of what was given.
    Redeemed(Box<Authorized>),
    /// Nobody has decided yet: `authorization_pending`.
    Pending,
    /// The same, and it asks too often: `slow_down`.
    SlowDown,
    /// A person said no: `access_denied`.
    Denied,
    /// It is too old: `expired_token`.
    Expired,
    /// The tokens have been handed out.
    AlreadyRedeemed,
    /// The code is another client's.
    OtherClient,
    /// The key is not the one that was proved when it began.
    OtherKey,
}

/// What comes with a device code.
#[derive(Clone, Copy, Debug)]
pub struct DevicePresented<'a> {
    /// The client that proved itself.
    pub client: &'a str,
    /// The thumbprint of the DPoP proof's key.
    pub dpop_jkt: Option<Thumbprint>,
}

impl Device {
    /// Whether a person can still decide.
    pub fn is_open(&self, now: Moment) -> bool {
        self.state == DeviceState::Pending && now < self.expires
    }

    /// Writes down what a person has decided: `authorized`, or no. The first decision stays.
    pub fn decide(&self, authorized: Option<Authorized>, now: Moment) -> Decision<Device, DeviceDecision> {
        if self.state != DeviceState::Pending {
            return Decision::Leave(DeviceDecision::AlreadyMade);
        }
        if now >= self.expires {
            return Decision::Leave(DeviceDecision::Expired);
        }
        let state = match authorized {
            Some(authorized) => DeviceState::Approved(Box::new(authorized)),
            None => DeviceState::Denied,
        };
        Decision::Write(Device { state, ..self.clone() }, DeviceDecision::Made)
    }

    /// Answers a question of the device, and redeems the code for the grant of this id once a person has said yes.
    ///
    /// Waiting is asked only of who is told to wait: what has been decided is told at once, and redeemed once. A question that
    /// comes too early does not count as asked, and makes the wait longer until it is as long as it gets, from where on it
    /// costs no change.
    pub fn poll(
        &self,
        presented: DevicePresented<'_>,
        grant: GrantId,
        now: Moment,
    ) -> Decision<Device, DevicePoll> {
        use DevicePoll::{
            AlreadyRedeemed, Denied, Expired, OtherClient, OtherKey, Pending, Redeemed, SlowDown,
        };
        if *self.client != *presented.client {
            return Decision::Leave(OtherClient);
        }
        if self.dpop_jkt.is_some_and(|bound| presented.dpop_jkt != Some(bound)) {
            return Decision::Leave(OtherKey);
        }
        match &self.state {
            DeviceState::Redeemed(_) => Decision::Leave(AlreadyRedeemed),
            DeviceState::Denied => Decision::Leave(Denied),
            _ if now >= self.expires => Decision::Leave(Expired),
            DeviceState::Approved(authorized) => {
                let next = Device { state: DeviceState::Redeemed(grant), ..self.clone() };
                Decision::Write(next, Redeemed(authorized.clone()))
            }
            DeviceState::Pending if self.asked.is_none_or(|asked| now >= asked + self.interval) => {
                Decision::Write(Device { asked: Some(now), ..self.clone() }, Pending)
            }
            DeviceState::Pending if self.interval >= SLOWEST => Decision::Leave(SlowDown),
            DeviceState::Pending => {
                let interval = (self.interval + SLOWER).min(SLOWEST);
                Decision::Write(Device { interval, ..self.clone() }, SlowDown)
            }
        }
    }
}

impl Record for Device {
    const KIND: &'static str = "device";
    const SCHEMA: u8 = 1;
    type Id = DeviceId;

    fn id(&self) -> DeviceId {
        self.id
    }

    fn death(&self) -> Moment {
        self.expires + REMEMBERED
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + 512
    }
}

#[cfg(test)]
mod tests;
