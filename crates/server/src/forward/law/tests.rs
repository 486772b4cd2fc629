use gateward_guard::forwarded::Scheme;
use gateward_kernel::id::PersonId;
use gateward_kernel::time::Moment;
use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::forward::question::Parts;

fn person(groups: &[&str]) -> Person {
    let mut person =
        Person::new(PersonId::from_bytes([1; 16]), "ann".parse().unwrap(), Moment::from_micros(0));
    person.groups = groups.iter().map(ToString::to_string).collect();
    person
}

fn rule(path: &str, access: Access) -> Rule {
    Rule { path: path.to_owned(), methods: Vec::new(), networks: Vec::new(), access, scopes: Vec::new() }
}

fn admins() -> Access {
    Access::Groups(vec!["admins".to_owned()])
}

fn law(host: &str, rules: Vec<Rule>) -> Law {
    Law::new([AppRules { host: host.to_owned(), takes: None, rules }])
}

/// A page, as any request without headers that say otherwise.
fn no_headers() -> &'static HeaderMap {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    &NONE
}

fn parts<'a>(authority: &'a str, target: &'a str) -> Parts<'a> {
    let client = Some(IpAddr::from([203, 0, 113, 7]));
    Parts { method: "GET", scheme: Scheme::Https, authority, target, client, headers: no_headers() }
}

fn ask(law: &Law, parts: Parts<'_>, person: Option<&Person>) -> Verdict {
    law.decide(&Question::read(parts).unwrap(), person)
}

const DENIED: Verdict = Verdict::Denied { missing: Missing::Rule };

#[test]
fn the_first_matching_rule_decides() {
    let law = law(
        "wiki.example.com",
        vec![
            rule("/public/*", Access::Everyone),
            rule("/admin/*", admins()),
            rule("/closed", Access::Nobody),
            rule("/open/*", Access::SignedIn),
        ],
    );
    let (plain, admin) = (person(&[]), person(&["admins", "staff"]));
    let missing = Verdict::Denied { missing: Missing::Groups(vec!["admins".to_owned()]) };
    for (path, nobody, signed_in, administrator) in [
        ("/public", Verdict::Allow, Verdict::Allow, Verdict::Allow),
        ("/public/a", Verdict::Allow, Verdict::Allow, Verdict::Allow),
        ("/publicity", DENIED, DENIED, DENIED),
        ("/admin/x?y", Verdict::SignIn, missing.clone(), Verdict::Allow),
        ("/admin", Verdict::SignIn, missing, Verdict::Allow),
        ("/closed", DENIED, DENIED, DENIED),
        ("/open/", Verdict::SignIn, Verdict::Allow, Verdict::Allow),
        ("/", DENIED, DENIED, DENIED),
        ("/elsewhere", DENIED, DENIED, DENIED),
    ] {
        assert_eq!(ask(&law, parts("wiki.example.com", path), None), nobody, "{path}, nobody");
        assert_eq!(ask(&law, parts("wiki.example.com", path), Some(&plain)), signed_in, "{path}, somebody");
        assert_eq!(
            ask(&law, parts("wiki.example.com", path), Some(&admin)),
            administrator,
            "{path}, an administrator"
        );
    }
    assert_eq!(ask(&law, parts("other.example.com", "/public"), Some(&admin)), Verdict::NotListed);
}

#[test]
fn a_token_needs_the_scopes_of_its_rule_and_a_session_needs_none() {
    let takes = Some(Takes { audience: "https://api.example.com".to_owned(), in_query: false });
    let scoped = |path: &str, access: Access, scopes: &[&str]| Rule {
        scopes: scopes.iter().map(ToString::to_string).collect(),
        ..rule(path, access)
    };
    let rules = vec![
        scoped("/public/*", Access::Everyone, &["read"]),
        scoped("/read/*", Access::SignedIn, &["read"]),
        scoped("/write/*", Access::SignedIn, &["write", "read"]),
        scoped("/admin/*", admins(), &["read"]),
        rule("/any/*", Access::SignedIn),
        rule("/closed", Access::Nobody),
    ];
    let law = Law::new([AppRules { host: "api.example.com".to_owned(), takes: takes.clone(), rules }]);
    let (plain, admin) = (person(&[]), person(&["admins"]));
    let lacks = |scope: &str| Verdict::Denied { missing: Missing::Scope(scope.to_owned()) };
    let groups = Verdict::Denied { missing: Missing::Groups(vec!["admins".to_owned()]) };
    for (path, person, scope, expected) in [
        ("/public/x", &plain, "", Verdict::Allow),
        ("/read/x", &plain, "read", Verdict::Allow),
        ("/read/x", &plain, "other read", Verdict::Allow),
        ("/read/x", &plain, "", lacks("read")),
        ("/read/x", &plain, "READ readx", lacks("read")),
        ("/write/x", &plain, "read", lacks("write read")),
        ("/write/x", &plain, "read write", Verdict::Allow),
        ("/admin/x", &admin, "read", Verdict::Allow),
        ("/admin/x", &admin, "", lacks("read")),
        ("/admin/x", &plain, "read", groups.clone()),
        ("/admin/x", &plain, "", groups),
        ("/any/x", &plain, "", Verdict::Allow),
        ("/closed", &admin, "read write", DENIED),
        // However it is written, no rule is walked around.
        ("/%72ead/x", &plain, "read", DENIED),
        ("/READ/x", &plain, "read", DENIED),
    ] {
        let question = Question::read(parts("api.example.com", path)).unwrap();
        let verdict = law.decide_by_token(&question, person, &scope.parse().unwrap());
        assert_eq!(verdict, expected, "{path} {scope:?}");
        if matches!(&verdict, Verdict::Denied { missing: Missing::Scope(_) }) {
            assert_eq!(law.decide(&question, Some(person)), Verdict::Allow, "{path} in a session");
        }
        assert_eq!(law.takes(&question), takes.as_ref());
    }
}

#[test]
fn the_most_exact_host_counts() {
    let app = |host: &str, access: Access| AppRules {
        host: host.to_owned(),
        takes: None,
        rules: vec![rule("/*", access)],
    };
    let law = Law::new([
        app("*.example.com", Access::SignedIn),
        app("wiki.example.com", Access::Everyone),
        app("wiki.example.com:8443", Access::Nobody),
        app("port.example.com:8443", Access::Everyone),
        app("[::1]:8080", Access::Everyone),
    ]);
    for (authority, expected) in [
        ("wiki.example.com", Verdict::Allow),
        ("wiki.example.com:444", Verdict::Allow),
        ("wiki.example.com:8443", DENIED),
        ("port.example.com:8443", Verdict::Allow),
        ("port.example.com", Verdict::SignIn),
        ("other.example.com", Verdict::SignIn),
        ("a.b.example.com", Verdict::NotListed),
        ("example.com", Verdict::NotListed),
        ("wiki.example.org", Verdict::NotListed),
        ("[::1]:8080", Verdict::Allow),
        ("[::1]", Verdict::NotListed),
    ] {
        assert_eq!(ask(&law, parts(authority, "/"), None), expected, "{authority}");
    }
    assert!(law.protects("wiki.example.com", 443) && !law.protects("example.com", 443));
}

#[test]
fn methods_and_networks_narrow_when_a_rule_matches() {
    let mut inside = rule("/*", Access::SignedIn);
    inside.networks = vec!["10.0.0.0/8".parse().unwrap()];
    let mut reading = rule("/api/*", Access::Everyone);
    reading.methods = vec!["GET".to_owned(), "OPTIONS".to_owned()];
    let law = law("wiki.example.com", vec![reading, inside]);
    let with = |method, client: Option<&str>, target| Parts {
        method,
        client: client.map(|client| client.parse().unwrap()),
        ..parts("wiki.example.com", target)
    };
    let elsewhere = Verdict::Denied { missing: Missing::Network };
    for (method, client, target, expected) in [
        ("GET", Some("203.0.113.7"), "/api/x", Verdict::Allow),
        ("HEAD", Some("203.0.113.7"), "/api/x", Verdict::Allow),
        ("OPTIONS", Some("203.0.113.7"), "/api/x", Verdict::Allow),
        ("POST", Some("203.0.113.7"), "/api/x", elsewhere.clone()),
        ("POST", Some("10.1.2.3"), "/api/x", Verdict::SignIn),
        ("POST", Some("::ffff:10.1.2.3"), "/api/x", Verdict::SignIn),
        ("GET", Some("203.0.113.7"), "/", elsewhere.clone()),
        ("GET", None, "/api/x", Verdict::Allow),
        ("GET", None, "/", elsewhere.clone()),
    ] {
        assert_eq!(ask(&law, with(method, client, target), None), expected, "{method} {client:?} {target}");
    }
    let person = person(&[]);
    assert_eq!(ask(&law, with("POST", Some("10.1.2.3"), "/api/x"), Some(&person)), Verdict::Allow);
    assert_eq!(ask(&law, with("POST", None, "/api/x"), Some(&person)), elsewhere, "no address, no network");
}

/// Paths an attacker tries to get what is everyone's rule applied to what is not.
const HOSTILE: &[&str] = &[
    // Dot segments, plain, encoded and half encoded.
    "/public/../admin",
    "/public/../admin/users",
    "/public/./../admin",
    "/public/%2e%2e/admin",
    "/public/.%2e/admin",
    "/public/%2E./admin",
    "/public/..",
    "/./admin",
    "/public/x/../../admin",
    "/%2e/admin",
    // Encoded slashes.
    "/public/..%2fadmin",
    "/public%2f..%2fadmin",
    "/public/%2e%2e%2fadmin",
    "/%2fadmin",
    "/admin%2fusers",
    "/public/..%2Fadmin",
    // Backslashes.
    "/public\\..\\admin",
    "/public/..\\admin",
    "/public/..%5cadmin",
    "/public%5c..%5cadmin",
    "/\\admin",
    "/admin\\users",
    // Empty parts.
    "//admin",
    "/public//../admin",
    "//public/../admin",
    "/public//admin",
    "///admin",
    "/admin//users",
    // Parameters.
    "/public/..;/admin",
    "/public;/../admin",
    "/admin;x=1",
    "/;/admin",
    "/public/..;x=1/admin",
    "/admin;/users",
    "/public/%3b/../admin",
    "/admin%3bx",
    "/public/..%3b/admin",
    // Encoded twice and more.
    "/public/%252e%252e/admin",
    "/public/..%252fadmin",
    "/%2561dmin",
    "/public/%25252e%25252e/admin",
    "/public/%25%32%65%25%32%65/admin",
    "/%25u0061dmin",
    "/public/..%255cadmin",
    // Broken and overlong encodings.
    "/public/%c0%ae%c0%ae/admin",
    "/public/..%c0%afadmin",
    "/public/%e0%80%ae%e0%80%ae/admin",
    "/%u0061dmin",
    "/public/%/admin",
    "/admin%",
    "/public/%2",
    "/%f0%80%80%af/admin",
    "/%ffadmin",
    // Control characters and blanks.
    "/public%00/../admin",
    "/admin%00",
    "/admin%0a",
    "/%0aadmin",
    "/admin%0d%0aX: y",
    "/admin%09",
    "/admin%20",
    "/%20admin",
    "/admin%7f",
    "/public/%00",
    "/admin%c2%85",
    "/admin%c2%a0",
    // Case, width, accents, and characters that vanish.
    "/ADMIN",
    "/Admin/users",
    "/aDmIn",
    "/%41dmin",
    "/%61dmin",
    "/adm%69n/users",
    "/%EF%BD%81dmin",
    "/%EF%BC%A1DMIN",
    "/adm%C4%B1n",
    "/ADM%C4%B0N",
    "/ad%C2%ADmin",
    "/ad%E2%80%8Bmin",
    "/%EF%BB%BFadmin",
    "/%C3%A1dmin",
    "/a%CC%81dmin",
    "/admin%E2%80%8E",
    // Characters that stand for others.
    "/public/%EF%BC%8E%EF%BC%8E/admin",
    "/public/..%EF%BC%8Fadmin",
    "/public/%E2%80%A5/admin",
    "/admin%EF%BC%9Bx",
    "/admin%CD%BE",
    "/public/..%EF%BC%BCadmin",
    "/public/%EF%BC%852e%EF%BC%852e/admin",
    // What Windows drops.
    "/admin.",
    "/admin./users",
    "/admin%20/users",
    "/admin::$DATA",
    "/admin:$i30:$INDEX_ALLOCATION/users",
    "/admin...",
    "/admin.%20.",
    "/public/.../admin",
    "/public/..%20/admin",
    // What follows the path.
    "/admin/",
    "/admin?/../public",
    "/admin%3f",
    "/admin%3fx",
    "/admin%23",
    "/admin?x=/public/",
    "/admin/?",
    "/public/x%3f/../../admin",
    "/admin#/../public",
    "/public#/../admin",
    // No path at all.
    "admin",
    "*",
    "",
    "?/admin",
    "http://wiki.example.com/admin",
    "%2fadmin",
];

#[test]
fn nothing_hostile_gets_what_is_everyones_of_what_is_not() {
    assert!(HOSTILE.len() > 100);
    // Once with everything else open, which is the dangerous order, and once with everything else denied.
    for rest in [Access::Everyone, Access::Nobody] {
        let rules =
            vec![rule("/admin/*", admins()), rule("/public/*", Access::Everyone), rule("/*", rest.clone())];
        let law = law("wiki.example.com", rules);
        let plain = person(&["staff"]);
        for path in HOSTILE {
            let Ok(question) = Question::read(parts("wiki.example.com", path)) else { continue };
            assert_ne!(law.decide(&question, None), Verdict::Allow, "{path}: nobody, rest {rest:?}");
            assert_ne!(
                law.decide(&question, Some(&plain)),
                Verdict::Allow,
                "{path}: not an administrator, rest {rest:?}"
            );
        }
    }
}

#[test]
fn an_exact_rule_is_no_easier_to_walk_around() {
    for pattern in ["/admin", "/Admin", "/ADMIN/"] {
        let law = law("wiki.example.com", vec![rule(pattern, admins()), rule("/*", Access::Everyone)]);
        for path in
            ["/admin", "/ADMIN", "/admin/", "/%61dmin", "/admin%20", "/admin.", "/admin%3fx", "/ad%C2%ADmin"]
        {
            assert_eq!(ask(&law, parts("wiki.example.com", path), None), Verdict::SignIn, "{pattern} {path}");
        }
        assert_eq!(
            ask(&law, parts("wiki.example.com", "/admin/users"), None),
            Verdict::Allow,
            "{pattern} is one path"
        );
        assert_eq!(ask(&law, parts("wiki.example.com", "/administrators"), None), Verdict::Allow);
    }
}

#[test]
fn what_is_everyones_is_everyones_in_one_spelling_only() {
    let law =
        law("wiki.example.com", vec![rule("/public/*", Access::Everyone), rule("/*", Access::SignedIn)]);
    for (path, expected) in [
        ("/public/a", Verdict::Allow),
        ("/public/A%20b", Verdict::Allow),
        ("/PUBLIC/a", Verdict::SignIn),
        ("/%70ublic/a", Verdict::SignIn),
        ("/p%C3%BAblic/a", Verdict::SignIn),
    ] {
        assert_eq!(ask(&law, parts("wiki.example.com", path), None), expected, "{path}");
    }
}

proptest! {
    /// However a path is dressed up: if its decoded form lies in a guarded tree, in whatever case, it is not everyone's.
    #[test]
    fn a_guarded_tree_is_guarded_in_every_spelling(
        letters in "[aA][dD][mM][iI][nN]",
        encode in any::<[bool; 5]>(),
        tail in "(/[a-z.%;?#]{0,6}){0,2}",
    ) {
        let spelled: String = letters.chars().zip(encode)
            .map(|(letter, encode)| if encode { format!("%{:02x}", letter as u32) } else { letter.to_string() })
            .collect();
        let law = law("wiki.example.com", vec![rule("/admin/*", admins()), rule("/*", Access::Everyone)]);
        let path = format!("/{spelled}{tail}");
        if let Ok(question) = Question::read(parts("wiki.example.com", &path)) {
            prop_assert_ne!(law.decide(&question, None), Verdict::Allow, "{}", path);
        }
    }
}
