//! Gateward and the libraries of other languages: tokens and keys go both ways between them, and the examples that people
//! copy refuse what they must.
//!
//! `cargo xtask install` brings the libraries into the target directory, and builds what of them is compiled: it is to be
//! run again after a change in `go/`, `java/` or `examples/verify-go`. A test without its library fails and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod encryption;
mod examples;
mod keys;
mod library;
mod packages;
mod peer;
mod rotation;
mod signatures;

/// What the machine of the other tests expects: see `tests/http`.
mod house {
    pub(crate) const PASSWORD: &str = "violet kettle mountain";
}
#[allow(dead_code, reason = "shared with tests/http")]
#[path = "../http/machine.rs"]
mod machine;
#[allow(dead_code, reason = "shared with tests/http")]
#[path = "../http/wire.rs"]
mod wire;

/// Every exchange with every library, as a test each.
macro_rules! exchange_with {
    ($($module:ident: $library:ident,)+) => {
        $(mod $module {
            use crate::library::Library::$library;

            #[test]
            fn signatures_go_both_ways() {
                crate::signatures::exchange($library);
            }

            #[test]
            fn encryption_goes_both_ways() {
                crate::encryption::exchange($library);
            }

            #[test]
            fn signed_tokens_inside_encrypted_ones_go_both_ways() {
                crate::encryption::exchange_nested($library);
            }

            #[test]
            fn keys_go_both_ways_and_have_one_thumbprint() {
                crate::keys::exchange($library);
            }
        })+
    };
}

exchange_with! {
    jose: Jose,
    pyjwt: PyJwt,
    jwcrypto: Jwcrypto,
    go_jose: GoJose,
    nimbus: Nimbus,
}
