//! What people say of themselves for applications: the standard claims of OpenID Connect Core §5.1 that are no name or address
//! to sign in with.

mod form;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::Email;

/// The longest name, place or word, in bytes.
pub const MAX_DETAIL_TEXT: usize = 128;
/// The longest street address, in bytes.
pub const MAX_STREET: usize = 256;
/// The most lines of a street address.
pub const MAX_STREET_LINES: usize = 4;
/// The longest postal code, in bytes.
pub const MAX_POSTAL_CODE: usize = 32;
/// The longest web address, in bytes.
pub const MAX_WEB_ADDRESS: usize = 1024;
/// The longest name of a time zone, in bytes.
pub const MAX_ZONE: usize = 64;
/// The longest language tag, in bytes (RFC 5646 §4.4.1).
pub const MAX_LOCALE: usize = 35;
/// The fewest digits of a telephone number with its country code.
pub const MIN_PHONE_DIGITS: usize = 7;
/// The most digits of a telephone number (ITU-T E.164 §6).
pub const MAX_PHONE_DIGITS: usize = 15;

/// One thing a person can say of themselves, by the name of its claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Given names.
    GivenName,
    /// Middle names.
    MiddleName,
    /// Surnames.
    FamilyName,
    /// A casual name.
    Nickname,
    /// A telephone number in the form of E.164: `+15551234567`.
    PhoneNumber,
    /// Street, house number and what else stands above the place: up to [`MAX_STREET_LINES`] lines.
    StreetAddress,
    /// The place.
    Locality,
    /// State, province, prefecture or region.
    Region,
    /// Zip or postal code.
    PostalCode,
    /// The country.
    Country,
    /// A web page about the person.
    Profile,
    /// A picture of the person.
    Picture,
    /// The person's own web page or blog.
    Website,
    /// In the person's own word.
    Gender,
    /// `YYYY-MM-DD`, `0000-MM-DD` where the year is not said, or `YYYY` alone.
    Birthdate,
    /// A name of the time zone database, such as `Europe/Berlin`.
    Zoneinfo,
    /// A language tag of BCP 47, such as `de-AT`.
    Locale,
}

/// Why a text was not taken for a detail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DetailProblem {
    /// Longer than so many bytes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// More than [`MAX_STREET_LINES`] lines.
    #[error("has more than {MAX_STREET_LINES} lines")]
    Lines,
    /// A control character, or a line end where there is one line only.
    #[error("has a control character or a line end in it")]
    Characters,
    /// Not a web address.
    #[error("is no web address: one begins with https:// or http://, and holds no name or password")]
    WebAddress,
    /// Not a date of birth.
    #[error("is no date of birth: one is like 1815-12-10, 0000-12-10 without the year, or 1815 alone")]
    Birthdate,
    /// Not the name of a time zone.
    #[error("is no name of a time zone: one is like Europe/Berlin")]
    Zone,
    /// Not a language tag.
    #[error("is no language tag: one is like de or en-GB (BCP 47)")]
    Locale,
    /// Not an international telephone number.
    #[error(
        "is no international telephone number: one is like +49 30 1234567, with {MIN_PHONE_DIGITS} to {MAX_PHONE_DIGITS} digits"
    )]
    Phone,
}

impl Detail {
    /// Every detail, in the order in which they are shown.
    pub const ALL: [Detail; 17] = [
        Detail::GivenName,
        Detail::MiddleName,
        Detail::FamilyName,
        Detail::Nickname,
        Detail::PhoneNumber,
        Detail::StreetAddress,
        Detail::Locality,
        Detail::Region,
        Detail::PostalCode,
        Detail::Country,
        Detail::Profile,
        Detail::Picture,
        Detail::Website,
        Detail::Gender,
        Detail::Birthdate,
        Detail::Zoneinfo,
        Detail::Locale,
    ];

    /// The name of its claim (OpenID Connect Core §5.1, §5.1.1).
    pub const fn name(self) -> &'static str {
        match self {
            Detail::GivenName => "given_name",
            Detail::MiddleName => "middle_name",
            Detail::FamilyName => "family_name",
            Detail::Nickname => "nickname",
            Detail::PhoneNumber => "phone_number",
            Detail::StreetAddress => "street_address",
            Detail::Locality => "locality",
            Detail::Region => "region",
            Detail::PostalCode => "postal_code",
            Detail::Country => "country",
            Detail::Profile => "profile",
            Detail::Picture => "picture",
            Detail::Website => "website",
            Detail::Gender => "gender",
            Detail::Birthdate => "birthdate",
            Detail::Zoneinfo => "zoneinfo",
            Detail::Locale => "locale",
        }
    }

    /// The detail of this name.
    pub fn named(name: &str) -> Option<Detail> {
        Detail::ALL.into_iter().find(|detail| detail.name() == name)
    }

    /// Whether it is a member of the claim `address` rather than a claim of its own.
    pub const fn is_of_address(self) -> bool {
        use Detail::{Country, Locality, PostalCode, Region, StreetAddress};
        matches!(self, StreetAddress | Locality | Region | PostalCode | Country)
    }

    /// Takes what was typed for it in its normal form.
    pub fn read(self, typed: &str) -> Result<Told, DetailProblem> {
        form::read(self, typed).map(|text| Told { detail: self, text })
    }
}

/// What was told of one detail, in its normal form; nothing takes the detail away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    detail: Detail,
    text: Option<Box<str>>,
}

/// The details of one person, and what an administrator has verified.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// In their normal forms. Names of a newer version are read past.
    #[serde(deserialize_with = "known")]
    details: BTreeMap<Detail, Box<str>>,
    /// The address that was verified: it says nothing of any other.
    pub(super) verified_email: Option<Email>,
    /// The number that was verified: it says nothing of any other.
    verified_phone: Option<Box<str>>,
}

fn known<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Detail, Box<str>>, D::Error> {
    let all = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    let text = |value: &serde_json::Value| value.as_str().map(Box::from);
    Ok(all.iter().filter_map(|(name, value)| Some((Detail::named(name)?, text(value)?))).collect())
}

impl Profile {
    /// What is known, if it is.
    pub fn get(&self, detail: Detail) -> Option<&str> {
        self.details.get(&detail).map(|text| &**text)
    }

    /// All that is known, in the order in which it is shown.
    pub fn iter(&self) -> impl Iterator<Item = (Detail, &str)> {
        self.details.iter().map(|(detail, text)| (*detail, &**text))
    }

    /// Keeps what was told. Another telephone number than before is not verified.
    pub fn put(&mut self, told: Told) {
        match told.text {
            Some(text) => self.details.insert(told.detail, text),
            None => self.details.remove(&told.detail),
        };
        if !self.phone_verified() {
            self.verified_phone = None;
        }
    }

    /// Keeps what was typed.
    pub fn set(&mut self, detail: Detail, typed: &str) -> Result<(), DetailProblem> {
        self.put(detail.read(typed)?);
        Ok(())
    }

    /// Whether there is a telephone number and it was verified.
    pub fn phone_verified(&self) -> bool {
        self.verified_phone.is_some() && self.verified_phone.as_deref() == self.get(Detail::PhoneNumber)
    }

    /// Says that the telephone number is verified, or is not. Without a number nothing is.
    pub fn verify_phone(&mut self, is_verified: bool) {
        self.verified_phone = self.get(Detail::PhoneNumber).filter(|_| is_verified).map(Box::from);
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Profile::default()
    }

    /// The address in lines, as one writes it on a letter (OpenID Connect Core §5.1.1 `formatted`).
    pub fn formatted_address(&self) -> Option<String> {
        let town: Vec<&str> =
            [Detail::PostalCode, Detail::Locality].iter().filter_map(|detail| self.get(*detail)).collect();
        let town = (!town.is_empty()).then(|| town.join(" "));
        let lines = [
            self.get(Detail::StreetAddress),
            town.as_deref(),
            self.get(Detail::Region),
            self.get(Detail::Country),
        ];
        let lines: Vec<&str> = lines.into_iter().flatten().collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// About how many bytes it takes in memory, beyond its own size.
    pub(super) fn weight(&self) -> usize {
        let entry = size_of::<(Detail, Box<str>)>() * 2;
        self.details.values().map(|text| text.len() + entry).sum::<usize>()
            + self.verified_email.as_ref().map_or(0, |email| email.as_str().len())
            + self.verified_phone.as_ref().map_or(0, |phone| phone.len())
    }
}
