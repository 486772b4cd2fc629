//! What the fuzz targets share: how bytes become headers.
//!
//! Inputs are texts, so that seeds and findings can be read: one header a line, `name: value`.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

/// The lines as headers. A line that no HTTP server would hand on is left out.
pub fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The first line, and everything behind it.
pub fn first_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, b""),
    }
}

/// How many bytes of input say how a text is to be changed.
pub const CHANGE: usize = 4;

/// The text with one byte replaced, taken away or put in, as `how` says. `None` when that leaves it as it was.
pub fn changed(text: &[u8], how: &[u8; CHANGE]) -> Option<Vec<u8>> {
    let [kind, high, low, byte] = *how;
    let at = usize::from(u16::from_be_bytes([high, low])) % text.len();
    let mut changed = text.to_vec();
    match kind % 4 {
        0 => drop(changed.remove(at)),
        1 => changed.insert(at, byte),
        _ => changed[at] = byte,
    }
    (changed != text).then_some(changed)
}
