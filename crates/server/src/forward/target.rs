//! The path and the query that were asked for, read so strictly that no server behind us can read them otherwise.
//!
//! A proxy passes the path on as it was written, and what the application makes of it we cannot know: it may decode it once
//! or twice, fold case, cut parameters off, drop dots at the end. So there are two answers to a path that is not plain:
//!
//! * **Refused** is what has no honest use, or none that is worth the danger: dot segments, empty segments, backslashes,
//!   semicolons, control characters, encoded slashes, double encodings, text that is not UTF-8, and every character that a
//!   compatible reading turns into one of these.
//! * **Compared in every form** is the rest: as it was written ([`Target::raw`]), decoded ([`Target::decoded`]), and as the
//!   most forgiving server would read it ([`Target::loose`]). The rules must allow each of them.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest path with its query, in bytes.
pub const MAX_TARGET: usize = 8 * 1024;

/// A path in its three forms, and the query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target<'a> {
    raw: &'a str,
    decoded: Cow<'a, str>,
    loose: Cow<'a, str>,
    query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Reads the path and the query of a request line (RFC 9112 §3.2.1), or says in a few words what is wrong, continuing a
    /// sentence that begins with the name of the text. A plain path costs no allocation.
    pub fn read(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > MAX_TARGET {
            return Err("has more than 8192 bytes");
        }
        if !text.starts_with('/') {
            return Err("has a path that does not begin with a slash");
        }
        match text.bytes().find(|byte| !byte.is_ascii_graphic()) {
            Some(byte) if byte.is_ascii() => return Err("has a blank or a control character in it"),
            Some(_) => return Err("has a character in it that is not ASCII"),
            None => (),
        }
        if text.contains('#') {
            return Err("has a fragment");
        }
        let (raw, query) = text.split_once('?').map_or((text, None), |(raw, query)| (raw, Some(query)));
        let decoded = decode(raw)?;
        refuse_odd(&decoded)?;
        let loose = loose(&decoded)?.map_or_else(|| decoded.clone(), Cow::Owned);
        Ok(Target { raw, decoded, loose, query })
    }

    /// The path as it was written.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The path with its percent-encodings decoded, once.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The path as the most forgiving server would read it. See [`loose_path`].
    pub fn loose(&self) -> &str {
        &self.loose
    }

    /// What follows the question mark, if there is one.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }
}

/// The path as the most forgiving server would read it, for comparing only: case folded, compatible characters, accents
/// and invisible ones made one (`ＡＤＭＩＮ`, `ádmin`), cut at a decoded `?` or `#`, parts without parameters, alternate streams
/// (`::$DATA`), dots and blanks at their ends, and without a slash at the end.
pub fn loose_path(decoded: &str) -> Result<Cow<'_, str>, &'static str> {
    Ok(loose(decoded)?.map_or(Cow::Borrowed(decoded), Cow::Owned))
}

fn decode(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let ([high, low], behind) = behind.split_first_chunk::<2>().ok_or(BROKEN)?;
        let byte = hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low).ok_or(BROKEN)?;
        if byte == b'/' {
            return Err("has an encoded slash");
        }
        decoded.push(byte);
        rest = behind;
    }
    let decoded = String::from_utf8(decoded).map_err(|_| "is not UTF-8 when decoded")?;
    Ok(Cow::Owned(decoded))
}

const BROKEN: &str = "has a percent sign that does not begin an encoding";

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What is refused in a decoded path, and in its loose reading.
fn refuse_odd(path: &str) -> Result<(), &'static str> {
    if path.contains("//") {
        return Err("has an empty part (//)");
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("has a dot segment");
    }
    for one in path.chars() {
        match one {
            '\\' => return Err("has a backslash in it"),
            ';' => return Err("has a semicolon in it"),
            one if one.is_control() => return Err("has a control character in it"),
            _ => (),
        }
    }
    if is_encoded(path) { Err("is encoded twice") } else { Ok(()) }
}

/// Whether something is left to decode: `%41`, or `%u0041` as some servers have it.
fn is_encoded(path: &str) -> bool {
    path.split('%').skip(1).any(|behind| {
        let behind = behind.strip_prefix(['u', 'U']).map_or((behind, 2), |behind| (behind, 4));
        let (digits, count) = behind;
        digits.len() >= count && digits.bytes().take(count).all(|digit| digit.is_ascii_hexdigit())
    })
}

/// `None` when the path is its own loose form.
fn loose(path: &str) -> Result<Option<String>, &'static str> {
    if is_plain(path) {
        return Ok(None);
    }
    let folded = fold(path);
    let cut = folded.find(['?', '#']).and_then(|end| folded.get(..end)).unwrap_or(&folded);
    if cut.matches('/').count() > path.matches('/').count() {
        return Err("has a character that stands for a slash");
    }
    let mut loose = String::with_capacity(cut.len());
    for (index, part) in cut.split('/').enumerate() {
        let bare = [";", "::", ":$"].iter().fold(part, |part, end| part.split(end).next().unwrap_or(part));
        let bare = bare.trim_end_matches(['.', ' ']).trim_start_matches(' ');
        if bare.is_empty() && !part.is_empty() {
            return Err("has a part of dots, blanks or parameters alone");
        }
        if index > 0 {
            loose.push('/');
        }
        loose.push_str(bare);
    }
    while loose.len() > 1 && loose.ends_with('/') {
        loose.pop();
    }
    refuse_odd(&loose)?;
    Ok(Some(loose))
}

/// Whether nothing about the path could be read in another way.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' | b'@' | b'+' | b',' | b'=');
    path.bytes().all(plain)
        && !path.contains("./")
        && !path.ends_with('.')
        && (path == "/" || !path.ends_with('/'))
}

/// One spelling for what differs by case, accents, width and invisible characters only.
fn fold(path: &str) -> String {
    let bare = |text: &str| -> String {
        text.nfkd().filter(|one| !is_combining_mark(*one) && !is_invisible(*one)).collect()
    };
    // Upper case first: it joins letters that lower case alone keeps apart, such as the dotless i.
    bare(&bare(path).to_uppercase().to_lowercase())
}

fn is_invisible(one: char) -> bool {
    matches!(one,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
