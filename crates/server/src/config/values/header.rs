//! Names of headers.

use http::header::HeaderName;

use crate::config::definition::Scalar;

/// Headers that mean something of their own, so that no proxy can tell something else in them.
const TAKEN: [&str; 14] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dpop",
    "forwarded",
    "host",
    "origin",
    "referer",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// The name of a header that a proxy writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderField(HeaderName);

impl HeaderField {
    /// The name, without case.
    pub const fn name(&self) -> &HeaderName {
        &self.0
    }
}

impl Scalar for HeaderField {
    const KIND: &'static str = "the name of a header";

    fn allowed() -> String {
        "up to 64 letters, digits and hyphens, such as X-Client-Cert".to_owned()
    }

    fn brief() -> String {
        "name of a header".to_owned()
    }

    fn parse(text: &str) -> Result<HeaderField, String> {
        // Servers read `_` as `-` here and there, so that two headers would be one.
        let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = text.parse::<HeaderName>().ok().filter(|_| good && text.len() <= 64);
        let name = name.ok_or("is not the name of a header")?;
        match TAKEN.contains(&name.as_str()) {
            true => Err("is a header with a meaning of its own".to_owned()),
            false => Ok(HeaderField(name)),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.0.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_case_and_no_meaning_of_its_own() {
        for text in ["X-Client-Cert", "client-cert", "Client-Cert", "Ssl-Client-Cert", &"a".repeat(64)] {
            let read = HeaderField::parse(text).unwrap();
            assert_eq!(read.name().as_str(), text.to_ascii_lowercase());
        }
        let long = "a".repeat(65);
        for text in
            ["", " ", "X_Client_Cert", "x client", "x:", "\u{e4}", "Cookie", "AUTHORIZATION", "DPoP", &long]
        {
            assert!(HeaderField::parse(text).is_err(), "{text:?}");
        }
    }
}
