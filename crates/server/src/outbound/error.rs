//! Why an answer could not be had.

use http::StatusCode;

use super::law::Forbidden;

/// Why another server gave no answer that can be used. The texts are for the log: they tell of the network, which is not for
/// whoever named the address. No text holds a path or a query.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address must not be asked.
    #[error("may not be asked: {0}")]
    Forbidden(#[from] Forbidden),
    /// The name has no address.
    #[error("the name could not be resolved")]
    Unresolved,
    /// No connection, no TLS, or no HTTP; in words.
    #[error("no answer: {0}")]
    Failed(String),
    /// It was not over in time: waiting for its turn, resolving, connecting, asking and reading together.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than was asked for.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer points elsewhere, where nobody follows.
    #[error("the answer leads elsewhere: {0}")]
    Redirected(StatusCode),
    /// The answer has a status that does not serve.
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    /// The answer is not what it should be.
    #[error("the answer is not understood: {0}")]
    Malformed(&'static str),
}

/// The longest text of a failure, in characters.
const LONGEST: usize = 300;

impl OutboundError {
    /// A failure with all that is known of it: the outer text often says only that it failed. Parts of it come from the other
    /// side, so that it is made one line of a bounded length.
    pub(super) fn failed(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut inner = error.source();
        while let Some(error) = inner {
            text = format!("{text}: {error}");
            inner = error.source();
        }
        let plain = |one: char| if one.is_control() { ' ' } else { one };
        OutboundError::Failed(text.chars().take(LONGEST).map(plain).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_stays_one_short_line() {
        let said = |text: String| match OutboundError::failed(&std::io::Error::other(text)) {
            OutboundError::Failed(text) => text,
            other => panic!("{other}"),
        };
        assert_eq!(said("a\r\nb\u{1b}[31m".into()), "a  b [31m");
        for (length, expected) in [(LONGEST - 1, LONGEST - 1), (LONGEST, LONGEST), (LONGEST + 1, LONGEST)] {
            assert_eq!(said("ä".repeat(length)).chars().count(), expected);
        }
    }
}
