//! How records are named and written in the stream.

use bytes::{BufMut, Bytes, BytesMut};
use data_encoding::BASE32HEX_NOPAD;
use gateward_kernel::ports::{Key, Version};
use gateward_kernel::time::Moment;

/// What stands in a subject where there is nothing: before every digit in order, for a subject cannot have an empty part.
const NOTHING: &str = "-";
/// The digits of ids in subjects, in their order, which is that of the ids.
pub(super) const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// The subjects of one bucket, which are those of NATS' own key-value buckets.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The stream.
    pub(super) stream: String,
    /// `$KV.<bucket>.`
    root: String,
}

impl Names {
    pub(super) fn new(bucket: &str) -> Self {
        Names { stream: format!("KV_{bucket}"), root: format!("$KV.{bucket}.") }
    }

    /// Everything in the stream.
    pub(super) fn everything(&self) -> String {
        format!("{}>", self.root)
    }

    /// All records.
    pub(super) fn records(&self) -> String {
        format!("{}r.>", self.root)
    }

    /// Where this handle proves that it is in touch.
    pub(super) fn beat(&self, handle: &str) -> String {
        format!("{}beat.{handle}", self.root)
    }

    /// A record. The first two digits are parts of their own, so that the server finds a part of a kind quickly.
    pub(super) fn of(&self, key: &Key) -> String {
        let digits = BASE32HEX_NOPAD.encode(&key.id);
        let part = |range: std::ops::Range<usize>| {
            digits.get(range).filter(|part| !part.is_empty()).unwrap_or(NOTHING).to_owned()
        };
        let rest = digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or(NOTHING);
        format!("{}r.{}.{}.{}.{rest}", self.root, key.kind, part(0..1), part(1..2))
    }

    /// All records of a kind whose digits begin so: none, one or two of them.
    pub(super) fn part(&self, kind: &str, prefix: &str) -> String {
        let mut subject = format!("{}r.{kind}.", self.root);
        for digit in prefix.chars() {
            subject.push(digit);
            subject.push('.');
        }
        subject.push('>');
        subject
    }

    /// The kind and the id that a subject names.
    pub(super) fn parse<'a>(&self, subject: &'a str) -> Option<(&'a str, Box<[u8]>)> {
        let rest = subject.strip_prefix(&self.root)?.strip_prefix("r.")?;
        let (kind, digits) = rest.split_once('.')?;
        let digits: String = digits.split('.').filter(|part| *part != NOTHING).collect();
        let id = BASE32HEX_NOPAD.decode(digits.as_bytes()).ok()?;
        Some((kind, id.into()))
    }
}

/// The digits that a walk over the parts of a kind takes, in the order of ids, at this depth.
pub(super) fn parts(depth: usize) -> Vec<String> {
    let digits = || std::iter::once(NOTHING).chain(DIGITS.split("").filter(|digit| !digit.is_empty()));
    match depth {
        0 => vec![String::new()],
        1 => digits().map(str::to_owned).collect(),
        _ => digits().flat_map(|first| digits().map(move |second| format!("{first}{second}"))).collect(),
    }
}

/// In which part of a kind an id is.
pub(super) fn part_of(id: &[u8], depth: usize) -> String {
    let digits = BASE32HEX_NOPAD.encode(id);
    (0..depth).map(|at| digits.get(at..=at).unwrap_or(NOTHING)).collect()
}

/// The version of a record that is there, written as message number `sequence`: odd, so that the number of a removal
/// can never be taken for it.
pub(super) fn living(sequence: u64) -> Version {
    Version(sequence.saturating_mul(2).saturating_add(1))
}

/// The version of a removal.
pub(super) fn gone(sequence: u64) -> Version {
    Version(sequence.saturating_mul(2))
}

/// The message that a version of a living record names, if any can have it.
pub(super) fn sequence(version: Version) -> Option<u64> {
    let sequence = version.0 >> 1;
    // The server reads larger numbers than it can count as none at all, and would then write without any condition.
    (version.0 & 1 == 1 && sequence > 0 && sequence < 1 << 62).then_some(sequence)
}

/// The death, then the value.
pub(super) fn pack(value: &[u8], death: Moment) -> Bytes {
    let mut out = BytesMut::with_capacity(8 + value.len());
    out.put_i64(death.micros());
    out.put_slice(value);
    out.freeze()
}

/// `None` when this is nothing that was packed.
pub(super) fn unpack(mut payload: Bytes) -> Option<(Bytes, Moment)> {
    let death = <[u8; 8]>::try_from(payload.get(..8)?).ok()?;
    let value = payload.split_off(8);
    Some((value, Moment::from_micros(i64::from_be_bytes(death))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_subject_of_its_own_in_the_order_of_ids() {
        let names = Names::new("b");
        let mut ids: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte]).collect();
        ids.extend((0..=255_u8).map(|byte| vec![byte, 255 - byte, 7]));
        ids.extend([vec![], vec![0, 0], vec![255; 64], b"a.b".to_vec(), b"a\0".to_vec()]);
        ids.sort();
        let subjects: Vec<_> = ids.iter().map(|id| names.of(&Key::new("kind", id))).collect();
        for (subject, id) in subjects.iter().zip(&ids) {
            let plain = subject.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$.-".contains(&byte));
            assert!(plain && !subject.contains(".."), "{subject}");
            assert_eq!(names.parse(subject), Some(("kind", id.clone().into())));
            for depth in 0..=2 {
                let part = part_of(id, depth);
                let filter = names.part("kind", &part);
                assert!(subject.starts_with(filter.trim_end_matches('>')), "{subject} in {filter}");
                assert!(parts(depth).contains(&part));
            }
        }
        assert!(subjects.is_sorted(), "the order of subjects is that of ids");
        for depth in 0..=2 {
            let walked: Vec<_> = ids.iter().map(|id| part_of(id, depth)).collect();
            assert!(walked.is_sorted() && parts(depth).is_sorted());
        }
    }

    #[test]
    fn other_subjects_are_nobodys() {
        let names = Names::new("b");
        for other in ["$KV.b.beat.x", "$KV.c.r.kind.0.0.-", "$KV.b.r.kind", "$KV.b.r.kind.!.0.0", ""] {
            assert_eq!(names.parse(other), None, "{other}");
        }
    }

    #[test]
    fn versions_of_the_living_are_never_those_of_removals() {
        for number in [1, 2, 77, (1 << 62) - 1] {
            assert_eq!(sequence(living(number)), Some(number));
            assert_eq!(sequence(gone(number)), None);
            assert!(gone(number) < living(number) && living(number) < gone(number + 1));
        }
        for wrong in [0, 1, u64::MAX, u64::MAX - 1] {
            assert_eq!(sequence(Version(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_packed_value_is_unpacked() {
        for (value, death) in
            [(&b""[..], Moment::DAWN), (b"value", Moment::NEVER), (b"\0", Moment::from_micros(-1))]
        {
            assert_eq!(unpack(pack(value, death)), Some((Bytes::copy_from_slice(value), death)));
        }
        assert_eq!(unpack(Bytes::from_static(b"1234567")), None);
    }
}
