//! The pages around signing in and out.

use serde::Serialize;

use super::{ClientCard, Page};

/// `/login`.
#[derive(Clone, Debug, Serialize)]
pub struct LoginPage {
    /// Where the form posts to: `/login`, with a query where the URL transport needs one.
    pub action: String,
    /// The form token.
    pub csrf: String,
    /// What the person typed before, empty at first.
    pub username: String,
    /// Whether "stay signed in" was ticked before.
    pub remember: bool,
    /// Whether "stay signed in" is offered at all.
    pub remember_offered: bool,
    /// Why the last attempt failed.
    pub error: Option<LoginError>,
    /// Where to go afterwards, already found acceptable; comes back as `return_to`.
    pub return_to: Option<String>,
    /// The host of the application the person is on the way to, shown so that they know why they are asked.
    pub app: Option<String>,
    /// The client the person is on the way to.
    pub client: Option<ClientCard>,
    /// Where they go who do not want to sign in for it.
    pub cancel: Option<String>,
}

impl Page for LoginPage {
    const TEMPLATE: &'static str = "login/login.html";
}

/// Why a sign-in failed, as the person is told. An unknown name and a wrong password are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LoginError {
    /// Name and password do not belong together, or the person is disabled.
    WrongCredentials,
    /// Too many attempts.
    Throttled {
        /// Seconds until the next attempt counts.
        retry_after_seconds: u64,
    },
    /// The queue of password checks is full.
    Busy,
    /// The form token is too old.
    FormExpired,
    /// The form was sent from another site.
    CrossSite,
}

/// `GET /logout`: the question before signing out.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutPage {
    /// The form token.
    pub csrf: String,
    /// The display name of the person.
    pub display_name: String,
    /// Their user name.
    pub username: String,
    /// Where to go afterwards, already found acceptable.
    pub return_to: Option<String>,
}

impl Page for LogoutPage {
    const TEMPLATE: &'static str = "session/logout.html";
}

/// Shown after signing out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignedOutPage {
    /// What is loaded in frames, so that clients hear of it.
    pub frames: Vec<String>,
    /// Where to go on afterwards, already found acceptable.
    pub next: Option<String>,
}

impl Page for SignedOutPage {
    const TEMPLATE: &'static str = "session/signed-out.html";
}
