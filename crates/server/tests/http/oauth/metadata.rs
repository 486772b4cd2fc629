//! What clients have to know of this server: the documents at well-known addresses say what there is, and nothing else.

use std::collections::BTreeSet;

use gateward_kernel::oauth::ResponseType;
use serde_json::{Value, json};

use super::SETTINGS;
use super::registration::settings;
use crate::house::House;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const SERVER: &str = "/.well-known/oauth-authorization-server";

/// Members that are always there, all of them in the registry of RFC 8414 §7.1, by who registered them: RFC 8414, RFC 8628, RFC 8705,
/// RFC 9126, RFC 9207, RFC 9449, RFC 9701, the Token Status List, Discovery, the specifications of signing out, prompt=create, and JARM.
const ALWAYS: &str = "
    issuer authorization_endpoint token_endpoint jwks_uri scopes_supported response_types_supported response_modes_supported
    grant_types_supported token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported
    service_documentation ui_locales_supported revocation_endpoint revocation_endpoint_auth_methods_supported
    revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint introspection_endpoint_auth_methods_supported
    introspection_endpoint_auth_signing_alg_values_supported code_challenge_methods_supported
    device_authorization_endpoint
    tls_client_certificate_bound_access_tokens
    pushed_authorization_request_endpoint require_pushed_authorization_requests
    authorization_response_iss_parameter_supported
    dpop_signing_alg_values_supported
    introspection_signing_alg_values_supported
    status_list_aggregation_endpoint
    userinfo_endpoint acr_values_supported subject_types_supported id_token_signing_alg_values_supported
    id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported userinfo_signing_alg_values_supported
    userinfo_encryption_alg_values_supported userinfo_encryption_enc_values_supported request_object_signing_alg_values_supported
    display_values_supported claim_types_supported claims_supported claims_parameter_supported request_parameter_supported
    request_uri_parameter_supported require_request_uri_registration
    end_session_endpoint backchannel_logout_supported backchannel_logout_session_supported frontchannel_logout_supported
    frontchannel_logout_session_supported
    prompt_values_supported
    authorization_signing_alg_values_supported authorization_encryption_alg_values_supported
    authorization_encryption_enc_values_supported
";

#[tokio::test]
async fn the_document_says_what_there_is_and_no_more() {
    let house = House::with(SETTINGS).await;
    let answer = house.browser().get(DISCOVERY).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let told = answer.json();
    let both =
        json!(["ES256", "ES384", "EdDSA", "PS256", "PS384", "RS256", "RS384", "HS256", "HS384", "HS512"]);
    for (name, due) in [
        ("response_types_supported", json!(["code"])),
        (
            "response_modes_supported",
            json!(["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"]),
        ),
        ("subject_types_supported", json!(["public", "pairwise"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("ui_locales_supported", json!(["en", "de"])),
        ("claim_types_supported", json!(["normal"])),
        (
            "grant_types_supported",
            json!([
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code",
                "urn:ietf:params:oauth:grant-type:token-exchange",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ]),
        ),
        (
            "scopes_supported",
            json!([
                "address",
                "dig",
                "email",
                "groups",
                "offline_access",
                "openid",
                "phone",
                "profile",
                "read",
                "write"
            ]),
        ),
        (
            "claims_supported",
            json!([
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "acr",
                "amr",
                "nonce",
                "sid",
                "name",
                "given_name",
                "middle_name",
                "family_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
                "email",
                "email_verified",
                "address",
                "phone_number",
                "phone_number_verified",
                "groups"
            ]),
        ),
        ("id_token_signing_alg_values_supported", json!(["ES256", "HS256", "HS384", "HS512"])),
        ("userinfo_signing_alg_values_supported", json!(["ES256", "HS256", "HS384", "HS512"])),
        ("authorization_signing_alg_values_supported", json!(["ES256"])),
        ("dpop_signing_alg_values_supported", json!(["ES256", "ES384", "ES512", "EdDSA", "PS256"])),
        ("token_endpoint_auth_signing_alg_values_supported", both.clone()),
        ("request_object_signing_alg_values_supported", both),
        (
            "token_endpoint_auth_methods_supported",
            json!([
                "client_secret_basic",
                "client_secret_post",
                "client_secret_jwt",
                "private_key_jwt",
                "none"
            ]),
        ),
        ("tls_client_certificate_bound_access_tokens", json!(false)),
    ] {
        assert_eq!(told[name], due, "{name}");
    }
}

#[tokio::test]
async fn no_member_is_null_or_unknown() {
    let everything = settings(
        "legacy_flows = true\nsession_management = true\nregistration = 'open'\nclient_documents = true",
    );
    let more = ["check_session_iframe", "registration_endpoint", "client_id_metadata_document_supported"];
    for (settings, more) in [(SETTINGS, &[][..]), (&everything, &more)] {
        let house = House::with(settings).await;
        // What only our own verifiers look for stands in the document of RFC 8414 alone.
        for (path, ours) in [(DISCOVERY, None), (SERVER, Some("gateward_status_events"))] {
            let told = house.browser().get(path).await.expect(200).json();
            let told = told.as_object().unwrap();
            let due: BTreeSet<&str> =
                ALWAYS.split_whitespace().chain(more.iter().copied()).chain(ours).collect();
            assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<_>>(), due, "{path}");
            for (name, value) in told {
                assert!(!value.is_null() && *value != json!([]) && *value != json!(""), "{name} at {path}");
            }
        }
    }
}

#[tokio::test]
async fn switches_and_algorithms_are_told_as_they_are_set() {
    let all = SETTINGS.replace("\"ES256\"", "\"RS256\", \"ES256\", \"PS256\", \"EdDSA\"");
    let legacy = settings("legacy_flows = true");
    let header = "trusted_proxies = [\"127.0.0.1\"]\ntls.client_certificate_header = \"Client-Cert\"";
    let header = format!("{header}\n{SETTINGS}");
    for (settings, is_legacy, has_certificates, signed) in [
        (SETTINGS, false, false, &["ES256"][..]),
        (&legacy, true, false, &["ES256"]),
        (&header, false, true, &["ES256"]),
        (&all, false, false, &["ES256", "EdDSA", "PS256", "RS256"]),
    ] {
        let house = House::with(settings).await;
        let told = house.browser().get(DISCOVERY).await.expect(200).json();
        let list = |name: &str| -> Vec<String> { serde_json::from_value(told[name].clone()).unwrap() };
        let kinds: Vec<String> = match is_legacy {
            true => ResponseType::ALL.iter().map(ToString::to_string).collect(),
            false => vec!["code".into()],
        };
        assert_eq!(list("response_types_supported"), kinds);
        assert_eq!(list("grant_types_supported").contains(&"implicit".into()), is_legacy);
        let methods = list("token_endpoint_auth_methods_supported");
        for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
            assert_eq!(methods.contains(&method.into()), has_certificates, "{method}");
        }
        assert_eq!(told["tls_client_certificate_bound_access_tokens"], has_certificates);
        // There is one address with certificates and without.
        assert_eq!(told.get("mtls_endpoint_aliases"), None::<&Value>);
        let mut own = list("authorization_signing_alg_values_supported");
        own.sort_unstable();
        assert_eq!(own, signed);
        let for_people = list("id_token_signing_alg_values_supported");
        assert!(own.iter().all(|one| for_people.contains(one)), "{for_people:?}");
    }
}
