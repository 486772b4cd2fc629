//! The form of each detail: what is taken, and in which spelling it is kept.

use unicode_normalization::UnicodeNormalization;

use super::{
    Detail, DetailProblem, MAX_DETAIL_TEXT, MAX_LOCALE, MAX_PHONE_DIGITS, MAX_POSTAL_CODE, MAX_STREET,
    MAX_STREET_LINES, MAX_WEB_ADDRESS, MAX_ZONE, MIN_PHONE_DIGITS,
};

pub(super) fn read(detail: Detail, typed: &str) -> Result<Option<Box<str>>, DetailProblem> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let text = match detail {
        Detail::GivenName
        | Detail::MiddleName
        | Detail::FamilyName
        | Detail::Nickname
        | Detail::Gender
        | Detail::Locality
        | Detail::Region
        | Detail::Country => line(typed, MAX_DETAIL_TEXT),
        Detail::PostalCode => line(typed, MAX_POSTAL_CODE),
        Detail::StreetAddress => lines(typed),
        Detail::Profile | Detail::Picture | Detail::Website => web_address(typed),
        Detail::Birthdate => birthdate(typed),
        Detail::Zoneinfo => zone(typed),
        Detail::Locale => locale(typed),
        Detail::PhoneNumber => phone(typed),
    };
    text.map(|text| Some(text.into()))
}

/// One line in NFC. Composition never makes it shorter than a quarter, so the length is bounded before.
fn line(typed: &str, max: usize) -> Result<String, DetailProblem> {
    if typed.len() > max * 4 {
        return Err(DetailProblem::TooLong(max));
    }
    let text: String = typed.nfc().collect();
    if text.len() > max {
        return Err(DetailProblem::TooLong(max));
    }
    let breaks_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match text.chars().any(breaks_a_line) {
        true => Err(DetailProblem::Characters),
        false => Ok(text),
    }
}

/// Lines that are not empty, with one line feed between two, however the browser has ended them.
fn lines(typed: &str) -> Result<String, DetailProblem> {
    if typed.len() > MAX_STREET * 4 {
        return Err(DetailProblem::TooLong(MAX_STREET));
    }
    let all = typed.lines().map(str::trim).filter(|line| !line.is_empty());
    let all: Vec<String> = all.map(|text| line(text, MAX_STREET)).collect::<Result<_, _>>()?;
    let text = all.join("\n");
    match (text.len() > MAX_STREET, all.len() > MAX_STREET_LINES) {
        (true, _) => Err(DetailProblem::TooLong(MAX_STREET)),
        (_, true) => Err(DetailProblem::Lines),
        _ => Ok(text),
    }
}

/// An address of the web in its normal form. What a browser would be led by elsewhere (`javascript:`, a name before the host)
/// is none: applications make links of it.
fn web_address(typed: &str) -> Result<String, DetailProblem> {
    if typed.len() > MAX_WEB_ADDRESS {
        return Err(DetailProblem::TooLong(MAX_WEB_ADDRESS));
    }
    if typed.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(DetailProblem::WebAddress);
    }
    let address = url::Url::parse(typed).map_err(|_| DetailProblem::WebAddress)?;
    let is_of_the_web = matches!(address.scheme(), "https" | "http")
        && address.host().is_some()
        && address.username().is_empty()
        && address.password().is_none();
    match (is_of_the_web, address.as_str().len() > MAX_WEB_ADDRESS) {
        (false, _) => Err(DetailProblem::WebAddress),
        (_, true) => Err(DetailProblem::TooLong(MAX_WEB_ADDRESS)),
        _ => Ok(address.into()),
    }
}

/// ISO 8601-1 `YYYY-MM-DD`, where the year may be 0000, or `YYYY` (OpenID Connect Core §5.1): a day of the calendar.
fn birthdate(typed: &str) -> Result<String, DetailProblem> {
    let digits = |text: &str, count: usize| {
        let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i16>().ok()).flatten()
    };
    let mut parts = typed.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let is_one = match (year.and_then(|year| digits(year, 4)), month, day, parts.next()) {
        (Some(year), None, None, None) => year > 0,
        (Some(year), Some(month), Some(day), None) => {
            let part = |text| digits(text, 2).and_then(|number| i8::try_from(number).ok());
            matches!((part(month), part(day)), (Some(month), Some(day)) if jiff::civil::Date::new(year, month, day).is_ok())
        }
        _ => false,
    };
    if is_one { Ok(typed.to_owned()) } else { Err(DetailProblem::Birthdate) }
}

/// A name in the form of the time zone database (its file `theory.html`, "Names of timezones"); whether it is in one of its
/// releases is not asked, since applications have another one.
fn zone(typed: &str) -> Result<String, DetailProblem> {
    let part = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    let is_name = typed.len() <= MAX_ZONE && typed.split('/').count() <= 3 && typed.split('/').all(part);
    if is_name { Ok(typed.to_owned()) } else { Err(DetailProblem::Zone) }
}

/// A well-formed tag of BCP 47 (RFC 5646 §2.1) in the case it recommends (§2.1.1): `zh-Hant-TW`. The underscore of other systems
/// (`en_US`) is taken for the hyphen.
fn locale(typed: &str) -> Result<String, DetailProblem> {
    let wrong = DetailProblem::Locale;
    if typed.len() > MAX_LOCALE {
        return Err(wrong);
    }
    let tag = typed.replace('_', "-").to_ascii_lowercase();
    let (mut text, mut open) = (String::with_capacity(tag.len()), false);
    for (place, part) in tag.split('-').enumerate() {
        let letters = part.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_fine = match place {
            0 => letters && (2..=8).contains(&part.len()),
            _ => (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        // A singleton begins an extension, which has a part of at least two characters, unless it is for private use.
        if !is_fine || (open && part.len() == 1 && !text.contains("-x")) {
            return Err(wrong);
        }
        if place > 0 {
            text.push('-');
        }
        let is_after_singleton = text.split('-').any(|before| before.len() == 1);
        match part.len() {
            2 if letters && place > 0 && !is_after_singleton => text.push_str(&part.to_ascii_uppercase()),
            4 if letters && place > 0 && !is_after_singleton => {
                text.extend(part.chars().take(1).map(|c| c.to_ascii_uppercase()));
                text.extend(part.chars().skip(1));
            }
            _ => text.push_str(part),
        }
        open = part.len() == 1 && !text.contains("-x-");
    }
    if open { Err(wrong) } else { Ok(text) }
}

/// An international number (E.164) without what people write between its digits. A zero in brackets is dialled by some and not by
/// others, and therefore not guessed.
fn phone(typed: &str) -> Result<String, DetailProblem> {
    let number = typed.strip_prefix('+').ok_or(DetailProblem::Phone)?;
    let between = |c: char| matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/');
    let digits: String = number.chars().filter(|c| !between(*c)).take(MAX_PHONE_DIGITS + 1).collect();
    let is_number = (MIN_PHONE_DIGITS..=MAX_PHONE_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && !number.contains("(0)");
    if is_number { Ok(format!("+{digits}")) } else { Err(DetailProblem::Phone) }
}
