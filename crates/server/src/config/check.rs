//! What settings must satisfy together. Each check names the keys it looks at; one of them that is already
//! known to be wrong silences it.

use super::Settings;
use super::problem::{Origin, Problem};
use super::resolve::Resolving;
use super::values::{ClientCertificates, SameSite, Span, is_loopback};

/// Adds a problem for each combination that can not work.
pub(super) fn check(settings: &Settings, resolving: &mut Resolving) {
    let mut checks = Checks { resolving, found: Vec::new() };
    public_url(settings, &mut checks);
    tls(settings, &mut checks);
    client_certificates(settings, &mut checks);
    lifetimes(settings, &mut checks);
    cookie(settings, &mut checks);
    limits(settings, &mut checks);
    apps(settings, &mut checks);
    url_transport(settings, &mut checks);
    tokens(settings, &mut checks);
    clients(settings, &mut checks);
    trusted_issuers(settings, &mut checks);
    let found = checks.found;
    resolving.problems.extend(found);
}

struct Checks<'a> {
    resolving: &'a Resolving,
    found: Vec<Problem>,
}

impl Checks<'_> {
    /// These keys contradict each other. The problem is told at the first of them that somebody set.
    fn contradict(&mut self, keys: &[&str], message: impl Into<String>) {
        if keys.iter().any(|key| self.resolving.broken.contains(*key)) {
            return;
        }
        let set = keys.iter().find(|key| self.origin(key) != Origin::Default);
        let key = set.or(keys.first()).copied().unwrap_or_default();
        self.found.push(Problem::new(self.origin(key), key, message));
    }

    fn origin(&self, key: &str) -> Origin {
        let found = self.resolving.effective.iter().find(|one| one.key == key);
        found.map_or(Origin::Default, |one| one.origin.clone())
    }

    /// `sessions.idle is 30m (default)`.
    fn told(&self, key: &str, value: impl std::fmt::Display) -> String {
        format!("{key} is {value} ({})", self.origin(key))
    }
}

fn public_url(settings: &Settings, checks: &mut Checks<'_>) {
    let url = settings.base_url();
    if url.scheme() == "https" || is_loopback(&url) {
        return;
    }
    let shown = url.as_str().trim_end_matches('/');
    if settings.public_url.is_some() {
        checks.contradict(
            &["public_url"],
            format!(
                "{shown:?} is plain http on a host that is not this machine, where passwords and sessions \
                 could be read on the way; allowed: https://…, or http on localhost, 127.0.0.0/8 or [::1]"
            ),
        );
    } else {
        checks.contradict(
            &["listen", "public_url", "tls.certificate"],
            format!(
                "{} is reachable from other machines, and public_url is not set; set public_url to the \
                 https:// address that browsers use",
                settings.listen
            ),
        );
    }
}

fn client_certificates(settings: &Settings, checks: &mut Checks<'_>) {
    let tls = &settings.tls;
    let asked = tls.client_certificates == ClientCertificates::Optional;
    let told = tls.client_certificate_header.is_some();
    if asked && tls.certificate.is_none() {
        let message = "tls.client_certificates is \"optional\" and tls.certificate is not set, so that there is no \
             handshake in which to ask; where a proxy ends TLS, set tls.client_certificate_header";
        checks.contradict(&["tls.client_certificates", "tls.certificate"], message);
    }
    if told && settings.trusted_proxies.is_empty() {
        let message = "tls.client_certificate_header is set and trusted_proxies is empty, so that nobody is believed \
             who tells a certificate";
        checks.contradict(&["tls.client_certificate_header", "trusted_proxies"], message);
    }
    if tls.client_ca_file.is_some() && !asked && !told {
        let message = "tls.client_ca_file is set, and no certificate of a client ever comes; set \
             tls.client_certificates or tls.client_certificate_header";
        checks.contradict(&["tls.client_ca_file", "tls.client_certificates"], message);
    }
}

fn tls(settings: &Settings, checks: &mut Checks<'_>) {
    let (set, missing) = match (&settings.tls.certificate, &settings.tls.key) {
        (Some(_), None) => ("tls.certificate", "tls.key"),
        (None, Some(_)) => ("tls.key", "tls.certificate"),
        _ => return,
    };
    checks.contradict(&[set, missing], format!("{set} is set and {missing} is not; set both or none"));
}

fn lifetimes(settings: &Settings, checks: &mut Checks<'_>) {
    let sessions = &settings.sessions;
    let tokens = &settings.tokens;
    let pairs: [(&str, Span, &str, Span); 4] = [
        ("sessions.idle", sessions.idle, "sessions.absolute", sessions.absolute),
        ("sessions.remember_idle", sessions.remember_idle, "sessions.remember", sessions.remember),
        ("sessions.guest_idle", sessions.guest_idle, "sessions.guest_absolute", sessions.guest_absolute),
        ("tokens.refresh_idle", tokens.refresh_idle, "tokens.refresh_absolute", tokens.refresh_absolute),
    ];
    for (idle_key, idle, whole_key, whole) in pairs {
        if idle > whole {
            let (idle, whole) = (checks.told(idle_key, idle), checks.told(whole_key, whole));
            let message = format!("{idle} and {whole}; the idle time must not be the longer one");
            checks.contradict(&[idle_key, whole_key], message);
        }
    }
}

fn cookie(settings: &Settings, checks: &mut Checks<'_>) {
    let (cookie, url) = (&settings.cookie, settings.base_url());
    let shown = url.as_str().trim_end_matches('/');
    if !settings.is_https() {
        let http =
            format!("needs https, and the public address is {shown}; set public_url to an https:// address");
        if cookie.same_site == SameSite::None {
            checks.contradict(
                &["cookie.same_site", "public_url"],
                format!("\"none\" {http}, or choose \"lax\""),
            );
        }
        if cookie.partitioned {
            checks.contradict(&["cookie.partitioned", "public_url"], format!("a partitioned cookie {http}"));
        }
        if cookie.domain.is_some() {
            checks.contradict(&["cookie.domain", "public_url"], format!("a shared cookie {http}"));
        }
    }
    let host = url.host_str().unwrap_or_default();
    if let Some(domain) = cookie.domain.as_ref().filter(|domain| !domain.covers(host)) {
        let message = format!(
            "{:?} is not the host of the public address {shown} nor a parent of it, so \
             browsers would refuse the cookie",
            domain.as_str()
        );
        checks.contradict(&["cookie.domain", "public_url"], message);
    }
}

fn limits(settings: &Settings, checks: &mut Checks<'_>) {
    let (body, data) = (settings.limits.body, settings.sessions.data_limit);
    if body < data {
        let (body, data) = (checks.told("limits.body", body), checks.told("sessions.data_limit", data));
        let message = format!("{body} and {data}; a request must be able to carry the data of a session");
        checks.contradict(&["limits.body", "sessions.data_limit"], message);
    }
}

fn apps(settings: &Settings, checks: &mut Checks<'_>) {
    for (index, app) in settings.app.iter().enumerate() {
        let earlier = settings.app.iter().take(index).position(|earlier| earlier.host == app.host);
        if let Some(earlier) = earlier {
            let key = format!("app[{}].host", index + 1);
            let message = format!("{:?} is the host of app[{}] already", app.host.to_string(), earlier + 1);
            checks.contradict(&[&key, "app"], message);
        }
        audience(settings, index, app, checks);
    }
}

/// What no token can have opens nothing: a slip of the pen, which is better told.
fn audience(settings: &Settings, index: usize, app: &super::sections::App, checks: &mut Checks<'_>) {
    let Some(audience) = &app.audience else { return };
    let key = format!("app[{}].audience", index + 1);
    let Some(resource) = settings.resource.iter().find(|resource| resource.audience == *audience) else {
        let message = format!(
            "{:?} is the audience of no [[resource]], so that nobody can have a token for it; add one",
            audience.as_str()
        );
        checks.contradict(&[&key, "app", "resource"], message);
        return;
    };
    for (number, rule) in app.rules.iter().enumerate() {
        if let Some(scope) = rule.scopes.iter().find(|scope| !resource.scopes.contains(scope)) {
            let key = format!("app[{}].rules[{}]", index + 1, number + 1);
            let message = format!(
                "{:?} is no scope of the [[resource]] {:?}, so that no token can have it",
                scope.as_str(),
                audience.as_str()
            );
            checks.contradict(&[&key, "app", "resource"], message);
        }
    }
}

fn url_transport(settings: &Settings, checks: &mut Checks<'_>) {
    for place in &settings.sessions.url_transport {
        let (name, port) = (place.host().name(), place.host().port());
        let protected = settings.app.iter().any(|app| {
            app.host.matches(name, port) || (port.is_none() && app.host.matches(name, app.host.port()))
        });
        if !protected {
            let message = format!("{:?} is on a host that is no [[app]]", place.to_string());
            checks.contradict(&["sessions.url_transport", "app"], message);
        }
    }
}

fn tokens(settings: &Settings, checks: &mut Checks<'_>) {
    let keys = &settings.keys;
    if keys.cache > keys.lead {
        let (cache, lead) = (checks.told("keys.cache", keys.cache), checks.told("keys.lead", keys.lead));
        let message = format!("{cache} and {lead}; a key must not sign before every cached key set has it");
        checks.contradict(&["keys.cache", "keys.lead"], message);
    }
    if keys.rotate.duration() != std::time::Duration::ZERO && keys.lead >= keys.rotate {
        let (lead, rotate) = (checks.told("keys.lead", keys.lead), checks.told("keys.rotate", keys.rotate));
        let message = format!("{lead} and {rotate}; a key is published while its predecessor signs");
        checks.contradict(&["keys.lead", "keys.rotate"], message);
    }
    for (index, resource) in settings.resource.iter().enumerate() {
        let same = |earlier: &super::sections::Resource| earlier.audience == resource.audience;
        if let Some(earlier) = settings.resource.iter().take(index).position(same) {
            let key = format!("resource[{}].audience", index + 1);
            let message = format!(
                "{:?} is the audience of resource[{}] already",
                resource.audience.as_str(),
                earlier + 1
            );
            checks.contradict(&[&key, "resource"], message);
        }
    }
}

fn clients(settings: &Settings, checks: &mut Checks<'_>) {
    for (index, client) in settings.client.iter().enumerate() {
        let same = |earlier: &super::sections::Client| earlier.id == client.id;
        if let Some(earlier) = settings.client.iter().take(index).position(same) {
            let key = format!("client[{}].id", index + 1);
            let message = format!("{:?} is the id of client[{}] already", client.id.as_str(), earlier + 1);
            checks.contradict(&[&key, "client"], message);
        }
    }
}

/// What this server signs itself is never somebody else's word.
fn trusted_issuers(settings: &Settings, checks: &mut Checks<'_>) {
    let base = settings.base_url();
    let own = base.as_str().trim_end_matches('/');
    for (index, one) in settings.trusted_issuer.iter().enumerate() {
        let key = format!("trusted_issuer[{}].issuer", index + 1);
        let earlier =
            settings.trusted_issuer.iter().take(index).position(|earlier| earlier.issuer == one.issuer);
        if let Some(earlier) = earlier {
            let message =
                format!("{:?} is the issuer of trusted_issuer[{}] already", one.issuer.as_str(), earlier + 1);
            checks.contradict(&[&key, "trusted_issuer"], message);
        }
        if one.issuer.as_str().trim_end_matches('/') == own {
            let message = format!("{:?} is this server itself", one.issuer.as_str());
            checks.contradict(&[&key, "trusted_issuer", "public_url"], message);
        }
    }
}
