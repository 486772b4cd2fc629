//! The definition of every setting, in the order of the documentation.

mod app;
mod oauth;
mod operation;
mod passwords;
mod sessions;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use app::{App, Rule};
pub use oauth::{Client, OAuth, TrustedIssuer};
pub use operation::{Audit, Directory, Limits, Log, Outbound, Secrets, Tls};
pub use passwords::{Passwords, Throttle};
pub use sessions::{Cookie, Sessions};
pub use tokens::{Keys, Resource, Tokens};

use super::definition::settings;
use super::values::{Cidr, Language, NodeName, SiteUrl};

settings! {
    /// What every installation decides: where Gateward listens, how browsers reach it, and where it keeps its
    /// data.
    pub struct Settings {
        /// The address and port to listen on. The default is reachable from this machine only; behind a proxy
        /// on another machine, or in a container, it is `0.0.0.0:8080` or `[::]:8080`.
        listen: SocketAddr = "127.0.0.1:8080";

        /// The address people's browsers use, without a path. In production it begins with `https://`. Plain
        /// `http://` is refused, unless the host is this machine (`localhost`, a name below it,
        /// `127.0.0.0/8`, `[::1]`). When it is not set it follows from `listen`, and begins with `https://`
        /// when `[tls]` is set.
        public_url: Option<SiteUrl> = "";

        /// The directory of the database and the keys. It is made at the first start, readable by its owner
        /// only.
        data: PathBuf = "./gateward-data";

        /// A short name of this node, for sticky sessions: it becomes part of the session cookie, so that a
        /// proxy can send a browser to the same node again. One node alone needs none.
        node: Option<NodeName> = "";

        /// The proxies that are believed when they tell the address of a client and the host it asked for.
        /// Requests from other addresses speak for themselves only.
        trusted_proxies: Vec<Cidr> = "";

        /// The language of the pages; `auto` is the best match for what the browser asks for.
        language: Language = "auto";

        /// The hosts that are protected by forward-auth. See `[[app]]` below.
        app: Vec<App> = "";

        /// The APIs and services that accept access tokens. See `[[resource]]` below.
        resource: Vec<Resource> = "";

        /// The applications that sign people in. See `[[client]]` below.
        client: Vec<Client> = "";

        /// Others whose signed statements about people are exchanged for access tokens. See `[[trusted_issuer]]` below.
        trusted_issuer: Vec<TrustedIssuer> = "";

        section tls: Tls;
        section sessions: Sessions;
        section cookie: Cookie;
        section tokens: Tokens;
        section oauth: OAuth;
        section keys: Keys;
        section passwords: Passwords;
        section throttle: Throttle;
        section limits: Limits;
        section outbound: Outbound;
        section log: Log;
        section audit: Audit;
        section directory: Directory;
        section secrets: Secrets;
    }
}
