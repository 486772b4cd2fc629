//! The pages that choose a password, and the problems their forms can report.

use gateward_kernel::person::Detail;
use serde::Serialize;

use super::Page;

/// `/reset`: a one-time code becomes a new password.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum ResetPage {
    /// The link held no code, or one that is not (or no longer) valid: the form asks for it with `GET /reset?code=`.
    Ask {
        /// Usually empty, or [`Problem::CodeInvalid`].
        errors: Vec<Problem>,
    },
    /// The code is good so far: choose a password.
    Choose(ResetForm),
    /// The password is changed and the other sessions are ended.
    Done,
}

/// The form that chooses a new password; posts `code`, `password`, `password_again` and `csrf`.
#[derive(Clone, Debug, Serialize)]
pub struct ResetForm {
    /// The form token.
    pub csrf: String,
    /// The one-time code, carried along.
    pub code: String,
    /// Whose password it is, for password managers; not submitted.
    pub username: Option<String>,
    /// What is wrong with the last attempt.
    pub errors: Vec<Problem>,
    /// The length of a password.
    pub limits: PasswordLimits,
}

impl Page for ResetPage {
    const TEMPLATE: &'static str = "password/reset.html";
}

/// `/setup`: the first administrator.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SetupPage {
    /// The link is good.
    Form(SetupForm),
    /// The link is used, too old or was never given out.
    Invalid,
}

/// The form of the first administrator; posts `code`, `username`, `display_name`, `email`, `password`,
/// `password_again` and `csrf`.
#[derive(Clone, Debug, Serialize)]
pub struct SetupForm {
    /// The form token.
    pub csrf: String,
    /// The one-time code of the link.
    pub code: String,
    /// What was typed before.
    pub username: String,
    /// What was typed before.
    pub display_name: String,
    /// What was typed before.
    pub email: String,
    /// What is wrong with the last attempt.
    pub errors: Vec<FieldProblem>,
    /// The length of a password.
    pub limits: PasswordLimits,
}

impl Page for SetupPage {
    const TEMPLATE: &'static str = "login/setup.html";
}

/// How long a password may be.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PasswordLimits {
    /// The least number of characters.
    pub min: usize,
    /// The greatest number of bytes.
    pub max: usize,
}

/// A field of a form, by its name in the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The form as a whole: told above it.
    Form,
    /// `username`
    Username,
    /// `display_name`
    DisplayName,
    /// `email`
    Email,
    /// `current_password`
    CurrentPassword,
    /// `password`
    Password,
    /// `password_again`
    PasswordAgain,
    /// One thing that people say of themselves, by its own name.
    #[serde(untagged)]
    Detail(Detail),
}

/// A problem and the field it is told at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Where.
    pub field: Field,
    /// What.
    pub problem: Problem,
}

/// What can be wrong with what a person typed. The catalogue has a sentence for each, `problem-<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The password has too few characters.
    TooShort,
    /// The password has too many bytes.
    TooLong,
    /// The password is one of those tried first.
    Common,
    /// The password contains the name or the address of the person.
    ContainsName,
    /// The two passwords differ.
    Mismatch,
    /// The one-time code is wrong, used or too old.
    CodeInvalid,
    /// The current password is not the right one.
    CurrentPasswordWrong,
    /// There is no name.
    NameEmpty,
    /// The name is too long.
    NameTooLong,
    /// The name has characters that are not allowed.
    NameCharacters,
    /// Somebody else has the name.
    NameTaken,
    /// The name looks like another one, or mixes scripts.
    NameConfusable,
    /// This is not an e-mail address.
    EmailInvalid,
    /// Somebody else has the address.
    EmailTaken,
    /// The text is too long.
    TextTooLong,
    /// The text has control characters or line ends.
    TextCharacters,
    /// The text has too many lines.
    TooManyLines,
    /// This is not a web address.
    WebAddressInvalid,
    /// This is not a date of birth.
    BirthdateInvalid,
    /// This is not the name of a time zone.
    ZoneInvalid,
    /// This is not a language tag.
    LocaleInvalid,
    /// This is not an international telephone number.
    PhoneInvalid,
    /// Too many attempts.
    Throttled,
    /// The queue of password checks is full.
    Busy,
    /// The form token is too old.
    FormExpired,
    /// The form was sent from another site.
    CrossSite,
}

impl Problem {
    /// Every problem, for tests and catalogues.
    pub const ALL: [Problem; 26] = [
        Problem::TooShort,
        Problem::TooLong,
        Problem::Common,
        Problem::ContainsName,
        Problem::Mismatch,
        Problem::CodeInvalid,
        Problem::CurrentPasswordWrong,
        Problem::NameEmpty,
        Problem::NameTooLong,
        Problem::NameCharacters,
        Problem::NameTaken,
        Problem::NameConfusable,
        Problem::EmailInvalid,
        Problem::EmailTaken,
        Problem::TextTooLong,
        Problem::TextCharacters,
        Problem::TooManyLines,
        Problem::WebAddressInvalid,
        Problem::BirthdateInvalid,
        Problem::ZoneInvalid,
        Problem::LocaleInvalid,
        Problem::PhoneInvalid,
        Problem::Throttled,
        Problem::Busy,
        Problem::FormExpired,
        Problem::CrossSite,
    ];
}
