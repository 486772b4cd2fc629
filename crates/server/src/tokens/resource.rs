//! The resources that accept access tokens: those of the settings, and Gateward's own API.

use std::time::Duration;

use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::token::{Audience, NotAScope, Scope};

use super::mint::Terms;
use crate::config::{Settings, TokenFormat};

/// Where UserInfo is.
pub const USERINFO: &str = "/oauth/userinfo";
/// The scopes of OpenID Connect (Core §5.4, §11), and `groups`.
pub const STANDARD_SCOPES: &str = "openid profile email address phone groups offline_access";

/// One of them.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name in `aud`.
    pub audience: Audience,
    /// What tokens for it may allow.
    pub scopes: Scope,
    /// How long its access tokens count.
    pub lifetime: Duration,
    /// What they are.
    pub format: TokenFormat,
    /// How its JWTs are signed.
    pub algorithm: SignatureAlgorithm,
}

impl Resource {
    /// What its access tokens are.
    pub const fn terms(&self) -> Terms {
        Terms { format: self.format, lifetime: self.lifetime, algorithm: self.algorithm }
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Resources {
    own: Resource,
    userinfo: Resource,
    others: Vec<Resource>,
    for_clients: Vec<SignatureAlgorithm>,
}

impl Resources {
    /// Those of the settings, and the own API under the name `issuer`.
    pub fn new(settings: &Settings, issuer: &str) -> anyhow::Result<Self> {
        let tokens = &settings.tokens;
        let own = Resource {
            audience: Audience::of(issuer)?,
            scopes: Scope::NONE,
            lifetime: tokens.access_lifetime.duration(),
            format: tokens.format,
            algorithm: tokens.algorithm.0,
        };
        let userinfo = Resource {
            audience: Audience::of(&format!("{issuer}{USERINFO}"))?,
            scopes: STANDARD_SCOPES.parse()?,
            ..own.clone()
        };
        let mut others = Vec::new();
        for resource in &settings.resource {
            let scopes: Vec<&str> = resource.scopes.iter().map(|scope| scope.as_str()).collect();
            others.push(Resource {
                audience: Audience::of(resource.audience.as_str())?,
                scopes: scopes.join(" ").parse()?,
                lifetime: resource.access_lifetime.unwrap_or(tokens.access_lifetime).duration(),
                format: resource.format.unwrap_or(tokens.format),
                algorithm: resource.algorithm.unwrap_or(tokens.algorithm).0,
            });
        }
        let for_clients = settings.oauth.algorithms.iter().map(|algorithm| algorithm.0).collect();
        Ok(Resources { own, userinfo, others, for_clients })
    }

    /// The resource of that name; the own API when none is named.
    pub fn find(&self, audience: Option<&str>) -> Option<&Resource> {
        let Some(name) = audience else { return Some(&self.own) };
        std::iter::once(&self.own).chain(&self.others).find(|resource| resource.audience.has(name))
    }

    /// UserInfo: what the access tokens of OAuth clients are for when they ask for nothing else. They never open the own API.
    pub const fn userinfo(&self) -> &Resource {
        &self.userinfo
    }

    /// The resources of the settings.
    pub fn others(&self) -> &[Resource] {
        &self.others
    }

    /// Every algorithm that is in use: for access tokens, and for what else is signed for clients.
    pub fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        let mut all: Vec<_> =
            std::iter::once(&self.own).chain(&self.others).map(|one| one.algorithm).collect();
        all.extend(&self.for_clients);
        all.sort_unstable_by_key(|algorithm| algorithm.name());
        all.dedup();
        all
    }

    /// The longest life of an access token.
    pub fn longest(&self) -> Duration {
        std::iter::once(&self.own).chain(&self.others).map(|one| one.lifetime).max().unwrap_or_default()
    }
}

impl Resource {
    /// What is allowed to whoever asks for these scopes: all there are when none is named. One that does not exist is an
    /// error and not left out silently.
    pub fn grant(&self, asked: Option<&str>) -> Result<Scope, Refusal> {
        let invalid = |problem: String| Refusal::Invalid { field: "scope", problem };
        let Some(asked) = asked else { return Ok(self.scopes.clone()) };
        let asked: Scope = asked.parse().map_err(|problem: NotAScope| invalid(format!("{problem}")))?;
        match self.scopes.covers(&asked) {
            true => Ok(asked),
            false => Err(invalid("names one that this resource does not have".into())),
        }
    }
}
