//! What is said of a person on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use gateward_kernel::person::{
    Detail, Email, MAX_CLAIMS, Person, Profile, Told, UserName, tidy_display_name, tidy_groups,
};
use gateward_kernel::refusal::Refusal;
use serde_json::{Map, Value};

/// The largest file of a profile, in bytes: more than all details together.
const MAX_PROFILE: usize = 32 * 1024;

/// What can be known of a person.
#[derive(Debug, Args)]
pub(in crate::cli) struct Facts {
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The e-mail address is verified; `--email-verified=false` takes that back
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    email_verified: Option<bool>,
    /// How they want to be called
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A group they belong to; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A file with a JSON object of standard claims: given_name, address, phone_number, … ("" takes one away)
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The telephone number is verified; `--phone-verified=false` takes that back
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    phone_verified: Option<bool>,
    /// A file with a JSON object of further claims
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

/// The same, read: what is to be done to the person, whatever they are when it is done.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) name: Option<UserName>,
    pub(super) no_email: bool,
    pub(super) no_groups: bool,
    email: Option<Email>,
    email_verified: Option<bool>,
    display_name: Option<Option<String>>,
    groups: Vec<String>,
    told: Vec<Told>,
    phone_verified: Option<bool>,
    claims: Option<Map<String, Value>>,
}

impl Facts {
    /// Reads what was given and the files.
    pub(super) fn read(self) -> anyhow::Result<Changes> {
        let address =
            |typed: String| Email::parse(&typed).with_context(|| format!("{typed:?} cannot be taken"));
        Ok(Changes {
            email: self.email.map(address).transpose()?,
            email_verified: self.email_verified,
            display_name: match self.display_name {
                Some(name) => Some(tidy_display_name(&name).map_err(anyhow::Error::msg)?),
                None => None,
            },
            groups: tidy_groups(self.groups).map_err(anyhow::Error::msg)?,
            told: self.profile.map(|file| read_profile(&file)).transpose()?.unwrap_or_default(),
            phone_verified: self.phone_verified,
            claims: self.claims.map(|file| read_object(&file, MAX_CLAIMS)).transpose()?,
            ..Changes::default()
        })
    }
}

impl Changes {
    /// Changes the person.
    pub(super) fn put(&self, person: &mut Person) -> Result<(), Refusal> {
        let invalid = |field, problem: String| Refusal::Invalid { field, problem };
        if let Some(name) = &self.name {
            person.name = name.clone();
        }
        if self.no_email || self.email.is_some() {
            person.set_email(self.email.clone());
        }
        if let Some(name) = &self.display_name {
            person.display_name.clone_from(name);
        }
        if self.no_groups {
            person.groups.clear();
        }
        person.groups =
            tidy_groups(std::mem::take(&mut person.groups).into_iter().chain(self.groups.clone()))
                .map_err(|problem| invalid("group", problem))?;
        if let Some(claims) = &self.claims {
            person.claims = claims.clone();
        }
        for told in &self.told {
            person.profile.put(told.clone());
        }
        if let Some(is_verified) = self.email_verified {
            person.verify_email(is_verified);
            if person.email_verified() != is_verified {
                return Err(invalid("email", "there is none that could be verified".into()));
            }
        }
        if let Some(is_verified) = self.phone_verified {
            person.profile.verify_phone(is_verified);
            if person.profile.phone_verified() != is_verified {
                return Err(invalid("phone_number", "there is none that could be verified".into()));
            }
        }
        Ok(())
    }
}

fn read_object(file: &Path, max: usize) -> anyhow::Result<Map<String, Value>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    if text.len() > max {
        bail!("{shown} is larger than {max} bytes");
    }
    serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON object"))
}

/// Reads standard claims by their names (OpenID Connect Core §5.1).
fn read_profile(file: &Path) -> anyhow::Result<Vec<Told>> {
    let read = |name: &str, value: &Value, is_of_address: bool| -> anyhow::Result<Told> {
        let detail = Detail::named(name).filter(|detail| detail.is_of_address() == is_of_address);
        let Some(detail) = detail else { bail!("{name:?} {}", other_place(name, is_of_address)) };
        let typed = match value {
            Value::Null => "",
            Value::String(text) => text,
            _ => bail!("{name:?} is no text"),
        };
        detail.read(typed).map_err(|problem| anyhow::anyhow!("{name:?} {problem}"))
    };
    let told = || -> anyhow::Result<Vec<Told>> {
        let mut told = Vec::new();
        for (name, value) in &read_object(file, MAX_PROFILE)? {
            match (name.as_str(), value) {
                ("address", Value::Object(parts)) => {
                    for (name, value) in parts {
                        told.push(read(name, value, true)?);
                    }
                }
                ("address", _) => bail!("\"address\" is no JSON object"),
                _ => told.push(read(name, value, false)?),
            }
        }
        Ok(told)
    };
    told().with_context(|| format!("the profile in {} cannot be taken", file.display()))
}

/// Where that is given which a profile does not hold.
fn other_place(name: &str, is_of_address: bool) -> &'static str {
    match name {
        "formatted" if is_of_address => "is made of the other members",
        "email" => "is given with --email",
        "email_verified" => "is given with --email-verified",
        "phone_number_verified" => "is given with --phone-verified",
        "name" => "is given with --display-name",
        "preferred_username" => "is the user name",
        _ if Detail::named(name).is_some_and(Detail::is_of_address) => "is a member of \"address\"",
        _ => "is no standard claim that can be given; others go into --claims",
    }
}

/// The profile by the names of its claims, in the form in which `--profile` takes it.
pub(super) fn shown(profile: &Profile) -> Value {
    let (mut members, mut address) = (Map::new(), Map::new());
    for (detail, text) in profile.iter() {
        let into = if detail.is_of_address() { &mut address } else { &mut members };
        into.insert(detail.name().into(), text.into());
    }
    if !address.is_empty() {
        members.insert("address".into(), address.into());
    }
    members.into()
}
