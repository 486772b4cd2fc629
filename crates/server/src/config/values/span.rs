//! Lengths of time: `500ms`, `90s`, `30m`, `24h`, `30d`.

use std::fmt;
use std::time::Duration;

use crate::config::definition::Scalar;

/// A length of time, exact to the millisecond. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// The length of time.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Duration {
        span.0
    }
}

/// Suffix and milliseconds, the longest suffix of the same ending first.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Scalar for Span {
    const KIND: &'static str = "a duration";

    fn allowed() -> String {
        "a whole number and a unit (ms, s, m, h, d) such as \"90s\", \"30m\" or \"24h\"".to_owned()
    }

    fn brief() -> String {
        "duration".to_owned()
    }

    fn parse(text: &str) -> Result<Span, String> {
        let (number, factor) = UNITS
            .iter()
            .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|number| (number, *factor)))
            .ok_or_else(|| {
                let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                if bare { "has no unit".to_owned() } else { "is not a duration".to_owned() }
            })?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err("is not a duration".to_owned());
        }
        let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        // The law counts in signed microseconds; a thousand years fit into that.
        match milliseconds {
            Some(milliseconds) if milliseconds <= 365_000 * 86_400_000 => {
                Ok(Span(Duration::from_millis(milliseconds)))
            }
            _ => Err("is longer than a thousand years".to_owned()),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

/// As it is written in the settings; an error continues a sentence that begins with the text.
impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        <Span as Scalar>::parse(text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.as_millis();
        let fits = |factor: u64| all != 0 && all.is_multiple_of(u128::from(factor));
        // "24h" says more than "1d", so days begin with the second one.
        let unit = UNITS
            .iter()
            .rev()
            .find(|(suffix, factor)| fits(*factor) && (*suffix != "d" || all >= 172_800_000));
        match unit {
            Some((suffix, factor)) => write!(out, "{}{suffix}", all / u128::from(*factor)),
            None => out.write_str("0s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_the_same() {
        let written = ["0s", "500ms", "1500ms", "90s", "30m", "90m", "24h", "36h", "2d", "30d", "365000d"];
        for text in written {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse("30m").unwrap().duration(), Duration::from_secs(1_800));
        assert_eq!(Span::parse("1d").unwrap().to_string(), "24h");
        assert_eq!(Span::parse("0d").unwrap().to_string(), "0s");
        assert_eq!(Span::parse("2000ms").unwrap().to_string(), "2s");
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(Span::parse("30").unwrap_err(), "has no unit");
        assert_eq!(Span::parse("365001d").unwrap_err(), "is longer than a thousand years");
        assert_eq!(Span::parse("99999999999999999999s").unwrap_err(), "is longer than a thousand years");
        for text in ["", "m", "30 m", " 30m", "-5m", "+5m", "1.5h", "30x", "1h30m", "30M", "٣m"] {
            assert_eq!(Span::parse(text).unwrap_err(), "is not a duration", "{text:?}");
        }
    }
}
