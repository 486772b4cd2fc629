//! The types a setting can have, each with its own reading and writing.

mod address;
mod choice;
mod header;
mod host;
mod metadata;
mod network;
mod path;
mod plain;
mod secret;
mod shape;
mod size;
mod span;
mod store;
mod target;

pub use address::SiteUrl;
pub(in crate::config) use address::{is_loopback, site_of};
pub use choice::{
    Algorithm, Allow, ClientCertificates, CookiePrefix, Language, LogFormat, LogLevel, PersonBy,
    Registration, SameSite, TokenFormat,
};
pub use header::HeaderField;
pub use host::{CookieDomain, HostPath, HostPattern};
pub use metadata::ClientMetadata;
pub use network::Cidr;
pub use path::PathPattern;
pub use plain::{
    ClaimName, ClientName, ForeignClaim, GroupName, IssuerName, KeysAddress, Method, NodeName, ResourceName,
    ScopeName,
};
pub use secret::Secret;
pub use size::Bytes;
pub use span::Span;
pub use store::{DirectoryStore, EngineAddress, EngineKind, Pepper, SessionStore, TokenStore};
pub use target::OutboundTarget;
