//! HTTP/1.1 as the load needs it (RFC 9112): requests encoded once, answers cut out of the bytes that arrived.
//! No pipelining: an answer followed by surplus bytes is an error of the server.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

const LONGEST_HEAD: usize = 64 * 1024;
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// One complete answer. Interim answers (1xx) before it were skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: &'a [u8],
    pub(crate) body: Cow<'a, [u8]>,
    /// The server will not take another request on this connection.
    pub(crate) closes: bool,
    /// How many bytes of the input this answer and the interim ones before it took.
    pub(crate) length: usize,
}

impl Answer<'_> {
    /// Every value of this header field, in order.
    pub(crate) fn header<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        fields(self.head)
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// Why the bytes are no HTTP/1.1 answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What follows the head (RFC 9112 §6.3).
enum Body {
    Nothing,
    Length(usize),
    Chunked,
    UntilClose,
}

struct Head<'a> {
    status: u16,
    bytes: &'a [u8],
    body: Body,
    closes: bool,
}

/// Reads one answer from the start of `bytes`; `None` when more must arrive. `ended`: the server closed the connection.
pub(crate) fn parse(bytes: &[u8], ended: bool) -> Result<Option<Answer<'_>>, Malformed> {
    let mut start = 0;
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(length) = head_length(rest) else {
            return if rest.len() > LONGEST_HEAD { Err(Malformed("the head is too long")) } else { Ok(None) };
        };
        let (head, after) = rest.split_at(length);
        let head = parse_head(head)?;
        start += length;
        if (100..200).contains(&head.status) {
            continue;
        }
        let Some((body, body_length)) = parse_body(&head.body, after, ended)? else { return Ok(None) };
        let closes = head.closes || matches!(head.body, Body::UntilClose);
        let length = start + body_length;
        return Ok(Some(Answer { status: head.status, head: head.bytes, body, closes, length }));
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|position| position + 4)
}

fn parse_head(bytes: &[u8]) -> Result<Head<'_>, Malformed> {
    let version = bytes.get(..9).unwrap_or_default();
    if !version.starts_with(b"HTTP/1.") || !version.ends_with(b" ") {
        return Err(Malformed("no HTTP/1 status line"));
    }
    let status = bytes.get(9..12).and_then(number).ok_or(Malformed("no status code"))?;
    let status = u16::try_from(status).map_err(|_| Malformed("no status code"))?;
    let mut closes = version == b"HTTP/1.0 ";
    let (mut length, mut chunked) = (None, false);
    for (name, value) in fields(bytes) {
        if name.eq_ignore_ascii_case(b"content-length") {
            let stated = number(value).ok_or(Malformed("content-length is no number"))?;
            if length.is_some_and(|earlier| earlier != stated) {
                return Err(Malformed("two different content-length fields"));
            }
            length = Some(stated);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        } else if name.eq_ignore_ascii_case(b"connection") {
            closes = value.eq_ignore_ascii_case(b"close")
                || (closes && !value.eq_ignore_ascii_case(b"keep-alive"));
        }
    }
    let body = match (status, chunked, length) {
        (100..200 | 204 | 304, _, _) => Body::Nothing,
        (_, true, Some(_)) => return Err(Malformed("both content-length and chunked")),
        (_, true, None) => Body::Chunked,
        (_, false, Some(length)) if length > LONGEST_BODY => return Err(Malformed("the body is too long")),
        (_, false, Some(length)) => Body::Length(length),
        (_, false, None) => Body::UntilClose,
    };
    Ok(Head { status, bytes, body, closes })
}

/// The header fields after the first line.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        Some((name, value.get(1..)?.trim_ascii()))
    })
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

type BodyAndLength<'a> = (Cow<'a, [u8]>, usize);

fn parse_body<'a>(body: &Body, bytes: &'a [u8], ended: bool) -> Result<Option<BodyAndLength<'a>>, Malformed> {
    match body {
        Body::Nothing => Ok(Some((Cow::Borrowed(&[]), 0))),
        Body::Length(length) => Ok(bytes.get(..*length).map(|body| (Cow::Borrowed(body), *length))),
        Body::Chunked => parse_chunks(bytes),
        Body::UntilClose if bytes.len() > LONGEST_BODY => Err(Malformed("the body is too long")),
        Body::UntilClose => Ok(ended.then_some((Cow::Borrowed(bytes), bytes.len()))),
    }
}

/// RFC 9112 §7.1. Chunk extensions and trailer fields are read over.
fn parse_chunks(bytes: &[u8]) -> Result<Option<BodyAndLength<'_>>, Malformed> {
    let mut body = Vec::new();
    let mut position = 0;
    loop {
        let Some((line, after)) = line(bytes, position) else { return Ok(None) };
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .ok_or(Malformed("no chunk size"))?;
        if body.len().saturating_add(size) > LONGEST_BODY {
            return Err(Malformed("the body is too long"));
        }
        position = after;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(position..position + size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        position += size;
        match bytes.get(position..position + 2) {
            None => return Ok(None),
            Some(b"\r\n") => position += 2,
            Some(_) => return Err(Malformed("a chunk is longer than its size")),
        }
    }
    loop {
        let Some((line, after)) = line(bytes, position) else { return Ok(None) };
        position = after;
        if line.is_empty() {
            return Ok(Some((Cow::Owned(body), position)));
        }
    }
}

/// The line that starts at `position`, without its end, and where the next one starts.
fn line(bytes: &[u8], position: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(position..)?;
    let end = rest.windows(2).position(|window| window == b"\r\n")?;
    Some((rest.get(..end)?, position + end + 2))
}

/// A request as bytes. `authority` becomes the Host field; a body brings its length.
pub(crate) fn request(
    method: &str,
    path: &str,
    authority: &str,
    headers: &[(String, String)],
    body: &str,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// A whole answer that owns its bytes, for set-up calls outside the measured windows.
pub(crate) struct Kept {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Kept {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// One request on a connection of its own, blocking.
pub(crate) fn ask_once(address: SocketAddr, request: &[u8], patience: Duration) -> Result<Kept> {
    Line::open(address, patience)?.ask(request)
}

/// A connection, blocking: one request after the other.
pub(crate) struct Line(TcpStream);

impl Line {
    /// Nothing on it may take longer than `patience`.
    pub(crate) fn open(address: SocketAddr, patience: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Self(stream))
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Kept> {
        self.0.write_all(request).context("sending the request")?;
        let mut bytes = Vec::new();
        let mut block = [0; 16 * 1024];
        loop {
            let count = self.0.read(&mut block).context("reading the answer")?;
            bytes.extend_from_slice(block.get(..count).unwrap_or_default());
            match parse(&bytes, count == 0) {
                Ok(Some(answer)) => return Ok(keep(&answer)),
                Ok(None) if count == 0 => bail!("the connection was closed before the answer was complete"),
                Ok(None) => {}
                Err(Malformed(reason)) => bail!("the answer is no HTTP: {reason}"),
            }
        }
    }
}

/// Sends each request once, over so many connections at the same time; the answers, in the order of the requests.
pub(crate) fn ask_each(
    address: SocketAddr,
    requests: &[Vec<u8>],
    lines: usize,
    patience: Duration,
) -> Result<Vec<Kept>> {
    let share = requests.len().div_ceil(lines.max(1)).max(1);
    let answers = thread::scope(|scope| {
        let ask = |share: &[Vec<u8>]| -> Result<Vec<Kept>> {
            let mut line = Line::open(address, patience)?;
            share.iter().map(|request| line.ask(request)).collect()
        };
        let asking: Vec<_> = requests.chunks(share).map(|share| scope.spawn(move || ask(share))).collect();
        let joined = asking.into_iter().map(|asking| asking.join());
        joined
            .map(|share| share.map_err(|_| anyhow!("a thread that asks panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(answers.into_iter().flatten().collect())
}

fn keep(answer: &Answer<'_>) -> Kept {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Kept {
        status: answer.status,
        headers: fields(answer.head).map(|(name, value)| (text(name), text(value))).collect(),
        body: text(&answer.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Answer<'_> {
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end], false), Ok(None), "complete after {end} bytes already");
        }
        parse(bytes, false).unwrap().unwrap()
    }

    #[test]
    fn a_body_of_stated_length() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-One:  a b \r\nx-one: c\r\n\r\nhello";
        let answer = whole(bytes);
        assert_eq!(
            (answer.status, &*answer.body, answer.closes, answer.length),
            (200, &b"hello"[..], false, bytes.len())
        );
        assert_eq!(answer.header("X-ONE").collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(answer.header("x-two").count(), 0);
    }

    #[test]
    fn a_chunked_body_with_extension_and_trailer() {
        let bytes =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nhell\r\n1\r\no\r\n0\r\nSum: 1\r\n\r\n";
        let answer = whole(bytes);
        assert_eq!((&*answer.body, answer.length), (&b"hello"[..], bytes.len()));
    }

    #[test]
    fn no_body_where_none_can_be() {
        for status in ["204 No Content", "304 Not Modified"] {
            let text = format!("HTTP/1.1 {status}\r\ncontent-length: 10\r\n\r\n");
            let answer = whole(text.as_bytes());
            assert!(answer.body.is_empty());
            assert_eq!(answer.length, text.len());
        }
    }

    #[test]
    fn interim_answers_are_skipped() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
        let answer = whole(bytes);
        assert_eq!((answer.status, answer.length), (201, bytes.len()));
    }

    #[test]
    fn without_a_length_the_body_ends_with_the_connection() {
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nabc";
        assert_eq!(parse(bytes, false), Ok(None));
        let answer = parse(bytes, true).unwrap().unwrap();
        assert_eq!((&*answer.body, answer.closes), (&b"abc"[..], true));
    }

    #[test]
    fn who_closes_says_so() {
        let closes = |head: &str| whole(format!("{head}content-length: 0\r\n\r\n").as_bytes()).closes;
        assert!(closes("HTTP/1.1 200 OK\r\nConnection: Close\r\n"));
        assert!(closes("HTTP/1.0 200 OK\r\n"));
        assert!(!closes("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
        assert!(!closes("HTTP/1.1 200 OK\r\n"));
    }

    #[test]
    fn surplus_bytes_are_not_taken() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab";
        assert_eq!(parse(bytes, false).unwrap().unwrap().length, bytes.len() - 1);
    }

    #[test]
    fn malformed_answers_are_told_apart_from_incomplete_ones() {
        let refused = [
            "ICY 200 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        ];
        for text in refused {
            assert!(parse(text.as_bytes(), false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn limits_of_length() {
        let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        assert_eq!(parse(head(LONGEST_BODY).as_bytes(), false), Ok(None));
        assert!(parse(head(LONGEST_BODY + 1).as_bytes(), false).is_err());
        assert_eq!(parse(&vec![b'a'; LONGEST_HEAD], false), Ok(None));
        assert!(parse(&vec![b'a'; LONGEST_HEAD + 1], false).is_err());
    }

    #[test]
    fn a_request_is_what_the_standard_says() {
        let headers = [("Cookie".to_owned(), "a=b".to_owned())];
        let get = request("GET", "/x", "127.0.0.1:1", &headers, "");
        assert_eq!(get, b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nCookie: a=b\r\n\r\n");
        let post = request("POST", "/", "h", &[], "{}");
        assert_eq!(post, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
    }
}
