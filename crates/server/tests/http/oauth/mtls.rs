//! Certificates at the endpoints of OAuth (RFC 8705): clients that prove themselves by one, and tokens that are bound to one.

use std::path::Path;

use gateward::certificate::Authorities;
use gateward::config::ClientCertificates;
use gateward_kernel::confirmation::CertificateThumbprint;
use gateward_kernel::jose::Jwk;
use gateward_kernel::oauth::Client;
use gateward_kernel::record::Decision;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, PublicKeyData, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use super::grants::{introspect, text};
use super::{Known, SETTINGS, client, code, post_with, public_part, redemption, told_no, verified};
use crate::house::House;
use crate::mutual_tls::{Identity, base64, exchange, over_tls};
use crate::wire::{Answer, encode};

/// A proxy ends TLS, and tells the certificate.
async fn house() -> House {
    let proxy = "trusted_proxies = [\"127.0.0.1\"]\ntls.client_certificate_header = \"Client-Cert\"";
    let house = House::with(&format!("{proxy}\n{SETTINGS}")).await;
    house.person("ann").await;
    house
}

/// An authority.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Authority {
        let mut own = CertificateParams::new(vec![]).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = own.self_signed(&key).unwrap().pem();
        Authority(Issuer::new(own, key), pem)
    }

    /// Whom it vouches for, the house believes.
    fn trusted_by(&self, house: &House, folder: &Path) {
        let file = folder.join("clients.pem");
        std::fs::write(&file, &self.1).unwrap();
        house.app.authorities.set(Authorities::open(&file).unwrap()).unwrap();
    }

    fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().der().clone()
    }
}

/// What a certificate of a client says.
fn params(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, "app");
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(ia5(name))
}

fn ia5(text: &str) -> Ia5String {
    text.try_into().unwrap()
}

/// What the proxy tells.
fn told(certificate: &CertificateDer<'_>) -> String {
    format!(":{}:", base64(certificate))
}

/// Posts with that certificate, or without one.
async fn ask(
    house: &House,
    client: &Known,
    path: &str,
    shown: Option<&CertificateDer<'_>>,
    fields: &[(&str, &str)],
) -> Answer {
    let header = shown.map(told);
    let more: Vec<_> = header.iter().map(|text| ("Client-Cert", text.as_str())).collect();
    post_with(house, client, path, &more, fields).await
}

async fn userinfo(house: &House, scheme: &str, token: &str, shown: Option<&CertificateDer<'_>>) -> Answer {
    let mut browser = house.browser().with("Authorization", &format!("{scheme} {token}"));
    if let Some(certificate) = shown {
        browser = browser.with("Client-Cert", &told(certificate));
    }
    browser.get("/oauth/userinfo").await
}

/// Each of these is refused at every endpoint where clients prove themselves, and spends nothing: the code that came with all of
/// them is redeemed by the right one in the end.
async fn only_opens(house: &House, app: &Known, right: &CertificateDer<'_>, wrong: &[(&str, Vec<u8>)]) {
    let code = code(house, app, &[]).await;
    for (what, der) in wrong {
        let certificate = CertificateDer::from(der.as_slice());
        let shown = (!der.is_empty()).then_some(&certificate);
        let asked = super::parameters(app, &[]);
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
        for (path, fields) in [
            ("/oauth/token", &redemption(&code)[..]),
            ("/oauth/par", &asked),
            ("/oauth/introspect", &[("token", &code)]),
            ("/oauth/revoke", &[("token", &code)]),
        ] {
            let answer = ask(house, app, path, shown, fields).await;
            assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{what} at {path}");
        }
    }
    ask(house, app, "/oauth/token", Some(right), &redemption(&code)).await.expect(200);
}

#[tokio::test]
async fn a_client_is_known_by_the_one_name_that_an_authority_vouches_for() {
    let (house, folder) = (house().await, tempfile::tempdir().unwrap());
    let (authority, other) = (Authority::new(), Authority::new());
    authority.trusted_by(&house, folder.path());
    let address = "192.0.2.7".parse().unwrap();
    let (uri, mail) = ("spiffe://example/app", "app@example.com");
    let names = vec![
        dns("app.example"),
        SanType::URI(ia5(uri)),
        SanType::IpAddress(address),
        SanType::Rfc822Name(ia5(mail)),
    ];
    let good = params(names.clone());
    let right = authority.sign(&good);
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = params(names.clone());
        change(&mut params);
        authority.sign(&params).to_vec()
    };
    let nobodys = good.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let everywhere = vec![
        ("none", vec![]),
        ("of another authority", other.sign(&good).to_vec()),
        ("signed by itself", nobodys.der().to_vec()),
        ("for servers", changed(|own| own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
        ("over", changed(|own| own.not_after = date_time_ymd(2026, 12, 31))),
        ("not yet", changed(|own| own.not_before = date_time_ymd(2027, 12, 31))),
    ];
    let named = |name: SanType| authority.sign(&params(vec![name])).to_vec();
    let common = |name: &str| {
        let mut params = params(vec![]);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        authority.sign(&params).to_vec()
    };
    for (parameter, value, others) in [
        (
            "san_dns",
            "app.example",
            vec![
                ("another host", named(dns("other.example"))),
                ("a host above", named(dns("example"))),
                ("a host below", named(dns("x.app.example"))),
                ("all hosts", named(dns("*.example"))),
                ("a URI", named(SanType::URI(ia5("app.example")))),
                ("a subject", common("app.example")),
            ],
        ),
        (
            "san_uri",
            uri,
            vec![
                ("a longer one", named(SanType::URI(ia5("spiffe://example/app/x")))),
                ("another case", named(SanType::URI(ia5("spiffe://example/APP")))),
                ("a host", named(dns(uri))),
            ],
        ),
        (
            "san_ip",
            "192.0.2.7",
            vec![
                ("another", named(SanType::IpAddress("192.0.2.8".parse().unwrap()))),
                ("as a host", named(dns("192.0.2.7"))),
                ("mapped", named(SanType::IpAddress("::ffff:192.0.2.7".parse().unwrap()))),
            ],
        ),
        (
            "san_email",
            mail,
            vec![
                ("another", named(SanType::Rfc822Name(ia5("app@example.org")))),
                ("another case", named(SanType::Rfc822Name(ia5("APP@example.com")))),
                ("a subject", common(mail)),
            ],
        ),
        (
            "subject_dn",
            "CN=app,O=Example",
            vec![("less", common("app")), ("the text as a name", common("CN=app,O=Example"))],
        ),
    ] {
        let app = client(
            &house,
            parameter,
            json!({
                "token_endpoint_auth_method": "tls_client_auth",
                format!("tls_client_auth_{parameter}"): value,
            }),
        )
        .await;
        only_opens(&house, &app, &right, &[everywhere.clone(), others].concat()).await;
    }
}

/// A house without authorities is none that trusts all.
#[tokio::test]
async fn where_nobody_vouches_nobody_is_known_by_name() {
    let (house, folder) = (house().await, tempfile::tempdir().unwrap());
    let authority = Authority::new();
    let right = authority.sign(&params(vec![dns("app.example")]));
    let by_name =
        json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example"});
    let app = client(&house, "app", by_name).await;
    let code = code(&house, &app, &[]).await;
    let answer = ask(&house, &app, "/oauth/token", Some(&right), &redemption(&code)).await;
    assert_eq!(told_no(&answer), (401, "invalid_client".into()));
    authority.trusted_by(&house, folder.path());
    ask(&house, &app, "/oauth/token", Some(&right), &redemption(&code)).await.expect(200);
}

/// A certificate that signs itself, and the public key in it.
fn own(key: &KeyPair) -> (CertificateDer<'static>, Value) {
    let certificate = params(vec![]).self_signed(key).unwrap().der().clone();
    (certificate, public_part(&Jwk::from_spki(&key.subject_public_key_info()).unwrap()))
}

fn fresh() -> CertificateDer<'static> {
    own(&KeyPair::generate().unwrap()).0
}

#[tokio::test]
async fn a_client_without_an_authority_is_known_by_its_key() {
    let (house, folder) = (house().await, tempfile::tempdir().unwrap());
    let authority = Authority::new();
    authority.trusted_by(&house, folder.path());
    let (key, next) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (right, jwk) = own(&key);
    let (later, next_jwk) = own(&next);
    let (_, mut for_encryption) = own(&next);
    for_encryption["use"] = "enc".into();
    let jwks = json!({ "keys": [jwk, for_encryption] });
    let app = client(
        &house,
        "app",
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": jwks}),
    )
    .await;
    let stranger = fresh();
    let wrong = [
        ("none", vec![]),
        ("of another key", stranger.to_vec()),
        ("of an authority", authority.sign(&params(vec![])).to_vec()),
        ("of a key for encryption", later.to_vec()),
    ];
    only_opens(&house, &app, &right, &wrong).await;
    // The key counts, and no date: another certificate of it is as good (RFC 8705 §2.2).
    let mut old = params(vec![]);
    old.not_after = date_time_ymd(2026, 12, 31);
    let renewed = old.self_signed(&key).unwrap().der().clone();
    only_opens(&house, &app, &renewed, &wrong[..1]).await;
    // A key that has left the set opens nothing from now on.
    let decide = |client: &Client| {
        let mut changed = client.clone();
        changed.metadata.jwks = serde_json::from_value(json!({ "keys": [next_jwk] })).unwrap();
        Decision::Write(changed, ())
    };
    house.app.oauth.clients.change("app", house.now(), decide).await.unwrap().unwrap();
    only_opens(&house, &app, &later, &[("the key before", right.to_vec())]).await;
}

/// Two proofs are one too many, and a certificate is none for who has registered something else.
#[tokio::test]
async fn a_certificate_stands_in_for_no_other_method_and_no_other_for_it() {
    let house = house().await;
    let (right, jwk) = own(&KeyPair::generate().unwrap());
    let jwks = json!({ "keys": [jwk] });
    let app = client(
        &house,
        "app",
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": jwks}),
    )
    .await;
    let basic = client(&house, "basic", json!({ "jwks": jwks })).await;
    let code = code(&house, &app, &[]).await;
    let header = super::header("app", &app.secret);
    let cert = told(&right);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let nameless = redemption(&code).to_vec();
    let with = |more: &[(&'static str, &'static str)]| [&nameless[..], more].concat();
    for (what, headers, fields) in [
        ("a secret beside it", vec![("Client-Cert", cert.as_str()), ("Authorization", &header)], with(&[])),
        (
            "a secret in the form",
            vec![("Client-Cert", &cert)],
            with(&[("client_id", "app"), ("client_secret", "x")]),
        ),
        ("no name", vec![("Client-Cert", &cert)], with(&[])),
        ("for one of a secret", vec![("Client-Cert", &cert)], with(&[("client_id", "basic")])),
    ] {
        let headers = [&[form], &headers[..]].concat();
        let answer = house.browser().send("POST", "/oauth/token", &headers, encode(&fields).as_bytes()).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{what}");
    }
    // A header that is no certificate is no certificate for anybody.
    for odd in ["nonsense", ":AAAA:", ":: "] {
        let answer =
            post_with(&house, &basic, "/oauth/introspect", &[("Client-Cert", odd)], &[("token", "x")]).await;
        assert_eq!(told_no(&answer), (400, "invalid_request".into()), "{odd}");
    }
    ask(&house, &app, "/oauth/token", Some(&right), &redemption(&code)).await.expect(200);
}

#[tokio::test]
async fn a_token_is_bound_to_the_certificate_it_was_given_to() {
    let house = house().await;
    let (right, other) = (fresh(), fresh());
    let bound = json!({ "tls_client_certificate_bound_access_tokens": true });
    let desk = client(&house, "desk", bound).await;
    let checker = client(&house, "checker", json!({ "gateward_introspects": true })).await;
    for (scope, resource) in [("openid read", ""), ("openid dig", "https://opaque.example")] {
        let code = code(&house, &desk, &[("scope", scope), ("resource", resource)]).await;
        // Who is to show one and shows none gets nothing, and the code is not spent.
        let answer = ask(&house, &desk, "/oauth/token", None, &redemption(&code)).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()));
        let answer = ask(&house, &desk, "/oauth/token", Some(&right), &redemption(&code)).await.expect(200);
        assert_eq!(text(&answer, "token_type"), "Bearer");
        let token = text(&answer, "access_token");
        let cnf = json!({ "x5t#S256": CertificateThumbprint::of(&right).to_string() });
        assert_eq!(introspect(&house, &checker, &token).await["cnf"], cnf);
        if resource.is_empty() {
            assert_eq!(verified(&house, &token).await.1["cnf"], cnf);
            userinfo(&house, "Bearer", &token, Some(&right)).await.expect(200);
            for shown in [None, Some(&other)] {
                let answer = userinfo(&house, "Bearer", &token, shown).await;
                assert_eq!(told_no(&answer), (401, "invalid_token".into()));
                let challenge = answer.header("www-authenticate").unwrap();
                assert_eq!(challenge, "Bearer realm=\"gateward\", error=\"invalid_token\"");
                assert!(!answer.text().contains("sub"));
            }
            // It is bound to no key for proofs.
            let answer = userinfo(&house, "DPoP", &token, Some(&right)).await;
            assert_eq!(told_no(&answer), (401, "invalid_token".into()));
            userinfo(&house, "Bearer", &token, Some(&right)).await.expect(200);
        }
    }
}

/// The refresh token of a client without a secret is bound, too; that of one that proves itself goes on with a new certificate
/// (RFC 8705 §7.1).
#[tokio::test]
async fn refreshing_needs_the_certificate_where_nothing_else_proves_the_client() {
    let house = house().await;
    let (first, next) = (fresh(), fresh());
    let bound = json!({ "tls_client_certificate_bound_access_tokens": true });
    let desk = client(&house, "desk", bound.clone()).await;
    let mut none = bound;
    none["token_endpoint_auth_method"] = "none".into();
    let spa = client(&house, "spa", none).await;
    for (app, is_bound) in [(&desk, false), (&spa, true)] {
        let code = code(&house, app, &[]).await;
        let tokens = ask(&house, app, "/oauth/token", Some(&first), &redemption(&code)).await.expect(200);
        let token = text(&tokens, "refresh_token");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let answer = ask(&house, app, "/oauth/token", None, &fields).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{}", app.id);
        let answer = ask(&house, app, "/oauth/token", Some(&next), &fields).await;
        if is_bound {
            assert_eq!(told_no(&answer), (400, "invalid_grant".into()));
            // Nothing was spent by that: the family lives.
            let answer = ask(&house, app, "/oauth/token", Some(&first), &fields).await.expect(200);
            userinfo(&house, "Bearer", &text(&answer, "access_token"), Some(&first)).await.expect(200);
            continue;
        }
        let access = text(&answer.expect(200), "access_token");
        userinfo(&house, "Bearer", &access, Some(&next)).await.expect(200);
        userinfo(&house, "Bearer", &access, Some(&first)).await.expect(401);
        // What was given to the first stays with the first.
        userinfo(&house, "Bearer", &text(&tokens, "access_token"), Some(&next)).await.expect(401);
    }
}

/// Without a proxy: the certificate of the handshake is what counts, and a header is nothing but a header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_the_handshake_reaches_the_endpoints() {
    let house = House::with(&format!("public_url = \"https://localhost\"\n{SETTINGS}")).await;
    house.person("ann").await;
    let folder = tempfile::tempdir().unwrap();
    let (key, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (certificate, jwk) = own(&key);
    let (others, _) = own(&thief);
    let app = json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": { "keys": [jwk] },
        "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
        "tls_client_certificate_bound_access_tokens": true,
    });
    client(&house, "app", app).await;
    let (address, trusted) = over_tls(&house, folder.path(), ClientCertificates::Optional).await;
    let body = encode(&[("grant_type", "client_credentials"), ("client_id", "app"), ("scope", "read")]);
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nClient-Cert: {}\r\n\r\n{body}",
        body.len(),
        told(&certificate)
    );
    for version in [&TLS12, &TLS13] {
        let own: Identity<'_> = Some((&certificate, &key));
        for (identity, status) in [(None, 401), (Some((&others, &thief)), 401), (own, 200)] {
            let answer = exchange(address, &trusted, version, identity, &request).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            if status == 200 {
                let json: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
                let claims = verified(&house, json["access_token"].as_str().unwrap()).await.1;
                let thumbprint = CertificateThumbprint::of(&certificate).to_string();
                assert_eq!(claims["cnf"], json!({ "x5t#S256": thumbprint }));
            } else {
                assert!(answer.contains("\"invalid_client\""), "{answer}");
            }
        }
    }
}
