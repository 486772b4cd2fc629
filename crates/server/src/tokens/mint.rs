//! The one mint: every access token is made here.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::claims::StandardScope;
use gateward_kernel::confirmation::Confirmation;
use gateward_kernel::grant::Grant;
use gateward_kernel::handle::HandleKey;
use gateward_kernel::id::AccessTokenId;
use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Fault, FaultKind, Kv};
use gateward_kernel::record::Book;
use gateward_kernel::secret::{Entropy, RootKey, Secret};
use gateward_kernel::session::{Method, Proof, Session};
use gateward_kernel::status::StatusIndex;
use gateward_kernel::time::Moment;
use gateward_kernel::token::{
    AccessClaims, AccessToken, Audience, OpaqueToken, Scope, StatusClaim, StatusListClaim,
};
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::resource::{Resource, USERINFO};
use super::ring::KeyRing;
use crate::config::{Settings, TokenFormat};

/// The `typ` of JWT access tokens (RFC 9068 §2.1).
pub const ACCESS_TYPE: &str = "at+jwt";

/// Makes access tokens.
pub struct Mint {
    ring: Arc<KeyRing>,
    opaque: Book<AccessToken>,
    handles: HandleKey<AccessTokenId>,
    entropy: Arc<dyn Entropy>,
    issuer: String,
    userinfo: String,
    claims: Vec<String>,
    groups: bool,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}

/// What an access token is to be.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Whose it is.
    pub holder: Holder<'a>,
    /// For which client.
    pub client: &'a str,
    /// For which resources.
    pub audience: &'a Audience,
    /// What it allows.
    pub scope: &'a Scope,
    /// What it is, for how long, and how it is signed.
    pub terms: Terms,
    /// The key that its bearer has to prove.
    pub confirmation: Confirmation,
    /// Rich authorization details.
    pub details: Option<&'a Value>,
    /// Who acts for the person.
    pub act: Option<&'a Value>,
}

impl<'a> Order<'a> {
    /// Everything that this grant yields, on the terms of its resource.
    pub fn whole(
        grant: &'a Grant,
        session: Option<&'a Session>,
        person: &'a Person,
        resource: &Resource,
    ) -> Self {
        Order {
            holder: Holder::Grant { grant, session, person },
            client: &grant.client,
            audience: &grant.audience,
            scope: &grant.scope,
            terms: resource.terms(),
            confirmation: Confirmation::NONE,
            details: None,
            act: None,
        }
    }
}

/// Whose an access token is.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// What a person gave.
    Grant {
        /// What they gave.
        grant: &'a Grant,
        /// The session it hangs on.
        session: Option<&'a Session>,
        /// Who they are.
        person: &'a Person,
    },
    /// The client's own, and where its revocation is published.
    Client(StatusIndex),
}

impl<'a> Holder<'a> {
    const fn grant(&self) -> Option<&'a Grant> {
        match self {
            Holder::Grant { grant, .. } => Some(grant),
            Holder::Client(_) => None,
        }
    }

    const fn place(&self) -> Option<StatusIndex> {
        match self {
            Holder::Grant { grant, .. } => grant.status,
            Holder::Client(place) => Some(*place),
        }
    }
}

/// What an access token is, for how long, and how it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What it is.
    pub format: TokenFormat,
    /// For how long it counts.
    pub lifetime: Duration,
    /// How it is signed.
    pub algorithm: SignatureAlgorithm,
}

/// When the person proved last who they are.
pub fn auth_time(proofs: &[Proof]) -> Option<Moment> {
    proofs.iter().map(|proof| proof.at).max()
}

/// An access token, for its client's eyes only.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub token: Zeroizing<String>,
    /// How long it counts.
    pub expires_in: Duration,
}

impl Mint {
    /// A mint that signs with the ring's keys as `issuer`, and keeps opaque tokens in `kv`, remembered in up to `cache`
    /// bytes.
    pub fn new(
        settings: &Settings,
        issuer: &str,
        ring: Arc<KeyRing>,
        kv: Arc<dyn Kv>,
        cache: usize,
        root: &RootKey,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Mint {
            ring,
            opaque: Book::with_near_cache(kv, cache),
            handles: HandleKey::new(root),
            entropy,
            issuer: issuer.to_owned(),
            userinfo: format!("{issuer}{USERINFO}"),
            claims: settings.tokens.claims.iter().map(|claim| claim.as_str().to_owned()).collect(),
            groups: settings.tokens.groups,
        }
    }

    /// An access token. It ends with the grant and the session at the latest.
    pub async fn access_token(&self, order: &Order<'_>, now: Moment) -> Result<Minted, Fault> {
        let ends = match &order.holder {
            Holder::Grant { grant, session: Some(session), .. } => grant.ends.min(session.ends),
            Holder::Grant { grant, session: None, .. } => grant.ends,
            Holder::Client(_) => Moment::NEVER,
        };
        let expires = (now + order.terms.lifetime).min(ends);
        let token = match order.terms.format {
            TokenFormat::Jwt => Zeroizing::new(self.jwt(order, now, expires)?),
            TokenFormat::Opaque => self.opaque(order, now, expires).await?,
        };
        Ok(Minted { token, expires_in: expires.since(now) })
    }

    fn jwt(&self, order: &Order<'_>, now: Moment, expires: Moment) -> Result<String, Fault> {
        let mut jti = [0; 16];
        self.entropy.fill(&mut jti);
        let jti = BASE64URL_NOPAD.encode(&jti);
        let place = order.holder.place();
        let uri = place.map(|place| (place.index, list_uri(&self.issuer, place.list)));
        let mut claims = AccessClaims {
            iss: &self.issuer,
            sub: order.client,
            aud: order.audience,
            exp: expires.seconds(),
            iat: now.seconds(),
            jti: &jti,
            client_id: order.client,
            scope: order.scope,
            auth_time: None,
            acr: None,
            amr: &[],
            sid: None,
            grant: None,
            groups: None,
            cnf: order.confirmation,
            authorization_details: order.details,
            act: order.act,
            status: uri
                .as_ref()
                .map(|(idx, uri)| StatusClaim { status_list: StatusListClaim { idx: *idx, uri } }),
            issued: now.micros(),
            custom: None,
        };
        let Holder::Grant { grant, person, .. } = &order.holder else {
            return self.sign(ACCESS_TYPE, order.terms.algorithm, &claims, now);
        };
        let (sub, sid) = (grant.person.to_string(), grant.session.map(|id| id.to_string()));
        let id = grant.extent.as_ref().map(|_| grant.id.to_string());
        let amr: Vec<&str> = grant.proofs.iter().map(|proof| method(proof.method)).collect();
        let is_told = |scope| self.may_tell(order, grant, scope);
        let custom = self.custom(person).filter(|_| is_told(StandardScope::OpenId));
        claims.sub = &sub;
        claims.sid = sid.as_deref();
        claims.grant = id.as_deref();
        claims.amr = &amr;
        claims.custom = custom.as_ref();
        claims.auth_time = auth_time(&grant.proofs).map(Moment::seconds);
        claims.acr = grant.extent.as_ref().and_then(|extent| extent.acr.as_deref());
        let tells_groups = self.groups && is_told(StandardScope::Groups);
        claims.groups = tells_groups.then_some(&*person.groups).filter(|groups| !groups.is_empty());
        self.sign(ACCESS_TYPE, order.terms.algorithm, &claims, now)
    }

    /// Whether a token may say of the person what this scope stands for. A client of others reads its own tokens, and learns by them no more
    /// than at UserInfo; what is for a resource of the settings alone tells that what its administrator wants.
    fn may_tell(&self, order: &Order<'_>, grant: &Grant, scope: StandardScope) -> bool {
        grant.extent.is_none() || !order.audience.has(&self.userinfo) || order.scope.has(scope.name())
    }

    /// Signs claims as a JWT of this type.
    pub fn sign(
        &self,
        typ: &'static str,
        algorithm: SignatureAlgorithm,
        claims: &impl Serialize,
        now: Moment,
    ) -> Result<String, Fault> {
        let trouble = |cause: String| Fault::new("key ring", FaultKind::Unavailable, cause);
        let signer = self.ring.signer(algorithm, typ, now);
        let signer = signer.ok_or_else(|| trouble(format!("no key for {} yet", algorithm.name())))?;
        signer.sign_claims(claims).map_err(|error| trouble(error.to_string()))
    }

    /// The person's claims that the settings put into tokens.
    fn custom(&self, person: &Person) -> Option<Map<String, Value>> {
        let named = |name: &String| person.claims.get(name).map(|value| (name.clone(), value.clone()));
        let found: Map<String, Value> = self.claims.iter().filter_map(named).collect();
        (!found.is_empty()).then_some(found)
    }

    async fn opaque(
        &self,
        order: &Order<'_>,
        now: Moment,
        expires: Moment,
    ) -> Result<Zeroizing<String>, Fault> {
        let secret = Secret::random(&*self.entropy);
        let handle = self.handles.handle(AccessTokenId::random(&*self.entropy), secret);
        let grant = order.holder.grant();
        let extent = grant.and_then(|grant| grant.extent.clone());
        let token = AccessToken {
            id: handle.id,
            digest: handle.digest(),
            grant: grant.map(|grant| grant.id),
            session: grant.and_then(|grant| grant.session),
            person: grant.map(|grant| grant.person),
            client: order.client.into(),
            since: grant.map_or(now, |grant| grant.since),
            proofs: grant.map(|grant| grant.proofs.clone()).unwrap_or_default(),
            audience: order.audience.clone(),
            scope: order.scope.clone(),
            confirmation: order.confirmation,
            extent,
            act: order.act.cloned(),
            issued: now,
            expires,
        };
        match self.opaque.create(token, now).await? {
            Some(_) => Ok(handle.print()),
            None => Err(Fault::new("entropy", FaultKind::Contended, "a random token id was in use")),
        }
    }

    /// What is stored of an opaque token that is alive by the clock; garbage asks no store.
    pub async fn find(
        &self,
        token: &OpaqueToken,
        now: Moment,
    ) -> Result<Option<Arc<gateward_kernel::record::Loaded<AccessToken>>>, Fault> {
        if !self.handles.made(token) {
            return Ok(None);
        }
        let found = self.opaque.load(token.id, now).await?;
        Ok(found.filter(|found| found.record.opens_with(token)))
    }

    /// The keys.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The names of the custom claims that the settings give away.
    pub fn claims(&self) -> &[String] {
        &self.claims
    }

    /// The issuer's name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// The address of a status list.
pub fn list_uri(issuer: &str, list: gateward_kernel::id::ListId) -> String {
    format!("{issuer}/oauth/status/{list}")
}

/// The name of a method in `amr` (RFC 8176).
pub fn method(method: Method) -> &'static str {
    match method {
        Method::Password => "pwd",
    }
}
