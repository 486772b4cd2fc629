//! What a verifier is told when it is made.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::jose::{JwkSet, KeySet, SignatureAlgorithm};
use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Clock;

use super::keys::Keys;
use super::seen::SeenTokens;
use super::status::StatusPolicy;
use super::{Inner, Verifier};
use crate::ambient::{SystemClock, SystemEntropy};
use crate::bearer::Resource;
use crate::layer::ClockBox;

/// The algorithms that are accepted unless said otherwise: all that Gateward signs with. None of them rests on a shared secret.
pub const DEFAULT_ALGORITHMS: &[SignatureAlgorithm] = &[
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::EdDsa,
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Ps256,
];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Why a verifier cannot be made: a mistake in what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The issuer is no address that could be asked: https, or http on this very machine; without query, fragment and user name.
    #[error("the issuer must be an https address without query and fragment (http only for loopback)")]
    Issuer,
    /// No audience was named. A token for somebody else would be accepted, which is how tokens are stolen.
    #[error("name the audience: the resource for which tokens must be made")]
    NoAudience,
    /// No algorithm is allowed, or one that rests on a shared secret, which has no place in a public key set.
    #[error("the allowed algorithms must be one or more with public keys")]
    Algorithms,
    /// None of the given keys is for an allowed algorithm.
    #[error("none of the keys is for an allowed algorithm")]
    NoKey,
    /// Keys are neither given nor can they be fetched: the feature `remote` is off.
    #[error("give the keys, or switch on the feature `remote` to have them fetched")]
    NoSource,
    /// A host, a root certificate or the credentials for introspection cannot be used.
    #[error("{0}")]
    Remote(String),
}

/// What a [`Verifier`] is told. Only the audience has no default.
#[must_use]
pub struct VerifierBuilder {
    pub(super) issuer: String,
    pub(super) keys: Option<JwkSet>,
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    pub(super) types: Vec<String>,
    pub(super) skew: Duration,
    pub(super) status: StatusPolicy,
    pub(super) needs_place: bool,
    pub(super) tokens: usize,
    pub(super) lists: usize,
    pub(super) outlive: Duration,
    pub(super) realm: Option<String>,
    pub(super) metadata: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    #[cfg(feature = "remote")]
    pub(super) remote: super::remote::Remote,
}

impl std::fmt::Debug for VerifierBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifierBuilder({} for {})", self.issuer, self.audiences.join(", "))
    }
}

impl VerifierBuilder {
    pub(super) fn new(issuer: String) -> Self {
        VerifierBuilder {
            issuer,
            keys: None,
            audiences: Vec::new(),
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            types: vec!["at+jwt".into()],
            skew: Duration::from_secs(30),
            status: StatusPolicy::default(),
            needs_place: true,
            tokens: 16 << 20,
            lists: 64 << 20,
            outlive: DAY,
            realm: None,
            metadata: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            #[cfg(feature = "remote")]
            remote: super::remote::Remote::default(),
        }
    }

    /// The resource tokens must be made for: one of these must be in their `aud`, exactly so. Usually the address of your API.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Uses these keys instead of those the issuer publishes. They are never refreshed.
    pub fn with_keys(mut self, keys: JwkSet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Accepts these algorithms only, whatever keys there are. Default: [`DEFAULT_ALGORITHMS`].
    pub fn algorithms(mut self, algorithms: &[SignatureAlgorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Accepts tokens of this type (`typ`) instead of `at+jwt`.
    pub fn typ(mut self, typ: impl Into<String>) -> Self {
        self.types = vec![typ.into()];
        self
    }

    /// How far the clocks of issuer and verifier may be apart. Default: 30 seconds.
    pub fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// How revocations are learnt. Default: not at all. With any other policy, a token that cannot be revoked is refused.
    pub fn status(mut self, policy: StatusPolicy) -> Self {
        self.status = policy;
        self
    }

    /// The room for tokens that were checked before. Default: 16 MiB, about five thousand of them.
    pub fn token_budget(mut self, bytes: usize) -> Self {
        self.tokens = bytes;
        self
    }

    /// The room for status lists. Default: 64 MiB; a list of a million tokens takes 128 KiB.
    pub fn list_budget(mut self, bytes: usize) -> Self {
        self.lists = bytes;
        self
    }

    /// How long the issuer's keys count while it cannot be reached. Default: a day.
    pub fn keys_outlive(mut self, span: Duration) -> Self {
        self.outlive = span;
        self
    }

    /// The `realm` in refusals. Default: the first audience.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The address of the resource's metadata, which refusals then name (RFC 9728 §5.1).
    pub fn resource_metadata(mut self, address: impl Into<String>) -> Self {
        self.metadata = Some(address.into());
        self
    }

    /// Another clock: for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Other randomness: for tests. It only spreads the calls of many verifiers.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// For tokens of this type, which need not be revocable.
    pub(crate) fn one_time(mut self, typ: &str) -> Self {
        (self.types, self.needs_place) = (vec![typ.into()], false);
        self
    }

    /// The verifier. Within a tokio runtime it begins to listen for revocations at once, where it is told to; else with the first
    /// token.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(BuildError::NoAudience);
        }
        if self.algorithms.is_empty() || self.algorithms.iter().any(|algorithm| algorithm.is_hmac()) {
            return Err(BuildError::Algorithms);
        }
        if self.issuer.is_empty() {
            return Err(BuildError::Issuer);
        }
        let fixed = self.keys.as_ref().map(|keys| KeySet::from_jwks(keys, &self.algorithms));
        if fixed.as_ref().is_some_and(KeySet::is_empty) {
            return Err(BuildError::NoKey);
        }
        let (source, status) = self.source(fixed.map(Keys::Fixed))?;
        let audience = self.audiences.first().map(String::as_str).unwrap_or_default();
        let resource = Resource::new(
            self.realm.as_deref().unwrap_or(audience),
            self.metadata.as_deref(),
            ClockBox(self.clock.clone()),
        );
        let inner = Inner {
            issuer: self.issuer,
            audiences: self.audiences,
            algorithms: self.algorithms,
            types: self.types,
            skew: self.skew,
            needs_place: self.needs_place,
            resource: Arc::new(resource),
            clock: self.clock,
            source,
            status,
            seen: SeenTokens::new(self.tokens),
        };
        inner.listen();
        Ok(Verifier { inner: Arc::new(inner) })
    }

    #[cfg(not(feature = "remote"))]
    fn source(&self, fixed: Option<Keys>) -> Result<(super::Source, super::Status), BuildError> {
        let keys = fixed.ok_or(BuildError::NoSource)?;
        Ok((super::Source::Keys(Arc::new(keys)), super::Status::Ignored))
    }
}
