//! `POST /oauth/device` (RFC 8628 §3.1): a device asks, and learns what its person has to type where.

use gateward_kernel::oauth::client::GrantType;
use gateward_kernel::oauth::{DEVICE_INTERVAL, DEVICE_LIFETIME, OAuthCode, OAuthError};
use gateward_kernel::token::Scope;
use serde_json::json;

use super::store::Wanted;
use super::web::PATH;
use crate::oauth::call::{Answered, Call, json_answer};
use crate::oauth::scopes::{self, Unknown};
use crate::oauth::{client_auth, dpop};

/// `POST /oauth/device`
pub async fn answer(call: Call) -> Answered {
    let client = client_auth::authenticate(&call).await?;
    let client = &client.record;
    let (app, now) = (&call.app, call.now);
    if !client.may(GrantType::DeviceCode) {
        let error = "the client has not registered the grant type device_code";
        return Err(OAuthError::new(OAuthCode::UnauthorizedClient, error).into());
    }
    // Anybody can be such a client, and could fill the store.
    if !client.is_confidential() || client.came_by_itself() {
        app.throttle.device(call.address, now).await?;
    }
    let asked: Scope = call.optional("scope").unwrap_or_default().parse().map_err(|_| {
        OAuthError::new(OAuthCode::InvalidScope, "scope is no list of scopes (RFC 6749, section 3.3)")
    })?;
    let wanted = Wanted {
        client: client.client_id.clone(),
        scope: scopes::known(app, client, &asked, Unknown::Refused)?,
        resources: scopes::named(app, client, call.form.all("resource"))?,
        dpop_jkt: dpop::offered(&call).await?,
    };
    let (device_code, user_code) = app.oauth.devices.begin(wanted, now).await?;
    let uri = format!("{}{PATH}", app.tokens.mint.issuer());
    let told = json!({
        "device_code": *device_code,
        "user_code": user_code.to_string(),
        "verification_uri": uri,
        "verification_uri_complete": format!("{uri}?user_code={user_code}"),
        "expires_in": DEVICE_LIFETIME.as_secs(),
        "interval": DEVICE_INTERVAL.as_secs(),
    });
    let mut response = json_answer(http::StatusCode::OK, &told)?;
    call.allow_origin(&client.metadata.gateward_cors_origins, &mut response);
    Ok(response)
}
