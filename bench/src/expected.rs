//! What a right answer looks like.

use std::time::Duration;

use crate::wire::Answer;

/// What a right answer looks like.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// This status means "later": the request is sent again after what `Retry-After` says, and counted apart.
    pub(crate) busy: Option<u16>,
    pub(crate) empty_body: bool,
    pub(crate) body_contains: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// What an answer comes to.
pub(crate) enum Verdict {
    Right { closes: bool },
    Later { pause: Duration, closes: bool },
}

fn retry_after(answer: &Answer<'_>) -> Result<Duration, String> {
    let seconds = answer.header("retry-after").next().and_then(|value| value.parse().ok());
    seconds.map(Duration::from_secs).ok_or_else(|| format!("status {} without Retry-After", answer.status))
}

impl Expected {
    pub(crate) fn judge(&self, answer: &Answer<'_>, in_full: bool) -> Result<Verdict, String> {
        if self.busy == Some(answer.status) {
            return Ok(Verdict::Later { pause: retry_after(answer)?, closes: answer.closes });
        }
        self.check(answer, in_full)?;
        Ok(Verdict::Right { closes: answer.closes })
    }

    /// The status of every answer; headers and body too when `in_full`.
    fn check(&self, answer: &Answer<'_>, in_full: bool) -> Result<(), String> {
        if answer.status != self.status {
            return Err(format!("status {} instead of {}", answer.status, self.status));
        }
        if self.empty_body && !answer.body.is_empty() {
            return Err("a body where none may be".to_owned());
        }
        if !in_full {
            return Ok(());
        }
        for (name, value) in &self.headers {
            if !answer.header(name).any(|found| found == value) {
                return Err(format!("header {name} is not {value:?}"));
            }
        }
        let Some(text) = &self.body_contains else { return Ok(()) };
        let body = String::from_utf8_lossy(&answer.body);
        if body.contains(text) { Ok(()) } else { Err(format!("the body does not contain {text:?}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    fn expected() -> Expected {
        Expected {
            status: 200,
            busy: Some(503),
            body_contains: Some("ann".to_owned()),
            headers: vec![("Remote-User".to_owned(), "ann".to_owned())],
            ..Expected::default()
        }
    }

    fn judge(expected: &Expected, text: &str) -> Result<Verdict, String> {
        expected.judge(&wire::parse(text.as_bytes(), true).unwrap().unwrap(), true)
    }

    #[test]
    fn a_right_answer_is_right_and_every_difference_is_named() {
        let right = "HTTP/1.1 200 OK\r\nremote-user: ann\r\ncontent-length: 3\r\n\r\nann";
        assert!(matches!(judge(&expected(), right), Ok(Verdict::Right { closes: false })));
        for (from, to, named) in [
            ("200", "401", "status 401 instead of 200"),
            ("remote-user: ann", "remote-user: eve", "remote-user"),
            ("\r\nann", "\r\neve", "body"),
        ] {
            let error = judge(&expected(), &right.replace(from, to)).err().unwrap().to_lowercase();
            assert!(error.contains(named), "{error}");
        }
        let silent = Expected { empty_body: true, ..expected() };
        assert!(judge(&silent, right).is_err());
    }

    #[test]
    fn busy_is_later_only_when_it_says_when() {
        let busy = "HTTP/1.1 503 Busy\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n";
        let Ok(Verdict::Later { pause, closes }) = judge(&expected(), busy) else { panic!("not later") };
        assert_eq!((pause, closes), (Duration::from_secs(2), false));
        assert!(judge(&expected(), &busy.replace("retry-after", "x")).is_err());
        assert!(judge(&Expected { busy: None, ..expected() }, busy).is_err());
    }
}
