//! Others whose signed statements about people count here (RFC 7523 §2.1): those of the settings.

use std::sync::Arc;

use anyhow::Context;
use gateward_kernel::jose::{JwkSet, KeySet, SignatureAlgorithm};
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use url::Url;

use crate::app::App;
use crate::config::{Settings, TrustedIssuer};
use crate::outbound::OutboundError;

/// All of them.
#[derive(Debug)]
pub struct Trusted(Vec<Issuer>);

/// One of them.
#[derive(Debug)]
pub struct Issuer {
    /// What the settings say.
    pub settings: TrustedIssuer,
    /// What comes of its statements at most.
    pub scope: Scope,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Here(Arc<JwkSet>),
    There(Url),
}

impl Trusted {
    /// Those of the settings, with their keys where those are in a file.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        settings.trusted_issuer.iter().map(Issuer::new).collect::<anyhow::Result<_>>().map(Trusted)
    }

    /// The one of that name, if this client may come with its statements.
    pub fn find(&self, issuer: &str, client: &str) -> Option<&Issuer> {
        let found = self.0.iter().find(|one| one.settings.issuer.as_str() == issuer)?;
        found.settings.clients.iter().any(|own| own.as_str() == client).then_some(found)
    }
}

impl Issuer {
    fn new(settings: &TrustedIssuer) -> anyhow::Result<Self> {
        let name = settings.issuer.as_str();
        let scopes: Vec<&str> = settings.scopes.iter().map(|scope| scope.as_str()).collect();
        let keys = match (&settings.jwks_uri, &settings.jwks_file) {
            (Some(uri), _) => Keys::There(Url::parse(uri.as_str())?),
            (None, Some(path)) => {
                let at = || format!("the keys of the trusted issuer {name} in {}", path.display());
                let set = JwkSet::from_json(&std::fs::read(path).with_context(at)?).with_context(at)?;
                anyhow::ensure!(!set.keys.is_empty(), "{}: there is no key that can be used", at());
                Keys::Here(Arc::new(set))
            }
            (None, None) => anyhow::bail!("the trusted issuer {name} has neither jwks_uri nor jwks_file"),
        };
        Ok(Issuer { settings: settings.clone(), scope: scopes.join(" ").parse()?, keys })
    }

    /// Its keys for these algorithms, fetched anew when none of them is called `kid`.
    pub async fn keys(
        &self,
        app: &App,
        kid: Option<&str>,
        allowed: &[SignatureAlgorithm],
        now: Moment,
    ) -> Result<KeySet, OutboundError> {
        let set = match &self.keys {
            Keys::Here(set) => set.clone(),
            Keys::There(uri) => app.client_keys.keys(uri, kid, now).await?,
        };
        Ok(KeySet::from_jwks(&set, allowed))
    }
}
