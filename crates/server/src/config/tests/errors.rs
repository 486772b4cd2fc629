//! Every kind of error, in its exact words.

use super::{environment, file, problems};
use crate::config::{Flag, Sources};

#[test]
fn an_unknown_key_of_the_file_is_told_with_the_nearest_known_one() {
    let section = "this is a section, written [sessions] with its settings below, not sessions = …";
    let unknown = |nearest: &str| format!("no such setting; the nearest known key is {nearest}");
    let cases = [
        ("lisen = 'x'", "1: lisen", unknown("listen")),
        ("insecure_public_url = true", "1: insecure_public_url", unknown("public_url")),
        ("idle = '1m'", "1: idle", unknown("sessions.idle")),
        ("\n[sessions]\nidel = '1m'", "3: sessions.idel", unknown("sessions.idle")),
        ("[[apps]]\nhost = 'a.example'", "1: apps", unknown("app")),
        ("[sessions.idl]\ny = 1", "1: sessions.idl", unknown("sessions.idle")),
        ("[sesion]\nidle = '1m'", "1: sesion", "no such section; the nearest known one is [sessions]".into()),
        ("sessions = 'sqlite'", "1: sessions", section.into()),
        ("[[sessions]]\nidle = '1m'", "1: sessions", section.into()),
    ];
    for (text, place, expected) in cases {
        assert_eq!(problems(&file(text)), [format!("file gateward.toml:{place}: {expected}")], "{text}");
    }
}

const SPAN: &str =
    "a whole number and a unit (ms, s, m, h, d) such as \"90s\", \"30m\" or \"24h\", from 1s to 3650d";
const NUMBER: &str = "a whole number, from 1 to 1000";
const SOCKET: &str = "an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\"";
const NETWORK: &str = "an IP address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
const NETWORKS: &str = "a list, each an IP address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
const STORE: &str = "\"directory\", \"sqlite\", \"memory\", or an address such as \"postgres://…\", \"redis://…\", \
     \"redis+sentinel://…\", \"redis+cluster://…\", \"memcached://…\", \"nats://…\"";
const SIZE: &str =
    "a whole number of bytes, or one with KiB, MiB or GiB such as \"64KiB\", from 4KiB to 256KiB";
const PATH: &str = "a path; one that is not absolute counts from the working directory";
const SITE: &str = "scheme, host and port of a site such as \"https://login.example.com\"";

#[test]
fn a_wrong_value_in_the_file_is_told_with_its_line_its_key_and_what_is_allowed() {
    // The line, the wrong text as an error repeats it, why it is wrong, and what is allowed.
    let cases = [
        ("sessions.idle = '30x'", 1, "\"30x\" is not a duration", SPAN),
        ("sessions.idle = '30'", 1, "\"30\" has no unit", SPAN),
        ("sessions.idle = 30", 1, "\"30\" is a number, not a duration", SPAN),
        ("sessions.idle = '999ms'", 1, "\"999ms\" is out of range", SPAN),
        ("sessions.idle = '3651d'", 1, "\"3651d\" is out of range", SPAN),
        ("sessions.per_person = 0", 1, "\"0\" is out of range", NUMBER),
        ("sessions.per_person = 1001", 1, "\"1001\" is out of range", NUMBER),
        ("sessions.per_person = -1", 1, "\"-1\" is out of range", NUMBER),
        ("sessions.per_person = '5'", 1, "\"5\" is text in quotes, not a whole number", NUMBER),
        ("sessions.per_person = 1.5", 1, "\"1.5\" is a fraction or a date, not a whole number", NUMBER),
        ("sessions.per_person = [5]", 1, "\"[…]\" is a list, not a whole number", NUMBER),
        ("[listen]\nx = 1", 1, "\"{…}\" is a table, not an address to listen on", SOCKET),
        ("listen = 'localhost:8080'", 1, "\"localhost:8080\" is not an address to listen on", SOCKET),
        ("cookie.partitioned = 'yes'", 1, "\"yes\" is text in quotes, not a truth value", "true or false"),
        ("cookie.same_site = 'laxx'", 1, "\"laxx\" is not known here", "\"strict\", \"lax\" or \"none\""),
        ("trusted_proxies = '10.0.0.1'", 1, "\"10.0.0.1\" is not a list", NETWORKS),
        ("\ntrusted_proxies = [\n'10.0.0.1',\n'x',\n]", 4, "\"x\" is not a network", NETWORK),
        ("limits.header = '4095'", 1, "\"4095\" is out of range", SIZE),
        ("limits.header = 262145", 1, "\"262145\" is out of range", SIZE),
        ("data = ''", 1, "\"\" is empty", PATH),
        (
            "sessions.store = 'mongo://me:hunter2@db/0'",
            1,
            "\"mongo://******@db/0\" is not a session store",
            STORE,
        ),
        (
            "directory.store = 'redis://me:hunter2@db/0'",
            1,
            "\"redis://******@db/0\" would lose people, grants and keys: such a store may forget what it acknowledged, \
             and cannot be searched; it can hold sessions and access tokens",
            "\"sqlite\", or an address \"postgres://…\"",
        ),
        (
            "public_url = 'https://me:hunter2@a.example'",
            1,
            "\"https://******@a.example\" has a user in it",
            SITE,
        ),
    ];
    for (text, line, reason, allowed) in cases {
        let key = text.trim_start_matches(['[', '\n']).split([' ', ']']).next().unwrap();
        let item = if reason == "\"x\" is not a network" { "[2]" } else { "" };
        let expected = format!("file gateward.toml:{line}: {key}{item}: {reason}; allowed: {allowed}");
        assert_eq!(problems(&file(text)), [expected], "{text}");
    }
}

#[test]
fn the_ends_of_a_range_belong_to_it() {
    for text in [
        "sessions.idle = '1s'",
        "sessions.absolute = '3650d'",
        "sessions.per_person = 1",
        "sessions.per_person = 1000",
        "limits.header = 4096",
        "limits.header = '256KiB'",
        "passwords.memory = '8MiB'",
        "passwords.memory = '1GiB'",
        "sessions.data_limit = 65536",
    ] {
        assert_eq!(problems(&file(text)), [""; 0], "{text}");
    }
    assert_eq!(problems(&file("sessions.data_limit = 65537")).len(), 1);
}

#[test]
fn a_wrong_app_is_told_with_its_number_and_its_line() {
    let cases = [
        ("[[app]]\nname = 'x'", "1: app[1]: the key \"host\" is missing"),
        (
            "[[app]]\nhost = 'a.example'\nrule = []",
            "3: app[1].rule: no such key; the nearest known key is rules",
        ),
        (
            "app = ['a.example']",
            "1: app[1]: \"a.example\" is not a table; allowed: { host = …, name = …, audience = …, token_in_query = …, rules = … }",
        ),
        (
            "[[app]]\nhost = 'a.example'\nrules = [\n{ path = '/*', alow = 'everyone', allow = 'everyone' }]",
            "4: app[1].rules[1].alow: no such key; the nearest known key is allow",
        ),
        (
            "[[app]]\nhost = 'a.example'\nrules = [\n{ path = '/*' }]",
            "4: app[1].rules[1]: the key \"allow\" is missing",
        ),
        (
            "[[app]]\nhost = 'a.example'\nrules = [\n{ path = '/*', allow = 'groups' }]",
            "4: app[1].rules[1]: allow is \"groups\", but no groups are named; add groups = [\"…\"]",
        ),
        (
            "[[app]]\nhost = 'a.example'\nrules = [\n{ path = '/*', allow = 'signed-in', groups = ['x'] }]",
            "4: app[1].rules[1]: groups are named, but allow is \"signed-in\", which lets them be ignored; \
             set allow = \"groups\" or remove the groups",
        ),
        (
            "[[app]]\nhost = 'a.example'\nrules = [\n{ path = '/a/../*', allow = 'nobody' }]",
            "4: app[1].rules[1].path: \"/a/../*\" has a part . or ..; allowed: \"/x\" for one path, \"/x/*\" \
             for it and everything below, \"/*\" for every path",
        ),
        (
            "[[app]]\nhost = 'a.example'\n\n[[app]]\nhost = 'a.example'",
            "5: app[2].host: \"a.example\" is the host of app[1] already",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(&file(text)), [format!("file gateward.toml:{expected}")], "{text}");
    }
}

#[test]
fn a_wrong_variable_or_flag_is_told_by_its_name() {
    let cases = [
        (
            "GATEWARD_SESSIONS_IDLE",
            "1m",
            "sessions_idle: no such setting; the nearest known key is sessions.idle \
             (GATEWARD_SESSIONS__IDLE)",
        ),
        ("GATEWARD_LISTN", "x", "listn: no such setting; the nearest known key is listen (GATEWARD_LISTEN)"),
        (
            "GATEWARD_SESSIONS",
            "x",
            "sessions: this names a section; its settings are written GATEWARD_SESSIONS__…",
        ),
        ("GATEWARD_NODE_FILE", "/x", "node: only secrets are read from files; set GATEWARD_NODE"),
        (
            "GATEWARD_PORT",
            "8080",
            "port: no such setting; the nearest known key is tokens.format (GATEWARD_TOKENS__FORMAT)",
        ),
        (
            "GATEWARD_SESSIONS__PER_PERSON",
            "ten",
            "sessions.per_person: \"ten\" is not a whole number; allowed: a whole number, from 1 to 1000",
        ),
        (
            "GATEWARD_COOKIE__PARTITIONED",
            "TRUE",
            "cookie.partitioned: \"TRUE\" is not a truth value; allowed: true or false",
        ),
        (
            "GATEWARD_TRUSTED_PROXIES",
            "10.0.0.1,,x",
            "trusted_proxies[2]: \"\" is not a network; allowed: an IP address or a network such as \
             \"10.0.0.0/8\" or \"2001:db8::/32\"",
        ),
        (
            "GATEWARD_APP",
            "wiki.example.com",
            "app: \"wiki.example.com\" is not a TOML array; allowed: a list of tables, each \
             { host = …, name = …, audience = …, token_in_query = …, rules = … }",
        ),
        (
            "GATEWARD_APP",
            "[{ host = 'a.example', x = 1 }]",
            "app[1].x: no such key; the nearest known key is host",
        ),
    ];
    for (name, value, expected) in cases {
        let found = problems(&environment(&[(name, value)]));
        assert_eq!(found[0], format!("environment {name}: {expected}"));
    }
    let broken = problems(&environment(&[("GATEWARD_APP", "[{ host = }]")]));
    assert!(
        broken[0].starts_with("environment GATEWARD_APP: app: \"[{ host = }]\" is not a TOML array ("),
        "{broken:?}"
    );

    let flags = vec![Flag::new("listen", "8080", "--listen"), Flag::new("lisen", "x", "--set")];
    let found = problems(&Sources { flags, ..Sources::default() });
    assert!(
        found.iter().any(|line| line.starts_with("flag --listen: listen: \"8080\" is not an address")),
        "{found:?}"
    );
    assert!(found.contains(&"flag --set: lisen: no such setting; the nearest known key is listen".into()));
}

#[test]
fn variables_of_the_container_platform_are_no_settings() {
    let links = [
        ("GATEWARD_SERVICE_HOST", "10.0.0.1"),
        ("GATEWARD_SERVICE_PORT", "80"),
        ("GATEWARD_SERVICE_PORT_HTTP", "80"),
        ("GATEWARD_PORT", "tcp://10.0.0.1:80"),
        ("GATEWARD_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("GATEWARD_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("GATEWARD_CONFIG", "gateward.toml"),
    ];
    assert_eq!(problems(&environment(&links)), [""; 0]);
    assert_eq!(problems(&environment(&[("GATEWARD_PORT_X", "1")])).len(), 1);
}

#[test]
fn everything_wrong_is_told_at_once_layer_by_layer() {
    let mut sources = file(
        "a = 1\nlisten = 'x'\n\n[sessions]\nidle = '2h'\nabsolute = '1h'\nb = 2\n\n[log]\nlevel = 'loud'\n",
    );
    sources.environment = environment(&[("GATEWARD_C", "1"), ("GATEWARD_NODE", "a b")]).environment;
    sources.flags = vec![Flag::new("data", "", "--data")];
    let found = problems(&sources);
    let starts = [
        "file gateward.toml:1: a: ",
        "file gateward.toml:2: listen: ",
        "file gateward.toml:5: sessions.idle: sessions.idle is 2h (file gateward.toml:5) and \
         sessions.absolute is 1h (file gateward.toml:6); the idle time must not be the longer one",
        "file gateward.toml:7: sessions.b: ",
        "file gateward.toml:10: log.level: ",
        "environment GATEWARD_C: c: ",
        "environment GATEWARD_NODE: node: \"a b\" is not a node name",
        "flag --data: data: \"\" is empty",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn a_wrong_value_is_told_even_where_a_flag_overrides_it() {
    let mut sources = file("node = 'a b'");
    sources.flags = vec![Flag::new("node", "a", "--node")];
    assert_eq!(problems(&sources).len(), 1);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let found = problems(&file("listen = '127.0.0.1:80'\nnode = = 'a'\n[sessions]\n\nidle = '1m\n"));
    assert!(found.len() >= 2 && found[0].starts_with("file gateward.toml:2: not TOML: "), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("file gateward.toml:5: ")), "{found:?}");
    let twice = problems(&file("node = 'a'\nnode = 'b'\n"));
    assert!(
        twice.len() == 1 && twice[0].starts_with("file gateward.toml:2: not TOML: duplicate key"),
        "{twice:?}"
    );
    assert_eq!(problems(&file("\u{feff}node = 'a'\r\ndata = '/x'\r\n")), [""; 0]);
}
