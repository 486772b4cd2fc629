//! Checking the access tokens of an issuer, without asking it each time.
//!
//! ```no_run
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use gateward_guard::verify::{Stale, StatusPolicy, Verifier};
//!
//! let verifier = Verifier::for_issuer("https://login.example.com")
//!     .audience("https://api.example.com")
//!     .status(StatusPolicy::Push(Stale::Deny))
//!     .build()?;
//! let claims = verifier.verify(token).await?;
//! println!("{} may {}", claims.subject(), claims.scope());
//! # Ok(()) }
//! ```
//!
//! The signature of a token is checked once; after that it is recognised by the SHA-256 of the whole of it, and only what can
//! change is asked: its expiry, its revocation, the issuer's keys. That needs neither the network nor a wait.

#![cfg_attr(
    not(feature = "remote"),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        irrefutable_let_patterns,
        reason = "without an issuer to ask, what a verifier knows never changes"
    )
)]

mod builder;
mod claims;
#[cfg(feature = "remote")]
mod client;
mod denied;
#[cfg(feature = "remote")]
mod discovery;
#[cfg(feature = "remote")]
mod fetched;
#[cfg(feature = "remote")]
mod introspect;
mod keys;
#[cfg(feature = "remote")]
mod remote;
mod seen;
mod status;

use std::sync::Arc;
use std::time::Duration;

pub use builder::{BuildError, DEFAULT_ALGORITHMS, VerifierBuilder};
pub use claims::Claims;
use claims::Said;
pub use denied::{Denied, Outage};
use gateward_kernel::jose::{self, Expectations, Limits};
pub use gateward_kernel::jose::{BadClaims, Invalid, JwkSet, Malformed, Refused, SignatureAlgorithm};
use gateward_kernel::secret::Digest;
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::{Clock, Moment};
use keys::Keys;
use seen::{Seen, SeenTokens};
use status::{Place, Status};
pub use status::{Stale, StatusPolicy};

use crate::bearer::Resource;

/// Checks the tokens of one issuer for one resource. Clones share everything; the tasks behind it end with the last one.
#[derive(Clone, Debug)]
pub struct Verifier {
    inner: Arc<Inner>,
}

/// How full the memory of a [`Verifier`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Tokens that would be recognised.
    pub tokens: usize,
    /// The bytes they take, about.
    pub bytes: u64,
    /// How old the knowledge of revocations is; `None` where the verifier does not listen for them.
    pub knowledge: Option<Duration>,
}

pub(crate) struct Inner {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<SignatureAlgorithm>,
    types: Vec<String>,
    skew: Duration,
    /// Whether a token must say where its revocation is published.
    needs_place: bool,
    resource: Arc<Resource>,
    clock: Arc<dyn Clock>,
    source: Source,
    status: Status,
    seen: SeenTokens,
}

/// Who says whether a token is genuine.
#[derive(Debug)]
pub(crate) enum Source {
    /// Its signature.
    Keys(Arc<Keys>),
    /// The issuer, asked about each.
    #[cfg(feature = "remote")]
    Introspection(introspect::Introspector),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier for the tokens of this issuer: its `iss`, which is also the address of its metadata.
    pub fn for_issuer(issuer: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into())
    }

    /// What the token says, if it counts now. Fetches what is missing: at first, and then when keys or lists are due; must then be
    /// called within a tokio runtime with time and I/O.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        if token.len() > Limits::default().token {
            return Err(Malformed::TooLong.into());
        }
        let key = Digest::of(token.as_bytes());
        match self.recognise(&key) {
            Some(Err(denied)) if denied.is_outage() => {
                // Whoever should listen may have ended with the runtime it began in.
                self.inner.listen();
                Err(denied)
            }
            Some(answer) => answer,
            None => self.verify_anew(token, key).await,
        }
    }

    /// The same from memory alone, without waiting and without an allocation; `None` when memory cannot tell.
    pub fn verify_cached(&self, token: &str) -> Option<Result<Arc<Claims>, Denied>> {
        if token.len() > Limits::default().token {
            return None;
        }
        self.recognise(&Digest::of(token.as_bytes()))
    }

    fn recognise(&self, key: &Digest) -> Option<Result<Arc<Claims>, Denied>> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        let seen = inner.seen.get(key)?;
        if now >= seen.recheck || inner.source.generation(now)? != seen.generation {
            return None;
        }
        if now >= seen.claims.expires() + inner.skew {
            inner.seen.forget(key);
            return Some(Err(BadClaims::Expired.into()));
        }
        Some(inner.status_now(&seen, now)?.map(|()| seen.claims.clone()))
    }

    /// Fetches keys and begins to listen for revocations, so that the first token need not wait. Errors when the issuer does not
    /// answer, which need not end the program: every token tries again.
    pub async fn ready(&self) -> Result<(), Denied> {
        self.inner.ready().await
    }

    /// How full its memory is.
    pub fn figures(&self) -> Figures {
        let (tokens, bytes) = self.inner.seen.figures();
        let knowledge = match &self.inner.status {
            #[cfg(feature = "remote")]
            Status::Push(listening) => Some(listening.knowledge().age(self.inner.clock.now())),
            _ => None,
        };
        Figures { tokens, bytes, knowledge }
    }

    pub(crate) fn resource(&self) -> &Arc<Resource> {
        &self.inner.resource
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    pub(crate) fn skew(&self) -> Duration {
        self.inner.skew
    }

    /// Checks everything, and remembers what was found.
    async fn verify_anew(&self, token: &str, key: Digest) -> Result<Arc<Claims>, Denied> {
        let seen = Arc::new(self.inner.verify(token).await?);
        // Revoked or not, its signature need not be checked again.
        self.inner.seen.put(&key, seen.clone());
        self.inner.status(&seen).await?;
        Ok(seen.claims.clone())
    }

    /// Checks everything, and remembers nothing: for tokens that come only once.
    pub(crate) async fn verify_once(&self, token: &str) -> Result<Arc<Claims>, Denied> {
        let seen = self.inner.verify(token).await?;
        self.inner.status(&seen).await?;
        Ok(seen.claims)
    }
}

impl Inner {
    async fn verify(&self, token: &str) -> Result<Seen, Denied> {
        let now = self.clock.now();
        let (said, generation, recheck) = match &self.source {
            Source::Keys(keys) => {
                let (said, generation) = self.signed(keys, token, now).await?;
                (said, generation, Moment::NEVER)
            }
            #[cfg(feature = "remote")]
            Source::Introspection(introspector) => {
                (self.introspected(introspector, token, now).await?, 0, now + introspector.kept)
            }
        };
        if said.registered.others.contains_key("cnf") {
            return Err(Denied::Bound);
        }
        let (claims, place) = Claims::read(said, &self.issuer, self.resource.clone())?;
        self.check_place(place.as_ref())?;
        let subject = SubjectTag::of(claims.subject());
        let client = claims.client().map(SubjectTag::of_client);
        Ok(Seen {
            claims: Arc::new(claims),
            subject,
            client,
            place,
            generation,
            recheck,
            length: token.len(),
        })
    }

    async fn signed(&self, keys: &Keys, token: &str, now: Moment) -> Result<(Said, u64), Denied> {
        let unverified = jose::parse(token, Limits::default())?;
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        let mut expected = Expectations::new(&types, &audiences, now).from(&self.issuer);
        expected.skew = self.skew;
        let attempt = |set: &jose::KeySet| {
            let verified = unverified.verify(set, &self.algorithms)?;
            let said = Said::read(verified.payload())?;
            expected.check(verified.header(), &said.registered)?;
            Ok(said)
        };
        keys.with(now, attempt).await
    }

    #[cfg(feature = "remote")]
    async fn introspected(
        &self,
        introspector: &introspect::Introspector,
        token: &str,
        now: Moment,
    ) -> Result<Said, Denied> {
        if token.len() > Limits::default().token {
            return Err(Malformed::TooLong.into());
        }
        let mut said = introspector.ask(token).await?;
        let claims = &mut said.registered;
        if claims.issuer.as_ref().is_some_and(|issuer| *issuer != self.issuer) {
            return Err(BadClaims::Issuer.into());
        }
        if !claims.audiences.iter().any(|audience| self.audiences.contains(audience)) {
            let reason =
                if claims.audiences.is_empty() { BadClaims::Missing("aud") } else { BadClaims::Audience };
            return Err(reason.into());
        }
        // An issuer may leave it out (RFC 7662 §2.2): then its answer counts as long as it is believed.
        let expires = *claims.expires.get_or_insert(now + introspector.kept.max(Duration::from_secs(1)));
        if now >= expires + self.skew {
            return Err(BadClaims::Expired.into());
        }
        Ok(said)
    }

    /// A token that cannot be revoked, or whose revocation would be told elsewhere, is not what was asked for.
    fn check_place(&self, place: Option<&Place>) -> Result<(), Denied> {
        match (&self.status, place) {
            (Status::Ignored, _) => Ok(()),
            #[cfg(feature = "remote")]
            (_, None) if self.needs_place => Err(BadClaims::Missing("status").into()),
            #[cfg(feature = "remote")]
            (_, None) => Ok(()),
            #[cfg(feature = "remote")]
            (_, Some(place)) => {
                let rest = place.uri.strip_prefix(self.issuer.as_str());
                let is_ours = rest.is_some_and(|rest| rest.starts_with('/') || self.issuer.ends_with('/'));
                if is_ours { Ok(()) } else { Err(BadClaims::Type("status").into()) }
            }
        }
    }

    /// Whether the token was revoked, as far as memory knows.
    fn status_now(&self, seen: &Seen, now: Moment) -> Option<Result<(), Denied>> {
        match (&self.status, &seen.place) {
            (Status::Ignored, _) => Some(Ok(())),
            #[cfg(feature = "remote")]
            (Status::Poll(_), None) => Some(Ok(())),
            #[cfg(feature = "remote")]
            (Status::Poll(poll), Some(place)) => poll.known(place, now),
            #[cfg(feature = "remote")]
            (Status::Push(listening), _) => Some(listening.knowledge().check(seen, now)),
        }
    }

    async fn status(&self, seen: &Seen) -> Result<(), Denied> {
        match (&self.status, &seen.place) {
            (Status::Ignored, _) => Ok(()),
            #[cfg(feature = "remote")]
            (Status::Poll(_), None) => Ok(()),
            #[cfg(feature = "remote")]
            (Status::Poll(poll), Some(place)) => poll.check(place, self.clock.now()).await,
            #[cfg(feature = "remote")]
            (Status::Push(listening), _) => {
                self.listen();
                listening.begun().await;
                listening.knowledge().check(seen, self.clock.now())
            }
        }
    }

    /// Begins to listen for revocations, where that is the way and nobody does yet.
    fn listen(&self) {
        #[cfg(feature = "remote")]
        if let Status::Push(listening) = &self.status {
            listening.start();
        }
    }

    async fn ready(&self) -> Result<(), Denied> {
        self.listen();
        if let Source::Keys(keys) = &self.source {
            keys.with(self.clock.now(), |_| Ok(())).await?;
        }
        #[cfg(feature = "remote")]
        if let Status::Push(listening) = &self.status {
            listening.begun().await;
            if listening.knowledge().age(self.clock.now()) == Duration::MAX {
                return Err(Denied::Unavailable(Outage::Status));
            }
        }
        Ok(())
    }
}

impl Source {
    fn generation(&self, now: Moment) -> Option<u64> {
        match self {
            Source::Keys(keys) => keys.generation(now),
            #[cfg(feature = "remote")]
            Source::Introspection(_) => Some(0),
        }
    }
}

/// How old something is that was had at a moment. What was had in the future is as old as can be: the clock was set back,
/// and nobody can tell.
pub(crate) fn age(now: Moment, had: Moment) -> Duration {
    const TOLERANCE: Duration = Duration::from_secs(1);
    if had > now + TOLERANCE { Duration::MAX } else { now.since(had) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_had_in_the_future_is_as_old_as_can_be() {
        let at = |seconds: i64| Moment::from_micros(seconds * 1_000_000);
        assert_eq!(age(at(15), at(10)), Duration::from_secs(5));
        assert_eq!(age(at(10), at(10)), Duration::ZERO);
        assert_eq!(age(at(10), at(11)), Duration::ZERO, "threads read the clock in any order");
        assert_eq!(age(at(10), at(11).next()), Duration::MAX);
        assert_eq!(age(at(10), Moment::DAWN), Duration::from_micros(i64::MAX.unsigned_abs()));
    }
}
