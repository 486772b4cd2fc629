//! The protected applications of the settings, ready to be asked about.

use url::Url;

use super::identity::Identity;
use super::law::{Access, AppRules, Law, Rule, Takes};
use super::reply::SignInPage;
use crate::config::{self, Allow};

/// The protected applications.
#[derive(Debug)]
pub struct Gatehouse {
    pub(super) law: Law,
    names: Vec<(String, String)>,
    pub(super) sign_in: SignInPage,
    pub(super) nobody: Identity,
}

impl Gatehouse {
    /// As the settings say.
    pub fn new(apps: &[config::App], base: &Url) -> Self {
        let names = apps.iter().filter_map(|app| Some((app.host.to_string(), app.name.clone()?))).collect();
        Gatehouse {
            law: Law::new(apps.iter().map(rules)),
            names,
            sign_in: SignInPage::of(base),
            nobody: Identity::nobody(),
        }
    }

    /// Whether a host, given as `host` or `host:port`, is protected.
    pub fn protects(&self, authority: &str) -> bool {
        let Ok(url) = Url::parse(&format!("https://{authority}/")) else { return false };
        let port = url.port_or_known_default().unwrap_or(443);
        // Without a port the scheme decides, and either may be meant.
        url.host_str().is_some_and(|host| {
            self.law.protects(host, port) || (url.port().is_none() && self.law.protects(host, 80))
        })
    }

    /// What the application of this host is called.
    pub fn name(&self, host: &str) -> Option<&str> {
        self.names.iter().find(|(own, _)| own == host).map(|(_, name)| name.as_str())
    }
}

fn rules(app: &config::App) -> AppRules {
    let rule = |rule: &config::Rule| Rule {
        path: rule.path.to_string(),
        methods: rule.methods.iter().map(ToString::to_string).collect(),
        networks: rule.networks.iter().map(|cidr| cidr.network()).collect(),
        access: match rule.allow {
            Allow::Everyone => Access::Everyone,
            Allow::SignedIn => Access::SignedIn,
            Allow::Groups => Access::Groups(rule.groups.iter().map(ToString::to_string).collect()),
            Allow::Nobody => Access::Nobody,
        },
        scopes: rule.scopes.iter().map(ToString::to_string).collect(),
    };
    let takes = |audience: &config::ResourceName| Takes {
        audience: audience.to_string(),
        in_query: app.token_in_query,
    };
    AppRules {
        host: app.host.to_string(),
        takes: app.audience.as_ref().map(takes),
        rules: app.rules.iter().map(rule).collect(),
    }
}
