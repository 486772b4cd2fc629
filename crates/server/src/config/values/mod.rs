//! The types a setting can have, each with its own reading and writing.

mod address;
mod choice;
mod host;
mod network;
mod path;
mod plain;
mod secret;
mod shape;
mod size;
mod span;
mod store;

pub use address::SiteUrl;
pub(in crate::config) use address::{is_loopback, site_of};
pub use choice::{Algorithm, Allow, CookiePrefix, Language, LogFormat, LogLevel, SameSite, TokenFormat};
pub use host::{CookieDomain, HostPath, HostPattern};
pub use network::Cidr;
pub use path::PathPattern;
pub use plain::{ClaimName, GroupName, Method, NodeName, ResourceName, ScopeName};
pub use secret::Secret;
pub use size::Bytes;
pub use span::Span;
pub use store::{DirectoryStore, EngineAddress, EngineKind, Pepper, SessionStore, TokenStore};
