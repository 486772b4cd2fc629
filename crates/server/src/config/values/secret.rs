//! Secrets in settings: never shown, wiped from memory when dropped.

use std::fmt;

use zeroize::Zeroizing;

use crate::config::definition::Scalar;
use crate::config::problem::MASK;

/// A secret text. It has no `Display`, and `Debug` shows a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Scalar for Secret {
    const KIND: &'static str = "a secret";
    const SECRET: bool = true;

    fn allowed() -> String {
        "a text".to_owned()
    }

    fn brief() -> String {
        "secret text".to_owned()
    }

    fn parse(text: &str) -> Result<Secret, String> {
        Ok(Secret(Zeroizing::new(text.to_owned())))
    }

    fn show(&self) -> toml::Value {
        // That a secret is not set is no secret.
        toml::Value::String(if self.0.is_empty() { String::new() } else { MASK.to_owned() })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(******)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::parse("hunter2").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(Scalar::show(&secret).to_string(), "\"******\"");
        assert_eq!(format!("{secret:?}"), "Secret(******)");
        assert_eq!(Scalar::show(&Secret::parse("").unwrap()).to_string(), "\"\"");
    }
}
