//! Who is asked, with what, and whom the answer is believed from.

use super::site::answer;
use super::*;

#[tokio::test]
async fn a_document_is_fetched_with_nothing_but_what_it_takes() {
    let say =
        answer("200 OK", "content-type: application/json\r\ncache-control: max-age=90\r\nage: 30\r\n", "{}");
    let site = Site::tls("app.test", say).await;
    let outbound = towards(&site, "app.test");
    let address = url(&format!("https://app.test:{}/a/b?x=1&y=%20#part", site.port));
    let fetched = outbound.get(&address, Wanted::KEYS).await.unwrap();
    assert_eq!((fetched.status.as_u16(), &fetched.body[..]), (200, &b"{}"[..]));
    assert!(fetched.is("application/json"));
    assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));
    let expected = format!(
        "GET /a/b?x=1&y=%20 HTTP/1.1\r\nhost: app.test:{}\r\nuser-agent: gateward/{}\r\n\
         accept-encoding: identity\r\nconnection: close\r\n\
         accept: application/jwk-set+json, application/json\r\n\r\n",
        site.port,
        env!("CARGO_PKG_VERSION"),
    );
    assert_eq!(*site.asked.lock(), [expected]);
}

#[tokio::test]
async fn a_form_is_sent_in_full_and_cookies_are_not_kept() {
    let site = Site::tls("app.test", answer("200 OK", "set-cookie: a=b; Path=/\r\n", "")).await;
    let outbound = towards(&site, "app.test");
    let address = url(&format!("https://app.test:{}/logout", site.port));
    for _ in 0..2 {
        let fetched =
            outbound.post_form(&address, &[("logout_token", "a.b.c"), ("x", "ü &=")]).await.unwrap();
        assert_eq!(fetched.status.as_u16(), 200);
    }
    for asked in site.asked.lock().iter() {
        assert!(asked.starts_with("POST /logout HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{asked}");
        assert!(asked.ends_with("\r\n\r\nlogout_token=a.b.c&x=%C3%BC+%26%3D"), "{asked}");
        for never in ["cookie", "authorization", "referer", "origin", "forwarded"] {
            assert!(!asked.to_lowercase().contains(&format!("\r\n{never}")), "{asked}");
        }
    }
    assert_eq!(site.count(), 2);
}

#[tokio::test]
async fn other_statuses_are_the_callers_to_judge() {
    let site = Site::tls("app.test", answer("404 Not Found", "", "no")).await;
    let outbound = towards(&site, "app.test");
    let fetched =
        outbound.get(&url(&format!("https://app.test:{}/", site.port)), Wanted::JSON).await.unwrap();
    assert_eq!((fetched.status.as_u16(), fetched.max_age), (404, None));
    assert_eq!(fetched.ok().unwrap_err().to_string(), "the answer has the status 404 Not Found");
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let elsewhere = Site::tls("app.test", answer("200 OK", "", "")).await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308, 399] {
        let header = format!("location: https://app.test:{}/\r\n", elsewhere.port);
        let site = Site::tls("app.test", answer(&format!("{status} X"), &header, "")).await;
        let outbound = towards(&site, "app.test");
        let address = url(&format!("https://app.test:{}/", site.port));
        for error in [
            outbound.get(&address, Wanted::JSON).await.unwrap_err(),
            outbound.post_form(&address, &[]).await.unwrap_err(),
        ] {
            assert!(
                matches!(error, OutboundError::Redirected(found) if found == status),
                "{status}: {error}"
            );
        }
    }
    assert_eq!(*elsewhere.connections.lock(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_judged_is_asked() {
    let site = Site::tls("app.test", answer("200 OK", "", "here")).await;
    let names = Names::of("app.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let outbound = towards(&site, "app.test").with_resolver(names.clone());
    let address = url(&format!("https://app.test:{}/", site.port));
    assert_eq!(&outbound.get(&address, Wanted::JSON).await.unwrap().body[..], b"here");
    assert_eq!(*names.lookups.lock(), ["app.test"]);
    // The next request resolves, and judges, anew.
    let error = outbound.get(&address, Wanted::JSON).await.unwrap_err();
    assert_eq!(error, OutboundError::Forbidden(Forbidden::Address));
    assert_eq!(*site.connections.lock(), 1);
}

#[tokio::test]
async fn a_public_name_that_resolves_to_this_machine_is_not_asked() {
    let site = Site::tls("app.example.com", answer("200 OK", "", "")).await;
    let address = url(&format!("https://app.example.com:{}/", site.port));
    for answers in [
        &["127.0.0.1"][..],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
        &["::ffff:127.0.0.1"],
        &["::1"],
        &["64:ff9b::7f00:1"],
        &["0.0.0.0"],
    ] {
        let outbound = towards(&site, "other.test").with_resolver(Names::of("app.example.com", &[answers]));
        let error = outbound.get(&address, Wanted::JSON).await.unwrap_err();
        assert_eq!(error, OutboundError::Forbidden(Forbidden::Address), "{answers:?}");
        let error = outbound.post_form(&address, &[]).await.unwrap_err();
        assert_eq!(error, OutboundError::Forbidden(Forbidden::Address), "{answers:?}");
    }
    assert_eq!(*site.connections.lock(), 0);
}

#[tokio::test]
async fn what_must_not_be_asked_is_not_even_resolved() {
    let site = Site::tls("app.test", answer("200 OK", "", "")).await;
    let names = Arc::new(Names::default());
    let outbound = towards(&site, "app.test").with_resolver(names.clone());
    for address in [
        format!("http://app.test:{}/", site.port),
        format!("https://me@app.test:{}/", site.port),
        format!("https://localhost:{}/", site.port),
        format!("https://127.0.0.1:{}/", site.port),
        "https://app.test:22/".to_owned(),
    ] {
        assert!(outbound.may_ask(&url(&address)).is_err(), "{address}");
        let error = outbound.get(&url(&address), Wanted::JSON).await.unwrap_err();
        assert!(matches!(error, OutboundError::Forbidden(_)), "{address}: {error}");
    }
    assert!(outbound.may_ask(&url(&format!("https://app.test:{}/", site.port))).is_ok());
    assert_eq!((names.lookups.lock().len(), *site.connections.lock()), (0, 0));
}

#[tokio::test]
async fn a_name_without_an_address_is_told() {
    let outbound = Outbound::open(&settings("").outbound).unwrap();
    for names in [Arc::new(Names::default()), Names::of("app.example.com", &[&[]])] {
        let outbound = Outbound::open(&settings("").outbound).unwrap().with_resolver(names);
        let error = outbound.get(&url("https://app.example.com/"), Wanted::JSON).await.unwrap_err();
        assert_eq!(error, OutboundError::Unresolved);
    }
    // The system's resolver, asked for a name that cannot be.
    let error = outbound.get(&url("https://nothing.invalid/"), Wanted::JSON).await.unwrap_err();
    assert!(matches!(error, OutboundError::Unresolved | OutboundError::TimedOut), "{error}");
}

#[tokio::test]
async fn the_systems_resolver_finds_this_machine() {
    let site = Site::plain(answer("200 OK", "", "here")).await;
    let allowed = settings(&format!("[outbound]\nallow = ['http://localhost:{}']", site.port));
    let outbound = Outbound::open(&allowed.outbound).unwrap();
    let fetched =
        outbound.get(&url(&format!("http://localhost:{}/", site.port)), Wanted::JSON).await.unwrap();
    assert_eq!(&fetched.body[..], b"here");
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_the_others_their_turn() {
    let site = Site::tls("app.test", answer("200 OK", "", "here")).await;
    // Nobody listens at the first: this machine's own network, and the site is at one address only.
    let outbound =
        towards(&site, "app.test").with_resolver(Names::of("app.test", &[&["127.0.0.2", "127.0.0.1"]]));
    let fetched =
        outbound.get(&url(&format!("https://app.test:{}/", site.port)), Wanted::JSON).await.unwrap();
    assert_eq!(&fetched.body[..], b"here");
}

#[tokio::test]
async fn only_trusted_authorities_and_the_right_name_are_believed() {
    let site = Site::tls("app.test", answer("200 OK", "", "")).await;
    let address = url(&format!("https://app.test:{}/", site.port));
    assert!(towards(&site, "app.test").get(&address, Wanted::JSON).await.is_ok());
    // Who signed another server of the same name is believed at its port.
    let mut strange = Site::tls("app.test", answer("200 OK", "", "")).await;
    strange.port = site.port;
    let wrong_name = Site::tls("other.test", answer("200 OK", "", "")).await;
    for (outbound, address) in [
        (towards(&strange, "app.test"), address),
        (towards(&wrong_name, "app.test"), url(&format!("https://app.test:{}/", wrong_name.port))),
    ] {
        let error = outbound.get(&address, Wanted::JSON).await.unwrap_err();
        assert!(matches!(&error, OutboundError::Failed(text) if text.contains("certificate")), "{error}");
    }
    assert_eq!((site.count(), wrong_name.count()), (1, 0));
}

#[tokio::test]
async fn plain_http_is_asked_only_where_it_was_written() {
    let site = Site::plain(answer("200 OK", "", "plain")).await;
    let address = url(&format!("http://127.0.0.1:{}/", site.port));
    for (entry, may) in [("http://127.0.0.1", true), ("127.0.0.1", false), ("http://localhost", false)] {
        let allowed = settings(&format!("[outbound]\nallow = ['{entry}:{}']", site.port));
        let outbound = Outbound::open(&allowed.outbound).unwrap();
        assert_eq!(outbound.get(&address, Wanted::JSON).await.is_ok(), may, "{entry}");
    }
    assert_eq!(site.count(), 1);
}

#[test]
fn proxies_of_the_environment_are_not_asked() {
    // The test of fetching again, in a process whose environment names a proxy at which nobody listens.
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "outbound::tests::asking::a_document_is_fetched_with_nothing_but_what_it_takes"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        again.env(name, "http://127.0.0.1:9");
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_file_of_authorities_must_hold_some() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let open = || {
        let settings = settings(&format!("[outbound]\nca_file = '{}'", file.display())).outbound;
        format!("{:#}", Outbound::open(&settings).unwrap_err())
    };
    let shown = file.display().to_string();
    let missing = open();
    assert!(
        missing.starts_with(&format!("outbound.ca_file: the file {shown} cannot be read: ")),
        "{missing}"
    );
    for (text, reason) in [
        ("", "there is no certificate in the PEM text"),
        ("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", "no PEM certificate: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate: "),
    ] {
        std::fs::write(&file, text).unwrap();
        let found = open();
        assert!(found.starts_with(&format!("outbound.ca_file: {shown}: {reason}")), "{found}");
    }
}

#[tokio::test]
async fn exceptions_are_told_at_every_start() {
    let site = Site::tls("app.test", answer("200 OK", "", "")).await;
    // Where there is but one subscriber, tracing asks the thread that comes by a line first whether anybody wants it, and holds to that: it
    // may be a thread of another test.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let told = |open: &dyn Fn()| {
        let written = Written::default();
        let kept = written.clone();
        let log = tracing_subscriber::fmt().with_writer(move || kept.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(log, open);
        String::from_utf8(written.0.lock().clone()).unwrap()
    };
    let said = told(&|| drop(towards(&site, "app.test")));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains(" WARN ") && lines[0].contains("outbound.ca_file"), "{said}");
    assert!(lines[0].contains("ca.pem") && lines[0].contains("count=1"), "{said}");
    assert!(lines[1].contains(" WARN ") && lines[1].contains("outbound.allow"), "{said}");
    assert!(lines[1].contains(&format!("app.test:{}", site.port)), "{said}");
    assert_eq!(told(&|| drop(Outbound::open(&settings("").outbound).unwrap())), "");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
