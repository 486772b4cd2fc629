//! ID tokens (OpenID Connect Core §2): who signed in, when and how, for one client.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::claims::{ClaimsRequest, Custom, Place, claims_of};
use gateward_kernel::id::SessionId;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey, half_hash};
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Fault, FaultKind};
use gateward_kernel::session::Proof;
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde::Serialize;
use serde_json::{Map, Value};

use super::call::Trouble;
use crate::app::App;
use crate::tokens::mint::{auth_time, method};

/// For so long an ID token counts: for as long as it takes to read it.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// What an ID token is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// For whom.
    pub client: &'a Client,
    /// Who signed in.
    pub person: &'a Person,
    /// In which session.
    pub session: Option<SessionId>,
    /// By which proofs.
    pub proofs: &'a [Proof],
    /// How, as `acr` names it.
    pub acr: Option<&'a str>,
    /// Which claims were asked for by name.
    pub claims: Option<&'a ClaimsRequest>,
    /// What was granted.
    pub scope: &'a Scope,
    /// The `nonce` of the request.
    pub nonce: Option<&'a str>,
    /// The access token beside it (`at_hash`).
    pub access_token: Option<&'a str>,
    /// The code beside it (`c_hash`).
    pub code: Option<&'a str>,
    /// The `state` of the request (`s_hash`, FAPI 1 Advanced §5.2.2.1).
    pub state: Option<&'a str>,
}

/// Makes one, signed and perhaps encrypted as the client has registered.
pub async fn make(app: &App, about: &About<'_>, now: Moment) -> Result<String, Fault> {
    let metadata = &about.client.metadata;
    let algorithm = metadata.id_token_alg();
    let claims = claims(app, about, algorithm, now);
    let signed = sign_for(app, about.client, "JWT", algorithm, &claims, now)?;
    super::encrypt::for_client(
        app,
        about.client,
        signed,
        metadata.id_token_encrypted_response_alg,
        metadata.id_token_encrypted_response_enc,
        now,
    )
    .await
}

/// Whether the ID tokens that this client gets, if any, can be made; otherwise nothing shall be spent. The first RSA key takes a moment
/// after the first start, an algorithm may have left the settings since the client was registered, its secret may be kept as a digest alone,
/// and its keys may be out of reach.
pub async fn can_be_made(app: &App, client: &Client, now: Moment) -> Result<(), Trouble> {
    let (metadata, algorithm) = (&client.metadata, client.metadata.id_token_alg());
    if !metadata.gets_id_tokens() {
        return Ok(());
    }
    if algorithm.is_hmac() {
        secret_key(app, client, algorithm, now)?;
    } else if !app.oauth.clients.rules().algorithms.contains(&algorithm) {
        let why = format!(
            "the client's ID tokens are to be signed with {algorithm}, which is not in use here any more"
        );
        return Err(OAuthError::new(OAuthCode::UnauthorizedClient, why).into());
    } else if app.tokens.mint.ring().signer(algorithm, "JWT", now).is_none() {
        let cause = format!("no key for {algorithm} yet");
        return Err(Fault::new("key ring", FaultKind::Unavailable, cause).into());
    }
    let (encrypted, content) =
        (metadata.id_token_encrypted_response_alg, metadata.id_token_encrypted_response_enc);
    super::encrypt::key(app, client, encrypted, content, now).await?;
    Ok(())
}

fn claims(app: &App, about: &About<'_>, algorithm: SignatureAlgorithm, now: Moment) -> Map<String, Value> {
    let nothing = ClaimsRequest::default();
    let place = match (about.access_token, about.code) {
        (None, None) => Place::IdTokenAlone,
        _ => Place::IdToken,
    };
    let mut claims = claims_of(
        about.person,
        about.scope,
        about.claims.unwrap_or(&nothing),
        Custom { always: &[], on_request: app.tokens.mint.claims() },
        place,
    );
    let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    put("iss", app.tokens.mint.issuer().into());
    put("sub", app.oauth.subject(about.client, about.person.id).into());
    put("aud", (*about.client.client_id).into());
    put("iat", now.seconds().into());
    put("exp", (now + LIFETIME).seconds().into());
    if let Some(at) = auth_time(about.proofs) {
        put("auth_time", at.seconds().into());
    }
    let amr: Vec<Value> = about.proofs.iter().map(|proof| method(proof.method).into()).collect();
    if !amr.is_empty() {
        put("amr", amr.into());
    }
    let texts = [("nonce", about.nonce), ("acr", about.acr)];
    for (name, text) in texts {
        if let Some(text) = text {
            put(name, text.into());
        }
    }
    if let Some(session) = about.session {
        put("sid", app.oauth.session_names.tell(about.client, session).into());
    }
    let hashed = [("at_hash", about.access_token), ("c_hash", about.code), ("s_hash", about.state)];
    for (name, text) in hashed {
        if let Some(text) = text {
            put(name, BASE64URL_NOPAD.encode(&half_hash(algorithm, text.as_bytes())).into());
        }
    }
    claims
}

/// Signs for a client: by the installation's key, or by the client's secret where it has registered HMAC (Core §10.1).
pub fn sign_for(
    app: &App,
    client: &Client,
    typ: &'static str,
    algorithm: SignatureAlgorithm,
    claims: &impl Serialize,
    now: Moment,
) -> Result<String, Fault> {
    if !algorithm.is_hmac() {
        return app.tokens.mint.sign(typ, algorithm, claims, now);
    }
    let key = secret_key(app, client, algorithm, now)?;
    Signer::new(key, typ).sign_claims(claims).map_err(no_secret)
}

/// The client's newest secret as a key.
fn secret_key(
    app: &App,
    client: &Client,
    algorithm: SignatureAlgorithm,
    now: Moment,
) -> Result<SigningKey, Fault> {
    let secret = app.oauth.clients.plain_secret(client, now)?;
    let key = Jwk::from_secret(&secret).map_err(no_secret)?;
    SigningKey::new(&key, algorithm).map_err(no_secret)
}

fn no_secret(cause: impl std::fmt::Display) -> Fault {
    Fault::new("client secret", FaultKind::Unavailable, cause)
}
