use serde_json::json;

use super::*;
use crate::jose::SignatureAlgorithm;
use crate::oauth::OAuthCode;

fn rules() -> Rules {
    Rules {
        algorithms: vec![SignatureAlgorithm::Rs256, SignatureAlgorithm::Es256],
        plain_http: vec![url::Url::parse("http://intra.example:9000").unwrap().origin()],
        ..Rules::default()
    }
}

fn read(value: serde_json::Value) -> Metadata {
    serde_json::from_value(value).unwrap()
}

fn refused(value: serde_json::Value) -> OAuthCode {
    read(value).check(&rules()).unwrap_err().code
}

#[test]
fn defaults_are_those_of_the_rfc_and_unknown_members_are_passed_over() {
    let metadata =
        read(json!({"redirect_uris": ["https://app.example/cb"], "client_name#de": "x", "later": [1]}));
    assert_eq!(metadata.check(&rules()), Ok(()));
    assert_eq!(metadata.token_endpoint_auth_method, AuthMethod::SecretBasic);
    assert_eq!(metadata.grant_types.0, [GrantType::AuthorizationCode]);
    assert_eq!(metadata.response_types.0.len(), 1);
    assert_eq!(metadata.id_token_alg().name(), "RS256");
    assert_eq!(
        serde_json::to_value(&metadata).unwrap(),
        json!({"redirect_uris": ["https://app.example/cb"]})
    );
}

#[test]
fn contradictions_are_refused() {
    let with = |more: serde_json::Value| {
        let mut all = json!({"redirect_uris": ["https://app.example/cb"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(all)
    };
    let metadata = OAuthCode::InvalidClientMetadata;
    assert_eq!(refused(json!({})), OAuthCode::InvalidRedirectUri);
    for odd in [
        "com.example.app:/cb",
        "http.example.app:/cb",
        "https.example.app:/cb",
        "https://x;frame-ancestors/cb",
        "https://app.example,evil.example/cb",
        "https://app'x.example/cb",
    ] {
        assert_eq!(with(json!({"redirect_uris": [odd]})), OAuthCode::InvalidRedirectUri, "{odd}");
    }
    let after = json!({"post_logout_redirect_uris": ["https://x;y/"]});
    assert_eq!(with(after), OAuthCode::InvalidRedirectUri);
    for more in [
        json!({"grant_types": ["refresh_token"]}),
        json!({"response_types": ["id_token"]}),
        json!({"response_types": ["id_token"], "grant_types": ["implicit"]}),
        json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "client_credentials"]}),
        json!({"token_endpoint_auth_method": "none", "gateward_introspects": true}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"token_endpoint_auth_method": "tls_client_auth"}),
        json!({"tls_client_auth_san_dns": "app.example"}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
        json!({"jwks_uri": "http://app.example/jwks"}),
        json!({"jwks_uri": "http://intra.example/jwks"}),
        json!({"jwks_uri": "http://user@intra.example:9000/jwks"}),
        json!({"frontchannel_logout_uri": "http://intra.example:9000/out"}),
        json!({"jwks_uri": "https://user@app.example/jwks"}),
        json!({"backchannel_logout_uri": "https://app.example/x#y"}),
        json!({"logo_uri": "javascript:alert(1)"}),
        json!({"logo_uri": "https://x;y/"}),
        json!({"backchannel_logout_uri": "https://x,y/"}),
        json!({"frontchannel_logout_uri": "https://other.example/out"}),
        json!({"frontchannel_logout_uri": "https://app.example:444/out"}),
        json!({"frontchannel_logout_uri": "https://x;frame-src/out"}),
        json!({"request_object_encryption_alg": "RSA-OAEP-256"}),
        json!({"id_token_encrypted_response_enc": "A256GCM"}),
        json!({"id_token_signed_response_alg": "HS256", "token_endpoint_auth_method": "none"}),
        json!({"client_name": ""}),
        json!({"client_name": "a\u{202e}b"}),
        json!({"client_name": "x".repeat(129)}),
        json!({"gateward_cors_origins": ["https://app.example/path"]}),
        json!({"gateward_access_token_format": "paseto"}),
        json!({"subject_type": "pairwise", "redirect_uris": ["https://a.example/", "https://b.example/"]}),
    ] {
        assert_eq!(with(more.clone()), metadata, "{more}");
    }
}

#[test]
fn plain_http_is_asked_where_the_installation_says_so() {
    let uri = "http://intra.example:9000/x";
    let own = json!({
        "redirect_uris": ["https://app.example/cb"],
        "jwks_uri": uri, "sector_identifier_uri": uri, "backchannel_logout_uri": uri, "request_uris": [uri],
    });
    assert_eq!(read(own).check(&rules()), Ok(()));
}

#[test]
fn what_an_address_may_be() {
    for good in [
        json!({"frontchannel_logout_uri": "https://app.example/out?x=1"}),
        json!({"frontchannel_logout_uri": "https://app.example:443/out"}),
        json!({"redirect_uris": ["https://[::1]/cb", "https://a-b_c.example:8443/cb"]}),
        json!({"application_type": "native", "redirect_uris": ["http.example.app:/cb"]}),
    ] {
        let mut all = json!({"redirect_uris": ["https://app.example/cb"]});
        all.as_object_mut().unwrap().extend(good.as_object().unwrap().clone());
        assert_eq!(read(all).check(&rules()), Ok(()), "{good}");
    }
}

#[test]
fn a_token_that_a_browser_carries_is_bound_to_nothing() {
    let check = |kind: &str, bound: &str| {
        let all = json!({
            "redirect_uris": ["https://app.example/cb"], "grant_types": ["authorization_code", "implicit"],
            "response_types": [kind], "gateward_legacy_flows": true, bound: true,
        });
        read(all).check(&Rules { legacy_flows: true, ..rules() })
    };
    for bound in ["dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"] {
        for kind in ["token id_token", "code token", "code id_token token"] {
            assert!(check(kind, bound).is_err(), "{kind} {bound}");
        }
        assert_eq!(check("code id_token", bound), Ok(()));
    }
}

#[test]
fn legacy_flows_need_the_installation_and_the_client() {
    let value = |own: bool| {
        json!({
            "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "implicit"],
            "response_types": ["code id_token"],
            "gateward_legacy_flows": own,
        })
    };
    for (installation, own) in [(true, true), (true, false), (false, true), (false, false)] {
        let checked = read(value(own)).check(&Rules { legacy_flows: installation, ..rules() });
        assert_eq!(checked.is_ok(), installation && own);
    }
}

#[test]
fn what_nobody_signs_with_is_refused() {
    let with = |name: &str, algorithm: &str| {
        let mut all = json!({"redirect_uris": ["https://app.example/cb"]});
        all[name] = algorithm.into();
        read(all).check(&rules())
    };
    for name in [
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
        "authorization_signed_response_alg",
        "introspection_signed_response_alg",
    ] {
        for algorithm in ["RS256", "ES256", "HS256"] {
            assert_eq!(with(name, algorithm), Ok(()), "{name} {algorithm}");
        }
        let refused = with(name, "PS256").unwrap_err();
        assert_eq!(refused.code, OAuthCode::InvalidClientMetadata);
        assert!(
            refused.description.contains(name) && refused.description.contains("RS256, ES256"),
            "{refused:?}"
        );
    }
    // Whoever says nothing gets RS256, and so it must be there; but not for who never gets an ID token.
    let without = Rules { algorithms: vec![SignatureAlgorithm::Es256], ..rules() };
    let check = |value| read(value).check(&without);
    assert!(check(json!({"redirect_uris": ["https://app.example/cb"]})).is_err());
    assert_eq!(check(json!({"redirect_uris": ["https://app.example/cb"], "scope": "read"})), Ok(()));
    assert_eq!(check(json!({"grant_types": ["client_credentials"], "response_types": []})), Ok(()));
}

#[test]
fn encryption_that_cannot_work_is_refused() {
    let keys = |key: crate::jose::Jwk| {
        let key: serde_json::Value = serde_json::from_str(&key.to_json().unwrap()).unwrap();
        json!({ "keys": [key] })
    };
    let elliptic = keys(crate::jose::Jwk::generate_ec(crate::jose::EcCurve::P256).unwrap());
    for name in ["id_token", "userinfo", "authorization"] {
        let check = |alg: &str, more: serde_json::Value| {
            let mut all = json!({"redirect_uris": ["https://app.example/cb"]});
            all[format!("{name}_encrypted_response_alg")] = alg.into();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let metadata = read(all);
            metadata.check(&rules()).map(|()| metadata.needs_plain_secret())
        };
        let enc = format!("{name}_encrypted_response_enc");
        let uri = json!({"jwks_uri": "https://app.example/jwks"});
        assert!(check("RSA-OAEP-256", json!({})).is_err(), "{name}");
        assert_eq!(check("RSA-OAEP-256", uri), Ok(false));
        assert!(check("RSA-OAEP-256", json!({ "jwks": elliptic })).is_err());
        assert_eq!(check("ECDH-ES", json!({ "jwks": elliptic })), Ok(false));
        for algorithm in ["dir", "A256KW"] {
            assert_eq!(check(algorithm, json!({})), Ok(true), "{name}");
            assert!(check(algorithm, json!({"token_endpoint_auth_method": "none"})).is_err());
        }
        assert_eq!(check("A256KW", json!({ &enc: "A256CBC-HS512" })), Ok(true));
        assert!(check("dir", json!({ &enc: "A256CBC-HS512" })).is_err());
        assert_eq!(check("dir", json!({ &enc: "A256GCM" })), Ok(true));
    }
}

#[test]
fn two_secrets_at_a_time() {
    let at = |seconds: i64| Moment::from_micros(seconds * 1_000_000);
    let secret = |text: &str| ClientSecret {
        digest: Digest::of(text.as_bytes()),
        sealed: None,
        created: at(0),
        expires: None,
    };
    let mut client = Client {
        client_id: "app".into(),
        origin: Origin::Administrator,
        created: at(0),
        changed: at(0),
        expires: None,
        secrets: vec![secret("one")],
        registration: None,
        disabled: false,
        metadata: Metadata::default(),
    };
    assert!(
        client.opens_with("one", at(1)) && !client.opens_with("two", at(1)) && !client.opens_with("", at(1))
    );
    client.rotate_secret(secret("two"), at(100));
    assert!(client.opens_with("one", at(99)) && client.opens_with("two", at(99)));
    assert!(!client.opens_with("one", at(100)) && client.opens_with("two", at(100)));
    client.rotate_secret(secret("three"), at(200));
    assert_eq!(client.secrets.len(), MAX_SECRETS);
    assert!(!client.opens_with("one", at(50)) && client.opens_with("two", at(199)));
}

#[test]
fn redirect_uris_are_found_or_not() {
    let metadata = read(json!({"redirect_uris": ["https://app.example/cb"]}));
    assert_eq!(metadata.redirect_uri(None).as_deref(), Some("https://app.example/cb"));
    assert_eq!(
        metadata.redirect_uri(Some("https://app.example/cb")).as_deref(),
        Some("https://app.example/cb")
    );
    assert_eq!(metadata.redirect_uri(Some("https://app.example/other")), None);
    let two = read(json!({"redirect_uris": ["https://app.example/a", "https://app.example/b"]}));
    assert_eq!(two.redirect_uri(None), None);
}

#[test]
fn a_sector_is_one_that_is_proved() {
    let sector = |origin: Origin, more: serde_json::Value| {
        let mut all = json!({ "redirect_uris": ["https://app.example/cb"], "subject_type": "pairwise" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let client =
            json!({ "client_id": "c", "origin": origin, "created": 0, "changed": 0, "metadata": all });
        serde_json::from_value::<Client>(client).unwrap().sector()
    };
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let alone = json!({ "grant_types": ["authorization_code", device] });
    let named = json!({ "sector_identifier_uri": "https://sector.example/list" });
    for origin in [Origin::Settings, Origin::Administrator, Origin::Registered, Origin::Document] {
        assert_eq!(sector(origin, json!({})), "app.example", "{origin:?}");
        assert_eq!(sector(origin, named.clone()), "sector.example", "{origin:?}");
        for uris in [json!([]), json!(["http://127.0.0.1/cb"]), json!(["app.example:/cb"])] {
            assert_eq!(sector(origin, json!({ "redirect_uris": uris })), "c", "{origin:?} {uris}");
        }
        // Its people are never led to the redirect URI, so that it may be anybody's.
        let owned =
            if matches!(origin, Origin::Settings | Origin::Administrator) { "app.example" } else { "c" };
        assert_eq!(sector(origin, alone.clone()), owned, "{origin:?}");
    }
}
