//! Refusals: the closed set of expected *no*s, and the one table of how each is told.

use std::time::Duration;

/// An expected *no*. What the caller may know is in [`row`](Refusal::row); reasons for the log are kept elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The user name or the password is wrong; never says which.
    WrongCredentials,
    /// There is no living session.
    NotSignedIn,
    /// The session's last proof is too old for this.
    NotFresh,
    /// Too many attempts; allowed again after this time.
    Throttled(Duration),
    /// More work than can be queued; worth trying after this time.
    Busy(Duration),
    /// Something that is needed does not answer: our fault, and worth trying again.
    Unavailable,
    /// The request came from another site.
    CrossSite,
    /// The form's token is missing, foreign or too old.
    FormExpired,
    /// The person may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// This path does not take this method.
    MethodNotAllowed,
    /// The body is not of a type that is taken here.
    UnsupportedMediaType,
    /// The body is larger than allowed, in bytes.
    TooLarge(usize),
    /// The request cannot be read; says where.
    Malformed(String),
    /// A value is understood and cannot be accepted; names the field and the problem.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it, in words.
        problem: String,
    },
    /// Somebody else has what must be unique.
    Taken(&'static str),
    /// It was changed since the version the caller named.
    Stale(u64),
    /// A one-time code or link is wrong, used or too old.
    CodeInvalid,
    /// A token is wrong, used, revoked or too old; never says which.
    TokenInvalid,
    /// The token is good, and does not allow this; names the scopes that would.
    InsufficientScope(String),
    /// The host is not protected by us.
    HostNotListed,
    /// The question did not come from a configured proxy.
    UntrustedProxy,
}

/// How loudly a refusal is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loudness {
    /// Everyday.
    Debug,
    /// Worth seeing.
    Info,
    /// Somebody should look.
    Warn,
}

/// How a refusal is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The stable code: the last part of the problem's `type`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The problem's `title`: the same for every occurrence (RFC 9457 §3.1.3).
    pub title: &'static str,
    /// How loudly it is logged.
    pub loudness: Loudness,
}

impl Refusal {
    /// The one table of wire codes.
    pub const fn row(&self) -> Row {
        use Loudness::{Debug, Info, Warn};
        let (code, status, title, loudness) = match self {
            Refusal::WrongCredentials => {
                ("wrong-credentials", 401, "The user name or the password is wrong.", Info)
            }
            Refusal::NotSignedIn => ("not-signed-in", 401, "Nobody is signed in.", Debug),
            Refusal::NotFresh => {
                ("not-fresh", 403, "Sign in again first: this needs a recent sign-in.", Info)
            }
            Refusal::Throttled(_) => ("throttled", 429, "Too many attempts. Try again later.", Warn),
            Refusal::Busy(_) => ("busy", 503, "The server has too much to do. Try again in a moment.", Warn),
            Refusal::Unavailable => {
                ("unavailable", 503, "Something that is needed does not answer. Try again.", Warn)
            }
            Refusal::CrossSite => ("cross-site", 403, "The request came from another site.", Warn),
            Refusal::FormExpired => ("form-expired", 403, "The form has expired. Load it again.", Info),
            Refusal::Forbidden => ("forbidden", 403, "You may not do this.", Info),
            Refusal::NotFound => ("not-found", 404, "There is no such thing here.", Debug),
            Refusal::MethodNotAllowed => {
                ("method-not-allowed", 405, "This address does not take this method.", Debug)
            }
            Refusal::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "The body is of a type that is not taken here.", Info)
            }
            Refusal::TooLarge(_) => ("too-large", 413, "The body is too large.", Info),
            Refusal::Malformed(_) => ("malformed", 400, "The request cannot be read.", Info),
            Refusal::Invalid { .. } => ("invalid", 422, "A value cannot be accepted.", Info),
            Refusal::Taken(_) => ("taken", 409, "Somebody else has that already.", Info),
            Refusal::Stale(_) => ("stale", 412, "It was changed meanwhile. Load it again.", Info),
            Refusal::CodeInvalid => {
                ("code-invalid", 403, "The code is wrong, was used, or is too old.", Info)
            }
            Refusal::TokenInvalid => {
                ("token-invalid", 401, "The token is not valid, or not valid any more.", Info)
            }
            Refusal::InsufficientScope(_) => {
                ("insufficient-scope", 403, "The token does not allow this.", Info)
            }
            Refusal::HostNotListed => {
                ("host-not-listed", 403, "This host is not protected by Gateward.", Warn)
            }
            Refusal::UntrustedProxy => {
                ("untrusted-proxy", 403, "Only a configured proxy may ask this.", Warn)
            }
        };
        Row { code, status, title, loudness }
    }

    /// What may be said about this occurrence (RFC 9457 `detail`).
    pub fn detail(&self) -> Option<String> {
        match self {
            Refusal::Malformed(what) => Some(what.clone()),
            Refusal::Invalid { field, problem } => Some(format!("{field}: {problem}")),
            Refusal::Taken(what) => Some(format!("The {what} is taken.")),
            Refusal::TooLarge(limit) => Some(format!("At most {limit} bytes are taken.")),
            Refusal::Stale(current) => Some(format!("It is at version {current}.")),
            Refusal::InsufficientScope(needed) => Some(format!("It needs the scope {needed}.")),
            _ => None,
        }
    }

    /// The same in whole seconds for `Retry-After` (RFC 9110 §10.2.3), rounded up: who comes too early is refused
    /// again.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self.retry_after() {
            Some(wait) => Some(wait.as_secs() + (wait.subsec_nanos() > 0) as u64),
            None => None,
        }
    }

    /// After how long it is worth trying again.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Throttled(wait) | Refusal::Busy(wait) => Some(*wait),
            Refusal::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all() -> Vec<Refusal> {
        let wait = Duration::from_secs(1);
        vec![
            Refusal::WrongCredentials,
            Refusal::NotSignedIn,
            Refusal::NotFresh,
            Refusal::Throttled(wait),
            Refusal::Busy(wait),
            Refusal::Unavailable,
            Refusal::CrossSite,
            Refusal::FormExpired,
            Refusal::Forbidden,
            Refusal::NotFound,
            Refusal::MethodNotAllowed,
            Refusal::UnsupportedMediaType,
            Refusal::TooLarge(1),
            Refusal::Malformed("x".into()),
            Refusal::Invalid { field: "x", problem: "y".into() },
            Refusal::Taken("x"),
            Refusal::Stale(1),
            Refusal::CodeInvalid,
            Refusal::TokenInvalid,
            Refusal::InsufficientScope("read".into()),
            Refusal::HostNotListed,
            Refusal::UntrustedProxy,
        ]
    }

    #[test]
    fn codes_are_stable_names_and_each_stands_for_one_refusal() {
        let codes: HashSet<&str> = all().iter().map(|refusal| refusal.row().code).collect();
        assert_eq!(codes.len(), all().len());
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }

    #[test]
    fn whatever_says_try_again_says_when() {
        for refusal in all() {
            let row = refusal.row();
            assert!((400..600).contains(&row.status), "{refusal:?}");
            assert_eq!(matches!(row.status, 429 | 503), refusal.retry_after().is_some(), "{refusal:?}");
        }
    }
}
