//! What templates can say: `t` for the messages of the catalogue, and filters that put moments and spans into words.

use std::fmt;

use fluent_bundle::{FluentArgs, FluentValue};
use jiff::{Timestamp, tz::TimeZone};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State};

use super::Language;

/// Gives the templates of one language their words.
///
/// * `t("key", name=value)`: the message; a key or an argument that is missing is an error.
/// * `at|ago(now)`: microseconds since the epoch as "2 minutes ago"; a date when it is over thirty days.
/// * `at|rfc3339`: the same moment for `<time datetime>`; `at|exact`: for a reader, in UTC.
/// * `seconds|wait`: a span rounded up to whole units, to stand behind "in".
/// * Printing escapes text, and refuses what a reader cannot read: nothing, lists, truth values.
pub(super) fn add_to(environment: &mut Environment<'static>, language: Language) {
    environment.add_function("t", move |key: &str, named: Kwargs| message(language, key, &named));
    environment.set_formatter(print);
    environment.add_filter("ago", move |at: i64, now: i64| ago(language, at, now));
    environment.add_filter("wait", move |seconds: i64| wait(language, seconds));
    environment.add_filter("scope_words", move |scope: String| scope_words(language, &scope));
    environment.add_filter("rfc3339", |at: i64| Ok::<_, Error>(timestamp(at)?.to_string()));
    environment.add_filter("exact", |at: i64| {
        Ok::<_, Error>(timestamp(at)?.strftime("%Y-%m-%d %H:%M UTC").to_string())
    });
}

/// Escapes for HTML, in text and in quoted attributes. The engine's own escape turns every slash of an address into a
/// reference too, which nobody can read or search for.
fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if value.is_safe() => Ok(out.write_str(text)?),
        Some(text) => Ok(escape(out, text)?),
        None if value.kind() == ValueKind::Number => Ok(write!(out, "{value}")?),
        None => Err(Error::new(ErrorKind::InvalidOperation, format!("a {} cannot be printed", value.kind()))),
    }
}

fn escape(out: &mut Output<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some((before, special)) =
        rest.find(['&', '<', '>', '"', '\'']).and_then(|at| rest.split_at_checked(at))
    {
        out.write_str(before)?;
        out.write_str(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            _ => "&#39;",
        })?;
        rest = special.get(1..).unwrap_or_default();
    }
    out.write_str(rest)
}

fn message(language: Language, key: &str, named: &Kwargs) -> Result<String, Error> {
    let mut arguments = FluentArgs::new();
    for name in named.args() {
        let value: Value = named.peek(name)?;
        arguments.set(name.to_owned(), argument(key, name, &value)?);
    }
    say(language, key, &arguments)
}

fn argument(key: &str, name: &str, value: &Value) -> Result<FluentValue<'static>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(FluentValue::from(text.to_owned()));
    }
    if let Some(number) = value.as_i64().filter(|_| value.is_number()) {
        return Ok(FluentValue::from(number));
    }
    let reason = format!("argument {name:?} of message {key:?} is neither a text nor a whole number");
    Err(Error::new(ErrorKind::InvalidOperation, reason))
}

fn say(language: Language, key: &str, arguments: &FluentArgs<'_>) -> Result<String, Error> {
    language
        .message(key, arguments)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()).with_source(error))
}

/// A scope in words; one of an application as it is called.
fn scope_words(language: Language, scope: &str) -> Result<String, Error> {
    let mut arguments = FluentArgs::new();
    arguments.set("scope", scope.to_owned());
    match gateward_kernel::claims::StandardScope::named(scope) {
        Some(_) => say(language, &format!("scope-{scope}"), &arguments),
        None => say(language, "scope-other", &arguments),
    }
}

fn count(language: Language, key: &str, count: i64) -> Result<String, Error> {
    let mut arguments = FluentArgs::new();
    arguments.set("count", count);
    say(language, key, &arguments)
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment that is not over yet (clocks of two nodes differ a little) is "just now".
fn ago(language: Language, at: i64, now: i64) -> Result<String, Error> {
    match now.saturating_sub(at) / 1_000_000 {
        ..MINUTE => count(language, "ago-now", 0),
        seconds @ MINUTE..HOUR => count(language, "ago-minutes", seconds / MINUTE),
        seconds @ HOUR..DAY => count(language, "ago-hours", seconds / HOUR),
        seconds if seconds <= 30 * DAY => count(language, "ago-days", seconds / DAY),
        _ => {
            let date = TimeZone::UTC.to_datetime(timestamp(at)?).date();
            let mut arguments = FluentArgs::new();
            arguments.set("day", i64::from(date.day()));
            arguments.set("month", i64::from(date.month()));
            // A text, because a number could get a thousands separator.
            arguments.set("year", date.year().to_string());
            say(language, "ago-date", &arguments)
        }
    }
}

fn wait(language: Language, seconds: i64) -> Result<String, Error> {
    match seconds.max(1) {
        seconds @ ..=90 => count(language, "wait-seconds", seconds),
        seconds if seconds <= 90 * MINUTE => {
            count(language, "wait-minutes", seconds.div_euclid(MINUTE) + round(seconds, MINUTE))
        }
        seconds => count(language, "wait-hours", seconds.div_euclid(HOUR) + round(seconds, HOUR)),
    }
}

/// One when the division left something over: who comes back at the moment named must not be too early.
fn round(seconds: i64, unit: i64) -> i64 {
    i64::from(seconds.rem_euclid(unit) > 0)
}

fn timestamp(at: i64) -> Result<Timestamp, Error> {
    Timestamp::from_microsecond(at).map_err(|error| {
        Error::new(ErrorKind::InvalidOperation, "a moment outside the calendar").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    /// 2026-03-12T14:05:09Z
    const NOW: i64 = 1_773_324_309 * SECOND;

    #[test]
    fn moments_are_said_in_the_largest_fitting_unit() {
        let cases = [
            (-5, "just now", "gerade eben"),
            (59, "just now", "gerade eben"),
            (60, "1 minute ago", "vor 1 Minute"),
            (3_599, "59 minutes ago", "vor 59 Minuten"),
            (3_600, "1 hour ago", "vor 1 Stunde"),
            (86_399, "23 hours ago", "vor 23 Stunden"),
            (86_400, "1 day ago", "vor 1 Tag"),
            (30 * 86_400, "30 days ago", "vor 30 Tagen"),
            (30 * 86_400 + 1, "on 10 February 2026", "am 10. Februar 2026"),
        ];
        for (seconds, english, german) in cases {
            let at = NOW - seconds * SECOND;
            assert_eq!(ago(Language::English, at, NOW).unwrap(), english);
            assert_eq!(ago(Language::German, at, NOW).unwrap(), german);
        }
        assert!(ago(Language::English, i64::MIN, NOW).is_err());
        assert_eq!(ago(Language::English, i64::MAX, NOW).unwrap(), "just now");
    }

    #[test]
    fn every_month_has_a_name() {
        for language in Language::ALL {
            let names: std::collections::BTreeSet<String> =
                (0..12).map(|month| ago(language, month * 31 * DAY * SECOND, NOW).unwrap()).collect();
            assert_eq!(names.len(), 12, "{names:?}");
        }
    }

    #[test]
    fn waiting_is_rounded_up() {
        let cases = [
            (0, "1 second"),
            (1, "1 second"),
            (90, "90 seconds"),
            (91, "2 minutes"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (5_400, "90 minutes"),
            (5_401, "2 hours"),
            (7_201, "3 hours"),
        ];
        for (seconds, words) in cases {
            assert_eq!(wait(Language::English, seconds).unwrap(), words);
        }
        assert_eq!(wait(Language::German, 1).unwrap(), "1 Sekunde");
        assert_eq!(wait(Language::German, 3_601).unwrap(), "61 Minuten");
    }

    #[test]
    fn printing_escapes_and_refuses_what_is_no_text() {
        let mut environment = Environment::new();
        add_to(&mut environment, Language::English);
        let print = |value: Value| {
            environment.render_named_str("a.html", "{{ x }}", minijinja::context! { x => value })
        };
        assert_eq!(print(Value::from("a<b>&\"c'/é&")).unwrap(), "a&lt;b&gt;&amp;&quot;c&#39;/é&amp;");
        assert_eq!(print(Value::from("")).unwrap(), "");
        assert_eq!(print(Value::from(-7)).unwrap(), "-7");
        assert_eq!(print(Value::from_safe_string("<br>".to_owned())).unwrap(), "<br>");
        for unreadable in [Value::from(()), Value::from(true), Value::from(vec![1])] {
            assert!(print(unreadable).is_err());
        }
    }

    #[test]
    fn moments_are_exact_for_machines() {
        assert_eq!(timestamp(NOW).unwrap().to_string(), "2026-03-12T14:05:09Z");
        assert_eq!(timestamp(0).unwrap().strftime("%Y-%m-%d %H:%M UTC").to_string(), "1970-01-01 00:00 UTC");
    }
}
