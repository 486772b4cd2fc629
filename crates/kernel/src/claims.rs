//! Which claims about a person an application is told (OpenID Connect Core §5): what scopes stand for, what the parameter
//! `claims` asks for, and what comes of both.

mod request;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use request::{Acr, ClaimsRequest, MAX_REQUEST, MAX_WISHES, NotAClaimsRequest, Wish, Wishes};

use crate::person::{Detail, Person};
use crate::token::Scope;

/// A scope that OpenID Connect or this server gives a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StandardScope {
    /// The protocol itself: without it there is no ID token and no claim (§3.1.2.1).
    OpenId,
    /// Names and what else they say of themselves (§5.4).
    Profile,
    /// The e-mail address (§5.4).
    Email,
    /// The postal address (§5.4).
    Address,
    /// The telephone number (§5.4).
    Phone,
    /// The groups they are in.
    Groups,
    /// Access while they are away (§11).
    OfflineAccess,
}

impl StandardScope {
    /// Every one, in the order in which they are shown.
    pub const ALL: [StandardScope; 7] = [
        StandardScope::OpenId,
        StandardScope::Profile,
        StandardScope::Email,
        StandardScope::Address,
        StandardScope::Phone,
        StandardScope::Groups,
        StandardScope::OfflineAccess,
    ];

    /// As it is written in `scope`.
    pub const fn name(self) -> &'static str {
        match self {
            StandardScope::OpenId => "openid",
            StandardScope::Profile => "profile",
            StandardScope::Email => "email",
            StandardScope::Address => "address",
            StandardScope::Phone => "phone",
            StandardScope::Groups => "groups",
            StandardScope::OfflineAccess => "offline_access",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<StandardScope> {
        StandardScope::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The claims it stands for; `sub` comes with every answer and is not among them.
    pub fn claims(self) -> impl Iterator<Item = Claim> {
        Claim::ALL.into_iter().filter(move |claim| claim.scope() == self)
    }
}

/// A claim about a person that is not their own invention.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Claim {
    /// `name`: how to call them.
    Name,
    /// `preferred_username`: the user name. It may change, and is no key (§5.7).
    PreferredUsername,
    /// What they say of themselves.
    Detail(Detail),
    /// `updated_at`: when anything about them changed last, in seconds since 1970.
    UpdatedAt,
    /// `email`
    Email,
    /// `email_verified`
    EmailVerified,
    /// `address`: an object (§5.1.1).
    Address,
    /// `phone_number_verified`
    PhoneNumberVerified,
    /// `groups`: a list of names.
    Groups,
}

impl Claim {
    /// Every one, in the order in which they are written.
    pub const ALL: [Claim; 20] = [
        Claim::Name,
        Claim::Detail(Detail::GivenName),
        Claim::Detail(Detail::MiddleName),
        Claim::Detail(Detail::FamilyName),
        Claim::Detail(Detail::Nickname),
        Claim::PreferredUsername,
        Claim::Detail(Detail::Profile),
        Claim::Detail(Detail::Picture),
        Claim::Detail(Detail::Website),
        Claim::Detail(Detail::Gender),
        Claim::Detail(Detail::Birthdate),
        Claim::Detail(Detail::Zoneinfo),
        Claim::Detail(Detail::Locale),
        Claim::UpdatedAt,
        Claim::Email,
        Claim::EmailVerified,
        Claim::Address,
        Claim::Detail(Detail::PhoneNumber),
        Claim::PhoneNumberVerified,
        Claim::Groups,
    ];

    /// Its name in tokens and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Claim::Name => "name",
            Claim::PreferredUsername => "preferred_username",
            Claim::Detail(detail) => detail.name(),
            Claim::UpdatedAt => "updated_at",
            Claim::Email => "email",
            Claim::EmailVerified => "email_verified",
            Claim::Address => "address",
            Claim::PhoneNumberVerified => "phone_number_verified",
            Claim::Groups => "groups",
        }
    }

    /// The claim of this name.
    pub fn named(name: &str) -> Option<Claim> {
        Claim::ALL.into_iter().find(|claim| claim.name() == name)
    }

    /// The scope that stands for it.
    pub const fn scope(self) -> StandardScope {
        match self {
            Claim::Email | Claim::EmailVerified => StandardScope::Email,
            Claim::Address => StandardScope::Address,
            Claim::Detail(Detail::PhoneNumber) | Claim::PhoneNumberVerified => StandardScope::Phone,
            Claim::Groups => StandardScope::Groups,
            Claim::Detail(detail) if detail.is_of_address() => StandardScope::Address,
            Claim::Name | Claim::PreferredUsername | Claim::Detail(_) | Claim::UpdatedAt => {
                StandardScope::Profile
            }
        }
    }

    /// What it says of this person; `None` where there is nothing to say, for no claim is ever null or empty (§5.3.2).
    fn of(self, person: &Person) -> Option<Value> {
        match self {
            Claim::Name => Some(full_name(person).into()),
            Claim::PreferredUsername => Some(person.name.as_str().into()),
            Claim::Detail(detail) => person.profile.get(detail).map(Value::from),
            Claim::UpdatedAt => Some(person.changed.seconds().into()),
            Claim::Email => person.email.as_ref().map(|email| email.as_str().into()),
            Claim::EmailVerified => person.email.as_ref().map(|_| person.email_verified().into()),
            Claim::Address => address(person),
            Claim::PhoneNumberVerified => {
                person.profile.get(Detail::PhoneNumber).map(|_| person.profile.phone_verified().into())
            }
            Claim::Groups => (!person.groups.is_empty()).then(|| person.groups.clone().into()),
        }
    }
}

/// The display name; else the names they have; else the user name.
fn full_name(person: &Person) -> String {
    if let Some(name) = &person.display_name {
        return name.clone();
    }
    let names = [Detail::GivenName, Detail::MiddleName, Detail::FamilyName];
    let names: Vec<&str> = names.iter().filter_map(|detail| person.profile.get(*detail)).collect();
    if names.is_empty() { person.name.to_string() } else { names.join(" ") }
}

fn address(person: &Person) -> Option<Value> {
    let formatted = person.profile.formatted_address()?;
    let parts = person.profile.iter().filter(|(detail, _)| detail.is_of_address());
    let mut members: Map<String, Value> =
        parts.map(|(detail, text)| (detail.name().to_owned(), text.into())).collect();
    members.insert("formatted".into(), formatted.into());
    Some(members.into())
}

/// Where claims are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the answer of UserInfo (§5.3): what the scopes stand for, and what was asked for there.
    UserInfo,
    /// In an ID token beside an access token: what was asked for there; the scopes count at UserInfo (§5.4).
    IdToken,
    /// In an ID token without an access token: also what the scopes stand for, since nobody can ask for it elsewhere (§5.4).
    IdTokenAlone,
}

/// Which of the person's own claims the settings give away, by their names.
#[derive(Clone, Copy, Default, Debug)]
pub struct Custom<'a> {
    /// Wherever the scopes count.
    pub always: &'a [String],
    /// To those who ask for them.
    pub on_request: &'a [String],
}

impl Custom<'_> {
    /// Whether anybody may ask for it.
    fn has(&self, name: &str) -> bool {
        self.always.iter().chain(self.on_request).any(|own| own == name)
    }
}

/// The names that tokens and answers have for themselves; no claim of a person stands in their place.
const PROTOCOL: [&str; 26] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "azp",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "sub_jwk",
    "client_id",
    "scope",
    "act",
    "cnf",
    "status",
    "events",
    "gateward_grant",
    "gateward_iat",
    "authorization_details",
];

/// What is told of the person at this place, beside `sub`: what the granted `scope` stands for, and what of the granted `request` is
/// there in a wanted value. Without the scope `openid` nothing is.
///
/// A claim that was asked for with a value and has another one is left out, even an essential one: that is no error (§5.5.1).
pub fn claims_of(
    person: &Person,
    scope: &Scope,
    request: &ClaimsRequest,
    custom: Custom<'_>,
    place: Place,
) -> Map<String, Value> {
    let mut told = Map::new();
    if !scope.has(StandardScope::OpenId.name()) {
        return told;
    }
    let (wishes, do_scopes_count) = match place {
        Place::UserInfo => (&request.userinfo, true),
        Place::IdToken => (&request.id_token, false),
        Place::IdTokenAlone => (&request.id_token, true),
    };
    let mut tell = |name: &str, is_given: bool, value: Option<Value>| {
        let wish = wishes.get(name);
        if let Some(value) = value.filter(|value| is_given || wish.is_some_and(|wish| wish.takes(value))) {
            told.insert(name.to_owned(), value);
        }
    };
    for claim in Claim::ALL {
        let is_given = do_scopes_count && scope.has(claim.scope().name());
        if is_given || wishes.get(claim.name()).is_some() {
            tell(claim.name(), is_given, claim.of(person));
        }
    }
    for (name, value) in person.claims.iter().filter(|(name, value)| is_own(name) && !value.is_null()) {
        if custom.has(name) {
            let is_given = do_scopes_count && custom.always.contains(name);
            tell(name, is_given, Some(value.clone()));
        }
    }
    told
}

/// Whether a person's own claim may have this name.
fn is_own(name: &str) -> bool {
    Claim::named(name).is_none() && !PROTOCOL.contains(&name)
}
