//! `/account`: what a person sees and changes about themselves.

use serde::Serialize;

use super::{FieldProblem, Page, PasswordLimits};

/// `/account`. Its forms post to `/account/profile` (`display_name`, `email`), `/account/password`
/// (`current_password`, `password`, `password_again`), `/account/sessions/end` (`id`) and
/// `/account/sessions/end-others`, each with `csrf`.
#[derive(Clone, Debug, Serialize)]
pub struct AccountPage {
    /// The form token.
    pub csrf: String,
    /// The moment of the request, microseconds since the epoch.
    pub now: i64,
    /// The user name.
    pub username: String,
    /// The display name, or what was typed before when it was refused.
    pub display_name: String,
    /// The e-mail address or empty, or what was typed before when it was refused.
    pub email: String,
    /// The groups the person is in.
    pub groups: Vec<String>,
    /// The living sessions of browsers, the current one first.
    pub sessions: Vec<SessionRow>,
    /// Those of apps that have tokens.
    pub apps: Vec<SessionRow>,
    /// When a key of one of the apps was used twice, microseconds since the epoch: perhaps by somebody else.
    pub key_reused: Option<i64>,
    /// What was just done.
    pub notice: Option<AccountNotice>,
    /// What is wrong with the last attempt.
    pub errors: Vec<FieldProblem>,
    /// The length of a password.
    pub limits: PasswordLimits,
}

impl Page for AccountPage {
    const TEMPLATE: &'static str = "account/account.html";
}

/// What the account page confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountNotice {
    /// Display name and address are stored.
    ProfileSaved,
    /// The password is changed and the other sessions are ended.
    PasswordChanged,
    /// One session is ended.
    SessionEnded,
    /// All sessions but this are ended.
    OthersEnded,
}

/// One living session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// The public id, not the secret.
    pub id: String,
    /// What it runs on, such as "Firefox 140 on Linux"; empty when unknown.
    pub device: String,
    /// The address it was last used from; empty when unknown.
    pub address: String,
    /// How its secret travels.
    pub transport: Transport,
    /// Whether it outlives the browser.
    pub remembered: bool,
    /// Begun, microseconds since the epoch.
    pub created: i64,
    /// Last used, microseconds since the epoch.
    pub last_used: i64,
    /// Whether it is the session of this request.
    pub current: bool,
}

/// How the secret of a session travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// In a cookie: a browser.
    Cookie,
    /// In a header: an app.
    Header,
    /// In the address: a browser without cookies.
    Url,
    /// An app that has tokens.
    Token,
}
