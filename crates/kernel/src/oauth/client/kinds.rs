//! The closed lists that a client's metadata chooses from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$about:meta])* $list:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum $list { $($(#[$doc])* #[serde(rename = $name)] $variant,)+ }

        impl $list {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it stands in metadata.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl FromStr for $list {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($name => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }

        impl fmt::Display for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )+};
}

kinds! {
    /// How a client proves at the token endpoint that it is this one (RFC 7591 §2, RFC 8705 §2.1, OpenID Connect Core §9).
    AuthMethod {
        /// Its secret in the `Authorization` header.
        SecretBasic = "client_secret_basic",
        /// Its secret in the body.
        SecretPost = "client_secret_post",
        /// A JWT authenticated by its secret.
        SecretJwt = "client_secret_jwt",
        /// A JWT signed by its key.
        PrivateKeyJwt = "private_key_jwt",
        /// A certificate of an authority that is trusted.
        TlsClientAuth = "tls_client_auth",
        /// A certificate of its own that it registered.
        SelfSignedTlsClientAuth = "self_signed_tls_client_auth",
        /// It does not: it cannot keep a secret.
        None = "none",
    }

    /// By what an access token is asked for (RFC 6749 §1.3).
    GrantType {
        /// A code (RFC 6749 §4.1).
        AuthorizationCode = "authorization_code",
        /// A refresh token (RFC 6749 §6).
        RefreshToken = "refresh_token",
        /// The client itself (RFC 6749 §4.4).
        ClientCredentials = "client_credentials",
        /// A device code (RFC 8628).
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// Another token (RFC 8693).
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
        /// Somebody else's assertion (RFC 7523 §2.1).
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
        /// Tokens straight from the authorization endpoint (RFC 6749 §4.2): legacy.
        Implicit = "implicit",
    }

    /// What sort of application it is (OpenID Connect Registration §2).
    ApplicationType {
        /// It has pages of its own.
        Web = "web",
        /// It runs on the person's device.
        Native = "native",
    }

    /// Under what name it learns of a person (OpenID Connect Core §8).
    SubjectType {
        /// The same as every other client.
        Public = "public",
        /// Another than clients of other sectors.
        Pairwise = "pairwise",
    }

    /// Whether people are asked before it gets anything.
    ConsentPolicy {
        /// The first time, and whenever it wants more.
        Ask = "ask",
        /// Never: it belongs to the installation, as its administrator says.
        Skip = "skip",
    }

    /// For whom its assertions must be (RFC 7523 §3; FAPI 2.0 Security Profile §5.3.2.1).
    AssertionAudience {
        /// The issuer, the token endpoint or the endpoint that is asked.
        Any = "any",
        /// The issuer alone, as a single text.
        Issuer = "issuer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_are_those_of_serde() {
        for method in AuthMethod::ALL {
            assert_eq!(method.name().parse(), Ok(*method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
        for grant in GrantType::ALL {
            assert_eq!(grant.name().parse(), Ok(*grant));
            assert_eq!(serde_json::to_value(grant).unwrap(), grant.name());
        }
        assert!("password".parse::<GrantType>().is_err() && "NONE".parse::<AuthMethod>().is_err());
    }
}
