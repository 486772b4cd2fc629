//! Device codes (RFC 8628 §3.4): a device asks until its person has decided.

use std::sync::Arc;

use gateward_kernel::oauth::{Client, DeviceHandle, DevicePoll, DevicePresented, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;

use super::code;
use crate::oauth::call::Call;
use crate::oauth::issue::Bound;
use crate::oauth::scopes;
use crate::oauth::token::Granted;

fn invalid() -> OAuthError {
    OAuthError::grant("the device code is not valid, or not valid any more")
}

/// Takes `device_code`, and `resource` to ask for less.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let app = &call.app;
    let handle = DeviceHandle::read(call.required("device_code")?.as_bytes()).map_err(|_| invalid())?;
    // Before anything is written down for the proof of a key: whoever invents codes makes nobody write.
    if !app.oauth.devices.made(&handle) {
        return Err(invalid().into());
    }
    let bound = Bound::of(call, &client.record).await?;
    let presented = DevicePresented { client: &client.record.client_id, dpop_jkt: bound.key() };
    let named = scopes::named(app, &client.record, call.form.all("resource"))?;
    let id = app.tokens.grants.fresh_id();
    let told = app.oauth.devices.poll(&handle, presented, id, call.now).await?.ok_or_else(invalid)?;
    let error = match told {
        DevicePoll::Redeemed(authorized) => {
            return code::begin(call, &client.record, &authorized, id, &named, bound).await;
        }
        DevicePoll::Pending => {
            OAuthError::new(OAuthCode::AuthorizationPending, "the person has not decided yet")
        }
        DevicePoll::SlowDown => OAuthError::new(
            OAuthCode::SlowDown,
            "the device asks too often: wait five seconds longer from now on",
        ),
        DevicePoll::Denied => OAuthError::new(OAuthCode::AccessDenied, "the person said no"),
        DevicePoll::Expired => OAuthError::new(OAuthCode::ExpiredToken, "the device code is too old"),
        DevicePoll::OtherKey => {
            OAuthError::grant("the DPoP proof is by another key than that of the device request")
        }
        DevicePoll::AlreadyRedeemed | DevicePoll::OtherClient => invalid(),
    };
    Err(error.into())
}
