//! Loading as a whole: defaults, precedence and origins.

mod contradictions;
mod errors;
mod secrets;

use super::*;

fn file(text: &str) -> Sources {
    let file = FileText { name: "gateward.toml".into(), text: text.into() };
    Sources { file: Some(file), ..Sources::default() }
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Sources { environment, ..Sources::default() }
}

fn problems(sources: &Sources) -> Vec<String> {
    match load(sources) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn shown(loaded: &Loaded, key: &str) -> (String, String) {
    let one = loaded.effective.iter().find(|one| one.key == key).unwrap();
    (one.value.to_string(), one.origin.to_string())
}

fn told(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn without_any_source_everything_is_at_its_default() {
    let loaded = load(&Sources::default()).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.base_url().as_str(), "http://127.0.0.1:8080/");
    assert!(!settings.is_https());
    assert_eq!(settings.base_url_on("127.0.0.1:4711".parse().unwrap()).as_str(), "http://127.0.0.1:4711/");
    assert_eq!(settings.sessions.idle.duration().as_secs(), 1_800);
    assert_eq!(settings.passwords.memory.count(), 19 * 1024 * 1024);
    assert_eq!(settings.root_key_file(), PathBuf::from("./gateward-data/root.key"));
    assert_eq!(shown(&loaded, "listen"), told("\"127.0.0.1:8080\"", "default"));
    assert_eq!(shown(&loaded, "public_url"), told("\"http://127.0.0.1:8080\"", "derived from listen"));
    let root_key = told("\"./gateward-data/root.key\"", "derived from data");
    assert_eq!(shown(&loaded, "secrets.root_key_file"), root_key);
    assert_eq!(shown(&loaded, "app"), told("[]", "default"));
}

#[test]
fn a_higher_layer_wins_and_is_named_as_the_origin() {
    let mut sources = file("node = 'file'\ndata = '/f'\nlanguage = 'de'\n\n[sessions]\nidle = '1m'\n");
    let loaded = load(&sources).unwrap();
    assert_eq!(shown(&loaded, "node"), told("\"file\"", "file gateward.toml:1"));
    assert_eq!(shown(&loaded, "sessions.idle"), told("\"1m\"", "file gateward.toml:6"));

    let variables =
        [("GATEWARD_DATA", "/e"), ("GATEWARD_SESSIONS__IDLE", "2m"), ("PATH", "x"), ("gateward_node", "x")];
    sources.environment = environment(&variables).environment;
    sources.flags = vec![Flag::new("data", "/flag", "--data")];
    let loaded = load(&sources).unwrap();
    assert_eq!(shown(&loaded, "node"), told("\"file\"", "file gateward.toml:1"));
    assert_eq!(shown(&loaded, "sessions.idle"), told("\"2m\"", "environment GATEWARD_SESSIONS__IDLE"));
    assert_eq!(shown(&loaded, "data"), told("\"/flag\"", "flag --data"));
    assert_eq!(shown(&loaded, "language"), told("\"de\"", "file gateward.toml:3"));
    assert_eq!(loaded.settings.data, PathBuf::from("/flag"));
}

#[test]
fn lists_in_the_environment_are_comma_separated_or_toml_and_replace_the_list_of_the_file() {
    let networks = |value: &str| {
        let mut sources = file("trusted_proxies = ['10.0.0.0/8', '192.168.0.0/16']");
        sources.environment = environment(&[("GATEWARD_TRUSTED_PROXIES", value)]).environment;
        let loaded = load(&sources).unwrap();
        loaded.settings.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(networks("127.0.0.1, ::1"), ["127.0.0.1/32", "::1/128"]);
    assert_eq!(networks("['127.0.0.1', \"::1\"]"), ["127.0.0.1/32", "::1/128"]);
    assert_eq!(networks(""), [""; 0]);
    assert_eq!(networks("[]"), [""; 0]);
}

const WIKI: &str =
    r#"[{ host = "wiki.example.com", rules = [{ path = "/*", allow = "groups", groups = ["admins"] }] }]"#;

#[test]
fn apps_are_read_from_file_and_environment_and_listed_key_by_key() {
    let text = "[[app]]\nhost = 'a.example.com'\nname = 'A'\nrules = [\n\
                  { path = '/x', allow = 'nobody' },\n\
                { path = '/*', methods = ['GET'], networks = ['10.0.0.0/8'], allow = 'signed-in' },\n]\n\
                \n[[app]]\nhost = '*.b.example'\n";
    let loaded = load(&file(text)).unwrap();
    let [first, second] = loaded.settings.app.as_slice() else { panic!("two apps were written") };
    assert_eq!(first.name.as_deref(), Some("A"));
    assert_eq!(first.rules[1].methods[0].as_str(), "GET");
    assert!(second.rules.is_empty() && second.host.is_wildcard());
    assert_eq!(shown(&loaded, "app[1].host"), told("\"a.example.com\"", "file gateward.toml:2"));
    let rule = told("{ allow = \"nobody\", path = \"/x\" }", "file gateward.toml:5");
    assert_eq!(shown(&loaded, "app[1].rules[1]"), rule);
    assert_eq!(shown(&loaded, "app[2].host"), told("\"*.b.example\"", "file gateward.toml:10"));

    let loaded = load(&environment(&[("GATEWARD_APP", WIKI)])).unwrap();
    assert_eq!(loaded.settings.app[0].rules[0].allow, Allow::Groups);
    let host = told("\"wiki.example.com\"", "environment GATEWARD_APP");
    assert_eq!(shown(&loaded, "app[1].host"), host);
}
