//! `/admin`: the people, and everything one person has open.

use gateward_kernel::person::Detail;
use serde::Serialize;

use super::{ApplicationRow, Page, SessionRow};

/// `/admin`: a search by `GET` with `q`, and one page of the result.
#[derive(Clone, Debug, Serialize)]
pub struct PeoplePage {
    /// What is searched for; empty shows everybody.
    pub query: String,
    /// One page of people.
    pub people: Vec<PersonRow>,
    /// The address of the next page, built by the server.
    pub next: Option<String>,
}

impl Page for PeoplePage {
    const TEMPLATE: &'static str = "admin/people.html";
}

/// One line of the list.
#[derive(Clone, Debug, Serialize)]
pub struct PersonRow {
    /// The id, which is safe in a path.
    pub id: String,
    /// The user name.
    pub username: String,
    /// The display name; may be empty.
    pub display_name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// Whether the person cannot sign in.
    pub disabled: bool,
    /// The number of living sessions, where it is known.
    pub sessions: Option<u64>,
}

/// `/admin/people/{id}`. Its forms post to `/admin/people/{id}/` `sessions/end` (`id`), `sessions/end-all`,
/// `applications/end` (`client_id`), `disable`, `enable` and `reset`, each with `csrf`.
#[derive(Clone, Debug, Serialize)]
pub struct PersonPage {
    /// The form token.
    pub csrf: String,
    /// The moment of the request, microseconds since the epoch.
    pub now: i64,
    /// The id, which is safe in a path.
    pub id: String,
    /// The user name.
    pub username: String,
    /// The display name; may be empty.
    pub display_name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether that is verified.
    pub email_verified: bool,
    /// What else the person says of themselves.
    pub details: Vec<PersonDetail>,
    /// The groups.
    pub groups: Vec<String>,
    /// Whether the person cannot sign in.
    pub disabled: bool,
    /// Whether this is the administrator looking at themselves, who cannot disable themselves.
    pub is_self: bool,
    /// Added, microseconds since the epoch.
    pub created: i64,
    /// Last changed, microseconds since the epoch.
    pub changed: i64,
    /// The living sessions.
    pub sessions: Vec<SessionRow>,
    /// The applications of others that were given something.
    pub applications: Vec<ApplicationRow>,
    /// What was just done.
    pub notice: Option<PersonNotice>,
    /// The one-time link of a reset, shown in the answer that issued it and never again.
    pub reset_link: Option<String>,
}

impl Page for PersonPage {
    const TEMPLATE: &'static str = "admin/person.html";
}

/// One thing that a person says of themselves.
#[derive(Clone, Debug, Serialize)]
pub struct PersonDetail {
    /// What.
    pub field: Detail,
    /// In their words; an address may have several lines.
    pub value: String,
    /// Whether an administrator has verified it.
    pub is_verified: bool,
}

/// What the page of a person confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonNotice {
    /// One session is ended.
    SessionEnded,
    /// All sessions are ended.
    AllEnded,
    /// What an application was given is taken back.
    ApplicationEnded,
    /// The person is disabled and signed out everywhere.
    Disabled,
    /// The person may sign in again.
    Enabled,
    /// A one-time link is issued.
    ResetIssued,
}
