//! The pages that say no: errors of any kind, and the 403 of a protected application.

use serde::Serialize;

use super::Page;

/// Any error that is a page.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorPage {
    /// The HTTP status.
    pub status: u16,
    /// What happened, in the words of the catalogue.
    pub title: ErrorTitle,
    /// One plain sentence that says more; without it the catalogue's explanation of the title.
    pub detail: Option<String>,
    /// The stable code of the error, as in the `type` of a JSON problem.
    pub code: String,
    /// Finds the request in the log; empty when there is none.
    pub request_id: String,
    /// See [`Page::base_url`]: set when the page is shown on the host of a protected application.
    pub base_url: Option<String>,
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "face/error.html";

    fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }
}

/// The kinds of error a person can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorTitle {
    /// The request cannot be understood: 400, 405, 411, 413, 414, 415, 422, 431.
    BadRequest,
    /// There is nothing here: 404, 410.
    NotFound,
    /// Not allowed: 401, 403.
    Forbidden,
    /// The form is too old or came from another site.
    FormRefused,
    /// The host is not one this server protects.
    UnknownHost,
    /// Too many requests: 429.
    TooMany,
    /// Cannot be answered right now: 502, 503, 504.
    Unavailable,
    /// Our mistake: everything else.
    Internal,
}

impl ErrorTitle {
    /// Every title, for tests and catalogues.
    pub const ALL: [ErrorTitle; 8] = [
        ErrorTitle::BadRequest,
        ErrorTitle::NotFound,
        ErrorTitle::Forbidden,
        ErrorTitle::FormRefused,
        ErrorTitle::UnknownHost,
        ErrorTitle::TooMany,
        ErrorTitle::Unavailable,
        ErrorTitle::Internal,
    ];

    /// The title that fits a status when nothing better is known.
    pub const fn of_status(status: u16) -> ErrorTitle {
        match status {
            401 | 403 => ErrorTitle::Forbidden,
            404 | 410 => ErrorTitle::NotFound,
            429 => ErrorTitle::TooMany,
            400..=499 => ErrorTitle::BadRequest,
            502..=504 => ErrorTitle::Unavailable,
            _ => ErrorTitle::Internal,
        }
    }
}

/// The 403 of a protected application: who you are, and what is missing. Shown on the host of the application, so
/// every address in it is absolute.
#[derive(Clone, Debug, Serialize)]
pub struct ForbiddenPage {
    /// The display name.
    pub display_name: String,
    /// The user name.
    pub username: String,
    /// The host of the application.
    pub host: String,
    /// The path the person wanted.
    pub path: String,
    /// What is missing.
    pub missing: Missing,
    /// Where to sign in as somebody else; absolute, built by the server.
    pub switch_url: String,
    /// Where the person's account is; absolute, built by the server.
    pub account_url: String,
    /// See [`Page::base_url`].
    pub base_url: String,
}

impl Page for ForbiddenPage {
    const TEMPLATE: &'static str = "forward/forbidden.html";

    fn base_url(&self) -> Option<&str> {
        Some(&self.base_url)
    }
}

/// What a person lacks to be let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Missing {
    /// Membership in one of these groups.
    Groups {
        /// The groups that would be let through.
        groups: Vec<String>,
    },
    /// A connection from a network that is allowed.
    Network,
    /// A rule that lets anybody through to this address.
    NotListed,
}
