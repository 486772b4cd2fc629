//! What clients have to know of this server (RFC 8414 §2, OpenID Connect Discovery §3). Everything follows from the tables of what
//! there is.

use gateward_kernel::claims::Claim;
use gateward_kernel::dpop;
use gateward_kernel::jose::{ContentEncryption, KeyManagementAlgorithm, SignatureAlgorithm};
use gateward_kernel::oauth::client::AuthMethod;
use gateward_kernel::oauth::{ResponseMode, ResponseType};
use serde_json::{Map, Value, json};

use super::authorize::law::{ACR_VALUES, PROMPTS};
use super::endpoints::ENDPOINTS;
use super::logout::{browser_state, web as end};
use super::{assertion, token};
use crate::app::App;
use crate::config::{ClientCertificates, Registration};

fn names<T>(all: &[T], name: impl Fn(&T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(name).collect()
}

/// What only our own verifiers look for, in the metadata of RFC 8414: where changes of status lists are told.
pub const STATUS_EVENTS: &str = "gateward_status_events";

/// The document of RFC 8414.
pub fn of_server(app: &App) -> Value {
    let mut told = document(app);
    if let Some(told) = told.as_object_mut() {
        told.insert(STATUS_EVENTS.into(), format!("{}/oauth/status/events", app.tokens.mint.issuer()).into());
    }
    told
}

/// The document of OpenID Connect Discovery, with registered names alone.
pub fn document(app: &App) -> Value {
    let issuer = app.tokens.mint.issuer();
    let at = |path: &str| Value::from(format!("{issuer}{path}"));
    let signed: Vec<&str> = app.oauth.clients.rules().algorithms.iter().map(|one| one.name()).collect();
    let asymmetric = names(&assertion::ASYMMETRIC, |one| one.name());
    let both: Vec<&str> =
        asymmetric.iter().copied().chain(names(&assertion::HMAC, |one| one.name())).collect();
    let legacy = app.settings.oauth.legacy_flows;
    let types: Vec<String> =
        ResponseType::ALL.iter().filter(|one| legacy || !one.is_legacy()).map(ToString::to_string).collect();
    let mut grants: Vec<&str> = token::grants().collect();
    if legacy {
        grants.push("implicit");
    }
    let encrypted = names(KeyManagementAlgorithm::ALL, |one| one.name());
    let contents = names(ContentEncryption::ALL, |one| one.name());
    // Certificates come from the handshake of our own TLS, or by a proxy; without both there are none.
    let tls = &app.settings.tls;
    let has_certificates =
        tls.client_certificates != ClientCertificates::Off || tls.client_certificate_header.is_some();
    let is_offered = |one: &&AuthMethod| {
        has_certificates || !matches!(one, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
    };
    let methods: Vec<&str> = AuthMethod::ALL.iter().filter(is_offered).map(|one| one.name()).collect();
    let mut claims = vec!["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid"];
    claims.extend(Claim::ALL.iter().map(|claim| claim.name()));
    let scopes: Vec<String> = scopes(app);
    let mut told = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "jwks_uri": at("/oauth/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": types,
        "response_modes_supported": ResponseMode::NAMES,
        "grant_types_supported": grants,
        "acr_values_supported": ACR_VALUES,
        "subject_types_supported": ["public", "pairwise"],
        "prompt_values_supported": PROMPTS,
        "id_token_signing_alg_values_supported": with_hmac(&signed),
        "id_token_encryption_alg_values_supported": encrypted,
        "id_token_encryption_enc_values_supported": contents,
        "userinfo_signing_alg_values_supported": with_hmac(&signed),
        "userinfo_encryption_alg_values_supported": encrypted,
        "userinfo_encryption_enc_values_supported": contents,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": both,
        "introspection_endpoint_auth_methods_supported": methods.iter().filter(|name| **name != "none").collect::<Vec<_>>(),
        "introspection_endpoint_auth_signing_alg_values_supported": both,
        "introspection_signing_alg_values_supported": signed,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": both,
        "dpop_signing_alg_values_supported": names(&dpop::ALGORITHMS, |one| one.name()),
        "tls_client_certificate_bound_access_tokens": has_certificates,
        "code_challenge_methods_supported": ["S256"],
        "display_values_supported": ["page", "popup", "touch", "wap"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": both,
        "require_pushed_authorization_requests": false,
        "ui_locales_supported": ["en", "de"],
        "authorization_response_iss_parameter_supported": true,
        "authorization_signing_alg_values_supported": signed,
        "service_documentation": "https://github.com/gateward/gateward",
        "status_list_aggregation_endpoint": at("/oauth/status"),
    });
    if let Some(told) = told.as_object_mut() {
        told.insert("authorization_encryption_alg_values_supported".into(), json!(encrypted));
        told.insert("authorization_encryption_enc_values_supported".into(), json!(contents));
        endpoints(issuer, told);
        logout(app, told);
        if app.settings.oauth.registration != Registration::Off {
            told.insert("registration_endpoint".into(), at("/oauth/register"));
        }
        if app.settings.oauth.client_documents {
            told.insert("client_id_metadata_document_supported".into(), true.into());
        }
    }
    told
}

/// Where what UserInfo takes is told: the well-known name before the path of the resource (RFC 9728 §3).
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/oauth/userinfo";

/// UserInfo as a protected resource (RFC 9728 §2).
pub fn userinfo(app: &App) -> Value {
    let issuer = app.tokens.mint.issuer();
    let resource = app.tokens.resources.userinfo();
    let scopes: Vec<&str> = resource.scopes.iter().collect();
    let signed: Vec<&str> = app.tokens.mint.ring().algorithms().iter().map(|one| one.name()).collect();
    json!({
        "resource": format!("{issuer}{}", crate::tokens::resource::USERINFO),
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header", "body"],
        "resource_signing_alg_values_supported": signed,
        "resource_name": "Gateward UserInfo",
        "dpop_signing_alg_values_supported": names(&dpop::ALGORITHMS, |one| one.name()),
        "dpop_bound_access_tokens_required": false,
    })
}

/// How sessions end, and who hears of it.
fn logout(app: &App, told: &mut Map<String, Value>) {
    let issuer = app.tokens.mint.issuer();
    told.insert("end_session_endpoint".into(), format!("{issuer}{}", end::PATH).into());
    for channel in ["backchannel", "frontchannel"] {
        told.insert(format!("{channel}_logout_supported"), true.into());
        told.insert(format!("{channel}_logout_session_supported"), true.into());
    }
    if app.settings.oauth.session_management {
        told.insert("check_session_iframe".into(), format!("{issuer}{}", browser_state::PATH).into());
    }
}

/// The endpoints of the table under their registered names.
fn endpoints(issuer: &str, told: &mut Map<String, Value>) {
    const NAMES: [(&str, &str); 6] = [
        ("/oauth/par", "pushed_authorization_request_endpoint"),
        ("/oauth/token", "token_endpoint"),
        ("/oauth/device", "device_authorization_endpoint"),
        ("/oauth/introspect", "introspection_endpoint"),
        ("/oauth/revoke", "revocation_endpoint"),
        ("/oauth/userinfo", "userinfo_endpoint"),
    ];
    for (path, name) in NAMES {
        if ENDPOINTS.iter().any(|endpoint| endpoint.path == path) {
            told.insert(name.into(), format!("{issuer}{path}").into());
        }
    }
}

fn with_hmac(signed: &[&'static str]) -> Vec<&'static str> {
    let hmac = [SignatureAlgorithm::Hs256, SignatureAlgorithm::Hs384, SignatureAlgorithm::Hs512];
    signed.iter().copied().chain(hmac.iter().map(|one| one.name())).collect()
}

fn scopes(app: &App) -> Vec<String> {
    let resources = &app.tokens.resources;
    let all =
        resources.others().iter().fold(resources.userinfo().scopes.clone(), |all, one| all.or(&one.scopes));
    all.iter().map(str::to_owned).collect()
}
