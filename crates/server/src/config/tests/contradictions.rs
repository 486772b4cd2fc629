//! Settings that are right each for itself and not together.

use super::{environment, file, problems};
use crate::config::load;

const HTTPS: &str = "public_url = 'https://login.example.com'\n";

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let cases = [
        (
            "public_url = 'http://login.example.com'",
            "1: public_url: \"http://login.example.com\" is plain http",
        ),
        (
            "listen = '0.0.0.0:80'",
            "1: listen: 0.0.0.0:80 is reachable from other machines, and public_url is not set",
        ),
        (
            "tls.certificate = 'a'",
            "1: tls.certificate: tls.certificate is set and tls.key is not; set both or none",
        ),
        ("tls.key = 'a'", "1: tls.key: tls.key is set and tls.certificate is not; set both or none"),
        (
            "tls.client_certificates = 'optional'",
            "1: tls.client_certificates: tls.client_certificates is \"optional\" and tls.certificate is not set",
        ),
        (
            "tls.client_certificate_header = 'X-Client-Cert'",
            "1: tls.client_certificate_header: tls.client_certificate_header is set and trusted_proxies is empty",
        ),
        (
            "tls.client_ca_file = 'ca.pem'",
            "1: tls.client_ca_file: tls.client_ca_file is set, and no certificate of a client ever comes",
        ),
        (
            "cookie.same_site = 'none'",
            "1: cookie.same_site: \"none\" needs https, and the public address is http://127.0.0.1:8080",
        ),
        ("cookie.partitioned = true", "1: cookie.partitioned: a partitioned cookie needs https"),
        (
            "sessions.absolute = '29m'",
            "1: sessions.absolute: sessions.idle is 30m (default) and sessions.absolute is 29m (file",
        ),
        ("sessions.remember_idle = '31d'", "1: sessions.remember_idle: sessions.remember_idle is 31d"),
        ("sessions.guest_idle = '8d'", "1: sessions.guest_idle: sessions.guest_idle is 8d"),
        (
            "limits.body = '32KiB'",
            "1: limits.body: limits.body is 32KiB (file gateward.toml:1) and sessions.data_limit is 64KiB",
        ),
        (
            "sessions.url_transport = ['a.example/x']",
            "1: sessions.url_transport: \"a.example/x\" is on a host that is no [[app]]",
        ),
        (
            "public_url = 'http://a.localhost'\ncookie.domain = 'x.localhost'",
            "2: cookie.domain: a shared cookie needs https",
        ),
    ];
    for (text, start) in cases {
        let found = problems(&file(text));
        assert!(found[0].starts_with(&format!("file gateward.toml:{start}")), "{text}: {found:?}");
    }
    let domains = [
        ("example.org", "is not the host of the public address https://login.example.com nor a parent"),
        ("sub.login.example.com", "is not the host of the public address"),
        ("in.example.com", "is not the host of the public address"),
        ("com", "is a single label"),
        (".example.com", "begins with a dot"),
        ("10.0.0.1", "is an IP address"),
    ];
    for (domain, reason) in domains {
        let found = problems(&file(&format!("{HTTPS}cookie.domain = '{domain}'")));
        let start = format!("file gateward.toml:2: cookie.domain: {domain:?} {reason}");
        assert!(found.len() == 1 && found[0].starts_with(&start), "{domain}: {found:?}");
    }
}

#[test]
fn settings_that_go_together_are_taken() {
    let cases = [
        "public_url = 'http://localhost:8080'",
        "public_url = 'http://wiki.localhost'",
        "public_url = 'http://127.8.0.1'",
        "listen = '[::1]:8080'",
        "listen = '127.0.0.1:0'",
        "listen = '0.0.0.0:443'\ntls.certificate = 'a'\ntls.key = 'b'",
        "listen = '0.0.0.0:80'\npublic_url = 'https://login.example.com'",
        "public_url = 'https://login.example.com'\ncookie.domain = 'example.com'",
        "public_url = 'https://login.example.com'\ncookie.domain = 'login.example.com'",
        "public_url = 'https://login.example.com'\ncookie.same_site = 'none'\ncookie.partitioned = true",
        "sessions.idle = '24h'",
        "limits.body = '64KiB'",
        "sessions.url_transport = ['b.a.example/x', 'c.example']\n\
         app = [{ host = '*.a.example' }, { host = 'c.example:8443' }]",
        "app = [{ host = 'a.example' }, { host = 'a.example:8443' }, { host = '*.a.example' }]",
    ];
    for text in cases {
        assert_eq!(problems(&file(text)), [""; 0], "{text}");
    }
    let tls = load(&file("listen = '0.0.0.0:443'\ntls.certificate = 'a'\ntls.key = 'b'")).unwrap().settings;
    assert!(tls.is_https() && tls.base_url().as_str() == "https://0.0.0.0/");
}

#[test]
fn a_key_that_is_wrong_already_silences_what_depends_on_it() {
    // Both would be on plain http if the mistyped address did not count.
    assert_eq!(problems(&file("public_ur = 'https://a.example'\ncookie.same_site = 'none'")).len(), 1);
    assert_eq!(problems(&file("public_url = 'a.example'\ncookie.same_site = 'none'")).len(), 1);
    let text = "[sesions]\nabsolute = '1h'\n";
    let mut sources = file(text);
    sources.environment = environment(&[("GATEWARD_SESSIONS__IDLE", "25h")]).environment;
    assert_eq!(problems(&sources).len(), 1);
}

#[test]
fn apps_that_take_tokens_say_which() {
    const RESOURCE: &str = "resource = [{ audience = 'https://api.example', scopes = ['read', 'write'] }]\n";
    let rule = |more: &str| format!("rules = [{{ path = '/*', allow = 'signed-in', {more} }}]");
    let scoped = rule("scopes = ['read']");
    let audience = "audience = 'https://api.example'";
    for good in [
        format!(
            "{RESOURCE}app = [{{ host = 'a.example', {audience} }}, {{ host = 'b.example', {audience} }}]"
        ),
        format!("{RESOURCE}app = [{{ host = 'a.example', {audience}, token_in_query = true, {scoped} }}]"),
        format!(
            "{RESOURCE}app = [{{ host = 'a.example', {audience}, {} }}]",
            rule("scopes = ['read', 'write']")
        ),
    ] {
        assert_eq!(problems(&file(&good)), [""; 0], "{good}");
    }
    let cases = [
        (
            format!("app = [{{ host = 'a.example', {scoped} }}]"),
            "1: app[1]: scopes are named in a rule, but the app takes no access tokens; set audience",
        ),
        (
            "app = [{ host = 'a.example', token_in_query = true }]".to_owned(),
            "1: app[1]: token_in_query is set, but the app takes no access tokens; set audience",
        ),
        (
            format!("app = [{{ host = 'a.example', {audience} }}]"),
            "1: app[1].audience: \"https://api.example\" is the audience of no [[resource]], so that nobody",
        ),
        (
            format!("{RESOURCE}app = [{{ host = 'a.example', audience = 'https://api.example/' }}]"),
            "2: app[1].audience: \"https://api.example/\" is the audience of no [[resource]], so that nobody",
        ),
        (
            format!(
                "{RESOURCE}app = [{{ host = 'a.example', {audience}, {} }}]",
                rule("scopes = ['read', 'admin']")
            ),
            "2: app[1].rules[1]: \"admin\" is no scope of the [[resource]] \"https://api.example\", so that no token",
        ),
        (
            format!(
                "{RESOURCE}app = [{{ host = 'a.example', {audience}, {} }}]",
                scoped.replace("signed-in", "everyone")
            ),
            "2: app[1].rules[1]: scopes are named, but allow is \"everyone\", which lets them be ignored",
        ),
        (
            format!(
                "{RESOURCE}app = [{{ host = 'a.example', {audience}, {} }}]",
                scoped.replace("signed-in", "nobody")
            ),
            "2: app[1].rules[1]: scopes are named, but allow is \"nobody\", which lets them be ignored",
        ),
    ];
    for (text, start) in cases {
        let found = problems(&file(&text));
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("file gateward.toml:{start}")),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn whose_word_counts_is_said_completely() {
    let one = |more: &str| format!("trusted_issuer = [{{ issuer = 'https://jobs.example', {more} }}]");
    for good in [
        "jwks_file = 'jobs.json', clients = ['runner']",
        "jwks_uri = 'https://jobs.example/keys', clients = ['a', 'b']",
    ] {
        assert_eq!(problems(&file(&one(good))), [""; 0], "{good}");
    }
    let twice = "{ issuer = 'https://jobs.example', jwks_file = 'a', clients = ['x'] }";
    let cases = [
        (one("clients = ['x']"), "1: trusted_issuer[1]: set either jwks_uri or jwks_file"),
        (
            one("jwks_file = 'a', jwks_uri = 'https://a.example/', clients = ['x']"),
            "1: trusted_issuer[1]: set either jwks_uri or jwks_file",
        ),
        (one("jwks_file = 'a'"), "1: trusted_issuer[1]: no client may exchange its statements"),
        (
            format!("trusted_issuer = [{twice}, {twice}]"),
            "1: trusted_issuer[2].issuer: \"https://jobs.example\" is the issuer of trusted_issuer[1] already",
        ),
        (
            format!(
                "{HTTPS}trusted_issuer = [{{ issuer = 'https://login.example.com', jwks_file = 'a', clients = ['x'] }}]"
            ),
            "2: trusted_issuer[1].issuer: \"https://login.example.com\" is this server itself",
        ),
    ];
    for (text, start) in cases {
        let found = problems(&file(&text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(start), "{found:?}");
    }
    for odd in
        ["http://jobs.example/keys", "https://user@jobs.example/", "https://jobs.example/#keys", "keys"]
    {
        let text = one(&format!("jwks_uri = '{odd}', clients = ['x']"));
        assert_eq!(problems(&file(&text)).len(), 1, "{odd}");
    }
}
