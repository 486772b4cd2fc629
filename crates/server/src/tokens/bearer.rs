//! Access tokens as they come back: read strictly, and believed only while everything they hang on lives.

use std::sync::Arc;
use std::time::Duration;

use gateward_guard::{Accountable, People};
use gateward_kernel::confirmation::Confirmation;
use gateward_kernel::grant::Grant;
use gateward_kernel::id::{GrantId, ListId, PersonId, SessionId};
use gateward_kernel::jose::{self, Audience, Expectations, Limits};
use gateward_kernel::ports::Fault;
use gateward_kernel::record::Loaded;
use gateward_kernel::secret::Digest;
use gateward_kernel::session::{Standing, Validity};
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::Moment;
use gateward_kernel::token::{OpaqueToken, Scope};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;

use super::mint::{ACCESS_TYPE, auth_time, list_uri};
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

/// What a good access token says, whoever it is for.
#[derive(Debug)]
pub struct Facts {
    /// The key of ours that signed it; empty for one that is looked up.
    kid: Box<str>,
    /// The grant behind it, where it is a client's of others.
    pub grant: Option<GrantId>,
    /// Who gave that; nobody when it is the client's own.
    pub person: Option<PersonId>,
    /// The session it hangs on.
    pub session: Option<SessionId>,
    /// To which client it was issued.
    pub client: Box<str>,
    /// By what everything of that client is cut.
    client_tag: SubjectTag,
    /// For which resources.
    pub audiences: Vec<Box<str>>,
    /// What it allows.
    pub scope: Scope,
    /// The key its bearer has to prove.
    pub confirmation: Confirmation,
    /// When the person proved who they are, in the newest proof.
    pub authenticated: Option<Moment>,
    /// How, as `acr` names it.
    pub acr: Option<Box<str>>,
    /// Who acts for the person (RFC 8693 §4.1).
    pub act: Option<Value>,
    /// Its own name.
    pub jti: Option<Box<str>>,
    /// When it was issued.
    pub issued: Moment,
    /// When it ends.
    pub expires: Moment,
    status: Option<(ListId, u32)>,
}

/// A good access token, and what it hangs on.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// What it says.
    pub facts: Arc<Facts>,
    /// Who gave the grant behind it; nobody when it is the client's own.
    pub person: Option<Arc<Known>>,
    /// The grant behind it, where it is a client's of others.
    pub grant: Option<Arc<Loaded<Grant>>>,
}

/// JWTs whose signatures were checked, by the SHA-256 of the whole token: one that comes again costs a look-up. What can
/// change (expiry, revocation, the person, the key) is asked at every use.
pub struct SeenTokens(Cache<[u8; 32], Arc<Facts>, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<[u8; 32], Arc<Facts>> for ByBytes {
    fn weight(&self, _: &[u8; 32], seen: &Arc<Facts>) -> u64 {
        let names: usize = seen.audiences.iter().map(|name| name.len() + 16).sum();
        let act = seen.act.as_ref().map_or(0, |_| 512);
        (32 + size_of::<Facts>() + names + seen.client.len() + seen.kid.len() + seen.scope.weight() + act)
            as u64
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

/// Who comes with this token, if it is good for `audience` now. One that is bound to a key is not good as it is: whoever takes
/// such ones looks at the proof, too.
pub async fn check(app: &App, token: &[u8], audience: &str, now: Moment) -> Result<Option<Bearer>, Fault> {
    let Some(found) = inspect(app, token, now).await? else { return Ok(None) };
    if !found.facts.is_for(audience) || !found.facts.confirmation.is_none() {
        return Ok(None);
    }
    Ok(found.person.map(|person| found.facts.by(person)))
}

/// The same from memory alone, for a JWT that comes again. `None` when memory cannot tell.
pub fn check_in_memory(app: &App, token: &[u8], audience: &str, now: Moment) -> Option<Option<Bearer>> {
    let found = inspect_in_memory(app, token, now)?;
    let fits = |found: &Inspected| found.facts.is_for(audience) && found.facts.confirmation.is_none();
    let found = found.filter(fits);
    Some(found.and_then(|found| found.person.map(|person| found.facts.by(person))))
}

/// What a token says, if everything it hangs on lives now. For whom it is, and whether its bearer proved a key, is left to
/// the caller.
pub async fn inspect(app: &App, token: &[u8], now: Moment) -> Result<Option<Inspected>, Fault> {
    let facts = match OpaqueToken::read(token) {
        Ok(token) => match opaque(app, &token, now).await? {
            Some(facts) => Arc::new(facts),
            None => return Ok(None),
        },
        Err(_) => match seen(app, token, now) {
            Some(facts) => facts,
            None => return Ok(None),
        },
    };
    if !facts.holds(app, now) {
        return Ok(None);
    }
    if let Some((list, index)) = facts.status
        && app.tokens.status.is_revoked(list, index, now).await?
    {
        return Ok(None);
    }
    if app.tokens.status.is_cut(facts.client_tag, facts.issued, now).await? {
        return Ok(None);
    }
    let Some(person) = facts.person else {
        let own = SubjectTag::of(&facts.client);
        let is_cut = app.tokens.status.is_cut(own, facts.issued, now).await?;
        return Ok((!is_cut).then_some(Inspected { facts, person: None, grant: None }));
    };
    let Some(person) = app.sessions.people().load(person, now).await? else { return Ok(None) };
    let validity = person.validity();
    let grant = match facts.grant {
        None => None,
        Some(id) => match app.tokens.grants.load(id, now).await? {
            Some(grant) if grant.record.is_alive(Some(validity), now) => Some(grant),
            _ => return Ok(None),
        },
    };
    if let Some(first) = grant.as_ref().and_then(|grant| facts.exchanged_from(&grant.record))
        && app.tokens.status.is_cut(first, facts.issued, now).await?
    {
        return Ok(None);
    }
    let counts = match facts.session {
        None => facts.counts(validity),
        Some(id) => lives(app, id, validity, now).await?,
    };
    Ok(counts.then_some(Inspected { facts, person: Some(person), grant }))
}

/// The same from memory alone, for a JWT that comes again. `None` when memory cannot tell.
pub fn inspect_in_memory(app: &App, token: &[u8], now: Moment) -> Option<Option<Inspected>> {
    if token.len() > LONGEST {
        return None;
    }
    let facts = app.tokens.seen.0.get(Digest::of(token).as_bytes())?;
    if !facts.holds(app, now) {
        return Some(None);
    }
    if let Some((list, index)) = facts.status
        && app.tokens.status.is_revoked_in_memory(list, index)?
    {
        return Some(None);
    }
    if app.tokens.status.is_cut_in_memory(facts.client_tag, facts.issued)? {
        return Some(None);
    }
    let Some(person) = facts.person else {
        let is_cut = app.tokens.status.is_cut_in_memory(SubjectTag::of(&facts.client), facts.issued)?;
        return Some((!is_cut).then_some(Inspected { facts, person: None, grant: None }));
    };
    let person = app.sessions.people().hit(person, now)?;
    let validity = person.validity();
    let grant = match facts.grant {
        None => None,
        Some(id) => Some(app.tokens.grants.hit(id, now)?),
    };
    if grant.as_ref().is_some_and(|grant| !grant.record.is_alive(Some(validity), now)) {
        return Some(None);
    }
    if let Some(first) = grant.as_ref().and_then(|grant| facts.exchanged_from(&grant.record))
        && app.tokens.status.is_cut_in_memory(first, facts.issued)?
    {
        return Some(None);
    }
    let counts = match facts.session {
        None => facts.counts(validity),
        Some(id) => {
            let session = app.sessions.book().hit(&id, now)?;
            session.record.check_with(Some(validity), now, app.sessions.policy()) == Standing::Alive
        }
    };
    Some(counts.then_some(Inspected { facts, person: Some(person), grant }))
}

impl Facts {
    /// Whether this resource may accept it.
    pub fn is_for(&self, audience: &str) -> bool {
        self.audiences.iter().any(|name| **name == *audience)
    }

    /// Where it was exchanged (RFC 8693): by what everything of the client is cut that the person gave the grant to.
    fn exchanged_from(&self, grant: &Grant) -> Option<SubjectTag> {
        (grant.client != self.client).then(|| SubjectTag::of_client(&grant.client))
    }

    /// Whether it has not ended, and its key is still one of ours.
    fn holds(&self, app: &App, now: Moment) -> bool {
        let is_known = || app.tokens.mint.ring().verifying_keys(now).contains(&self.kid);
        now < self.expires && (self.kid.is_empty() || is_known())
    }

    /// Whether it counts for this person without a session.
    fn counts(&self, person: Validity) -> bool {
        !person.disabled && self.issued > person.from
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

async fn opaque(app: &App, token: &OpaqueToken, now: Moment) -> Result<Option<Facts>, Fault> {
    let Some(found) = app.tokens.mint.find(token, now).await? else { return Ok(None) };
    let record = &found.record;
    Ok(Some(Facts {
        kid: "".into(),
        grant: record.grant,
        person: record.person,
        session: record.session,
        client: record.client.clone(),
        client_tag: SubjectTag::of_client(&record.client),
        audiences: record.audience.iter().map(Into::into).collect(),
        scope: record.scope.clone(),
        confirmation: record.confirmation,
        authenticated: auth_time(&record.proofs),
        acr: record.extent.as_ref().and_then(|extent| extent.acr.clone()),
        act: record.act.clone(),
        jti: None,
        issued: record.issued,
        expires: record.expires,
        status: None,
    }))
}

async fn lives(app: &App, id: SessionId, person: Validity, now: Moment) -> Result<bool, Fault> {
    let session = app.sessions.book().load(id, now).await?;
    let standing = session.map(|session| session.record.check_with(Some(person), now, app.sessions.policy()));
    Ok(standing == Some(Standing::Alive))
}

/// The JWT as it was read, now or before; `None` when it is not one of ours.
fn seen(app: &App, token: &[u8], now: Moment) -> Option<Arc<Facts>> {
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

fn verify(app: &App, token: &[u8], now: Moment) -> Option<Facts> {
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
    let issued = claims.others.get("gateward_iat").and_then(Value::as_i64).map(Moment::from_micros);
    let client: Box<str> = text("client_id")?.into();
    let subject = claims.subject.as_deref()?;
    let confirmation = match claims.others.get("cnf") {
        None => Confirmation::NONE,
        Some(value) => serde_json::from_value(value.clone()).ok()?,
    };
    Some(Facts {
        kid: verified.header().kid()?.into(),
        grant: parsed(text("gateward_grant"))?,
        // A client that has no person behind it is its own subject (RFC 9068 §2.2).
        person: if *client == *subject { None } else { Some(subject.parse().ok()?) },
        session: parsed(text("sid"))?,
        client_tag: SubjectTag::of_client(&client),
        client,
        audiences: claims.audiences.iter().map(|name| name.as_str().into()).collect(),
        scope: text("scope").unwrap_or_default().parse().ok()?,
        confirmation,
        authenticated: claims.time("auth_time").ok()?,
        acr: text("acr").map(Into::into),
        act: claims.others.get("act").cloned(),
        jti: claims.id.as_deref().map(Into::into),
        issued: issued.or(claims.issued_at)?,
        expires: claims.expires?,
        status,
    })
}

/// Nothing where nothing is; `None` where something cannot be read.
fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Option<Option<T>> {
    text.map(str::parse).transpose().ok()
}
