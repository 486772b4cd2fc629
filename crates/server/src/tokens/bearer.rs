//! Access tokens as they come back: read strictly, and believed only while everything they hang on lives.

use std::sync::Arc;
use std::time::Duration;

use gateward_guard::{Accountable, People};
use gateward_kernel::id::{ListId, PersonId, SessionId};
use gateward_kernel::jose::{self, Audience, Expectations, Limits};
use gateward_kernel::ports::Fault;
use gateward_kernel::secret::Digest;
use gateward_kernel::session::{Standing, Validity};
use gateward_kernel::time::Moment;
use gateward_kernel::token::{OpaqueToken, Scope};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::mint::{ACCESS_TYPE, list_uri};
use crate::app::App;
use crate::people::Known;

/// The largest access token that is looked at.
const LONGEST: usize = 8 * 1024;
/// Clocks of the nodes of one installation may differ by this much.
const SKEW: Duration = Duration::from_secs(5);

/// Who comes with a token, and what it allows.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Who gave the grant behind it.
    pub person: Arc<Known>,
    /// The session it hangs on.
    pub session: Option<SessionId>,
    /// To which client it was issued.
    pub client: Box<str>,
    /// What it allows.
    pub scope: Scope,
    /// When the person proved who they are, in the newest proof.
    pub authenticated: Option<Moment>,
}

/// What a JWT said once its signature was found to be ours.
#[derive(Debug)]
struct Seen {
    kid: Box<str>,
    person: PersonId,
    session: Option<SessionId>,
    client: Box<str>,
    audiences: Vec<Box<str>>,
    scope: Scope,
    authenticated: Option<Moment>,
    issued: Moment,
    expires: Moment,
    status: Option<(ListId, u32)>,
}

/// JWTs whose signatures were checked, by the SHA-256 of the whole token: one that comes again costs a look-up. What can
/// change (expiry, revocation, the person, the key) is asked at every use.
pub struct SeenTokens(Cache<[u8; 32], Arc<Seen>, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<[u8; 32], Arc<Seen>> for ByBytes {
    fn weight(&self, _: &[u8; 32], seen: &Arc<Seen>) -> u64 {
        let names: usize = seen.audiences.iter().map(|name| name.len() + 16).sum();
        (32 + size_of::<Seen>() + names + seen.client.len() + seen.kid.len() + seen.scope.weight()) as u64
    }
}

impl std::fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SeenTokens")
    }
}

impl SeenTokens {
    /// A memory of up to `budget` bytes.
    pub fn new(budget: usize) -> Self {
        SeenTokens(Cache::with_weighter(budget / 512, budget as u64, ByBytes))
    }
}

/// Who comes with this token, if it is good for `audience` now.
pub async fn check(app: &App, token: &[u8], audience: &str, now: Moment) -> Result<Option<Bearer>, Fault> {
    if let Ok(token) = OpaqueToken::read(token) {
        return opaque(app, &token, audience, now).await;
    }
    let Some(seen) = seen(app, token, now) else { return Ok(None) };
    if !seen.holds(app, audience, now) {
        return Ok(None);
    }
    if let Some((list, index)) = seen.status
        && app.tokens.status.is_revoked(list, index, now).await?
    {
        return Ok(None);
    }
    let Some(person) = app.sessions.people().load(seen.person, now).await? else { return Ok(None) };
    let validity = person.validity();
    let counts = match seen.session {
        None => !validity.disabled && seen.issued > validity.from,
        Some(id) => lives(app, id, validity, now).await?,
    };
    Ok(counts.then(|| seen.by(person)))
}

/// The same from memory alone, for a JWT that comes again. `None` when memory cannot tell.
pub fn check_in_memory(app: &App, token: &[u8], audience: &str, now: Moment) -> Option<Option<Bearer>> {
    if token.len() > LONGEST {
        return None;
    }
    let seen = app.tokens.seen.0.get(Digest::of(token).as_bytes())?;
    if !seen.holds(app, audience, now) {
        return Some(None);
    }
    if let Some((list, index)) = seen.status
        && app.tokens.status.is_revoked_in_memory(list, index)?
    {
        return Some(None);
    }
    let person = app.sessions.people().hit(seen.person, now)?;
    let validity = person.validity();
    let counts = match seen.session {
        None => !validity.disabled && seen.issued > validity.from,
        Some(id) => {
            let session = app.sessions.book().hit(&id, now)?;
            session.record.check_with(Some(validity), now, app.sessions.policy()) == Standing::Alive
        }
    };
    Some(counts.then(|| seen.by(person)))
}

impl Seen {
    /// Whether it is good for `audience` by what memory always knows.
    fn holds(&self, app: &App, audience: &str, now: Moment) -> bool {
        let is_for_us = self.audiences.iter().any(|name| **name == *audience);
        is_for_us && now < self.expires && app.tokens.mint.ring().verifying_keys(now).contains(&self.kid)
    }

    fn by(&self, person: Arc<Known>) -> Bearer {
        Bearer {
            person,
            session: self.session,
            client: self.client.clone(),
            scope: self.scope.clone(),
            authenticated: self.authenticated,
        }
    }
}

async fn opaque(
    app: &App,
    token: &OpaqueToken,
    audience: &str,
    now: Moment,
) -> Result<Option<Bearer>, Fault> {
    let Some(found) = app.tokens.mint.find(token, now).await? else { return Ok(None) };
    let record = &found.record;
    if !record.audience.has(audience) {
        return Ok(None);
    }
    let Some(person) = app.sessions.people().load(record.person, now).await? else { return Ok(None) };
    let validity = person.validity();
    let grant = app.tokens.grants.load(record.grant, now).await?;
    if grant.is_none_or(|grant| !grant.record.is_alive(Some(validity), now)) {
        return Ok(None);
    }
    if let Some(id) = record.session
        && !lives(app, id, validity, now).await?
    {
        return Ok(None);
    }
    Ok(Some(Bearer {
        person,
        session: record.session,
        client: record.client.clone(),
        scope: record.scope.clone(),
        authenticated: record.proofs.iter().map(|proof| proof.at).max(),
    }))
}

/// Whether the session that a token hangs on lives: usually a look into memory.
async fn lives(app: &App, id: SessionId, person: Validity, now: Moment) -> Result<bool, Fault> {
    let session = app.sessions.book().load(id, now).await?;
    let standing = session.map(|session| session.record.check_with(Some(person), now, app.sessions.policy()));
    Ok(standing == Some(Standing::Alive))
}

/// What the JWT says, if we signed it: from memory, or checked now.
fn seen(app: &App, token: &[u8], now: Moment) -> Option<Arc<Seen>> {
    if token.len() > LONGEST {
        return None;
    }
    let key = *Digest::of(token).as_bytes();
    if let Some(seen) = app.tokens.seen.0.get(&key) {
        return Some(seen);
    }
    let seen = Arc::new(verify(app, token, now)?);
    app.tokens.seen.0.insert(key, seen.clone());
    Some(seen)
}

fn verify(app: &App, token: &[u8], now: Moment) -> Option<Seen> {
    let issuer = app.tokens.mint.issuer();
    let unverified = jose::parse(token, Limits::default()).ok()?;
    let verified = unverified
        .verify(&app.tokens.mint.ring().verifying_keys(now), app.tokens.mint.ring().algorithms())
        .ok()?;
    let claims = jose::Claims::read(verified.payload()).ok()?;
    let mut expected = Expectations::new(&[ACCESS_TYPE], &[], now).from(issuer);
    expected.audience = Audience::Anybody;
    expected.skew = SKEW;
    expected.check(verified.header(), &claims).ok()?;
    let text = |name| claims.text(name).ok().flatten();
    let status = match claims.others.get("status").and_then(|status| status.get("status_list")) {
        None => None,
        Some(place) => {
            let index = u32::try_from(place.get("idx")?.as_u64()?).ok()?;
            let list = place.get("uri")?.as_str()?.rsplit('/').next()?.parse().ok()?;
            (place.get("uri")?.as_str()? == list_uri(issuer, list)).then_some(())?;
            Some((list, index))
        }
    };
    let issued =
        claims.others.get("gateward_iat").and_then(serde_json::Value::as_i64).map(Moment::from_micros);
    Some(Seen {
        kid: verified.header().kid()?.into(),
        person: claims.subject.as_deref()?.parse().ok()?,
        session: match text("sid") {
            Some(id) => Some(id.parse().ok()?),
            None => None,
        },
        client: text("client_id")?.into(),
        audiences: claims.audiences.iter().map(|name| name.as_str().into()).collect(),
        scope: text("scope").unwrap_or_default().parse().ok()?,
        authenticated: claims.time("auth_time").ok()?,
        issued: issued.or(claims.issued_at)?,
        expires: claims.expires?,
        status,
    })
}
