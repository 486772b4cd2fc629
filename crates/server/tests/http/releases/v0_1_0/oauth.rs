//! The records of OAuth and OpenID Connect.

use std::collections::BTreeMap;
use std::time::Duration;

use gateward_kernel::claims::{ClaimsRequest, Custom};
use gateward_kernel::confirmation::{CertificateThumbprint, Confirmation, Thumbprint};
use gateward_kernel::grant::{Extent, Given, Grant};
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::oauth::registration::Registry;
use gateward_kernel::oauth::{
    Authorized, Client, ClientSecret, Code, CodeId, CodeState, Consent, Consents, Device, DeviceId,
    DeviceState, LogoutNote, Metadata, Pushed, PushedId, UserCodeEntry,
};
use gateward_kernel::once::{Purpose, UsedOnce};
use gateward_kernel::secret::{Digest, SeededEntropy};
use gateward_kernel::token::AccessToken;
use serde_json::{Value, json};

use super::super::holds;
use super::{GRANT, HOUR, NOW, PERSON, PROOF, RELEASE, SESSION, access_token, given, refreshing};

fn jkt() -> Thumbprint {
    "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()
}

fn confirmation() -> Confirmation {
    Confirmation { jkt: Some(jkt()), certificate: Some(CertificateThumbprint::of(b"certificate")) }
}

fn claims() -> ClaimsRequest {
    let text = r#"{"userinfo":{"name":{"essential":true},"phone_number":null},"id_token":{"acr":{"values":["1","2"]}}}"#;
    ClaimsRequest::parse(text, Custom { always: &[], on_request: &[] }).unwrap()
}

fn details() -> Value {
    json!([{ "type": "payment", "amount": "1.50", "to": ["ä\u{0}"] }])
}

fn authorized() -> Authorized {
    Authorized {
        person: PERSON,
        session: SESSION,
        since: NOW,
        proofs: vec![PROOF],
        scope: "openid profile offline_access".parse().unwrap(),
        resources: vec!["https://api.example.com".into()],
        nonce: Some("n".into()),
        claims: claims(),
        acr: Some("1".into()),
        details: Some(details()),
    }
}

fn client(id: &str, origin: Origin, metadata: Value) -> Client {
    Client {
        client_id: id.into(),
        origin,
        created: NOW,
        changed: NOW + HOUR,
        expires: None,
        secrets: Vec::new(),
        registration: None,
        disabled: false,
        metadata: serde_json::from_value(metadata).unwrap(),
    }
}

/// Every member of metadata that there is, whether or not they go together.
fn everything() -> Value {
    let text = |names: &[&str], value: &str| -> BTreeMap<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), value.into())).collect()
    };
    let mut all = json!({
        "redirect_uris": ["https://app.example.com/cb", "com.example.app:/cb"],
        "response_types": ["code", "code id_token"],
        "grant_types": ["authorization_code", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:device_code"],
        "application_type": "native",
        "client_name": "Äpp",
        "scope": "openid profile read",
        "contacts": ["ann@example.com"],
        "software_id": "s", "software_version": "1",
        "jwks": { "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] },
        "subject_type": "pairwise",
        "token_endpoint_auth_method": "private_key_jwt",
        "default_max_age": 60, "require_auth_time": true, "default_acr_values": ["1"],
        "post_logout_redirect_uris": ["https://app.example.com/"],
        "request_uris": ["https://app.example.com/request"],
        "frontchannel_logout_session_required": true, "backchannel_logout_session_required": true,
        "require_pushed_authorization_requests": true, "require_signed_request_object": true,
        "dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true,
        "authorization_details_types": ["payment"],
        "gateward_pkce_optional": true, "gateward_legacy_flows": true, "gateward_introspects": true,
        "gateward_refresh_token_stays": true, "gateward_consent": "skip", "gateward_access_token_format": "opaque",
        "gateward_access_token_lifetime": 60, "gateward_assertion_audience": "issuer",
        "gateward_cors_origins": ["https://app.example.com"], "gateward_resources": ["https://api.example.com"],
    });
    let uris = [
        "client_uri",
        "logo_uri",
        "policy_uri",
        "tos_uri",
        "jwks_uri",
        "sector_identifier_uri",
        "initiate_login_uri",
        "frontchannel_logout_uri",
        "backchannel_logout_uri",
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];
    let algorithms = [
        "token_endpoint_auth_signing_alg",
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
        "request_object_signing_alg",
        "authorization_signed_response_alg",
        "introspection_signed_response_alg",
    ];
    let encryptions = ["id_token", "userinfo", "authorization"];
    let members = all.as_object_mut().unwrap();
    members.extend(text(&uris, "https://app.example.com/x"));
    members.extend(text(&algorithms, "ES256"));
    for name in encryptions {
        members.insert(format!("{name}_encrypted_response_alg"), "ECDH-ES".into());
        members.insert(format!("{name}_encrypted_response_enc"), "A256GCM".into());
    }
    all
}

#[tokio::test]
async fn clients_and_what_they_were_given() {
    let secret = |text: &[u8], sealed: Option<&[u8]>, expires| ClientSecret {
        digest: Digest::of(text),
        sealed: sealed.map(Into::into),
        created: NOW,
        expires,
    };
    let mut app =
        client("app", Origin::Administrator, json!({ "redirect_uris": ["https://app.example.com/cb"] }));
    app.secrets = vec![secret(b"new", Some(b"sealed"), None), secret(b"old", None, Some(NOW + HOUR))];
    holds(RELEASE, "client", app.clone()).await;
    holds(RELEASE, "client-disabled", Client { disabled: true, secrets: Vec::new(), ..app }).await;
    let mut own = client("own", Origin::Registered, everything());
    own.expires = Some(NOW + HOUR);
    own.registration = Some(Digest::of(b"registration"));
    // What is not kept of the metadata is noticed here.
    let kept: BTreeMap<String, Value> = serde_json::from_value(json!(own.metadata)).unwrap();
    let said: BTreeMap<String, Value> = serde_json::from_value(everything()).unwrap();
    let lost: Vec<_> = said.keys().filter(|name| !kept.contains_key(*name)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(serde_json::from_value::<Metadata>(json!(kept)).unwrap(), own.metadata);
    holds(RELEASE, "client-registered", own.clone()).await;
    holds(RELEASE, "registry", Registry::of("own", NOW + HOUR)).await;
    let consent = |client: &str, asked| Consent {
        client: client.into(),
        scope: "openid email".parse().unwrap(),
        resources: vec!["https://api.example.com".into()],
        claims: vec!["profile".into()],
        asked,
        details: asked.then(details),
        given: NOW,
        used: NOW + HOUR,
        grants: vec![GRANT],
    };
    let all = vec![consent("app", true), consent("own", false)];
    holds(RELEASE, "consents", Consents { person: PERSON, all }).await;
    holds(RELEASE, "logout-note", LogoutNote::new(SESSION, PERSON, &own, NOW).failed(NOW)).await;
}

#[tokio::test]
async fn what_is_on_its_way() {
    let code = |state| Code {
        id: CodeId::from_bytes([8; 16]),
        digest: Digest::of(b"code"),
        client: "app".into(),
        redirect_uri: "https://app.example.com/cb".into(),
        redirect_named: true,
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().unwrap()),
        dpop_jkt: Some(jkt()),
        authorized: authorized(),
        expires: NOW + HOUR,
        state,
    };
    holds(RELEASE, "code", code(CodeState::Open)).await;
    holds(RELEASE, "code-redeemed", code(CodeState::Redeemed(GRANT))).await;
    holds(RELEASE, "code-replayed", code(CodeState::Replayed(GRANT))).await;
    let pushed = Pushed {
        id: PushedId::from_bytes([9; 16]),
        digest: Digest::of(b"pushed"),
        client: "app".into(),
        parameters: vec![("scope".into(), "openid".into()), ("state".into(), "ä \u{0}".into())],
        signed: true,
        expires: NOW + HOUR,
    };
    holds(RELEASE, "pushed", pushed).await;
    let id = DeviceId::from_bytes([10; 16]);
    holds(RELEASE, "user-code", UserCodeEntry { id: [11; 16], device: id, expires: NOW + HOUR }).await;
    let device = |state| Device {
        id,
        digest: Digest::of(b"device"),
        client: "tv".into(),
        scope: "openid".parse().unwrap(),
        resources: vec!["https://api.example.com".into()],
        dpop_jkt: Some(jkt()),
        expires: NOW + HOUR,
        asked: Some(NOW),
        interval: Duration::from_secs(10),
        state,
    };
    for (name, state) in [
        ("device-pending", DeviceState::Pending),
        ("device-approved", DeviceState::Approved(Box::new(authorized()))),
        ("device-denied", DeviceState::Denied),
        ("device-redeemed", DeviceState::Redeemed(GRANT)),
    ] {
        holds(RELEASE, name, device(state)).await;
    }
}

#[tokio::test]
async fn grants_and_tokens_of_clients() {
    let extent = Extent {
        claims: claims(),
        acr: Some("1".into()),
        details: Some(details()),
        confirmation: confirmation(),
        stays: true,
    };
    let given = Given { client: "app".into(), extent: Some(Box::new(extent.clone())), ..given() };
    let grant = Grant::begin(GRANT, given, &SeededEntropy::new(1), NOW, &refreshing());
    holds(RELEASE, "grant-of-client", grant).await;
    let extended = AccessToken { extent: Some(Box::new(extent)), ..access_token() };
    holds(RELEASE, "access-token-extended", extended).await;
    let act = json!({ "sub": "gateway", "act": { "sub": "app" } });
    let token = AccessToken { confirmation: confirmation(), act: Some(act), ..access_token() };
    holds(RELEASE, "access-token-of-client", token).await;
    let alone =
        AccessToken { grant: None, session: None, person: None, proofs: Vec::new(), ..access_token() };
    holds(RELEASE, "access-token-of-nobody", alone).await;
    for (name, purpose) in [
        ("used-dpop-proof", Purpose::DpopProof),
        ("used-client-assertion", Purpose::ClientAssertion),
        ("used-grant-assertion", Purpose::GrantAssertion),
        ("used-request-object", Purpose::RequestObject),
    ] {
        holds(RELEASE, name, UsedOnce::new(purpose, "app", "one", NOW + HOUR)).await;
    }
}
