//! `gateward proxy …`: a working configuration for each proxy, made from the settings. The texts are in `snippet/`; the real
//! servers check and run them in the tests.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use url::{Host, Url};

/// A proxy for which a configuration can be printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Proxy {
    /// nginx, with `auth_request`.
    Nginx,
    /// Caddy, with `forward_auth`.
    Caddy,
    /// Traefik, with `ForwardAuth`.
    Traefik,
    /// HAProxy, with a Lua action.
    Haproxy,
    /// Envoy, with `ext_authz`.
    Envoy,
}

impl Proxy {
    /// Every proxy.
    pub const ALL: [Proxy; 5] = [Proxy::Nginx, Proxy::Caddy, Proxy::Traefik, Proxy::Haproxy, Proxy::Envoy];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Proxy::Nginx => "nginx",
            Proxy::Caddy => "caddy",
            Proxy::Traefik => "traefik",
            Proxy::Haproxy => "haproxy",
            Proxy::Envoy => "envoy",
        }
    }
}

/// What a configuration depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Where Gateward listens.
    pub listen: SocketAddr,
    /// The address people's browsers use.
    pub public_url: Url,
    /// The hosts of the protected apps as they stand in the settings: `wiki.example.com`, `wiki.example.com:8443`,
    /// `*.example.com`.
    pub apps: Vec<String>,
}

/// A file to save.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Printed {
    /// What it is called, without a directory.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// The application that stands in the configuration until its real address is put there.
const UPSTREAM: &str = "127.0.0.1:3000";

/// What of a request Gateward needs to know, for proxies that pass on only what is listed.
const TOLD: [&str; 14] = [
    "accept",
    "accept-language",
    "access-control-request-method",
    "authorization",
    "cookie",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-key",
    "upgrade",
    "user-agent",
    "x-forwarded-proto",
    "x-requested-with",
];

/// The configuration of this proxy: one file, or, for HAProxy, two. Without apps in the settings it has an example.
///
/// # Errors
/// A text of ours that does not render; the tests render all of them.
pub fn print(proxy: Proxy, setup: &Setup) -> Result<Vec<Printed>, minijinja::Error> {
    let files: &[(&'static str, &str)] = match proxy {
        Proxy::Nginx => &[("gateward.conf", include_str!("snippet/nginx.conf"))],
        Proxy::Caddy => &[("Caddyfile", include_str!("snippet/Caddyfile"))],
        Proxy::Traefik => &[("gateward.yml", include_str!("snippet/traefik.yml"))],
        Proxy::Haproxy => &[
            ("haproxy.cfg", include_str!("snippet/haproxy.cfg")),
            ("gateward.lua", include_str!("snippet/gateward.lua")),
        ],
        Proxy::Envoy => &[("envoy.yaml", include_str!("snippet/envoy.yaml"))],
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut facts = Facts::of(setup);
    facts.question = environment.render_str(include_str!("snippet/nginx-question.conf"), Serde(&facts))?;
    let files = files.iter().map(|(name, template)| {
        let text = environment.render_str(template, Serde(&facts))?;
        Ok(Printed { name, text: format!("{}\n", text.trim_end()) })
    });
    files.collect()
}

/// What the texts can name.
#[derive(Serialize)]
struct Facts {
    /// Where the proxy reaches Gateward: address and port.
    gateward: SocketAddr,
    gateward_ip: IpAddr,
    gateward_port: u16,
    secure: bool,
    /// Host and port of `public_url`.
    public_host: String,
    /// The sign-in site, unless browsers reach Gateward directly.
    login: Option<Site>,
    apps: Vec<Site>,
    ports: BTreeSet<u16>,
    upstream: String,
    upstream_address: &'static str,
    /// The headers of every question of nginx.
    question: String,
    /// Traefik's name for the port.
    entry: &'static str,
    told: [&'static str; 14],
}

/// A host that the proxy serves.
#[derive(Serialize)]
struct Site {
    /// Without port; with `*.` where it stands for many.
    host: String,
    port: u16,
    wildcard: bool,
    /// Without `*.`.
    parent: String,
    /// For names of blocks: letters, digits, hyphens.
    label: String,
    /// For names of files.
    file: String,
    /// As Caddy names sites.
    address: String,
    /// As Traefik names hosts.
    traefik_rule: String,
}

impl Facts {
    fn of(setup: &Setup) -> Facts {
        let secure = setup.public_url.scheme() == "https";
        let example = ["app.example.com".to_owned()];
        let hosts = if setup.apps.is_empty() { example.as_slice() } else { &setup.apps };
        let gateward = reachable(setup.listen);
        let apps: Vec<Site> = hosts.iter().map(|host| Site::of(host, secure)).collect();
        let public_host = authority(&setup.public_url);
        let login = (!is_direct(&setup.public_url, setup.listen)).then(|| Site::of(&public_host, secure));
        Facts {
            gateward,
            gateward_ip: gateward.ip(),
            gateward_port: gateward.port(),
            secure,
            public_host,
            ports: apps.iter().chain(&login).map(|site| site.port).collect(),
            login,
            apps,
            upstream: format!("http://{UPSTREAM}"),
            upstream_address: UPSTREAM,
            question: String::new(),
            entry: if secure { "websecure" } else { "web" },
            told: TOLD,
        }
    }
}

impl Site {
    fn of(text: &str, secure: bool) -> Site {
        let behind_bracket = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let colon = text.get(behind_bracket..).and_then(|rest| rest.find(':')).map(|at| at + behind_bracket);
        let (host, port) = colon.and_then(|colon| text.split_at_checked(colon)).unwrap_or((text, ""));
        let own = if secure { 443 } else { 80 };
        let port = port.strip_prefix(':').and_then(|port| port.parse().ok()).unwrap_or(own);
        let (wildcard, parent) = host.strip_prefix("*.").map_or((false, host), |parent| (true, parent));
        let file = if wildcard { format!("wildcard.{parent}") } else { host.to_owned() };
        let label = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let scheme = if secure { "" } else { "http://" };
        let shown_port = if port == own { String::new() } else { format!(":{port}") };
        let numbered = if port == own { file.clone() } else { format!("{file}-{port}") };
        Site {
            port,
            wildcard,
            label: numbered.chars().map(label).collect(),
            address: format!("{scheme}{host}{shown_port}"),
            traefik_rule: if wildcard {
                format!("HostRegexp(`^[^.]+\\\\.{}$`)", parent.replace('.', "\\\\."))
            } else {
                format!("Host(`{host}`)")
            },
            file,
            host: host.to_owned(),
            parent: parent.to_owned(),
        }
    }
}

/// Where a proxy on the same machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether browsers reach Gateward without a proxy: on the port where it listens, in the clear.
fn is_direct(public_url: &Url, listen: SocketAddr) -> bool {
    let here = match public_url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || listen.ip() == IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || listen.ip() == IpAddr::V6(ip),
        None => true,
    };
    here && public_url.scheme() == "http" && public_url.port_or_known_default() == Some(listen.port())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests;
