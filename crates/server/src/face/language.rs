//! The languages of the pages: which one a browser gets, and what each message says in it.
//!
//! All words live in `catalogue/en.ftl` and `catalogue/de.ftl` (Project Fluent syntax). A test refuses a key that only
//! one of them has, so a page can never be half translated.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use serde::Serialize;

/// A language the pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English, and what a browser gets that asks for nothing we have.
    #[default]
    English,
    /// German, addressing the reader formally.
    German,
}

/// Why a message could not be said.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The embedded catalogue of this language does not parse.
    #[error("the catalogue of language {0} is broken: {1}")]
    Catalogue(&'static str, String),
    /// There is no message of this name.
    #[error("the catalogue of language {0} has no message {1:?}")]
    Missing(&'static str, String),
    /// The message needs an argument it was not given, or one of another type.
    #[error("the message {1:?} of language {0} cannot be formatted: {2}")]
    Arguments(&'static str, String, String),
}

impl Language {
    /// Every language, in the order of preference where a browser has none.
    pub const ALL: [Language; 2] = [Language::English, Language::German];

    /// Chooses by the `Accept-Language` header (RFC 9110, section 12.5.4): the highest quality wins, the earlier of
    /// equals. Region and script are ignored (`de-AT` is German). Without the header, or when nothing in it is ours,
    /// English.
    ///
    /// Malformed members are skipped, because a wrong language is no reason to refuse a sign-in; only the first 32
    /// members are looked at.
    pub fn negotiate(accept_language: Option<&str>) -> Language {
        let mut best = (Language::default(), 0);
        for member in accept_language.unwrap_or_default().split(',').take(MEMBERS_MAX) {
            let (range, parameters) = member.split_once(';').unwrap_or((member, ""));
            if let (Some(language), Some(quality)) = (Language::of_range(range), quality(parameters))
                && quality > best.1
            {
                best = (language, quality);
            }
        }
        best.0
    }

    /// The first of these tags that is ours, of a list separated by spaces (`ui_locales`, OpenID Connect Core §3.1.2.1).
    pub fn preferred(locales: &str) -> Option<Language> {
        locales.split_ascii_whitespace().take(MEMBERS_MAX).find_map(Language::of_range)
    }

    /// The tag of BCP 47 for `<html lang>` and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
        }
    }

    /// What the message `key` says in this language, as plain text: whoever puts it into HTML must escape it.
    ///
    /// # Errors
    /// When the key is unknown or an argument it uses is missing.
    pub fn message(self, key: &str, arguments: &FluentArgs<'_>) -> Result<String, MessageError> {
        let bundle = self.bundle()?;
        let pattern = bundle
            .get_message(key)
            .and_then(|message| message.value())
            .ok_or_else(|| MessageError::Missing(self.tag(), key.to_owned()))?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(arguments), &mut errors).into_owned();
        match errors.first() {
            None => Ok(text),
            Some(error) => Err(MessageError::Arguments(self.tag(), key.to_owned(), error.to_string())),
        }
    }

    /// Says whether the embedded catalogue is usable; the program asks once at start.
    ///
    /// # Errors
    /// When the catalogue does not parse.
    pub fn check(self) -> Result<(), MessageError> {
        self.bundle().map(|_| ())
    }

    fn of_range(range: &str) -> Option<Language> {
        let range = range.trim();
        let primary = range.split_once('-').map_or(range, |(primary, _)| primary);
        if primary == "*" {
            return Some(Language::default());
        }
        Language::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    fn bundle(self) -> Result<&'static FluentBundle<FluentResource>, MessageError> {
        let parsed = match self {
            Language::English => &*ENGLISH,
            Language::German => &*GERMAN,
        };
        parsed.as_ref().map_err(|reason| MessageError::Catalogue(self.tag(), reason.clone()))
    }
}

const MEMBERS_MAX: usize = 32;

type Parsed = Result<FluentBundle<FluentResource>, String>;
static ENGLISH: LazyLock<Parsed> = LazyLock::new(|| parse("en", ENGLISH_TEXT));
static GERMAN: LazyLock<Parsed> = LazyLock::new(|| parse("de", GERMAN_TEXT));

const ENGLISH_TEXT: &str = include_str!("catalogue/en.ftl");
const GERMAN_TEXT: &str = include_str!("catalogue/de.ftl");

fn parse(tag: &str, text: &str) -> Parsed {
    let tag = tag.parse().map_err(|error| format!("{error}"))?;
    let resource = FluentResource::try_new(text.to_owned())
        .map_err(|(_, errors)| errors.first().map(ToString::to_string).unwrap_or_default())?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // The invisible direction marks would end up in titles and attributes, and both languages run left to right.
    bundle.set_use_isolating(false);
    bundle
        .add_resource(resource)
        .map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())?;
    Ok(bundle)
}

/// The quality of one member in thousandths: 1000 when none is given, `None` when it is malformed.
fn quality(parameters: &str) -> Option<u32> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1000);
    }
    let digits = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q="))?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths =
        fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_browser_gets_the_language_it_prefers() {
        let cases = [
            (None, Language::English),
            (Some(""), Language::English),
            (Some("de"), Language::German),
            (Some("DE-at"), Language::German),
            (Some("de-DE,de;q=0.9,en;q=0.8"), Language::German),
            (Some("en-GB, de;q=0.9"), Language::English),
            (Some("en;q=0.3, de;q=0.301"), Language::German),
            (Some("fr, de;q=0.1"), Language::German),
            (Some("fr, *;q=0.5, de;q=0.4"), Language::English),
            (Some("de;q=0, en;q=0"), Language::English),
            (Some("de;q=0"), Language::English),
            (Some("dese, der"), Language::English),
            (Some("de, en"), Language::German),
            (Some("en, de"), Language::English),
        ];
        for (header, expected) in cases {
            assert_eq!(Language::negotiate(header), expected, "{header:?}");
        }
    }

    #[test]
    fn malformed_members_are_skipped_and_long_lists_bounded() {
        for broken in
            ["de;q=2", "de;q=0.1234", "de;q=1.001", "de;q=-1", "de;level=1", "de;q=", "de;q=0.x", ";;;", "💥"]
        {
            assert_eq!(Language::negotiate(Some(broken)), Language::English, "{broken:?}");
        }
        let at_limit = format!("{}de", "fr,".repeat(MEMBERS_MAX - 1));
        assert_eq!(Language::negotiate(Some(&at_limit)), Language::German);
        let above_limit = format!("{}de", "fr,".repeat(MEMBERS_MAX));
        assert_eq!(Language::negotiate(Some(&above_limit)), Language::English);
    }

    #[test]
    fn both_catalogues_hold_the_same_messages_with_the_same_arguments() {
        let (english, german) = (messages(ENGLISH_TEXT), messages(GERMAN_TEXT));
        assert!(english.len() > 100);
        assert_eq!(english, german);
        for language in Language::ALL {
            language.check().unwrap();
        }
    }

    #[test]
    fn unknown_messages_and_missing_arguments_are_errors() {
        let none = FluentArgs::new();
        for language in Language::ALL {
            assert!(matches!(language.message("no-such-key", &none), Err(MessageError::Missing(..))));
            assert!(matches!(language.message("ago-minutes", &none), Err(MessageError::Arguments(..))));
        }
    }

    #[test]
    fn plurals_follow_the_language() {
        let said = |language: Language, count: i64| {
            let mut arguments = FluentArgs::new();
            arguments.set("count", count);
            language.message("ago-minutes", &arguments).unwrap()
        };
        assert_eq!(said(Language::English, 1), "1 minute ago");
        assert_eq!(said(Language::English, 2), "2 minutes ago");
        assert_eq!(said(Language::German, 1), "vor 1 Minute");
        assert_eq!(said(Language::German, 2), "vor 2 Minuten");
    }

    /// Each message with the variables it uses: `name $first $second`.
    fn messages(text: &str) -> BTreeSet<String> {
        let mut found: Vec<(String, BTreeSet<String>)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((key, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
                found.push((key.to_owned(), BTreeSet::new()));
            }
            for variable in line.split('$').skip(1) {
                let end =
                    variable.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(variable.len());
                found.last_mut().unwrap().1.insert(variable[..end].to_owned());
            }
        }
        found.into_iter().map(|(key, variables)| format!("{key} {variables:?}")).collect()
    }
}
