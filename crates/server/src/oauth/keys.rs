//! A client's public keys: registered with it, or fetched from where it keeps them.

use std::sync::Arc;

use gateward_kernel::jose::{JwkSet, KeySet, SignatureAlgorithm};
use gateward_kernel::oauth::Client;
use gateward_kernel::time::Moment;
use url::Url;

use crate::app::App;

/// Why a client's keys are not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoKeys {
    /// It registered none.
    #[error("the client has registered no keys")]
    None,
    /// They could not be fetched.
    #[error("the client's keys could not be fetched")]
    Unreachable,
}

/// The keys of this client, fetched anew when none of them fits; they may then still be without one that does.
pub async fn that(
    app: &App,
    client: &Client,
    fits: impl Fn(&JwkSet) -> bool + Send + Sync + 'static,
    now: Moment,
) -> Result<Arc<JwkSet>, NoKeys> {
    if let Some(jwks) = &client.metadata.jwks {
        return jwks.keys().map(Arc::new).ok_or(NoKeys::None);
    }
    let uri = client.metadata.jwks_uri.as_deref().and_then(|uri| Url::parse(uri).ok()).ok_or(NoKeys::None)?;
    app.client_keys.keys_that(&uri, fits, now).await.map_err(|error| {
        tracing::warn!(client = %client.client_id, %error, "a client's keys could not be fetched");
        NoKeys::Unreachable
    })
}

/// Those that verify signatures of one of these algorithms, fetched anew when none of them is called `kid`.
pub async fn verifying(
    app: &App,
    client: &Client,
    kid: Option<&str>,
    allowed: &[SignatureAlgorithm],
    now: Moment,
) -> Result<KeySet, NoKeys> {
    let kid = kid.map(str::to_owned);
    let is_named = move |set: &JwkSet| kid.as_deref().is_none_or(|kid| set.find(kid).next().is_some());
    let set = that(app, client, is_named, now).await?;
    Ok(KeySet::from_jwks(&set, allowed))
}
