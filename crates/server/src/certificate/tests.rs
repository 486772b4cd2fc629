use std::time::Duration;

use data_encoding::BASE64;
use gateward_kernel::jose::JwkSet;
use gateward_kernel::time::Moment;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};

use super::header::CertificateProblem;
use super::law::{CertificateName, NotAName, is_key_of};
use super::*;

const HEADER: HeaderName = HeaderName::from_static("x-client-cert");
/// Within the years for which certificates are made here.
const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);

fn params(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Client, One");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CountryName, "DE");
    params.subject_alt_names = names;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

fn all_names() -> Vec<SanType> {
    vec![
        SanType::DnsName("client.example".try_into().unwrap()),
        SanType::DnsName("*.wild.example".try_into().unwrap()),
        SanType::URI("spiffe://example/client".try_into().unwrap()),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::IpAddress("2001:db8::7".parse().unwrap()),
        SanType::Rfc822Name("Client@Example.com".try_into().unwrap()),
    ]
}

fn made() -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params(all_names()).self_signed(&key).unwrap(), key)
}

fn read(certificate: &rcgen::Certificate) -> ClientCertificate {
    ClientCertificate::read(certificate.der(), Vec::new()).unwrap()
}

#[test]
fn a_certificate_is_read_once_and_whole() {
    let (certificate, key) = made();
    let own = read(&certificate);
    assert_eq!(*own.thumbprint(), CertificateThumbprint::of(certificate.der()));
    let jwk = Jwk::from_pem(&key.serialize_pem()).unwrap();
    assert_eq!(own.key().unwrap().thumbprint(), jwk.thumbprint());
    assert_eq!(own.names().dns, ["client.example", "*.wild.example"]);
    assert_eq!(own.names().uri, ["spiffe://example/client"]);
    assert_eq!(own.names().email, ["Client@Example.com"]);
    assert_eq!(own.names().ip, ["192.0.2.7", "2001:db8::7"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    let der: &[u8] = certificate.der();
    for end in 0..der.len() {
        assert!(ClientCertificate::read(&der[..end], Vec::new()).is_err(), "{end}");
    }
    assert!(ClientCertificate::read(&[der, &[0][..]].concat(), Vec::new()).is_err(), "something behind it");
    assert!(ClientCertificate::read(&vec![0x30; MAX_CERTIFICATE_LEN + 1], Vec::new()).is_err());
}

#[test]
fn a_certificate_has_128_names_at_most() {
    let named = |count: usize| {
        let names = (0..count).map(|at| SanType::DnsName(format!("{at}.example").try_into().unwrap()));
        let certificate = params(names.collect()).self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::read(certificate.der(), Vec::new())
    };
    assert_eq!(named(MAX_NAMES).unwrap().names().dns.len(), MAX_NAMES);
    assert_eq!(named(MAX_NAMES + 1).unwrap_err(), NotACertificate);
}

#[test]
fn a_client_is_known_by_one_registered_name() {
    let own = read(&made().0);
    for (parameter, value, fits) in [
        ("tls_client_auth_subject_dn", "C=DE,O=Example,CN=Client\\, One", true),
        ("tls_client_auth_subject_dn", "c=de, o=EXAMPLE, cn=client\\2C  one", true),
        ("tls_client_auth_subject_dn", "CN=Client\\, One,O=Example,C=DE", false),
        ("tls_client_auth_subject_dn", "O=Example,CN=Client\\, One", false),
        ("tls_client_auth_subject_dn", "C=DE,O=Example,CN=Client\\, One,CN=x", false),
        ("tls_client_auth_san_dns", "client.example", true),
        ("tls_client_auth_san_dns", "CLIENT.example", true),
        ("tls_client_auth_san_dns", "example", false),
        ("tls_client_auth_san_dns", "a.client.example", false),
        ("tls_client_auth_san_dns", "a.wild.example", false),
        ("tls_client_auth_san_dns", "192.0.2.7", false),
        ("tls_client_auth_san_uri", "spiffe://example/client", true),
        ("tls_client_auth_san_uri", "spiffe://example/Client", false),
        ("tls_client_auth_san_uri", "spiffe://example/client/", false),
        ("tls_client_auth_san_uri", "client.example", false),
        ("tls_client_auth_san_ip", "192.0.2.7", true),
        ("tls_client_auth_san_ip", "2001:DB8:0::7", true),
        ("tls_client_auth_san_ip", "192.0.2.8", false),
        ("tls_client_auth_san_ip", "::ffff:192.0.2.7", false),
        ("tls_client_auth_san_email", "Client@example.COM", true),
        ("tls_client_auth_san_email", "client@example.com", false),
        ("tls_client_auth_san_email", "Client@example.com.evil", false),
    ] {
        let name = CertificateName::read(parameter, value).unwrap();
        assert_eq!(name.is_of(&own), fits, "{parameter} {value}");
    }
    // One without names bears none.
    let bare = read(&CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap());
    assert!(bare.names() == &AlternativeNames::default());
    for (parameter, value) in [
        ("tls_client_auth_subject_dn", ""),
        ("tls_client_auth_subject_dn", "client"),
        ("tls_client_auth_san_dns", ""),
        ("tls_client_auth_san_dns", "a b"),
        ("tls_client_auth_san_uri", "a\u{e4}"),
        ("tls_client_auth_san_ip", "192.0.2.7/32"),
        ("tls_client_auth_san_ip", ""),
        ("tls_client_auth_san_email", "client"),
        ("tls_client_auth_san_email", "@example.com"),
    ] {
        assert_eq!(CertificateName::read(parameter, value), Err(NotAName::Value), "{parameter} {value}");
    }
    assert_eq!(CertificateName::read("tls_client_auth", "a"), Err(NotAName::Kind));
}

#[test]
fn a_self_signed_one_counts_by_its_key() {
    let (certificate, key) = made();
    let own = read(&certificate);
    let public = |key: &KeyPair| Jwk::from_pem(&key.serialize_pem()).unwrap().public().unwrap();
    let set = |keys: Vec<Jwk>| JwkSet { keys, skipped: Vec::new() };
    let (right, wrong) = (public(&key), public(&KeyPair::generate().unwrap()));
    assert!(is_key_of(&own, &set(vec![wrong.clone(), right.clone()])));
    assert!(!is_key_of(&own, &set(vec![wrong])));
    assert!(!is_key_of(&own, &set(Vec::new())));
    let json = right.to_json().unwrap().replacen('{', "{\"use\":\"enc\",", 1);
    assert!(!is_key_of(&own, &set(vec![Jwk::from_json(json.as_bytes()).unwrap()])), "a key for encryption");
    // Another certificate with the same names is another's.
    assert!(!is_key_of(&read(&made().0), &set(vec![right])));
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HEADER, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// As nginx writes `$ssl_client_escaped_cert`: everything but unreserved characters.
fn escaped(pem: &str) -> String {
    let sign = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    pem.bytes().map(sign).collect()
}

#[test]
fn proxies_tell_it_in_one_of_three_spellings() {
    let (certificate, _) = made();
    let base64 = BASE64.encode(certificate.der());
    let pem = certificate.pem();
    let dos = pem.replace('\n', "\r\n");
    let thumbprint = CertificateThumbprint::of(certificate.der());
    for text in [&format!(":{base64}:"), &base64, &escaped(&pem), &escaped(&dos), &escaped(pem.trim_end())] {
        let read = header::told(&headers(&[text]), &HEADER).unwrap().unwrap();
        assert_eq!(*read.thumbprint(), thumbprint, "{text}");
    }
    for none in [headers(&[]), headers(&[""])] {
        assert!(header::told(&none, &HEADER).unwrap().is_none());
    }
    let cut = &base64[..base64.len() - 4];
    let two = escaped(&format!("{pem}{pem}"));
    let key = escaped(&KeyPair::generate().unwrap().serialize_pem());
    let odd = [
        ":",
        "::",
        "nonsense",
        "(null)",
        "%",
        "-",
        cut,
        &two,
        &key,
        &format!(":{base64}"),
        &format!("{base64}:"),
        &format!("{base64},{base64}"),
        &format!(":{base64}:;a=b"),
        &base64.replace('=', ""),
        &escaped(&pem).replace("%0A", "%0"),
        &escaped(&format!("x{pem}")),
        &escaped(&format!("{pem}x")),
        &"A".repeat(5 * MAX_CERTIFICATE_LEN),
    ];
    for text in odd.iter().filter(|text| **text != base64) {
        let problem = header::told(&headers(&[text]), &HEADER).map(|_| ()).unwrap_err();
        assert_eq!(problem, CertificateProblem::Unreadable(HEADER, NotACertificate), "{text}");
    }
}

#[test]
fn a_header_that_somebody_could_have_added_is_refused() {
    let (certificate, _) = made();
    let text = format!(":{}:", BASE64.encode(certificate.der()));
    let twice = header::told(&headers(&[&text, &text]), &HEADER).unwrap_err();
    assert_eq!(twice, CertificateProblem::Duplicate(HEADER));
    let beside_none = header::told(&headers(&["", &text]), &HEADER).unwrap_err();
    assert_eq!(beside_none, CertificateProblem::Duplicate(HEADER));
    let mut hop = headers(&[&text]);
    hop.append("connection", HeaderValue::from_static("close, X-Client-Cert"));
    assert_eq!(header::told(&hop, &HEADER).unwrap_err(), CertificateProblem::HopByHop(HEADER));
}

#[test]
fn authorities_vouch_for_what_they_signed_and_for_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let authority = |name: &str| {
        let mut params = params(Vec::new());
        params.distinguished_name.push(DnType::OrganizationalUnitName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap(), Issuer::new(params, key))
    };
    let ((root, issuer), (_, stranger)) = (authority("one"), authority("two"));
    std::fs::write(&file, root.pem()).unwrap();
    let authorities = Authorities::open(&file).unwrap();
    let signed = |issuer: &Issuer<'_, KeyPair>, purpose| {
        let mut params = params(all_names());
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        read(&params.signed_by(&key, issuer).unwrap())
    };
    let client = signed(&issuer, ExtendedKeyUsagePurpose::ClientAuth);
    assert!(authorities.vouch_for(&client, NOW));
    let year = Duration::from_secs(366 * 24 * 3600);
    for then in [NOW + year * 4, NOW - year * 8, Moment::DAWN, Moment::NEVER] {
        assert!(!authorities.vouch_for(&client, then), "{then:?}");
    }
    assert!(!authorities.vouch_for(&signed(&stranger, ExtendedKeyUsagePurpose::ClientAuth), NOW));
    assert!(!authorities.vouch_for(&signed(&issuer, ExtendedKeyUsagePurpose::ServerAuth), NOW));
    assert!(!authorities.vouch_for(&read(&made().0), NOW), "self-signed");
    for (content, said) in [("", "holds no certificate"), ("nonsense", "holds no certificate")] {
        std::fs::write(&file, content).unwrap();
        let problem = format!("{:#}", Authorities::open(&file).unwrap_err());
        assert!(problem.starts_with("tls.client_ca_file: ") && problem.contains(said), "{problem}");
    }
    assert!(Authorities::open(&folder.path().join("missing")).is_err());
}
