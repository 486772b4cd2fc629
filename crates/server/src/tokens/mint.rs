//! The one mint: every access token is made here.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::grant::Grant;
use gateward_kernel::handle::HandleKey;
use gateward_kernel::id::AccessTokenId;
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Fault, FaultKind, Kv};
use gateward_kernel::record::Book;
use gateward_kernel::secret::{Entropy, RootKey, Secret};
use gateward_kernel::session::{Method, Session};
use gateward_kernel::time::Moment;
use gateward_kernel::token::{AccessClaims, AccessToken, OpaqueToken, StatusClaim, StatusListClaim};
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::resource::Resource;
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
    claims: Vec<String>,
    groups: bool,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
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
            claims: settings.tokens.claims.iter().map(|claim| claim.as_str().to_owned()).collect(),
            groups: settings.tokens.groups,
        }
    }

    /// An access token for this resource, from this grant. It ends with the grant and the session at the latest.
    pub async fn access_token(
        &self,
        grant: &Grant,
        session: Option<&Session>,
        person: &Person,
        resource: &Resource,
        now: Moment,
    ) -> Result<Minted, Fault> {
        let ends = session.map_or(grant.ends, |session| grant.ends.min(session.ends));
        let expires = (now + resource.lifetime).min(ends);
        let token = match resource.format {
            TokenFormat::Jwt => Zeroizing::new(self.jwt(grant, person, resource, now, expires)?),
            TokenFormat::Opaque => self.opaque(grant, now, expires).await?,
        };
        Ok(Minted { token, expires_in: expires.since(now) })
    }

    fn jwt(
        &self,
        grant: &Grant,
        person: &Person,
        resource: &Resource,
        now: Moment,
        expires: Moment,
    ) -> Result<String, Fault> {
        let mut jti = [0; 16];
        self.entropy.fill(&mut jti);
        let (sub, jti, sid) =
            (grant.person.to_string(), BASE64URL_NOPAD.encode(&jti), grant.session.map(|id| id.to_string()));
        let uri = grant.status.map(|place| (place.index, list_uri(&self.issuer, place.list)));
        let amr: Vec<&str> = grant.proofs.iter().map(|proof| method(proof.method)).collect();
        let custom = self.custom(person);
        let claims = AccessClaims {
            iss: &self.issuer,
            sub: &sub,
            aud: &grant.audience,
            exp: expires.seconds(),
            iat: now.seconds(),
            jti: &jti,
            client_id: &grant.client,
            scope: &grant.scope,
            auth_time: grant.proofs.iter().map(|proof| proof.at).max().map(Moment::seconds),
            acr: None,
            amr: &amr,
            sid: sid.as_deref(),
            groups: self.groups.then_some(&*person.groups).filter(|groups| !groups.is_empty()),
            status: uri
                .as_ref()
                .map(|(idx, uri)| StatusClaim { status_list: StatusListClaim { idx: *idx, uri } }),
            issued: now.micros(),
            custom: custom.as_ref(),
        };
        self.sign(ACCESS_TYPE, resource.algorithm, &claims, now)
    }

    /// Signs claims as a JWT of this type.
    pub fn sign(
        &self,
        typ: &'static str,
        algorithm: gateward_kernel::jose::SignatureAlgorithm,
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

    async fn opaque(&self, grant: &Grant, now: Moment, expires: Moment) -> Result<Zeroizing<String>, Fault> {
        let secret = Secret::random(&*self.entropy);
        let handle = self.handles.handle(AccessTokenId::random(&*self.entropy), secret);
        let token = AccessToken {
            id: handle.id,
            digest: handle.digest(),
            grant: grant.id,
            session: grant.session,
            person: grant.person,
            client: grant.client.clone(),
            since: grant.since,
            proofs: grant.proofs.clone(),
            audience: grant.audience.clone(),
            scope: grant.scope.clone(),
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
fn method(method: Method) -> &'static str {
    match method {
        Method::Password => "pwd",
    }
}
