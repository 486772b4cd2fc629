//! The door of Gateward: cookie sessions for any axum application, over any store, and access tokens for every service.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Router, routing::{get, post}};
//! use gateward_guard::{CookieSpec, Door, Doorway, MaybeSignedIn, RootKey, SignedIn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // Keep the 32 bytes of the root key in a file of their own; here they are made up.
//! let root = RootKey::from_bytes([7; 32]);
//! let store = Arc::new(gateward_store::Memory::new());
//! let doorway = Doorway::new(store, &root, CookieSpec::for_plain_http("session").unwrap());
//!
//! let app: Router = Router::new()
//!     .route("/", get(|who: MaybeSignedIn| async move {
//!         who.0.map_or("nobody".to_owned(), |who| who.name().to_owned())
//!     }))
//!     .route("/secret", get(|who: SignedIn| async move { format!("hello {}", who.name()) }))
//!     // Check the password first; then one line signs in, under a new session secret.
//!     .route("/sign-in", post(|door: Door| async move { door.sign_in("ann").await.map(|_| "signed in") }))
//!     .route("/sign-out", post(|door: Door| async move { door.sign_out().await.map(|_| "signed out") }))
//!     .layer(doorway.layer());
//! # let _ = app; }
//! ```
//!
//! * [`Sessions`] is the whole session service without HTTP: begin, check, elevate, end, list, data.
//! * [`Doorway`] puts it behind cookies as a tower layer; [`SignedIn`], [`MaybeSignedIn`], [`Fresh`] and [`Door`] are
//!   the extractors.
//! * [`SealedCookies`] signs or encrypts small values of the application itself.
//! * [`verify::Verifier`] checks access tokens without asking anybody each time, and notices when they are revoked;
//!   [`bearer`] has the extractors and the tower layers for it, [`blocking`] the same without async, [`command`] accepts
//!   one-time commands.
//! * [`csrf`] and [`forwarded`] are the checks every application behind a proxy needs.
//!
//! The feature `remote`, which is on by default, is what fetches keys and status lists and listens for revocations. Without it
//! there is no HTTP client and no TLS, and [`verify`] works with given keys.

pub mod ambient;
pub mod bearer;
pub mod blocking;
pub mod command;
pub mod cookies;
pub mod csrf;
pub mod forwarded;
mod layer;
#[cfg(feature = "remote")]
pub mod outward;
mod people;
mod sealed;
mod sessions;
mod signed_in;
pub mod verify;

pub use ambient::{SystemClock, SystemEntropy};
pub use cookies::{CookieProblem, CookieSpec, SameSite};
pub use gateward_kernel::secret::RootKey;
pub use gateward_kernel::session::{Lifetimes, Policy};
pub use layer::{Doorway, SessionLayer, SessionService, default_policy};
pub use people::{Account, Accountable, KvPeople, People, person_id_of};
pub use sealed::{CookieNotOurs, SealedCookies};
pub use sessions::{Dependents, Living, Memory, Opened, Sessions};
pub use signed_in::{Door, Fresh, MaybeSignedIn, Rejection, SignedIn, problem, problem_type};
