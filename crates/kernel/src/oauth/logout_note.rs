//! What a client has yet to be told: that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.5).
//!
//! One record for each session and client. It is written before the session ends, so that no accident loses it; one node at a time
//! claims it, and it is taken away when the client has heard.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Client;
use crate::id::{PersonId, SessionId};
use crate::record::{Decision, Record};
use crate::secret::Digest;
use crate::time::Moment;

/// For so long a client that does not answer is told again and again.
pub const TOLD_FOR: Duration = Duration::from_secs(6 * 3600);
/// So long one node has for one attempt; then another may.
const CLAIM: Duration = Duration::from_secs(30);
/// The pause after the first attempt that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// How soon it is looked again whether a session has ended that was about to.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// What was given up is kept for so long, until somebody has written that down.
const MOURNING: Duration = Duration::from_secs(24 * 3600);

/// Under what a note is kept: a digest of the session and the client.
pub type NoteId = [u8; 32];

/// The id of the note for this session and client.
pub fn note_id(session: SessionId, client: &str) -> NoteId {
    *Digest::of(&[b"logout note ", session.as_bytes().as_slice(), client.as_bytes()].concat()).as_bytes()
}

/// A client to be told of the end of a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogoutNote {
    /// Which client.
    pub client: Box<str>,
    /// Of which session.
    pub session: SessionId,
    /// Who was signed in there.
    pub person: PersonId,
    /// Whether the client came by itself ([`Client::came_by_itself`](super::Client::came_by_itself)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_itself: bool,
    /// When it was written.
    pub begun: Moment,
    /// When the next attempt is due.
    pub due: Moment,
    /// How often it was tried.
    pub attempts: u32,
    /// Until when one node has it in hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Moment>,
}

/// How an attempt to take a note in hand came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Whoever asked tells the client now.
    Mine,
    /// Another node does, or it is not due.
    NotNow,
    /// It was tried for long enough.
    GivenUp,
}

impl LogoutNote {
    /// A note about a session that is about to end.
    pub fn new(session: SessionId, person: PersonId, client: &Client, now: Moment) -> Self {
        LogoutNote {
            client: client.client_id.clone(),
            session,
            person,
            by_itself: client.came_by_itself(),
            begun: now,
            due: now,
            attempts: 0,
            claimed: None,
        }
    }

    /// The same about a session that is about to end once more: what was to end before had lived on.
    #[must_use]
    pub fn renewed(&self, now: Moment) -> Self {
        LogoutNote { begun: self.begun.max(now), due: self.due.min(now), ..self.clone() }
    }

    /// Takes it in hand; `at_once` also when it was put off because its session lived.
    pub fn claim(&self, at_once: bool, now: Moment) -> Decision<LogoutNote, Claim> {
        if self.claimed.is_some_and(|until| now < until) {
            return Decision::Leave(Claim::NotNow);
        }
        if now.since(self.begun) >= TOLD_FOR {
            return Decision::Leave(Claim::GivenUp);
        }
        if now < self.due && !(at_once && self.attempts == 0) {
            return Decision::Leave(Claim::NotNow);
        }
        let attempts = self.attempts.saturating_add(1);
        Decision::Write(LogoutNote { attempts, claimed: Some(now + CLAIM), ..self.clone() }, Claim::Mine)
    }

    /// The same after an attempt that failed.
    #[must_use]
    pub fn failed(&self, now: Moment) -> Self {
        let doubled = 1_u32.checked_shl(self.attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        LogoutNote { due: now + pause, claimed: None, ..self.clone() }
    }

    /// The same when the session turned out to live: nobody is told yet.
    #[must_use]
    pub fn put_off(&self, now: Moment) -> Self {
        LogoutNote {
            due: now + LOOK_AGAIN,
            attempts: self.attempts.saturating_sub(1),
            claimed: None,
            ..self.clone()
        }
    }

    /// Whether an attempt is due, or the end of all attempts.
    pub fn is_due(&self, now: Moment) -> bool {
        matches!(self.claim(false, now), Decision::Write(..) | Decision::Leave(Claim::GivenUp))
    }

    /// Whether the first attempt is over.
    pub fn was_tried(&self) -> bool {
        self.attempts > 0 && self.claimed.is_none()
    }
}

impl Record for LogoutNote {
    const KIND: &'static str = "logout-note";
    const SCHEMA: u8 = 1;
    type Id = NoteId;

    fn id(&self) -> NoteId {
        note_id(self.session, &self.client)
    }

    fn death(&self) -> Moment {
        self.begun + TOLD_FOR + MOURNING
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.client.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(1_000_000_000) + Duration::from_secs(seconds)
    }

    fn note() -> LogoutNote {
        LogoutNote {
            client: "app".into(),
            session: SessionId::from_bytes([1; 16]),
            person: PersonId::from_bytes([2; 16]),
            by_itself: false,
            begun: at(0),
            due: at(0),
            attempts: 0,
            claimed: None,
        }
    }

    fn claimed(note: &LogoutNote, seconds: u64) -> LogoutNote {
        match note.claim(false, at(seconds)) {
            Decision::Write(next, Claim::Mine) => next,
            other => panic!("{other:?} at {seconds}"),
        }
    }

    #[test]
    fn one_node_has_it_in_hand_at_a_time() {
        let first = claimed(&note(), 0);
        assert!(!first.was_tried() && !first.is_due(at(29)));
        assert_eq!(first.claim(true, at(29)), Decision::Leave(Claim::NotNow));
        assert_eq!(claimed(&first, 30).attempts, 2);
    }

    #[test]
    fn pauses_grow_to_a_quarter_of_an_hour_and_end_after_six_hours() {
        let (mut note, mut now, mut pauses) = (note(), 0, Vec::new());
        while note.claim(false, at(now)) != Decision::Leave(Claim::GivenUp) {
            note = claimed(&note, now).failed(at(now));
            assert!(note.was_tried());
            let pause = note.due.since(at(now)).as_secs();
            if now + pause <= TOLD_FOR.as_secs() {
                assert_eq!(note.claim(true, at(now + pause - 1)), Decision::Leave(Claim::NotNow));
            }
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses[..9], [5, 10, 20, 40, 80, 160, 320, 640, 900]);
        assert!(pauses[8..].iter().all(|pause| *pause == 900) && now >= 6 * 3600);
        let last = TOLD_FOR.as_secs();
        assert!(!matches!(self::note().claim(false, at(last - 1)), Decision::Leave(_)));
        assert_eq!(self::note().claim(false, at(last)), Decision::Leave(Claim::GivenUp));
        assert!(self::note().is_due(at(last)) && self::note().death() > at(last));
    }

    #[test]
    fn what_lived_on_is_put_off_until_it_really_ends() {
        let put_off = claimed(&note(), 0).put_off(at(0));
        assert!(!put_off.is_due(at(4)) && put_off.is_due(at(5)) && !put_off.was_tried());
        assert!(matches!(put_off.claim(true, at(1)), Decision::Write(_, Claim::Mine)));
        let renewed = put_off.renewed(at(3));
        assert!(renewed.is_due(at(3)) && renewed.begun == at(3));
        assert_eq!(note().id(), put_off.id());
        assert_ne!(note_id(note().session, "other"), note().id());
    }
}
