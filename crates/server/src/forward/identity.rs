//! Who somebody is, in the words of headers: what a proxy passes on to the application.
//!
//! All four headers are always sent, empty where there is nothing to say, so that a proxy's copy overwrites whatever a client
//! put there. Text that is not ASCII travels as plain UTF-8 bytes (`obs-text` of RFC 9110 §5.5), as other servers of this kind
//! send it. Groups are separated by commas, which no group name contains.

use gateward_kernel::person::Person;
use http::header::{HeaderName, HeaderValue};

/// `Remote-User`: the user name.
pub const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
/// `Remote-Name`: how to call them.
pub const REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
/// `Remote-Email`: where they get mail.
pub const REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
/// `Remote-Groups`: what they belong to, between commas.
pub const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");

/// The four headers of one person. Cloning is cheap: made once per person and kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity([(HeaderName, HeaderValue); 4]);

/// A value that would be read as something else in a header: a control character, or a group with a comma in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the {0} of this person cannot be written in a header")]
pub struct NotHeaderSafe(&'static str);

impl Identity {
    /// The headers of a person.
    pub fn of(person: &Person) -> Result<Identity, NotHeaderSafe> {
        if person.groups.iter().any(|group| group.contains(',')) {
            return Err(NotHeaderSafe("groups"));
        }
        Ok(Identity([
            (REMOTE_USER, value("user name", person.name.as_str())?),
            (REMOTE_NAME, value("display name", person.shown_name())?),
            (
                REMOTE_EMAIL,
                value("e-mail address", person.email.as_ref().map_or("", |email| email.as_str()))?,
            ),
            (REMOTE_GROUPS, value("groups", &person.groups.join(","))?),
        ]))
    }

    /// The headers of nobody: all empty.
    pub fn nobody() -> Identity {
        let empty = || HeaderValue::from_static("");
        Identity([
            (REMOTE_USER, empty()),
            (REMOTE_NAME, empty()),
            (REMOTE_EMAIL, empty()),
            (REMOTE_GROUPS, empty()),
        ])
    }

    /// Names and values, to be put into an answer.
    pub fn into_headers(self) -> [(HeaderName, HeaderValue); 4] {
        self.0
    }

    /// Names and values.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue); 4] {
        &self.0
    }
}

/// The headers of a person; see [`Identity::of`].
pub fn identity_headers(person: &Person) -> Result<[(HeaderName, HeaderValue); 4], NotHeaderSafe> {
    Identity::of(person).map(|identity| identity.0)
}

fn value(what: &'static str, text: &str) -> Result<HeaderValue, NotHeaderSafe> {
    // The tabulator is the one control character a header may have; the ones behind ASCII are UTF-8 and would pass, too.
    if text.chars().any(char::is_control) {
        return Err(NotHeaderSafe(what));
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| NotHeaderSafe(what))
}

#[cfg(test)]
mod tests {
    use gateward_kernel::id::PersonId;
    use gateward_kernel::time::Moment;

    use super::*;

    fn ann() -> Person {
        let mut ann =
            Person::new(PersonId::from_bytes([1; 16]), "ann".parse().unwrap(), Moment::from_micros(0));
        ann.display_name = Some("Änn Example".to_owned());
        ann.groups = vec!["admins".to_owned(), "küche".to_owned()];
        ann
    }

    fn bytes(identity: &Identity) -> Vec<(&str, &[u8])> {
        identity.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    #[test]
    fn all_four_are_always_there() {
        let expected: [(&str, &[u8]); 4] = [
            ("remote-user", b"ann"),
            ("remote-name", "Änn Example".as_bytes()),
            ("remote-email", b""),
            ("remote-groups", "admins,küche".as_bytes()),
        ];
        assert_eq!(bytes(&Identity::of(&ann()).unwrap()), expected);
        let names: Vec<_> = expected.iter().map(|(name, _)| (*name, b"".as_slice())).collect();
        assert_eq!(bytes(&Identity::nobody()), names);
    }

    #[test]
    fn what_would_be_two_values_or_two_lines_is_refused() {
        let with = |change: fn(&mut Person)| {
            let mut person = ann();
            change(&mut person);
            Identity::of(&person).map_err(|problem| problem.to_string())
        };
        for text in ["a\r\nRemote-Groups: admins", "a\tb", "a\0", "a\u{85}b", "\u{1b}[31m"] {
            let mut person = ann();
            person.display_name = Some(text.to_owned());
            assert_eq!(Identity::of(&person), Err(NotHeaderSafe("display name")), "{text:?}");
        }
        assert!(with(|person| person.groups.push("a,admins".to_owned())).is_err());
        assert!(with(|person| person.groups.push("a\nb".to_owned())).is_err());
    }
}
