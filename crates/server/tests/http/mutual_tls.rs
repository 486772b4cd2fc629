//! Certificates of clients: from the handshake of our own TLS, and from the header of a proxy, to the handler.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gateward::certificate::Authorities;
use gateward::config::ClientCertificates;
use gateward::face::answer::{self, Face};
use gateward::face::dispatch::{Route, Verb};
use gateward::face::gate::{Gate, How, Who};
use gateward::serve::tls::Tls;
use gateward::serve::{Front, listen};
use gateward_kernel::confirmation::CertificateThumbprint;
use gateward_kernel::jose::Jwk;
use http::StatusCode;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData as _,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::house::House;
use crate::oauth::{SETTINGS, key_set, service};
use crate::site::Site;
use crate::wire::Browser;

/// Tells the thumbprint of the certificate that reaches the handler, and whether somebody vouches for it.
const SHOWN: Route = Route {
    method: Verb::Get,
    path: "/shown",
    gate: Gate { who: Who::Anyone, how: How::Read },
    face: Face::Problem,
    about: "what certificate has come",
    handler: |visit| {
        Box::pin(async move {
            let shown =
                visit.certificate.as_ref().map_or("none".to_owned(), |own| own.thumbprint().to_string());
            answer::text(StatusCode::OK, format!("{shown} {}", visit.certificate_is_vouched_for()))
        })
    },
};

fn shown(certificate: &CertificateDer<'_>, vouched_for: bool) -> String {
    format!("{} {vouched_for}", CertificateThumbprint::of(certificate))
}

const NONE: &str = "none false";

/// A certificate and its key.
pub(crate) struct Made {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
    pub(crate) key: KeyPair,
}

pub(crate) fn self_signed() -> Made {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Made { certificate: made.cert.der().clone(), pem: made.cert.pem(), key: made.signing_key }
}

/// An authority in this file, and a certificate of a client that it has signed.
fn signed(file: &Path) -> Made {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().unwrap();
    std::fs::write(file, authority.self_signed(&own).unwrap().pem()).unwrap();
    let mut client = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = client.signed_by(&key, &Issuer::new(authority, own)).unwrap();
    Made { certificate: certificate.der().clone(), pem: certificate.pem(), key }
}

/// Serves everything and [`SHOWN`] over TLS; yields the address and the certificate to trust.
pub(crate) async fn over_tls(
    house: &House,
    folder: &Path,
    clients: ClientCertificates,
) -> (SocketAddr, CertificateDer<'static>) {
    let own = self_signed();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, &own.pem).unwrap();
    std::fs::write(&key, own.key.serialize_pem()).unwrap();
    let tls = Tls::open(&certificate, &key, clients).unwrap();
    (serve(house, Some(tls)).await, own.certificate)
}

async fn serve(house: &House, tls: Option<Arc<Tls>>) -> SocketAddr {
    let front = Front::with_routes(&house.app, [SHOWN].into_iter());
    let listening = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address;
    listening.serve_front(&front, house.app.clone(), tls, std::future::pending()).unwrap();
    address
}

/// A certificate that somebody shows, and its key.
pub(crate) type Identity<'a> = Option<(&'a CertificateDer<'static>, &'a KeyPair)>;

/// Asks for [`SHOWN`] over TLS, with a certificate or without, and yields the body.
async fn ask(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    identity: Identity<'_>,
    headers: &str,
) -> std::io::Result<String> {
    let request = format!("GET /shown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    let answer = exchange(address, trusted, version, identity, &request).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(answer.split("\r\n\r\n").nth(1).unwrap().to_owned())
}

/// Sends one request over TLS, and yields the whole answer.
pub(crate) async fn exchange(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    identity: Identity<'_>,
    request: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_the_handshake_reaches_the_handler() {
    let house = House::with("public_url = \"https://localhost\"").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let (client, stranger) = (signed(&file), self_signed());
    house.app.authorities.set(Authorities::open(&file).unwrap()).unwrap();
    let (address, trusted) = over_tls(&house, folder.path(), ClientCertificates::Optional).await;
    for version in [&TLS12, &TLS13] {
        let ask = async |identity: Identity<'_>| ask(address, &trusted, version, identity, "").await;
        assert_eq!(ask(None).await.unwrap(), NONE, "nobody needs one");
        let known = ask(Some((&client.certificate, &client.key))).await.unwrap();
        assert_eq!(known, shown(&client.certificate, true));
        let unknown = ask(Some((&stranger.certificate, &stranger.key))).await.unwrap();
        assert_eq!(unknown, shown(&stranger.certificate, false), "anybody has one");
    }
    // Who does not trust itself to the server asks nothing; a header is nothing but a header.
    let header = format!("X-Client-Cert: :{}:\r\n", base64(&client.certificate));
    assert_eq!(ask(address, &trusted, &TLS13, None, &header).await.unwrap(), NONE);
    let (silent, trusted) = over_tls(&house, folder.path(), ClientCertificates::Off).await;
    let identity = Some((&client.certificate, &client.key));
    assert_eq!(ask(silent, &trusted, &TLS13, identity, "").await.unwrap(), NONE, "it was not asked for");
}

/// A certificate is public: whoever shows another's has not its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_certificate_is_of_no_use_without_its_key() {
    let house = House::with("public_url = \"https://localhost\"").await;
    let folder = tempfile::tempdir().unwrap();
    let (victim, thief) = (self_signed(), self_signed());
    let (address, trusted) = over_tls(&house, folder.path(), ClientCertificates::Optional).await;
    for version in [&TLS12, &TLS13] {
        let key = PrivateKeyDer::from_pem_slice(thief.key.serialize_pem().as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let signing = provider.key_provider.load_private_key(key).unwrap();
        let stolen = rustls::sign::CertifiedKey::new(vec![victim.certificate.clone()], signing);
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let attempt = async {
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            stream.write_all(b"GET /shown HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            stream.read_u8().await
        };
        assert!(attempt.await.is_err(), "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_counts_from_a_configured_proxy_alone() {
    const HEADER: &str = "tls.client_certificate_header = \"X-Client-Cert\"";
    let client = self_signed();
    let text = format!(":{}:", base64(&client.certificate));
    let trusting = House::with(&format!("trusted_proxies = [\"127.0.0.1\"]\n{HEADER}")).await;
    let mut browser = Browser::new(serve(&trusting, None).await);
    assert_eq!(browser.get("/shown").await.text(), NONE);
    assert_eq!(browser.get_with("/shown", &[("X-Client-Cert", "")]).await.text(), NONE);
    let told = browser.get_with("/shown", &[("X-Client-Cert", text.as_str())]).await;
    assert_eq!(told.text(), shown(&client.certificate, false));
    for odd in [
        vec![("X-Client-Cert", "nonsense")],
        vec![("X-Client-Cert", text.as_str()), ("X-Client-Cert", text.as_str())],
        vec![("X-Client-Cert", text.as_str()), ("x-client-cert", "")],
    ] {
        browser.get_with("/shown", &odd).await.expect(400);
    }
    // Another header is another header.
    for name in ["Client-Cert", "X_Client_Cert", "X-Client-Certificate", "X-SSL-Client-Cert"] {
        assert_eq!(browser.get_with("/shown", &[(name, text.as_str())]).await.text(), NONE, "{name}");
    }
    let wary = House::with(&format!("trusted_proxies = [\"192.0.2.1\"]\n{HEADER}")).await;
    let mut browser = Browser::new(serve(&wary, None).await);
    for value in [text.as_str(), "nonsense"] {
        assert_eq!(browser.get_with("/shown", &[("X-Client-Cert", value)]).await.text(), NONE);
    }
}

/// The certificate of a proxy's own connection is not that of whoever asks through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxys_own_certificate_is_nobody_elses() {
    const BEHIND: &str = "public_url = \"https://localhost\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let (proxy, client) = (self_signed(), self_signed());
    let silent = House::with(BEHIND).await;
    let (address, trusted) = over_tls(&silent, folder.path(), ClientCertificates::Optional).await;
    let identity = Some((&proxy.certificate, &proxy.key));
    assert_eq!(ask(address, &trusted, &TLS13, identity, "").await.unwrap(), NONE, "no header is configured");
    let house = House::with(&format!("{BEHIND}tls.client_certificate_header = \"Client-Cert\"")).await;
    let (address, trusted) = over_tls(&house, folder.path(), ClientCertificates::Optional).await;
    let identity = Some((&proxy.certificate, &proxy.key));
    assert_eq!(ask(address, &trusted, &TLS13, identity, "").await.unwrap(), NONE);
    let header = format!("Client-Cert: :{}:\r\n", base64(&client.certificate));
    let told = ask(address, &trusted, &TLS13, identity, &header).await.unwrap();
    assert_eq!(told, shown(&client.certificate, false));
}

/// Whoever renews a certificate publishes its key first, and is known by it at once (RFC 8705 §2.2).
#[tokio::test]
async fn a_new_certificate_is_looked_for_where_the_client_keeps_its_keys() {
    let site = Site::open().await;
    let settings = format!(
        "trusted_proxies = [\"127.0.0.1\"]\ntls.client_certificate_header = \"Client-Cert\"\n{}{SETTINGS}",
        site.settings()
    );
    let house = House::with(&settings).await;
    let (old, new) = (self_signed(), self_signed());
    let publish = |made: &Made| {
        let key = Jwk::from_spki(&made.key.subject_public_key_info()).unwrap();
        site.says("/keys", "application/json", key_set(&key).to_string());
    };
    let more =
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks_uri": site.url("/keys")});
    let app = service(&house, "app", more).await;
    let ask = async |made: &Made| {
        let header = format!(":{}:", base64(&made.certificate));
        let fields = [("grant_type", "client_credentials"), ("client_id", app.id.as_str())];
        house.browser().with("Client-Cert", &header).form("/oauth/token", &fields).await
    };
    publish(&old);
    ask(&old).await.expect(200);
    publish(&new);
    ask(&new).await.expect(200);
    assert_eq!(ask(&old).await.status, 401);
    // Strangers do not cause more than that.
    ask(&self_signed()).await.expect(401);
    assert_eq!(site.count(), 2);
    house.advance(std::time::Duration::from_secs(60));
    ask(&self_signed()).await.expect(401);
    assert_eq!(site.count(), 3);
}

pub(crate) fn base64(certificate: &CertificateDer<'_>) -> String {
    data_encoding::BASE64.encode(certificate)
}
