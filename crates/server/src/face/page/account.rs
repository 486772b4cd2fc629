//! `/account`: what a person sees and changes about themselves.

use std::collections::BTreeMap;

use gateward_kernel::person::Detail;
use serde::Serialize;

use super::{FieldProblem, Page, PasswordLimits};

/// `/account`. Its forms post to `/account/profile` (`display_name`, `email`, and each [`Detail`] by its name),
/// `/account/password` (`current_password`, `password`, `password_again`), `/account/sessions/end` (`id`),
/// `/account/sessions/end-others` and `/account/applications/end` (`client_id`), each with `csrf`.
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
    /// Whether the stored address is verified.
    pub email_verified: bool,
    /// What else they say of themselves, or what was typed before when it was refused: every detail, empty where nothing is said.
    pub details: BTreeMap<Detail, String>,
    /// Whether the stored telephone number is verified.
    pub phone_verified: bool,
    /// Whether the details are shown at once, because one of them was refused.
    pub is_more_open: bool,
    /// The groups the person is in.
    pub groups: Vec<String>,
    /// The living sessions of browsers, the current one first.
    pub sessions: Vec<SessionRow>,
    /// Those of apps that have tokens.
    pub apps: Vec<SessionRow>,
    /// The applications of others that were given something, the last used first.
    pub applications: Vec<ApplicationRow>,
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
    /// What they say of themselves is stored.
    ProfileSaved,
    /// The password is changed and the other sessions are ended.
    PasswordChanged,
    /// One session is ended.
    SessionEnded,
    /// All sessions but this are ended.
    OthersEnded,
    /// What an application was given is taken back.
    ApplicationEnded,
}

/// An application that was given something.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationRow {
    /// Its `client_id`.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// The scopes that it was given.
    pub scopes: Vec<String>,
    /// The services that it may use.
    pub resources: Vec<String>,
    /// Whether that outlives the session.
    pub offline: bool,
    /// Since when, microseconds since the epoch.
    pub since: i64,
    /// When it last came, microseconds since the epoch.
    pub last_used: i64,
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
