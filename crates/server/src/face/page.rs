//! Renders the pages: one serialisable struct a page, one template a struct, two languages.
//!
//! Templates are embedded and compiled once, when [`Pages`] is made. Everything printed is escaped, an undefined name
//! is an error rather than an empty string, and no template contains inline script or style, so that the pages live
//! under `default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action
//! 'self'`. Every page works without JavaScript; pages shown on the host of an application load none, and their policy
//! names the public address in `style-src` and `img-src`.

mod account;
mod admin;
mod oauth;
mod password;
mod refusal;
#[cfg(test)]
mod samples;
mod sign_in;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

pub use account::{AccountNotice, AccountPage, ApplicationRow, SessionRow, Transport};
pub use admin::{PeoplePage, PersonDetail, PersonNotice, PersonPage, PersonRow};
pub use oauth::{
    ChooseAccountPage, ClientCard, ConsentPage, DeviceConsentPage, DeviceDonePage, DeviceError, DevicePage,
    FormPostPage, ScopeRow,
};
pub use password::{
    Field, FieldProblem, PasswordLimits, Problem, ResetForm, ResetPage, SetupForm, SetupPage,
};
pub use refusal::{ErrorPage, ErrorTitle, ForbiddenPage, Missing};
pub use sign_in::{LoginError, LoginPage, LogoutPage, SignedOutPage};

use super::assets;
use super::language::{Language, MessageError};

/// What every page shows around its content.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Frame<'a> {
    /// The display name of the person signed in; `None` shows no menu.
    pub signed_in: Option<&'a str>,
    /// Whether the menu leads to the administration.
    pub admin: bool,
    /// The form token of this session: with it the menu signs out at once, without it by way of the question.
    pub csrf: Option<&'a str>,
}

/// The content of one page.
pub trait Page: Serialize {
    /// The name of its template, `feature/page.html`.
    const TEMPLATE: &'static str;

    /// The public address of this server without a trailing slash, when the page is shown on another host: all links
    /// and assets become absolute.
    fn base_url(&self) -> Option<&str> {
        None
    }
}

/// Why a page could not be rendered. All of these are mistakes in the program, found by its tests.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The template is broken or does not fit its page.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// The catalogue is broken.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The template names an asset that does not exist.
    #[error("there is no asset {0:?}")]
    Asset(&'static str),
}

/// All pages in all languages, ready to render. Cheap to share behind an `Arc`; rendering takes no lock of its own.
#[derive(Debug)]
pub struct Pages {
    english: Environment<'static>,
    german: Environment<'static>,
}

impl Pages {
    /// Compiles every template for every language.
    ///
    /// # Errors
    /// When an embedded template or catalogue is broken.
    pub fn new() -> Result<Pages, PageError> {
        Ok(Pages { english: environment(Language::English)?, german: environment(Language::German)? })
    }

    /// Renders a whole document of HTML.
    ///
    /// # Errors
    /// When the template does not fit the page; nothing a request carries can cause that.
    pub fn render<P: Page>(
        &self,
        language: Language,
        frame: &Frame<'_>,
        page: &P,
    ) -> Result<String, PageError> {
        let base = page.base_url().unwrap_or_default();
        self.render_value(language, P::TEMPLATE, base, Value::from(Serde(frame)), Value::from(Serde(page)))
    }

    fn render_value(
        &self,
        language: Language,
        template: &str,
        base: &str,
        frame: Value,
        page: Value,
    ) -> Result<String, PageError> {
        let environment = match language {
            Language::English => &self.english,
            Language::German => &self.german,
        };
        let template = environment.get_template(template)?;
        Ok(template.render(context! { base, frame, page })?)
    }
}

/// How long a browser may keep an asset: its name changes with its content.
pub const ASSET_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const TEMPLATES: [(&str, &str); 22] = [
    ("face/layout.html", include_str!("layout.html")),
    ("face/fields.html", include_str!("fields.html")),
    ("face/sessions.html", include_str!("sessions.html")),
    ("face/applications.html", include_str!("applications.html")),
    (ErrorPage::TEMPLATE, include_str!("error.html")),
    (LoginPage::TEMPLATE, include_str!("../login/login.html")),
    (SetupPage::TEMPLATE, include_str!("../login/setup.html")),
    (LogoutPage::TEMPLATE, include_str!("../session/logout.html")),
    (SignedOutPage::TEMPLATE, include_str!("../session/signed-out.html")),
    (ResetPage::TEMPLATE, include_str!("../password/reset.html")),
    (AccountPage::TEMPLATE, include_str!("../account/account.html")),
    (PeoplePage::TEMPLATE, include_str!("../admin/people.html")),
    (PersonPage::TEMPLATE, include_str!("../admin/person.html")),
    (ConsentPage::TEMPLATE, include_str!("../oauth/consent.html")),
    (ChooseAccountPage::TEMPLATE, include_str!("../oauth/choose-account.html")),
    (FormPostPage::TEMPLATE, include_str!("../oauth/form-post.html")),
    (DevicePage::TEMPLATE, include_str!("../oauth/device/enter.html")),
    (DeviceConsentPage::TEMPLATE, include_str!("../oauth/device/consent.html")),
    (DeviceDonePage::TEMPLATE, include_str!("../oauth/device/done.html")),
    ("oauth/client.html", include_str!("../oauth/client.html")),
    (ForbiddenPage::TEMPLATE, include_str!("../forward/forbidden.html")),
    ("face/shapes.html", include_str!("shapes.html")),
];

fn environment(language: Language) -> Result<Environment<'static>, PageError> {
    language.check()?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Debug information quotes the values of a page, and those hold form tokens; errors are logged.
    environment.set_debug(false);
    environment.add_global("language", language.tag());
    for (name, file) in [
        ("style", "style.css"),
        ("script", "gateward.js"),
        ("signed_out", "signed-out.js"),
        ("form_post", "form-post.js"),
        ("mark", "mark.svg"),
    ] {
        let path = assets::href(file).ok_or(PageError::Asset(file))?;
        environment.add_global(format!("asset_{name}"), path);
    }
    words::add_to(&mut environment, language);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}
