//! The settings of the server: one tree, four layers, one definition.
//!
//! Defaults < file (TOML) < environment (`GATEWARD_SESSIONS__IDLE`) < flags. Each setting is defined exactly
//! once, in `sections/`, with its type, default, range and documentation; the reader, `docs/config.md`
//! and `docs/gateward.default.toml` follow from it. [`load`] is pure; [`Sources::from_system`] reads the
//! machine.
//!
//! To add a setting, add it to its section and run `GATEWARD_BLESS=1 cargo test -p gateward config`.

mod check;
mod definition;
mod describe;
mod effective;
mod given;
mod layer;
mod nearest;
mod problem;
mod resolve;
mod schema;
mod sections;
mod sources;
mod values;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

pub use describe::{default_file, manual};
pub use effective::{Effective, to_json, to_text};
pub use problem::{Origin, Problem};
pub use sections::{
    App, Audit, Client, Cookie, Directory, Keys, Limits, Log, OAuth, Outbound, Passwords, Resource, Rule,
    Secrets, Sessions, Settings, Throttle, Tls, Tokens, TrustedIssuer,
};
pub use sources::{DEFAULT_FILE, FileText, Flag, SecretFile, Sources};
pub use values::{
    Algorithm, Allow, Bytes, Cidr, ClaimName, ClientCertificates, ClientMetadata, ClientName, CookieDomain,
    CookiePrefix, DirectoryStore, EngineAddress, EngineKind, ForeignClaim, GroupName, HeaderField, HostPath,
    HostPattern, IssuerName, KeysAddress, Language, LogFormat, LogLevel, Method, NodeName, OutboundTarget,
    PathPattern, Pepper, PersonBy, Registration, ResourceName, SameSite, ScopeName, Secret, SessionStore,
    SiteUrl, Span, TokenFormat, TokenStore,
};

/// Settings that are complete and right, and where each value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Every effective value with its origin, in the order of the documentation, secrets masked.
    pub effective: Vec<Effective>,
}

/// Reads and checks the settings.
///
/// # Errors
/// Everything that is wrong, in the order file, environment, flags; each problem is one line.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let (settings, mut resolving) = resolve::resolve::<Settings>(sources);
    let Some(settings) = settings else { return Err(resolving.problems) };
    if !resolving.unreadable {
        check::check(&settings, &mut resolving);
    }
    if !resolving.problems.is_empty() {
        resolving.problems.sort_by_key(rank);
        resolving.problems.dedup();
        return Err(resolving.problems);
    }
    derive(&settings, &mut resolving.effective);
    Ok(Loaded { settings, effective: resolving.effective })
}

impl Settings {
    /// The address people's browsers use, with the path `/`: `public_url`, else what follows from `listen`
    /// and `[tls]`.
    pub fn base_url(&self) -> Url {
        self.base_url_on(self.listen)
    }

    /// As [`Settings::base_url`], for a server that listens on this address: with port 0 in `listen`, the
    /// system chose another one.
    pub fn base_url_on(&self, bound: SocketAddr) -> Url {
        match &self.public_url {
            Some(set) => set.as_url().clone(),
            None => values::site_of(bound, self.tls.certificate.is_some()),
        }
    }

    /// Whether browsers reach the server by https.
    pub fn is_https(&self) -> bool {
        self.base_url().scheme() == "https"
    }

    /// The file of the root key: `secrets.root_key_file`, else `root.key` in the data directory.
    pub fn root_key_file(&self) -> PathBuf {
        self.secrets.root_key_file.clone().unwrap_or_else(|| self.data.join("root.key"))
    }
}

/// Shows what unset values follow from.
fn derive(settings: &Settings, effective: &mut [Effective]) {
    for one in effective.iter_mut() {
        if one.key == "public_url" && settings.public_url.is_none() {
            one.value = settings.base_url().as_str().trim_end_matches('/').into();
            one.origin = Origin::Derived("listen");
        }
        if one.key == "secrets.root_key_file" && settings.secrets.root_key_file.is_none() {
            one.value = settings.root_key_file().display().to_string().into();
            one.origin = Origin::Derived("data");
        }
    }
}

/// Problems are told layer by layer, those of the file from its top to its bottom.
fn rank(problem: &Problem) -> (u8, Option<usize>) {
    match &problem.origin {
        Origin::Default | Origin::Derived(_) => (0, None),
        Origin::File { line, .. } => (1, *line),
        Origin::Environment(_) => (2, None),
        Origin::Flag(_) => (3, None),
    }
}
