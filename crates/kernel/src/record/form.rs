//! The stored form of a record: a byte that says which one it is, then a JSON object.
//!
//! While nodes are brought up to date one after the other, two versions of the program read and write the same records. The
//! low half of the byte is the form: whoever knows another one refuses the record. The high half counts how often members were
//! added to that form. An older version reads past what was added, and when it changes the record it writes it back.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Loaded, Record};
use crate::ports::{Fault, FaultKind, Stored};

/// The largest number in half a byte.
const MOST: u8 = 0x0f;

/// What is to be written for `record`, which takes the place of `before`.
pub(super) fn encode<R: Record>(record: &R, before: Option<&Loaded<R>>) -> Result<Bytes, Fault> {
    const { assert!(R::SCHEMA >= 1 && R::SCHEMA <= MOST && R::ADDED <= MOST, "half a byte each") }
    let written = match before.and_then(|before| Some((before, before.whole.as_ref()?.split_first()?))) {
        None => written(R::SCHEMA | R::ADDED << 4, record),
        Some((before, (byte, body))) => {
            carried(body, &before.record, record).and_then(|members| written(*byte, &members))
        }
    };
    written.map_err(|error| Fault::new("record", FaultKind::Unreadable, error))
}

fn written(byte: u8, body: &impl Serialize) -> serde_json::Result<Bytes> {
    let mut out = vec![byte];
    serde_json::to_writer(&mut out, body)?;
    Ok(out.into())
}

pub(super) fn decode<R: Record>(stored: &Stored) -> Result<Loaded<R>, Fault> {
    let unreadable =
        |cause: String| Fault::new("record", FaultKind::Unreadable, format!("{}: {cause}", R::KIND));
    let Some((byte, body)) = stored.value.split_first() else { return Err(unreadable("empty".into())) };
    let (form, added) = (byte & MOST, byte >> 4);
    if form != R::SCHEMA {
        let cause =
            format!("written in form {form} by another version of Gateward, this one knows {}", R::SCHEMA);
        return Err(unreadable(cause));
    }
    // The position is said, the content is not: it may be somebody's application data.
    let record = serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("{:?} at byte {}", error.classify(), error.column())))?;
    let whole = (added > R::ADDED).then(|| Box::new(stored.value.clone()));
    Ok(Loaded { record, version: stored.version, whole })
}

/// The members to write for `next`, with all that is in the JSON object `stored` and was not read from it into `known`: members
/// of other names, and what is inside of members that stay as they were. What is inside of a member that changes goes with it.
pub fn carried<T: Serialize>(stored: &[u8], known: &T, next: &T) -> serde_json::Result<Map<String, Value>> {
    let (known, mut next) = (members(known)?, members(next)?);
    for (name, value) in serde_json::from_slice::<Map<_, _>>(stored)? {
        if known.get(&name) == next.get(&name) {
            next.insert(name, value);
        }
    }
    Ok(next)
}

fn members(of: &impl Serialize) -> serde_json::Result<Map<String, Value>> {
    serde_json::from_value(serde_json::to_value(of)?)
}
