//! What a token is and says, and what is wrong with it: for eyes, never for a decision. The secret itself is not printed.

use gateward_kernel::time::Moment;
use serde_json::{Map, Value, json};

use super::{artefact, jwt};
use crate::cli::show::Show;
use crate::face::steering::steers;

/// Everything there is to say about a token.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What it is, for programs: `jwt`, `jwe`, `session`, …
    pub(super) kind: &'static str,
    /// What it is, in words.
    pub(super) what: String,
    /// Its public id, and of what.
    pub(super) id: Option<(&'static str, String)>,
    /// The header of a JOSE token.
    pub(super) header: Option<Value>,
    /// The claims of a JWT.
    pub(super) claims: Option<Value>,
    /// Moments, each by the name it has in the token.
    pub(super) times: Vec<(&'static str, Moment)>,
    /// What is wrong with it.
    pub(super) problems: Vec<String>,
    /// What to know about it, and what to do with it.
    pub(super) notes: Vec<String>,
}

/// Looks into a token of any kind. An error when it is none.
pub(super) fn inspect(text: &str, now: Moment) -> anyhow::Result<Shown> {
    let report = match artefact::inspect(text, now) {
        Some(report) => report,
        None => jwt::inspect(text, now).ok_or_else(|| {
            anyhow::anyhow!(
                "this is no token: neither one of Gateward's (gws1_…, gwa1_…, gwr1_…, …) nor a JWT"
            )
        })?,
    };
    Ok(Shown { report, now })
}

/// A report at the moment it was made.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) report: Report,
    now: Moment,
}

impl Shown {
    /// Prints it.
    pub(super) fn print(&self, show: Show) {
        match show.json {
            true => show.json(&self.to_json()),
            false => print!("{}", self.to_text()),
        }
    }

    fn to_json(&self) -> Value {
        let report = &self.report;
        let mut told = Map::new();
        told.insert("kind".into(), json!(report.kind));
        told.insert("what".into(), json!(report.what));
        if let Some((of, id)) = &report.id {
            told.insert("id".into(), json!(id));
            told.insert("id_of".into(), json!(of));
        }
        told.extend(report.header.iter().map(|header| ("header".to_owned(), header.clone())));
        told.extend(report.claims.iter().map(|claims| ("claims".to_owned(), claims.clone())));
        let times: Map<String, Value> = report
            .times
            .iter()
            .map(|(name, at)| {
                ((*name).to_owned(), json!({ "at": at.rfc3339(), "words": words(*at, self.now) }))
            })
            .collect();
        told.insert("times".into(), Value::Object(times));
        told.insert("problems".into(), json!(report.problems));
        told.insert("notes".into(), json!(report.notes));
        Value::Object(told)
    }

    fn to_text(&self) -> String {
        let report = &self.report;
        let mut text = format!("{}\n", report.what);
        if let Some((of, id)) = &report.id {
            text.push_str(&format!("id of the {of}: {id}\n"));
        }
        for (name, value) in [("header", &report.header), ("claims", &report.claims)] {
            if let Some(value) = value {
                text.push_str(&format!("\n{name}\n{value:#}\n"));
            }
        }
        if !report.times.is_empty() {
            text.push_str("\ntimes\n");
        }
        let width = report.times.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, at) in &report.times {
            text.push_str(&format!("  {name:<width$}  {}, {}\n", at.rfc3339(), words(*at, self.now)));
        }
        for (heading, lines) in [("wrong with it", &report.problems), ("to know", &report.notes)] {
            if !lines.is_empty() {
                text.push_str(&format!("\n{heading}\n"));
            }
            for line in lines {
                text.push_str(&format!("  - {line}\n"));
            }
        }
        plain(&text)
    }
}

/// `3 minutes ago`, `in 2 hours`.
pub(super) fn words(at: Moment, now: Moment) -> String {
    let (ahead, behind) = (at.since(now).as_secs(), now.since(at).as_secs());
    let span = |seconds: u64| {
        let (count, unit) = match seconds {
            0..120 => (seconds, "second"),
            120..7_200 => (seconds / 60, "minute"),
            7_200..172_800 => (seconds / 3_600, "hour"),
            172_800..63_072_000 => (seconds / 86_400, "day"),
            _ => (seconds / 31_536_000, "year"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    };
    match (ahead, behind) {
        (0, 0) => "now".to_owned(),
        (0, seconds) => format!("{} ago", span(seconds)),
        (seconds, _) => format!("in {}", span(seconds)),
    }
}

/// Without what could steer a terminal: whoever wrote the token also wrote what is in it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_fitting_units() {
        let now = Moment::from_micros(1_800_000_000_000_000);
        for (seconds, said) in [
            (0, "now"),
            (1, "in 1 second"),
            (119, "in 119 seconds"),
            (120, "in 2 minutes"),
            (-7_199, "119 minutes ago"),
            (-7_200, "2 hours ago"),
            (172_799, "in 47 hours"),
            (172_800, "in 2 days"),
            (-63_072_000, "2 years ago"),
        ] {
            assert_eq!(
                words(Moment::from_micros(now.micros() + seconds * 1_000_000), now),
                said,
                "{seconds}"
            );
        }
    }

    #[test]
    fn what_a_token_says_cannot_steer_a_terminal() {
        let payload = data_encoding::BASE64URL_NOPAD.encode("{\"name\":\"\u{9b}31mred\u{202e}\"}".as_bytes());
        let header = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"ES256\"}");
        let text = inspect(&format!("{header}.{payload}.AAAA"), Moment::default()).unwrap().to_text();
        assert!(
            text.contains("31mred") && !text.contains('\u{9b}') && !text.contains('\u{202e}'),
            "{text:?}"
        );
    }
}
