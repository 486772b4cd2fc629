//! Opening: what is refused, and how that is said.

use gateward_store::checkup::{Finding, Level};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

async fn refused(url: &str) -> OpenError {
    let options = NatsOptions { patience: Duration::from_secs(2), connecting: Duration::from_secs(1) };
    try_open(url, options).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_unreachable() {
    let mut server = Server::start();
    server.kill();
    let error = refused(&server.url()).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("check the address"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_are_refused_clearly_and_never_printed() {
    let server = Server::start_with("authorization { user: ann, password: \"p@ss/word\" }");
    let at = server.addr();
    let kv = open(&format!("nats://ann:p%40ss%2Fword@{at}")).await;
    kv.kv().ping().await.unwrap();
    assert!(!format!("{kv:?}").contains("word"));
    for url in
        [format!("nats://ann:wrong@{at}"), format!("nats://{at}"), format!("nats://bob:p%40ss%2Fword@{at}")]
    {
        let error = refused(&url).await;
        assert!(matches!(error, OpenError::Refused(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("wrong"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "p@ss/word\n").unwrap();
    open(&format!("nats://ann@{at}?password_file={}", file.display())).await.kv().ping().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let error = refused(&format!("nats://ann@{at}?password_file={}", file.display())).await;
    assert!(matches!(&error, OpenError::Unfit(said) if said.contains("cannot be read")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_file_is_read_anew_for_every_connection() {
    let mut server = Server::start_with("authorization { token: \"first\" }");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "first").unwrap();
    let kv = open(&format!("{}?token_file={}", server.url(), file.display())).await.kv();
    kv.ping().await.unwrap();
    server.configure("first", "second");
    server.restart();
    assert!(kv.ping().await.is_err(), "the token is another one now");
    std::fs::write(&file, "second\n").unwrap();
    within(LONG, "the new token", || async { kv.ping().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_made_otherwise_is_refused_with_the_reason() {
    let server = Server::start();
    let make = |name: &str, more: &str| {
        let config = format!(
            "{{\"name\":\"KV_{name}\",\"subjects\":[\"$KV.{name}.>\"],\"retention\":\"limits\",\"storage\":\"file\",\
             \"num_replicas\":1,\"max_msgs_per_subject\":1{more}}}"
        );
        let said = server.ask(&format!("$JS.API.STREAM.CREATE.KV_{name}"), &config).unwrap();
        assert!(!said.contains("\"error\""), "{said}");
    };
    make("direct", ",\"allow_direct\":true,\"allow_msg_ttl\":true,\"discard\":\"new\"");
    make("mortal", ",\"allow_msg_ttl\":false,\"discard\":\"new\"");
    make("old", ",\"allow_msg_ttl\":true,\"discard\":\"old\"");
    for (bucket, said) in [("direct", "allow_direct"), ("mortal", "allow_msg_ttl"), ("old", "discard")] {
        let error = refused(&format!("{}?bucket={bucket}", server.url())).await;
        assert!(matches!(&error, OpenError::Unfit(text) if text.contains(said)), "{error}");
    }
    open(&server.url()).await;
    let error = refused(&format!("{}?replicas=3", server.url())).await;
    assert!(error.to_string().contains("nats stream edit KV_gateward --replicas 3"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_jetstream_or_with_too_little_room_is_unfit() {
    let small = Server::start_with("max_payload: 8192");
    let error = refused(&small.url()).await;
    assert!(matches!(&error, OpenError::Unfit(said) if said.contains("max_payload")), "{error}");
    // More replicas than servers: the server says so.
    let server = Server::start();
    let error = refused(&format!("{}?replicas=3", server.url())).await;
    assert!(matches!(&error, OpenError::Unfit(said) if said.contains("replicas")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_guide_lists_are_enough() {
    let rights = "authorization { users: [ { user: a, password: b, permissions: { \
        publish: [\"$KV.gateward.>\", \"$JS.API.STREAM.INFO.KV_gateward\", \"$JS.API.STREAM.CREATE.KV_gateward\", \
        \"$JS.API.STREAM.MSG.GET.KV_gateward\", \"$JS.API.CONSUMER.CREATE.KV_gateward.>\", \
        \"$JS.API.CONSUMER.DELETE.KV_gateward.>\", \"$JS.API.INFO\", \"$JS.FC.KV_gateward.>\"], \
        subscribe: [\"_INBOX.>\"] } } ] }";
    let server = Server::start_with(rights);
    let nats = open(&format!("nats://a:b@{}", server.addr())).await;
    let findings = nats.checkup().await.unwrap();
    assert!(findings.iter().all(|finding| finding.level != Level::Bad), "{findings:#?}");
    assert_eq!(nats.kv().page("checkup", None, 10).await.unwrap().items.len(), 0, "nothing is left behind");
    let error = refused(&format!("nats://a:b@{}?bucket=other", server.addr())).await;
    assert!(matches!(error, OpenError::Refused(_)), "{error}");
}

fn level(findings: &[Finding], words: &str) -> Option<Level> {
    findings.iter().find(|finding| finding.said.contains(words)).map(|finding| finding.level)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_says_what_an_accident_costs() {
    let server = Server::start();
    let findings = open(&server.url()).await.checkup().await.unwrap();
    assert_eq!(level(&findings, "every record is on one server"), Some(Level::Warning), "{findings:#?}");
    assert_eq!(level(&findings, "is nats-server 2."), Some(Level::Good));
    assert_eq!(level(&findings, "can be written, read, listed and removed"), Some(Level::Good));
    assert_eq!(level(&findings, "has no limit of its own"), Some(Level::Good));
    assert_eq!(level(&findings, "tells of changes"), Some(Level::Good));
    let fsync = findings.iter().find(|finding| finding.said.contains("on disk; whether")).unwrap();
    assert!(fsync.advice.as_ref().unwrap().contains("sync_interval"), "{fsync:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_and_a_stranger_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    let strange = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // With the issuer's own name it would look as if it had signed itself.
    params.distinguished_name.push(DnType::CommonName, "server");
    let cert = params.signed_by(&key, &own).unwrap();
    for (name, pem) in [
        ("ca.pem", own.pem()),
        ("strange.pem", strange.pem()),
        ("cert.pem", cert.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        std::fs::write(dir.path().join(name), pem).unwrap();
    }
    let file = |name: &str| dir.path().join(name).display().to_string();
    let server = Server::start_with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        file("cert.pem"),
        file("key.pem"),
        file("ca.pem")
    ));
    // The server asks for a certificate of ours too.
    let (port, own) = (server.addr().port(), format!("cert={}&key={}", file("cert.pem"), file("key.pem")));
    let kv = open(&format!("tls://localhost:{port}?ca={}&{own}", file("ca.pem"))).await.kv();
    create(&kv, "a").await;
    let error = refused(&format!("tls://localhost:{port}?ca={}&{own}", file("strange.pem"))).await;
    assert!(error.to_string().contains("certificate"), "{error}");
    // Another name than it has, no certificate of ours, and no certificates to trust.
    refused(&format!("tls://127.0.0.1:{port}?ca={}&{own}", file("ca.pem"))).await;
    refused(&format!("tls://localhost:{port}?ca={}", file("ca.pem"))).await;
    let error = refused(&format!("tls://localhost:{port}?ca={}", file("key.pem"))).await;
    assert!(error.to_string().contains("no certificate to trust"), "{error}");
    // A server without TLS is not spoken to in the clear.
    let open_server = Server::start();
    refused(&format!("tls://localhost:{}?ca={}", open_server.addr().port(), file("ca.pem"))).await;
}
