//! Server-sent events (WHATWG HTML §9.2.6), read as they come, within a bound.

use std::collections::VecDeque;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    /// The id that was told last, from which a listener goes on.
    pub(super) id: Option<String>,
    pub(super) kind: String,
    pub(super) data: String,
}

/// The stream is no text, or an event is larger than it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the stream is no text, or an event in it is too large")]
pub(super) struct BadStream;

#[derive(Debug)]
pub(super) struct Reader {
    most: usize,
    line: Vec<u8>,
    after_return: bool,
    is_first: bool,
    id: Option<String>,
    kind: String,
    data: String,
    ready: VecDeque<Event>,
}

impl Reader {
    /// Reads events of up to `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Reader {
            most,
            line: Vec::new(),
            after_return: false,
            is_first: true,
            id: None,
            kind: String::new(),
            data: String::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes what came.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), BadStream> {
        while !bytes.is_empty() {
            // A carriage return ends a line; a newline right after it belongs to it.
            if std::mem::take(&mut self.after_return) && bytes.first() == Some(&b'\n') {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or_default();
            if self.line.len() + self.data.len() + part.len() > self.most {
                return Err(BadStream);
            }
            self.line.extend_from_slice(part);
            let Some((end, rest)) = rest.split_first() else { return Ok(()) };
            self.after_return = *end == b'\r';
            bytes = rest;
            let line = String::from_utf8(std::mem::take(&mut self.line)).map_err(|_| BadStream)?;
            self.read(&line);
        }
        Ok(())
    }

    /// The next event that is whole.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn read(&mut self, line: &str) {
        let line = if std::mem::take(&mut self.is_first) {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments have an empty name; others are for later.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        if data.pop().is_some() {
            self.ready.push_back(Event { id: self.id.clone(), kind, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]], most: usize) -> Result<Vec<Event>, BadStream> {
        let mut reader = Reader::new(most);
        for chunk in chunks {
            reader.feed(chunk)?;
        }
        Ok(std::iter::from_fn(|| reader.next()).collect())
    }

    fn event(id: Option<&str>, kind: &str, data: &str) -> Event {
        Event { id: id.map(str::to_owned), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn events_are_read_however_they_are_cut_into_pieces() {
        let text = "\u{feff}: hello\nid: 1-1\nevent: beat\ndata: {}\n\n\rid\r\nevent:change\r\ndata:a\r\ndata: b\r\n\r\n";
        let expected = vec![event(Some("1-1"), "beat", "{}"), event(Some(""), "change", "a\nb")];
        assert_eq!(read(&[text.as_bytes()], 100).unwrap(), expected);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes, 100).unwrap(), expected);
        for at in 0..text.len() {
            let (start, end) = text.as_bytes().split_at(at);
            assert_eq!(read(&[start, end], 100).unwrap(), expected, "{at}");
        }
    }

    #[test]
    fn what_is_unfinished_or_empty_is_no_event() {
        for text in ["data: a\n", "data: a", "event: a\n\n", "id: 1\n\n", ":\n\n", "\n\n\n", "retry: 5\n\n"] {
            assert_eq!(read(&[text.as_bytes()], 100).unwrap(), [], "{text}");
        }
        assert_eq!(read(&[b"data\n\n"], 100).unwrap(), [event(None, "", "")]);
        assert_eq!(read(&[b"id: a\0b\ndata: x\n\n"], 100).unwrap(), [event(None, "", "x")]);
    }

    #[test]
    fn size_and_encoding_are_bounded() {
        let line = |len: usize| [b"data:".as_slice(), &vec![b'x'; len], b"\n\n"].concat();
        assert_eq!(read(&[&line(95)], 100).unwrap().len(), 1);
        assert_eq!(read(&[&line(96)], 100), Err(BadStream));
        assert_eq!(read(&[&[b'x'; 101]], 100), Err(BadStream));
        let many = b"data: x\n".repeat(60);
        assert_eq!(read(&[&many], 100), Err(BadStream));
        assert_eq!(read(&[b"data: \xff\n\n"], 100), Err(BadStream));
    }
}
