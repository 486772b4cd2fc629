//! People: who they are, how they are named, and what they may prove themselves with.

mod email;
mod name;
pub mod password;
mod profile;

use serde::{Deserialize, Serialize};

pub use email::{Email, NotAnEmail};
pub use name::{NameProblem, UserName};
pub use profile::{
    Detail, DetailProblem, MAX_DETAIL_TEXT, MAX_LOCALE, MAX_PHONE_DIGITS, MAX_POSTAL_CODE, MAX_STREET,
    MAX_STREET_LINES, MAX_WEB_ADDRESS, MAX_ZONE, MIN_PHONE_DIGITS, Profile, Told,
};

use crate::id::PersonId;
use crate::secret::Digest;
use crate::session::Validity;
use crate::time::Moment;

/// The group whose members administer Gateward itself.
pub const ADMINS: &str = "admins";

/// The longest display name, in bytes.
pub const MAX_DISPLAY_NAME: usize = 128;
/// The longest group name, in bytes.
pub const MAX_GROUP: usize = 64;
/// The most groups a person can be in.
pub const MAX_GROUPS: usize = 256;
/// The largest set of custom claims, in bytes of JSON.
pub const MAX_CLAIMS: usize = 16 * 1024;

/// A person, with everything that decides whether and how they may come in: one versioned record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// For ever.
    pub id: PersonId,
    /// By what they sign in.
    pub name: UserName,
    /// Where they get mail, if known.
    pub email: Option<Email>,
    /// How they want to be called.
    pub display_name: Option<String>,
    /// What they belong to, sorted, each once.
    pub groups: Vec<String>,
    /// What else they say of themselves.
    #[serde(default, skip_serializing_if = "Profile::is_empty")]
    pub profile: Profile,
    /// More about them, for applications.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// Kept out, without losing anything.
    pub disabled: bool,
    /// When they were created.
    pub created: Moment,
    /// When this record last changed.
    pub changed: Moment,
    /// Every session and token whose proof is from this moment or before is dead, listed or not.
    pub valid_from: Moment,
    /// Their password, if they have one.
    pub password: Option<StoredPassword>,
    /// The living one-time code for a new password, if there is one; a newer one replaces it.
    pub reset: Option<Reset>,
}

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPassword {
    /// The hash in PHC or modular-crypt form.
    pub hash: String,
    /// The id of the pepper that was mixed in.
    pub pepper: Option<String>,
    /// When it was set.
    pub set: Moment,
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword(…)")
    }
}

/// A one-time code, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reset {
    /// Of the code.
    pub digest: Digest,
    /// Not valid from then on.
    pub ends: Moment,
}

impl Person {
    /// A person who was just created and cannot sign in yet.
    pub fn new(id: PersonId, name: UserName, now: Moment) -> Self {
        Person {
            id,
            name,
            email: None,
            display_name: None,
            groups: Vec::new(),
            profile: Profile::default(),
            claims: serde_json::Map::new(),
            disabled: false,
            created: now,
            changed: now,
            valid_from: Moment::DAWN,
            password: None,
            reset: None,
        }
    }

    /// How to call them: the display name, else the user name.
    pub fn shown_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or_else(|| self.name.as_str())
    }

    /// Gives them this address. Another one than before is not verified.
    pub fn set_email(&mut self, email: Option<Email>) {
        self.email = email;
        if !self.email_verified() {
            self.profile.verified_email = None;
        }
    }

    /// Whether they have an address and it was verified.
    pub fn email_verified(&self) -> bool {
        self.email.is_some() && self.profile.verified_email == self.email
    }

    /// Says that the address is verified, or is not. Without an address nothing is.
    pub fn verify_email(&mut self, is_verified: bool) {
        self.profile.verified_email = self.email.clone().filter(|_| is_verified);
    }

    /// Whether they belong to the group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }

    /// Whether they administer Gateward.
    pub fn is_admin(&self) -> bool {
        self.is_in(ADMINS)
    }

    /// Makes every session and token from before `now` dead.
    pub fn end_everything(&mut self, now: Moment) {
        self.valid_from = self.valid_from.max(now);
    }

    /// When a proof counts as given that was checked at `now` against this very state of the person: not before the moment from which
    /// on sessions count, which a node with a clock ahead of ours may have set.
    pub fn proved_at(&self, now: Moment) -> Moment {
        if self.valid_from > now { self.valid_from.next() } else { now }
    }

    /// What decides whether their sessions count.
    pub fn validity(&self) -> Validity {
        Validity { person: self.id, from: self.valid_from, disabled: self.disabled }
    }

    /// Redeems the one-time code with this digest: whether it was the living one. It is spent either way only if it
    /// was.
    pub fn redeem_reset(&mut self, digest: &Digest, now: Moment) -> bool {
        let living = self.reset.as_ref().is_some_and(|reset| reset.digest == *digest && reset.ends > now);
        if living {
            self.reset = None;
        }
        living
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        let text = self.name.as_str().len() * 3
            + self.email.as_ref().map_or(0, |email| email.as_str().len())
            + self.display_name.as_ref().map_or(0, String::len)
            + self.groups.iter().map(|group| group.len() + size_of::<String>()).sum::<usize>()
            + self.password.as_ref().map_or(0, |password| password.hash.len())
            + self.profile.weight();
        let claims = if self.claims.is_empty() {
            0
        } else {
            serde_json::to_vec(&self.claims).map_or(0, |c| c.len() * 4)
        };
        size_of::<Self>() + text + claims
    }
}

/// Sorts group names, drops doubles, and refuses odd ones with a sentence that says why.
pub fn tidy_groups(groups: impl IntoIterator<Item = String>) -> Result<Vec<String>, String> {
    let mut tidy: Vec<String> = groups.into_iter().map(|group| group.trim().to_owned()).collect();
    for group in &tidy {
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '|' | '"');
        if group.is_empty() || group.len() > MAX_GROUP || group.chars().any(odd) {
            return Err(format!(
                "a group name has 1 to {MAX_GROUP} bytes without spaces, control characters, and , ; | or quotation marks: {group:?}"
            ));
        }
    }
    tidy.sort();
    tidy.dedup();
    if tidy.len() > MAX_GROUPS {
        return Err(format!("a person can be in at most {MAX_GROUPS} groups"));
    }
    Ok(tidy)
}

/// Refuses a display name that is too long or would break a line.
pub fn tidy_display_name(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_DISPLAY_NAME || text.chars().any(char::is_control) {
        return Err(format!("a display name has at most {MAX_DISPLAY_NAME} bytes and no control characters"));
    }
    Ok(Some(text.to_owned()))
}

/// What somebody types to say who they are: a user name or an e-mail address, in one normal form each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Login {
    /// By user name: its key.
    Name(String),
    /// By address: its normal form.
    Email(String),
}

impl Login {
    /// Reads what was typed. Text that can name nobody still yields a login, which then nobody has: what is wrong
    /// with it must not be told apart from a wrong password.
    pub fn read(typed: &str) -> Login {
        let typed = typed.trim();
        if typed.contains('@') {
            Login::Email(
                Email::parse(typed).map_or_else(|_| name::key(typed), |email| email.as_str().to_owned()),
            )
        } else {
            Login::Name(name::key(typed))
        }
    }

    /// The normal form, for counting attempts: all spellings of an account count together.
    pub fn normal_form(&self) -> &str {
        match self {
            Login::Name(text) | Login::Email(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_code_opens_once_and_only_while_it_lives() {
        let mut person =
            Person::new(PersonId::from_bytes([1; 16]), "ann".parse().unwrap(), Moment::from_micros(0));
        let (code, other) = (Digest::of(b"code"), Digest::of(b"other"));
        let ends = Moment::from_micros(100);
        person.reset = Some(Reset { digest: code, ends });
        assert!(!person.redeem_reset(&other, Moment::from_micros(1)));
        assert!(!person.redeem_reset(&code, ends), "dead at its end");
        assert!(person.redeem_reset(&code, Moment::from_micros(99)));
        assert!(!person.redeem_reset(&code, Moment::from_micros(99)), "once");
    }

    #[test]
    fn what_was_verified_counts_for_that_address_alone() {
        let mut person =
            Person::new(PersonId::from_bytes([1; 16]), "ann".parse().unwrap(), Moment::from_micros(0));
        person.verify_email(true);
        assert!(!person.email_verified() && person.profile.is_empty(), "there is no address");
        let address = |text: &str| Some(Email::parse(text).unwrap());
        person.set_email(address("ann@example.com"));
        assert!(!person.email_verified());
        person.verify_email(true);
        person.set_email(address("Ann@Example.com"));
        assert!(person.email_verified(), "it is the same address");
        // However the address gets there: an old proof never counts for it.
        person.email = address("eve@example.com");
        assert!(!person.email_verified());
        person.set_email(address("eve@example.com"));
        person.set_email(address("ann@example.com"));
        assert!(!person.email_verified(), "it has to be verified anew");
        person.verify_email(true);
        person.set_email(None);
        assert!(!person.email_verified());
    }

    #[test]
    fn logins_have_one_spelling() {
        assert_eq!(Login::read(" Ann "), Login::read("aNN"));
        assert_eq!(Login::read("Ann@Example.COM"), Login::read("ann@example.com"));
        assert_eq!(Login::read("ＡＮＮ"), Login::read("ann"));
    }

    #[test]
    fn groups_are_sorted_single_and_plain() {
        let tidy = |groups: &[&str]| tidy_groups(groups.iter().map(ToString::to_string));
        assert_eq!(tidy(&["b", "a", "b"]).unwrap(), ["a", "b"]);
        for odd in ["", "a b", "a,b", "a\nb", &"g".repeat(65)] {
            assert!(tidy(&[odd]).is_err(), "{odd:?}");
        }
        assert!(tidy(&[&"g".repeat(64)]).is_ok());
    }
}
