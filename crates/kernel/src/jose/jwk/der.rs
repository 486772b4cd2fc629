//! Reading DER documents (X.690) as far as it takes to get the numbers out of what the crypto library has written: a few
//! tags, nothing more.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Whether the document is one SEQUENCE with nothing after it.
pub(super) fn is_whole(document: &[u8]) -> bool {
    element(SEQUENCE, document).is_some_and(|(_, after)| after.is_empty())
}

/// The numbers of a SEQUENCE that holds nothing but non-negative INTEGERs, without leading zero bytes.
pub(super) fn unsigned_numbers(document: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, after) = element(SEQUENCE, document)?;
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (number, more) = element(INTEGER, rest)?;
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number));
        rest = more;
    }
    after.is_empty().then_some(numbers)
}

/// What the OCTET STRING of a PKCS#8 document holds (RFC 5208 §5).
pub(super) fn pkcs8_content(document: &[u8]) -> Option<&[u8]> {
    let (inner, _) = element(SEQUENCE, document)?;
    let (_version, inner) = element(INTEGER, inner)?;
    let (_algorithm, inner) = element(SEQUENCE, inner)?;
    Some(element(OCTET_STRING, inner)?.0)
}

/// The content of the element of this tag at the start of `bytes`, and what follows it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = bytes else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_nothing_else() {
        let document = [0x30, 8, 2, 1, 0, 2, 3, 0, 0x80, 1];
        assert_eq!(unsigned_numbers(&document).unwrap(), [&[][..], &[0x80, 1]]);
        for end in 0..document.len() {
            assert_eq!(unsigned_numbers(&document[..end]), None);
        }
        assert!(
            is_whole(&document) && !is_whole(&document[..9]) && !is_whole(&[&document[..], &[0]].concat())
        );
        assert_eq!(unsigned_numbers(&[0x30, 3, 4, 1, 0]), None);
        assert_eq!(unsigned_numbers(&[0x30, 0, 0]), None);
        assert_eq!(unsigned_numbers(&[0x30, 0x83, 0, 0, 1, 0]), None);
        assert_eq!(pkcs8_content(&[0x30, 8, 2, 1, 0, 0x30, 0, 4, 1, 7]), Some(&[7][..]));
        assert_eq!(pkcs8_content(&[0x30, 5, 2, 1, 0, 0x30, 0]), None);
    }
}
