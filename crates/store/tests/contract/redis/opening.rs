//! Users, passwords, TLS, and what a checkup says.

use std::time::SystemTime;

use gateward_kernel::time::Clock;
use gateward_store::checkup::{Finding, Level};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

struct Wall(i64);

impl Clock for Wall {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Moment::from_micros(i64::try_from(since.as_micros()).unwrap() + self.0)
    }
}

async fn refused(url: &str) -> String {
    match try_open(url, RedisOptions::default()).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_no_password_are_refused_in_words() {
    let server = Server::start_with(&["--requirepass", "right/word"]);
    let place = server.addr();
    for url in [format!("redis://:wrongword@{place}"), format!("redis://{place}")] {
        let said = refused(&url).await;
        assert!(said.contains("refuses us") && said.contains("password"), "{said}");
        assert!(!said.contains("wrongword"), "{said}");
    }
    open(&format!("redis://:right%2Fword@{place}")).await.kv().ping().await.unwrap();
    let file = server.dir().join("password");
    std::fs::write(&file, "right/word\n").unwrap();
    let kv = open(&format!("redis://{place}?password_file={}", file.display())).await.kv();
    create(&kv, "a").await;
    let said = refused(&format!("redis://{place}?password_file=/nowhere/at/all")).await;
    assert!(said.contains("/nowhere/at/all cannot be read"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_work_are_refused() {
    let server = Server::start();
    let said = refused(&format!("{}?replicas=1&wait=2500", server.url())).await;
    assert!(said.contains("half of the 5000 ms"), "{said}");
    open(&format!("{}?replicas=1&wait=2499", server.url())).await;
    let options = RedisOptions { prefix: "a{b}".into(), ..RedisOptions::default() };
    let error = try_open(&server.url(), options).await.unwrap_err();
    assert!(matches!(error, OpenError::Unfit(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_an_error_that_says_so() {
    let begun = Instant::now();
    let said = refused(&format!("redis://127.0.0.1:{}", gateward_engines::free_port())).await;
    assert!(said.contains("cannot be reached") && begun.elapsed() < Duration::from_secs(1), "{said}");
}

/// Exactly the rights that the documentation lists.
const RIGHTS: &str = "~gw:* resetchannels -@all +hello +auth +ping +select +get +set +del +exists +getrange +time +eval +evalsha \
    +scan +wait +client|tracking +info +config|get +role +cluster|slots +cluster|info +asking";

#[tokio::test(flavor = "multi_thread")]
async fn the_listed_rights_are_enough_and_missing_ones_are_named() {
    let server = Server::start();
    let set = |name: &str, rights: &str| {
        let said = server.ask(
            &[&["ACL", "SETUSER", name, "on", ">pw"][..], &rights.split(' ').collect::<Vec<_>>()].concat(),
        );
        assert_eq!(said, "OK");
    };
    let rights = RIGHTS.split_whitespace().collect::<Vec<_>>().join(" ");
    set("enough", &rights);
    let redis = open(&format!("redis://enough:pw@{}", server.addr())).await;
    let kv = redis.kv();
    let version = create(&kv, "a").await;
    kv.replace(&Key::new("test", "a"), version, "b".into(), LATE).await.unwrap();
    assert_eq!(kv.page("test", None, 5).await.unwrap().items.len(), 1);
    kv.remove(&Key::new("test", "a")).await.unwrap().unwrap();
    let findings = redis.checkup(&Wall(0)).await.unwrap();
    assert!(findings.iter().all(|finding| finding.level < Level::Bad), "{findings:#?}");
    set("deaf", &format!("{rights} -client|tracking"));
    let said = refused(&format!("redis://deaf:pw@{}", server.addr())).await;
    assert!(said.contains("tracking"), "{said}");
    set("mute", &format!("{rights} -set"));
    let redis = open(&format!("redis://mute:pw@{}", server.addr())).await;
    let fault = redis.kv().create(&Key::new("test", "c"), "c".into(), LATE).await.unwrap_err();
    assert!(fault.cause.contains("can't run this command"), "{fault}");
    let findings = redis.checkup(&Wall(0)).await.unwrap();
    assert!(
        findings[0].level == Level::Bad && findings[0].said.contains("cannot be written"),
        "{findings:#?}"
    );
}

fn find<'a>(findings: &'a [Finding], word: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.said.contains(word))
        .unwrap_or_else(|| panic!("{word}: {findings:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_says_what_an_accident_costs() {
    let server = Server::start();
    let redis = open(&server.url()).await;
    let level = |findings: &[Finding], word| find(findings, word).level;
    let findings = redis.checkup(&Wall(0)).await.unwrap();
    assert_eq!(level(&findings, "is Redis 7"), Level::Good);
    assert_eq!(level(&findings, "no memory limit"), Level::Warning);
    assert_eq!(level(&findings, "disk every second"), Level::Good);
    assert_eq!(level(&findings, "0 replicas"), Level::Warning);
    assert_eq!(level(&findings, "agrees with ours"), Level::Good);
    assert_eq!(server.ask(&["DBSIZE"]), "0", "it leaves nothing behind");
    for (name, value) in
        [("maxmemory-policy", "allkeys-lru"), ("maxmemory", "100mb"), ("appendonly", "no"), ("save", "60 1")]
    {
        assert_eq!(server.ask(&["CONFIG", "SET", name, value]), "OK");
    }
    let findings = redis.checkup(&Wall(-40_000_000)).await.unwrap();
    assert_eq!(level(&findings, "allkeys-lru"), Level::Bad);
    assert!(find(&findings, "allkeys-lru").advice.as_ref().unwrap().contains("signed out"));
    assert_eq!(level(&findings, "snapshots only"), Level::Warning);
    assert_eq!(level(&findings, "the clock"), Level::Bad);
    for (name, value) in
        [("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("appendfsync", "always")]
    {
        assert_eq!(server.ask(&["CONFIG", "SET", name, value]), "OK");
    }
    let findings = redis.checkup(&Wall(5_000_000)).await.unwrap();
    assert_eq!(level(&findings, "noeviction"), Level::Good);
    assert_eq!(level(&findings, "every write on disk"), Level::Good);
    assert_eq!(level(&findings, "the clock"), Level::Warning);
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
    let port = gateward_engines::free_port().to_string();
    let server = Server::start_in(
        dir,
        &[
            "--tls-port",
            &port,
            "--tls-cert-file",
            "{dir}/cert.pem",
            "--tls-key-file",
            "{dir}/key.pem",
            "--tls-ca-cert-file",
            "{dir}/ca.pem",
        ],
    );
    let file = |name: &str| server.dir().join(name).display().to_string();
    // The server asks for a certificate of ours too.
    let own = format!("cert={}&key={}", file("cert.pem"), file("key.pem"));
    let kv = open(&format!("rediss://localhost:{port}?ca={}&{own}", file("ca.pem"))).await.kv();
    create(&kv, "a").await;
    let said = refused(&format!("rediss://localhost:{port}?ca={}&{own}", file("strange.pem"))).await;
    assert!(said.contains("certificate"), "{said}");
    let said = refused(&format!("rediss://127.0.0.1:{port}?ca={}&{own}", file("ca.pem"))).await;
    assert!(said.contains("certificate"), "another name than it has: {said}");
    refused(&format!("rediss://localhost:{port}?ca={}", file("ca.pem"))).await;
    refused(&format!("redis://localhost:{port}")).await;
    let said = refused(&format!("rediss://localhost:{port}?ca={}", file("key.pem"))).await;
    assert!(said.contains("no certificate to trust"), "{said}");
}
