//! Encryption for a client, where it has registered that (OpenID Connect Core §10.2): signed first, then encrypted.

use gateward_kernel::jose::jwe::EncryptingKey;
use gateward_kernel::jose::{ContentEncryption, Jwk, KeyManagementAlgorithm, KeyUse};
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
    let Some(algorithm) = algorithm else { return Ok(signed) };
    // What is not said is A128CBC-HS256 (OpenID Connect Registration §2).
    let encryption = encryption.unwrap_or(ContentEncryption::A128CbcHs256);
    let trouble = |cause: String| Fault::new("keys of the client", FaultKind::Unavailable, cause);
    let key = match algorithm {
        KeyManagementAlgorithm::Dir | KeyManagementAlgorithm::A256Kw => {
            by_secret(app, client, algorithm, encryption, now)?
        }
        _ => {
            let set =
                keys::of(app, client, None, now).await.map_err(|problem| trouble(problem.to_string()))?;
            let is_for_it = |key: &&Jwk| key.key_use() != Some(KeyUse::Signature);
            let mut ready = set
                .keys
                .iter()
                .filter(is_for_it)
                .filter_map(|key| EncryptingKey::new(key, algorithm, encryption).ok());
            ready.next().ok_or_else(|| trouble(format!("the client has no key for {algorithm}")))?
        }
    };
    key.encrypt_nested(&signed, Some("JWT"), &*app.entropy).map_err(|error| trouble(error.to_string()))
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
    let secrets = app.oauth.clients.plain_secrets(client, now)?;
    let secret = secrets.first().ok_or_else(|| trouble("the client's secret is not kept".into()))?;
    let size = if algorithm == KeyManagementAlgorithm::Dir { encryption.key_size() } else { 32 };
    let digest = Digest::of(secret);
    let bytes = digest
        .as_bytes()
        .get(..size)
        .ok_or_else(|| trouble("the client's secret is too short a key".into()))?;
    let key = Jwk::from_secret(bytes).map_err(|error| trouble(error.to_string()))?;
    EncryptingKey::new(&key, algorithm, encryption).map_err(|error| trouble(error.to_string()))
}
