//! Settings that take one of a few fixed words.

use std::fmt;

use gateward_kernel::jose::SignatureAlgorithm;

use crate::config::definition::Scalar;

/// Defines an enum whose variants are the words of a setting.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident { $( $(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[doc = $variant_doc])+ $variant, )+ }

        impl $name {
            /// The word that stands for it in the settings.
            pub fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $word, )+ }
            }
        }

        impl Scalar for $name {
            const KIND: &'static str = "one of the words";

            fn allowed() -> String {
                alternatives(&[$($word),+])
            }

            fn parse(text: &str) -> Result<$name, String> {
                match text {
                    $( $word => Ok($name::$variant), )+
                    _ => Err("is not known here".to_owned()),
                }
            }

            fn show(&self) -> toml::Value {
                toml::Value::String(self.as_str().to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

choice! {
    /// The language of the pages.
    pub enum Language {
        /// What the browser asks for.
        Auto = "auto",
        /// English.
        En = "en",
        /// German.
        De = "de",
    }
}

choice! {
    /// By what an assertion of somebody else names a person.
    pub enum PersonBy {
        /// Their user name.
        Username = "username",
        /// Their e-mail address, once it is verified.
        Email = "email",
        /// Their id, as it stands in tokens.
        Id = "id",
    }
}

choice! {
    /// When browsers send the session cookie with requests that another site caused.
    pub enum SameSite {
        /// Never, not even when somebody follows a link.
        Strict = "strict",
        /// Only when somebody follows a link.
        Lax = "lax",
        /// Always.
        None = "none",
    }
}

choice! {
    /// Whether clients are asked for a certificate.
    pub enum ClientCertificates {
        /// They are not.
        Off = "off",
        /// They are, and may have none.
        Optional = "optional",
    }
}

choice! {
    /// With what the name of the session cookie begins (RFC 6265bis §4.1.3).
    pub enum CookiePrefix {
        /// The strictest that fits: `__Host-` on https, `__Secure-` when the cookie is shared, none on plain http.
        Auto = "auto",
        /// Https, this host alone.
        Host = "__Host-",
        /// Https.
        Secure = "__Secure-",
        /// None.
        None = "none",
    }
}

choice! {
    /// How log lines look.
    pub enum LogFormat {
        /// Text on a terminal, JSON elsewhere.
        Auto = "auto",
        /// Lines for people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// How much is logged.
    pub enum LogLevel {
        /// Nothing.
        Off = "off",
        /// What needs somebody's attention.
        Error = "error",
        /// What may need it soon.
        Warn = "warn",
        /// What the program does.
        Info = "info",
        /// How it does it.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

choice! {
    /// Whom a rule lets through.
    pub enum Allow {
        /// Also who is not signed in.
        Everyone = "everyone",
        /// Every signed-in person.
        SignedIn = "signed-in",
        /// Members of at least one of the groups of the rule.
        Groups = "groups",
        /// No one.
        Nobody = "nobody",
    }
}

choice! {
    /// What access tokens are.
    pub enum TokenFormat {
        /// Checked where they arrive (RFC 9068).
        Jwt = "jwt",
        /// Looked up by Gateward.
        Opaque = "opaque",
    }
}

choice! {
    /// Which clients may register themselves.
    pub enum Registration {
        /// None.
        Off = "off",
        /// Those with a token of an administrator.
        Token = "token",
        /// Every one.
        Open = "open",
    }
}

/// How JWTs are signed: the asymmetric algorithms of RFC 7518 §3.1 and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm(pub SignatureAlgorithm);

impl Scalar for Algorithm {
    const KIND: &'static str = "one of the words";

    fn allowed() -> String {
        alternatives(&ALGORITHMS.map(SignatureAlgorithm::name))
    }

    fn parse(text: &str) -> Result<Algorithm, String> {
        let found = ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == text);
        found.map(Algorithm).ok_or_else(|| "is not known here".to_owned())
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.0.name().to_owned())
    }
}

const ALGORITHMS: [SignatureAlgorithm; 9] = [
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::EdDsa,
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
    SignatureAlgorithm::Rs512,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Ps512,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_only_ones() {
        for language in [Language::Auto, Language::En, Language::De] {
            assert_eq!(Language::parse(language.as_str()), Ok(language));
        }
        assert_eq!(Language::allowed(), "\"auto\", \"en\" or \"de\"");
        for text in ["", "EN", "en ", "fr"] {
            assert!(Language::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Allow::parse("signed-in"), Ok(Allow::SignedIn));
    }
}
