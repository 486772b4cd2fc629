//! Encryption for a client, where it has registered that (OpenID Connect Core §10.2): signed first, then encrypted.

use gateward_kernel::jose::jwe::EncryptingKey;
use gateward_kernel::jose::{ContentEncryption, Jwk, JwkSet, KeyManagementAlgorithm};
use gateward_kernel::oauth::Client;
use gateward_kernel::ports::{Fault, FaultKind};
use gateward_kernel::secret::Digest;
use gateward_kernel::time::Moment;

use super::keys;
use crate::app::App;

/// The signed token as the client wants it.
pub async fn for_client(
    app: &App,
    client: &Client,
    signed: String,
    algorithm: Option<KeyManagementAlgorithm>,
    encryption: Option<ContentEncryption>,
    now: Moment,
) -> Result<String, Fault> {
    let key = key(app, client, algorithm, encryption, now).await?;
    nested(app, signed, key.as_ref())
}

/// The signed token, encrypted where there is a key for that.
pub fn nested(app: &App, signed: String, key: Option<&EncryptingKey>) -> Result<String, Fault> {
    let Some(key) = key else { return Ok(signed) };
    key.encrypt_nested(&signed, Some("JWT"), &*app.entropy)
        .map_err(|error| Fault::new("keys of the client", FaultKind::Unavailable, error.to_string()))
}

/// The key by which this is encrypted for the client; `None` where it wants no encryption.
pub async fn key(
    app: &App,
    client: &Client,
    algorithm: Option<KeyManagementAlgorithm>,
    encryption: Option<ContentEncryption>,
    now: Moment,
) -> Result<Option<EncryptingKey>, Fault> {
    let Some(algorithm) = algorithm else { return Ok(None) };
    let encryption = encryption.unwrap_or_default();
    if algorithm.is_symmetric() {
        return by_secret(app, client, algorithm, encryption, now).map(Some);
    }
    let trouble = |cause: String| Fault::new("keys of the client", FaultKind::Unavailable, cause);
    let fits = move |set: &JwkSet| EncryptingKey::among(set, algorithm, encryption).is_some();
    let set =
        Box::pin(keys::that(app, client, fits, now)).await.map_err(|problem| trouble(problem.to_string()))?;
    let key = EncryptingKey::among(&set, algorithm, encryption);
    key.map(Some).ok_or_else(|| trouble(format!("the client has no key for {algorithm}")))
}

/// A key made of the client's secret (OpenID Connect Core §10.2): as many bytes of its SHA-256 as the algorithm takes.
fn by_secret(
    app: &App,
    client: &Client,
    algorithm: KeyManagementAlgorithm,
    encryption: ContentEncryption,
    now: Moment,
) -> Result<EncryptingKey, Fault> {
    let trouble = |cause: String| Fault::new("client secret", FaultKind::Unavailable, cause);
    let secret = app.oauth.clients.plain_secret(client, now)?;
    let size = if algorithm == KeyManagementAlgorithm::Dir { encryption.key_size() } else { 32 };
    let digest = Digest::of(&secret);
    let bytes = digest
        .as_bytes()
        .get(..size)
        .ok_or_else(|| trouble("the client's secret is too short a key".into()))?;
    let key = Jwk::from_secret(bytes).map_err(|error| trouble(error.to_string()))?;
    EncryptingKey::new(&key, algorithm, encryption).map_err(|error| trouble(error.to_string()))
}
