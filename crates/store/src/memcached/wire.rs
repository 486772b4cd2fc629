//! The meta protocol of Memcached (`protocol.txt`, section *Meta Commands*): what is sent, and what comes back.

use bytes::{Buf, Bytes, BytesMut};
use data_encoding::BASE64;

/// A line of an answer is shorter.
const LONGEST_LINE: usize = 2048;
/// Nothing larger was ever written, with the death before it.
const LARGEST_ANSWER: usize = crate::LARGEST_VALUE + super::HEAD;
/// Times to live above it would be taken for moments (`protocol.txt`, *Expiration times*).
const LONGEST_RELATIVE: u64 = 60 * 60 * 24 * 30;
/// The last second that servers with 32-bit times know.
const LAST_SECOND: u64 = i32::MAX as u64;

/// What is asked of a server. Keys are binary here, and encoded on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Question<'a> {
    /// The value and its state.
    Get { key: &'a [u8] },
    /// Only whether there is one.
    Look { key: &'a [u8] },
    /// Stores what is not there yet.
    Add { key: &'a [u8], value: &'a [u8], expires: u64 },
    /// Stores over the state `cas`.
    Swap { key: &'a [u8], cas: u64, value: &'a [u8], expires: u64 },
    /// Takes away the state `cas`.
    Delete { key: &'a [u8], cas: u64 },
    /// Nothing.
    Noop,
}

impl Question<'_> {
    /// Writes the command.
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Question::Get { key } => line(out, b"mg ", key, format_args!(" b c v")),
            Question::Look { key } => line(out, b"mg ", key, format_args!(" b")),
            Question::Add { key, value, expires } => {
                line(out, b"ms ", key, format_args!(" {} b c ME T{expires}", value.len()));
                data(out, value);
            }
            Question::Swap { key, cas, value, expires } => {
                line(out, b"ms ", key, format_args!(" {} b c C{cas} T{expires}", value.len()));
                data(out, value);
            }
            Question::Delete { key, cas } => line(out, b"md ", key, format_args!(" b C{cas}")),
            Question::Noop => out.extend_from_slice(b"mn\r\n"),
        }
    }
}

fn line(out: &mut BytesMut, command: &[u8], key: &[u8], rest: std::fmt::Arguments<'_>) {
    out.extend_from_slice(command);
    let start = out.len();
    out.resize(start + BASE64.encode_len(key.len()), 0);
    if let Some(place) = out.get_mut(start..) {
        BASE64.encode_mut(key, place);
    }
    // Writing into memory does not fail.
    let _infallible = std::fmt::Write::write_fmt(out, rest);
    out.extend_from_slice(b"\r\n");
}

fn data(out: &mut BytesMut, value: &[u8]) {
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// How a time to live is said to a server whose clock shows `now`, both in seconds: short ones as they are, longer ones as the
/// moment of their end by the server's clock, and what ends after all it knows as never.
pub(super) fn expires(live: u64, now: u64) -> u64 {
    if live <= LONGEST_RELATIVE {
        return live.max(1);
    }
    let end = now.saturating_add(live);
    if end > LAST_SECOND { 0 } else { end }
}

/// What a server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// `VA`: a value, and its state.
    Value { cas: u64, value: Bytes },
    /// `HD`: done, and the state that is there now if it was asked for.
    Done { cas: Option<u64> },
    /// `EN` or `NF`: there is nothing.
    Missing,
    /// `NS`: it was not stored, for something is there.
    NotStored,
    /// `EX`: it is in another state.
    Changed,
    /// `MN`.
    Noop,
    /// `SERVER_ERROR`: it could not be done; the connection goes on.
    Failed(String),
}

/// What is no answer, or one that ends the connection.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it said {0:?}, which is no answer of Memcached's meta commands")]
pub(super) struct NotUnderstood(pub(super) String);

/// Takes one whole answer off the beginning; `None` while there is none.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<Reply>, NotUnderstood> {
    let Some(end) = line_end(input)? else { return Ok(None) };
    let line = input.get(..end).unwrap_or_default();
    let text = || shown(line);
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let reply = match words.next().unwrap_or_default() {
        b"VA" => {
            let length = words.next().and_then(number).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| *length <= LARGEST_ANSWER);
            let (Some(length), Some(cas)) = (length, cas(words)) else { return Err(NotUnderstood(text())) };
            let whole = end + 2 + length + 2;
            if input.len() < whole {
                // What is missing fits in then without being moved again and again.
                input.reserve(whole - input.len());
                return Ok(None);
            }
            if input.get(whole - 2..whole) != Some(b"\r\n") {
                return Err(NotUnderstood("a value of another length than announced".into()));
            }
            input.advance(end + 2);
            let value = input.split_to(length).freeze();
            input.advance(2);
            return Ok(Some(Reply::Value { cas, value }));
        }
        b"HD" => Reply::Done { cas: cas(words) },
        b"EN" | b"NF" => Reply::Missing,
        b"NS" => Reply::NotStored,
        b"EX" => Reply::Changed,
        b"MN" => Reply::Noop,
        b"SERVER_ERROR" => Reply::Failed(text()),
        _ => return Err(NotUnderstood(text())),
    };
    input.advance(end + 2);
    Ok(Some(reply))
}

/// Where the first line ends, without its end.
pub(super) fn line_end(input: &[u8]) -> Result<Option<usize>, NotUnderstood> {
    let end = input.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
    match end {
        Some(end) if end > 0 && input.get(end - 1) == Some(&b'\r') => Ok(Some(end - 1)),
        None if input.len() < LONGEST_LINE => Ok(None),
        _ => Err(NotUnderstood(shown(input.get(..end.unwrap_or(LONGEST_LINE)).unwrap_or_default()))),
    }
}

/// The beginning of what a server said, fit for a log.
pub(super) fn shown(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(80).collect();
    text.trim_end().to_owned()
}

fn cas<'a>(mut flags: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    flags.find_map(|flag| flag.strip_prefix(b"c")).and_then(number)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(question: &Question<'_>) -> String {
        let mut out = BytesMut::new();
        question.write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn commands() {
        let key = b"\0\xff ";
        assert_eq!(written(&Question::Get { key }), "mg AP8g b c v\r\n");
        assert_eq!(written(&Question::Look { key }), "mg AP8g b\r\n");
        let add = Question::Add { key, value: b"a\r\nb", expires: 7 };
        assert_eq!(written(&add), "ms AP8g 4 b c ME T7\r\na\r\nb\r\n");
        let swap = Question::Swap { key, cas: 5, value: b"", expires: 0 };
        assert_eq!(written(&swap), "ms AP8g 0 b c C5 T0\r\n\r\n");
        assert_eq!(written(&Question::Delete { key, cas: 9 }), "md AP8g b C9\r\n");
        assert_eq!(written(&Question::Noop), "mn\r\n");
    }

    #[test]
    fn answers_are_read_however_they_are_cut() {
        let whole = b"VA 4 c12 b\r\na\r\nb\r\nHD c13\r\nHD\r\nEN\r\nNF c0\r\nNS c0\r\nEX\r\nMN\r\nSERVER_ERROR out of memory\r\n";
        let expected = [
            Reply::Value { cas: 12, value: Bytes::from_static(b"a\r\nb") },
            Reply::Done { cas: Some(13) },
            Reply::Done { cas: None },
            Reply::Missing,
            Reply::Missing,
            Reply::NotStored,
            Reply::Changed,
            Reply::Noop,
            Reply::Failed("SERVER_ERROR out of memory".into()),
        ];
        for step in 1..whole.len() {
            let mut input = BytesMut::new();
            let mut replies = Vec::new();
            for part in whole.chunks(step) {
                input.extend_from_slice(part);
                while let Some(reply) = take(&mut input).unwrap() {
                    replies.push(reply);
                }
            }
            assert_eq!(replies, expected, "in steps of {step}");
            assert!(input.is_empty());
        }
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        for bad in [
            "ERROR\r\n",
            "CLIENT_ERROR bad data chunk\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "-ERR unknown command\r\n",
            "VA x c1\r\n",
            "VA -1 c1\r\n",
            "VA 3\r\nabc\r\n",
            "VA 99999999999 c1\r\n",
            &format!("VA {} c1\r\n", LARGEST_ANSWER + 1),
            "VA 3 c1\r\nabcd\r\n",
            "HD\n",
            "\n",
            "\r\n",
        ] {
            assert!(take(&mut BytesMut::from(bad)).is_err(), "{bad:?}");
        }
        assert_eq!(take(&mut BytesMut::from(&*format!("VA {LARGEST_ANSWER} c1\r\n"))), Ok(None));
        assert_eq!(take(&mut BytesMut::from(&vec![b'x'; LONGEST_LINE - 1][..])), Ok(None));
        assert!(take(&mut BytesMut::from(&vec![b'x'; LONGEST_LINE][..])).is_err());
    }

    #[test]
    fn times_to_live_are_relative_then_absolute_then_never() {
        let now = 1_800_000_000;
        assert_eq!(expires(0, now), 1, "zero would be never");
        assert_eq!(expires(LONGEST_RELATIVE, now), LONGEST_RELATIVE);
        assert_eq!(expires(LONGEST_RELATIVE + 1, now), now + LONGEST_RELATIVE + 1);
        assert_eq!(expires(LAST_SECOND - now, now), LAST_SECOND);
        assert_eq!(expires(LAST_SECOND - now + 1, now), 0);
        assert_eq!(expires(u64::MAX, now), 0);
    }
}
