//! Cuts: from when on the tokens of somebody count.
//!
//! Ending all that a person has open revokes what is listed, bit by bit; the cut reaches the unlisted too, and whoever
//! verifies tokens hears of it in the same moment.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::record::{Decision, Record};
use crate::secret::Digest;
use crate::time::Moment;

/// Whom a cut is about, without saying it: the first 16 bytes of the SHA-256 of the `sub` claim. The channel that tells
/// verifiers is public, and who signs out when is nobody else's business; who knows a subject recognises it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SubjectTag([u8; 16]);

impl SubjectTag {
    /// Of this `sub`.
    pub fn of(subject: &str) -> Self {
        let digest = Digest::of(subject.as_bytes());
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        SubjectTag(tag)
    }

    /// Of the client with this `client_id`: all of its tokens at once, whomever they are about.
    pub fn of_client(client_id: &str) -> Self {
        Self::of(&["client ", client_id].concat())
    }

    /// Reads the text form.
    pub fn read(text: &str) -> Option<Self> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(SubjectTag)
    }
}

impl std::fmt::Display for SubjectTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl AsRef<[u8]> for SubjectTag {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for SubjectTag {
    type Error = std::array::TryFromSliceError;
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(SubjectTag)
    }
}

impl Serialize for SubjectTag {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubjectTag {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        SubjectTag::read(&text).ok_or_else(|| serde::de::Error::custom("this is no tag of a subject"))
    }
}

/// That tokens of a subject count only if issued after a moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cut {
    /// Whose.
    pub subject: SubjectTag,
    /// Issued at this moment or before: refused.
    pub at: Moment,
    /// When the last such token has expired.
    pub dies: Moment,
}

impl Cut {
    /// The later of both cuts. A cut never moves back.
    pub fn move_to(&self, at: Moment, dies: Moment) -> Decision<Cut, ()> {
        if at <= self.at {
            return Decision::Leave(());
        }
        Decision::Write(Cut { subject: self.subject, at, dies: self.dies.max(dies) }, ())
    }
}

impl Record for Cut {
    const KIND: &'static str = "cut";
    const SCHEMA: u8 = 1;
    type Id = SubjectTag;

    fn id(&self) -> SubjectTag {
        self.subject
    }

    fn death(&self) -> Moment {
        self.dies
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}
