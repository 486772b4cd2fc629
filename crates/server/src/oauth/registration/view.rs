//! A client's registration as it is told to the client alone (RFC 7591 §3.2.1, RFC 7592 §3).

use gateward_kernel::oauth::Client;
use serde_json::{Value, json};

use crate::app::App;

/// All that is registered, and what it needs to act and to manage that. A secret is told when it is made, and never again.
pub(super) fn of(app: &App, client: &Client, secret: Option<&str>, token: &str) -> Value {
    let metadata = &client.metadata;
    let mut told = serde_json::to_value(metadata).unwrap_or_default();
    let own = json!({
        "client_id": client.client_id,
        "client_id_issued_at": client.created.seconds(),
        "registration_client_uri": format!("{}/oauth/register/{}", app.tokens.mint.issuer(), client.client_id),
        "registration_access_token": token,
        // What it did not say is so all the same.
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
        "grant_types": metadata.grant_types,
        "response_types": metadata.response_types,
    });
    let secret = secret.map(|secret| json!({ "client_secret": secret, "client_secret_expires_at": 0 }));
    if let Value::Object(told) = &mut told {
        for more in [Some(own), secret].into_iter().flatten() {
            if let Value::Object(more) = more {
                told.extend(more);
            }
        }
    }
    told
}
