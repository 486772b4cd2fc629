//! ID tokens that come back as a hint of whom they were about (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2): ours by their
//! signature, however long ago they expired.

use gateward_kernel::jose::{Claims, Jwk, KeySet, Limits, VerifyingKey, parse};
use gateward_kernel::time::Moment;

use crate::app::App;

/// Whom an ID token was about, and for which client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The client.
    pub client: Box<str>,
    /// The person, by the name that the client knows.
    pub subject: Box<str>,
    /// The session.
    pub session: Option<Box<str>>,
    /// Whether a key of ours has signed it; else the client's secret has, by which the client can make such tokens itself.
    pub is_signed_here: bool,
    /// When it was issued.
    pub issued: Option<Moment>,
    /// When it ends.
    pub expires: Moment,
}

/// Reads an ID token of ours; `None` when it is none.
pub fn read(app: &App, text: &str, now: Moment) -> Option<Hint> {
    let unverified = parse(text, Limits::default()).ok()?;
    let ring = app.tokens.mint.ring();
    // Of all that is signed here, only ID tokens and answers to their clients have this type, and only logout tokens tell events.
    if unverified.header().typ() != Some("JWT") {
        return None;
    }
    let (claims, is_signed_here) = match unverified.verify(&ring.verifying_keys(now), ring.algorithms()) {
        Ok(verified) => (Claims::read(verified.payload()).ok()?, true),
        Err(_) => (by_secret(app, text, now)?, false),
    };
    // An access token says for which client it is, too, and is no ID token.
    let is_ours = claims.issuer.as_deref() == Some(app.tokens.mint.issuer())
        && !claims.others.contains_key("client_id");
    // UserInfo as a signed answer has the same type and names the same, and never ends (OpenID Connect Core §2, §5.3.2).
    let expires = claims.expires?;
    let [client] = claims.audiences.as_slice() else { return None };
    is_ours.then_some(())?;
    Some(Hint {
        client: client.as_str().into(),
        subject: claims.subject.as_deref()?.into(),
        session: claims.text("sid").ok()?.map(Into::into),
        is_signed_here,
        issued: claims.issued_at,
        expires,
    })
}

/// The client that an ID token names; nothing of it is believed yet.
pub fn claimed_client(text: &str) -> Option<String> {
    let unverified = parse(text, Limits::default()).ok()?;
    let claimed = Claims::read(&unverified.unverified_payload().ok()?).ok()?;
    claimed.audiences.into_iter().next()
}

/// One that was made with the secret of the client that it names.
fn by_secret(app: &App, text: &str, now: Moment) -> Option<Claims> {
    let unverified = parse(text, Limits::default()).ok()?;
    let claimed = Claims::read(&unverified.unverified_payload().ok()?).ok()?;
    let client = app.oauth.clients.hit(claimed.audiences.first()?, now)?;
    // The one that it has registered, and no other.
    let algorithm = client.record.metadata.id_token_alg();
    algorithm.is_hmac().then_some(())?;
    let mut keys = KeySet::new();
    for secret in app.oauth.clients.plain_secrets(&client.record, now).ok()? {
        keys.insert(VerifyingKey::new(&Jwk::from_secret(&secret).ok()?, algorithm).ok()?);
    }
    let verified = unverified.verify(&keys, &[algorithm]).ok()?;
    Claims::read(verified.payload()).ok()
}
