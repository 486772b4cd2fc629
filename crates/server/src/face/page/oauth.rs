//! The pages on the way from a client and back to it.

use serde::Serialize;

use super::Page;

/// How a client is shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClientCard {
    /// Its name.
    pub name: String,
    /// Its home page.
    pub home: Option<String>,
    /// What it says of data protection.
    pub policy: Option<String>,
    /// Its terms.
    pub terms: Option<String>,
    /// Where its picture is, which comes from here.
    pub logo: Option<String>,
    /// Whether nobody of the installation has named it.
    pub came_by_itself: bool,
    /// Where the document is that says what it is: the host.
    pub document: Option<String>,
}

/// The question whether a client gets what it asks for.
#[derive(Clone, Debug, Serialize)]
pub struct ConsentPage {
    /// The form token.
    pub csrf: String,
    /// The request, sealed.
    pub flow: String,
    /// Who asks.
    pub client: ClientCard,
    /// The display name of the person.
    pub display_name: String,
    /// Their user name.
    pub username: String,
    /// What is asked for.
    pub scopes: Vec<ScopeRow>,
    /// Of what more is asked for by name, the scopes that stand for it.
    pub claims: Vec<String>,
    /// The resources that it is for.
    pub resources: Vec<String>,
    /// Rich authorization details, as JSON.
    pub details: Option<String>,
    /// Whether it counts beyond this session.
    pub offline: bool,
    /// The host that the answer goes to.
    pub leads_to: String,
}

impl Page for ConsentPage {
    const TEMPLATE: &'static str = "oauth/consent.html";
}

/// A scope in the question.
#[derive(Clone, Debug, Serialize)]
pub struct ScopeRow {
    /// Its name.
    pub name: String,
    /// Whether it cannot be left out.
    pub is_fixed: bool,
    /// Whether it comes to what was agreed to before.
    pub is_new: bool,
}

/// The question which account a client is to get.
#[derive(Clone, Debug, Serialize)]
pub struct ChooseAccountPage {
    /// Who asks.
    pub client: ClientCard,
    /// The display name of who is signed in.
    pub display_name: String,
    /// Their user name.
    pub username: String,
    /// Where to go on as they are.
    pub go_on: String,
    /// Where to sign in as somebody else.
    pub another: String,
}

impl Page for ChooseAccountPage {
    const TEMPLATE: &'static str = "oauth/choose-account.html";
}

/// An answer on its way to a client, in a form that sends itself (OAuth 2.0 Form Post Response Mode).
#[derive(Clone, Debug, Serialize)]
pub struct FormPostPage {
    /// Where to.
    pub action: String,
    /// What.
    pub fields: Vec<(String, String)>,
}

impl Page for FormPostPage {
    const TEMPLATE: &'static str = "oauth/form-post.html";
}

/// The field for the code that a device shows.
#[derive(Clone, Debug, Serialize)]
pub struct DevicePage {
    /// The form token.
    pub csrf: String,
    /// What stands in the field.
    pub user_code: String,
    /// Why the last code was not taken.
    pub error: Option<DeviceError>,
}

impl Page for DevicePage {
    const TEMPLATE: &'static str = "oauth/device/enter.html";
}

/// Why the code of a device was not taken.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DeviceError {
    /// No device that waits has it.
    Unknown,
    /// Too many were tried.
    Throttled {
        /// When to try again.
        retry_after_seconds: u64,
    },
}

/// The question whether a device gets what it asks for.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceConsentPage {
    /// The form token.
    pub csrf: String,
    /// That the person has typed the code, sealed.
    pub ticket: String,
    /// The code, to be compared with what the device shows.
    pub user_code: String,
    /// Who asks.
    pub client: ClientCard,
    /// The display name of the person.
    pub display_name: String,
    /// Their user name.
    pub username: String,
    /// What is asked for.
    pub scopes: Vec<ScopeRow>,
    /// The resources that it is for.
    pub resources: Vec<String>,
    /// Whether it counts beyond this session.
    pub offline: bool,
}

impl Page for DeviceConsentPage {
    const TEMPLATE: &'static str = "oauth/device/consent.html";
}

/// What has become of a device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceDonePage {
    /// The name of the client.
    pub client: String,
    /// Whether it was let in.
    pub is_allowed: bool,
}

impl Page for DeviceDonePage {
    const TEMPLATE: &'static str = "oauth/device/done.html";
}
