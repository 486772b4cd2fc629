//! What a verifier is told about the issuer's side of the network.

use std::sync::Arc;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::Source;
use super::builder::{BuildError, VerifierBuilder};
use super::client::{Client, host_of, is_safe};
use super::discovery::Discovery;
use super::fetched::FetchedKeys;
use super::introspect::Introspector;
use super::keys::Keys;
use super::status::{Knowledge, Line, Listening, Poll, Stale, Status, StatusPolicy, Terms};

/// Three beats of the channel: more silence than that is no accident.
const THREE_BEATS: Duration = Duration::from_secs(6);

#[derive(Default)]
pub(super) struct Remote {
    roots: Vec<Vec<u8>>,
    hosts: Vec<String>,
    introspection: Option<Introspection>,
}

struct Introspection {
    endpoint: Option<String>,
    client: String,
    secret: Zeroizing<String>,
    kept: Duration,
}

impl VerifierBuilder {
    /// Trusts this certificate authority, too (PEM): for issuers with certificates of one's own.
    pub fn extra_root(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.remote.roots.push(pem.as_ref().to_vec());
        self
    }

    /// Asks this host, too, where the issuer's metadata name it: `https://keys.example.com`. Without this, only the issuer's own host
    /// is asked.
    pub fn also_ask(mut self, host: impl Into<String>) -> Self {
        self.remote.hosts.push(host.into());
        self
    }

    /// Asks the issuer about every token (RFC 7662), as the client with these credentials: the only way for opaque tokens. An
    /// answer is believed for a second, unless [`introspection_kept`](Self::introspection_kept) says otherwise.
    pub fn introspection(mut self, client: impl Into<String>, secret: impl Into<String>) -> Self {
        let (client, secret) = (client.into(), Zeroizing::new(secret.into()));
        let kept = Duration::from_secs(1);
        self.remote.introspection = Some(Introspection { endpoint: None, client, secret, kept });
        self
    }

    /// Asks at this address instead of at the one in the issuer's metadata.
    pub fn introspection_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        if let Some(introspection) = &mut self.remote.introspection {
            introspection.endpoint = Some(endpoint.into());
        }
        self
    }

    /// How long an answer about a token is believed: so long a revoked one is still accepted.
    pub fn introspection_kept(mut self, span: Duration) -> Self {
        if let Some(introspection) = &mut self.remote.introspection {
            introspection.kept = span;
        }
        self
    }

    pub(super) fn source(&self, fixed: Option<Keys>) -> Result<(Source, Status), BuildError> {
        let asks = self.status != StatusPolicy::Ignore || self.remote.introspection.is_some();
        let fixed = match fixed {
            // Nothing will ever be asked; the issuer may have any name.
            Some(keys) if !asks => return Ok((Source::Keys(Arc::new(keys)), Status::Ignored)),
            fixed => fixed,
        };
        let address = self.address()?;
        let client = Arc::new(self.client(&address)?);
        let discovery = Discovery::new(client.clone(), self.issuer.clone(), address, self.clock.clone());
        let discovery = Arc::new(discovery);
        let keys = fixed.unwrap_or_else(|| {
            let algorithms = self.algorithms.clone();
            let (discovery, clock) = (discovery.clone(), self.clock.clone());
            let keys = FetchedKeys::new(client.clone(), discovery, algorithms, clock, self.outlive);
            Keys::Fetched(Arc::new(keys))
        });
        let keys = Arc::new(keys);
        let status = self.listens(&client, &discovery, &keys);
        let source = match &self.remote.introspection {
            None => Source::Keys(keys),
            Some(told) => Source::Introspection(told.introspector(client, discovery)?),
        };
        Ok((source, status))
    }

    fn address(&self) -> Result<Url, BuildError> {
        let address = Url::parse(&self.issuer).map_err(|_| BuildError::Issuer)?;
        let is_whole = address.query().is_none() && address.fragment().is_none();
        if is_whole && is_safe(&address) { Ok(address) } else { Err(BuildError::Issuer) }
    }

    fn client(&self, issuer: &Url) -> Result<Client, BuildError> {
        let mut hosts: Vec<String> = host_of(issuer).into_iter().collect();
        let endpoint = self.remote.introspection.as_ref().and_then(|told| told.endpoint.as_ref());
        for named in self.remote.hosts.iter().chain(endpoint) {
            let host = Url::parse(named).ok().filter(is_safe).and_then(|url| host_of(&url));
            let problem = || BuildError::Remote(format!("`{named}` is no https address of a host"));
            hosts.push(host.ok_or_else(problem)?);
        }
        Client::new(hosts, &self.remote.roots).map_err(BuildError::Remote)
    }

    fn listens(&self, client: &Arc<Client>, discovery: &Arc<Discovery>, keys: &Arc<Keys>) -> Status {
        match self.status {
            StatusPolicy::Ignore => Status::Ignored,
            StatusPolicy::Poll(stale) => Status::Poll(Arc::new(Poll::new(Terms {
                client: client.clone(),
                keys: keys.clone(),
                clock: self.clock.clone(),
                algorithms: self.algorithms.clone(),
                issuer: self.issuer.clone(),
                skew: self.skew,
                stale,
                budget: self.lists,
            }))),
            StatusPolicy::Push(stale) => {
                let limit = match stale {
                    Stale::Deny => THREE_BEATS,
                    Stale::AllowUntil { age } => age.max(THREE_BEATS),
                };
                Status::Push(Listening::new(Line {
                    client: client.clone(),
                    discovery: discovery.clone(),
                    clock: self.clock.clone(),
                    entropy: self.entropy.clone(),
                    knowledge: Arc::new(Knowledge::new(limit, self.lists)),
                }))
            }
        }
    }
}

impl Introspection {
    fn introspector(
        &self,
        client: Arc<Client>,
        discovery: Arc<Discovery>,
    ) -> Result<Introspector, BuildError> {
        let problem =
            || BuildError::Remote("the introspection endpoint or its credentials cannot be used".into());
        let endpoint = self.endpoint.as_deref().map(Url::parse).transpose().map_err(|_| problem())?;
        let credentials = (self.client.as_str(), self.secret.as_str());
        Introspector::new(client, discovery, endpoint, credentials, self.kept).ok_or_else(problem)
    }
}
