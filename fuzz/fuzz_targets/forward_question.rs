//! Forward-auth: the question that was read is the one a browser and an application would read, and no spelling of a
//! path gets around a rule. First line: which dialect (0 to 5) and the address of the request; then headers.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use gateward::forward::dialect::{Asked, Dialect};
use gateward::forward::law::{Access, AppRules, Law, Rule, Verdict};
use gateward::forward::question::Question;
use gateward_fuzz::{first_line, headers};
use gateward_kernel::refusal::Refusal;
use http::Uri;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let (first, lines) = first_line(data);
    let Some((dialect, address)) = first.split_first() else { return };
    let Some(dialect) = Dialect::ALL.get(usize::from(dialect.wrapping_sub(b'0'))).copied() else { return };
    let Ok(uri) = Uri::try_from(address.trim_ascii()) else { return };
    let headers = headers(lines);
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    let asked = Asked { peer: proxy, method: "GET", uri: &uri, headers: &headers, trusted: &trusted };
    let from_elsewhere = dialect.read(&Asked { peer: stranger, ..asked });
    assert_eq!(from_elsewhere, Err(Refusal::UntrustedProxy));
    if let Ok(question) = dialect.read(&asked) {
        a_browser_reads_the_same(&question);
        no_spelling_gets_around_a_rule(&question);
    }
});

fn a_browser_reads_the_same(question: &Question<'_>) {
    let url = Url::parse(&question.url()).expect("what was asked for is an address");
    assert_eq!(url.host_str(), Some(question.host()), "{url}");
    assert_eq!(url.port_or_known_default(), Some(question.port()), "{url}");
    assert_eq!(url.path().matches('/').count(), question.target().raw().matches('/').count(), "{url}");
    let target = question.target();
    for path in [target.raw(), target.decoded(), target.loose()] {
        assert!(path.starts_with('/') && !path.contains("//") && !path.contains(['\\', ';']), "{path:?}");
        assert!(path.split('/').all(|part| !matches!(part, "." | "..")), "{path:?}");
        assert!(!path.chars().any(char::is_control), "{path:?}");
    }
    assert_eq!(target.decoded().matches('/').count(), target.raw().matches('/').count());
}

fn no_spelling_gets_around_a_rule(question: &Question<'_>) {
    let rule = |path: &str, access: Access| Rule {
        path: path.to_owned(),
        methods: Vec::new(),
        networks: Vec::new(),
        access,
        scopes: Vec::new(),
    };
    let rules = vec![rule("/admin/*", Access::Nobody), rule("/*", Access::Everyone)];
    let law = Law::new([AppRules { host: "wiki.example.com".to_owned(), takes: None, rules }]);
    let verdict = law.decide(question, None);
    let listed = question.host() == "wiki.example.com";
    assert_eq!(verdict == Verdict::NotListed, !listed);
    let first =
        |path: &str| path.split('/').nth(1).unwrap_or_default().trim_end_matches(['.', ' ']).to_lowercase();
    let target = question.target();
    if [target.raw(), target.decoded(), target.loose()].iter().any(|path| first(path) == "admin") {
        assert_ne!(verdict, Verdict::Allow, "{}", question.url());
    }
}
