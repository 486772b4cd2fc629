//! `authorization_details` at the token endpoint (RFC 9396 §6): nothing is granted there, and what was granted is had as a whole.

use gateward_kernel::oauth::{OAuthCode, OAuthError};
use serde_json::Value;

use super::call::Call;

/// Refuses details other than those that were granted, in whatever order. To take no notice of them would give what was not asked for, or
/// promise what was not granted.
pub fn check(call: &Call, granted: Option<&Value>) -> Result<(), OAuthError> {
    let Some(text) = call.optional("authorization_details") else { return Ok(()) };
    let asked: Option<Vec<Value>> = serde_json::from_str(text).ok();
    let granted = granted.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let are_the_same = asked.is_some_and(|asked| {
        asked.iter().all(|one| granted.contains(one)) && granted.iter().all(|one| asked.contains(one))
    });
    match are_the_same {
        true => Ok(()),
        false => Err(OAuthError::new(
            OAuthCode::InvalidAuthorizationDetails,
            "authorization_details are not those that were granted",
        )),
    }
}
