//! Where a value came from, and what is wrong with it: always one line that says what to do.

use std::fmt;
use std::sync::Arc;

use super::given::Given;

/// Where the effective value of a setting comes from. `Display` is what `gateward config` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Nobody set it, and its default follows from the named setting.
    Derived(&'static str),
    /// The settings file, with the line (from 1) where that is known.
    File {
        /// The file as it was named to the program.
        name: Arc<str>,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// The environment variable of this name.
    Environment(Arc<str>),
    /// The command-line flag of this name, dashes included.
    Flag(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => out.write_str("default"),
            Origin::Derived(from) => write!(out, "derived from {from}"),
            Origin::File { name, line: Some(line) } => write!(out, "file {name}:{line}"),
            Origin::File { name, line: None } => write!(out, "file {name}"),
            Origin::Environment(name) => write!(out, "environment {name}"),
            Origin::Flag(name) => write!(out, "flag {name}"),
        }
    }
}

/// One thing that is wrong with the settings. `Display` is exactly one line: origin, key, bad value (masked
/// when the setting is secret) and what is allowed instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the bad value or key stands.
    pub origin: Origin,
    /// The dotted key, such as `sessions.idle`; empty when the problem is not about one key.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem of `key`, found at `origin`. Line breaks and control characters in the message are blanked.
    pub(super) fn new(origin: Origin, key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { origin, key: one_line(&key.into()), message: one_line(&message.into()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// Where the value being read stands; what is wrong below it is reported with this place.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) key: String,
    /// True where values are masked in errors.
    pub(super) secret: bool,
    /// Lowest and highest allowed value, as text.
    pub(super) range: Option<(&'static str, &'static str)>,
}

impl Place {
    pub(super) fn new(origin: Origin, key: impl Into<String>) -> Place {
        Place { origin, key: key.into(), secret: false, range: None }
    }

    /// The place of the item `index` (counted from 1, as people count) of this list.
    pub(super) fn item(&self, index: usize) -> Place {
        Place { key: format!("{}[{index}]", self.key), ..self.clone() }
    }

    /// The place of `name` inside this table.
    pub(super) fn inside(&self, name: &str) -> Place {
        Place { key: format!("{}.{name}", self.key), range: None, ..self.clone() }
    }

    /// The origin, on the line of `given` where the file tells it.
    pub(super) fn origin_of(&self, given: &Given) -> Origin {
        self.origin_at(given.line)
    }

    /// The origin, on that line of the file.
    pub(super) fn origin_at(&self, line: Option<usize>) -> Origin {
        match &self.origin {
            Origin::File { name, line: whole } => {
                Origin::File { name: Arc::clone(name), line: line.or(*whole) }
            }
            other => other.clone(),
        }
    }

    /// The value `given` is bad because of `reason` (which continues the sentence that begins with the
    /// value); `allowed` says what would be right.
    pub(super) fn bad_value(&self, given: &Given, reason: &str, allowed: &str) -> Problem {
        let value = if self.secret { MASK.to_owned() } else { quote(&given.text()) };
        let mut message = format!("{value} {reason}; allowed: {allowed}");
        if let Some((low, high)) = self.range {
            message = format!("{message}, from {low} to {high}");
        }
        Problem::new(self.origin_of(given), &self.key, message)
    }

    /// Something else is wrong here.
    pub(super) fn problem(&self, given: &Given, message: impl Into<String>) -> Problem {
        Problem::new(self.origin_of(given), &self.key, message)
    }
}

/// What stands for a secret wherever it would be shown.
pub(super) const MASK: &str = "******";

/// Longest piece of a bad value that an error repeats, in characters.
const QUOTED: usize = 80;

/// A bad value as an error repeats it: quoted, on one line, shortened, without the password of a URL.
pub(super) fn quote(value: &str) -> String {
    let shown = without_password(value);
    let mut text: String = shown.chars().take(QUOTED).collect();
    if shown.chars().count() > QUOTED {
        text.push('…');
    }
    format!("{text:?}")
}

/// Masks what stands between `://` and the last `@`: settings that hold addresses of stores may hold a
/// password there, and a mistyped one must not end up in a log.
fn without_password(value: &str) -> String {
    match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (before, after) = (value.get(..scheme), value.get(at..));
            format!("{}://{MASK}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => value.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_one_short_line_without_a_password() {
        assert_eq!(quote("30x"), "\"30x\"");
        assert_eq!(quote("a\nb\u{1b}[31m"), "\"a\\nb\\u{1b}[31m\"");
        assert_eq!(quote("postgres://me:hunter2@db/x"), "\"postgres://******@db/x\"");
        assert_eq!(quote("postgres://me:a@b@db/x"), "\"postgres://******@db/x\"");
        assert_eq!(quote(&"x".repeat(80)), format!("\"{}\"", "x".repeat(80)));
        assert_eq!(quote(&"x".repeat(81)), format!("\"{}…\"", "x".repeat(80)));
    }

    #[test]
    fn a_problem_is_one_line_whatever_it_quotes() {
        let origin = Origin::File { name: "a.toml".into(), line: Some(7) };
        let problem = Problem::new(origin, "a.\u{7}b", "first\nsecond");
        assert_eq!(problem.to_string(), "file a.toml:7: a. b: first second");
        let bare = Problem::new(Origin::Environment("GATEWARD_X".into()), "", "no such setting");
        assert_eq!(bare.to_string(), "environment GATEWARD_X: no such setting");
    }
}
