//! The commands, beside a running server: what they print, what they refuse, and that they take effect in it.

use serde_json::json;

use crate::house::{PASSWORD, within_a_second};
use crate::machine::Machine;

async fn refused(machine: &Machine, arguments: &[&str], line: Option<&str>) -> String {
    let output = match line {
        Some(line) => machine.run_with(arguments, line).await,
        None => machine.run(arguments).await,
    };
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    told
}

#[tokio::test]
async fn people_are_added_shown_changed_and_removed() {
    let machine = Machine::new();
    assert!(refused(&machine, &["user", "list"], None).await.contains("there is no data directory"));
    assert!(!machine.data().exists(), "looking makes nothing");
    machine.add(&["ann", "--email", "Ann@Example.org", "--group", "staff", "--display-name", "Ann E."]).await;
    machine.add(&["root", "--admin"]).await;
    let shown = machine.json(&["user", "show", "ANN@example.org"]).await;
    assert_eq!(shown["username"], "ann");
    assert_eq!(
        (&shown["groups"], &shown["has_password"], &shown["disabled"]),
        (&json!(["staff"]), &json!(true), &json!(false))
    );
    assert!(!shown.to_string().contains("argon2"), "nothing that opens something");
    let names = |list: serde_json::Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|person| person["username"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(machine.json(&["user", "list"]).await), ["ann", "root"]);
    assert_eq!(names(machine.json(&["user", "list", "--search", "ANN"]).await), ["ann"]);
    let changed = machine
        .json(&["user", "change", "ann", "--rename", "anna", "--no-groups", "--group", "board", "--no-email"])
        .await;
    assert_eq!(
        (&changed["username"], &changed["groups"], &changed["email"]),
        (&json!("anna"), &json!(["board"]), &json!(null))
    );

    for (arguments, line, part) in [
        (&["user", "add", "ANNA", "--password-stdin"][..], Some(PASSWORD), "taken"),
        (&["user", "add", "аnna", "--password-stdin"], Some(PASSWORD), ""),
        (&["user", "add", "b b"], None, "user name"),
        (&["user", "add", "bob", "--email", "nonsense"], None, "nonsense"),
        (&["user", "add", "bob", "--group", "a,b"], None, ""),
        (&["user", "add", "bob", "--password-stdin"], Some("sh0rt"), "nothing was changed"),
        (&["user", "add", "bob", "--password-stdin"], Some("password123"), "nothing was changed"),
        (&["user", "add", "bob", "--hash-stdin"], Some("5f4dcc3b5aa765d61d8327deb882cf99"), "MD5"),
        (&["user", "add", "bob", "--hash-stdin"], Some("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"), "SHA-1"),
        (&["user", "show", "bob"], None, "nobody called"),
        (&["user", "remove", "bob"], None, "nobody called"),
        (&["session", "end", "nonsense"], None, ""),
        (&["session", "end", "AAAAAAAAAAAAAAAAAAAAAA"], None, "no living session"),
        (&["session", "end", "--user", "bob"], None, "nobody called"),
    ] {
        let told = refused(&machine, arguments, line).await;
        assert!(told.starts_with("gateward: ") && told.contains(part), "{arguments:?}: {told}");
        assert!(line.is_none_or(|line| !told.contains(line)), "no password in {told}");
    }
    assert_eq!(names(machine.json(&["user", "list"]).await), ["anna", "root"]);
    machine.json(&["user", "remove", "anna"]).await;
    assert_eq!(names(machine.json(&["user", "list"]).await), ["root"]);
}

#[tokio::test]
async fn commands_take_effect_in_the_running_server_within_a_second() {
    let machine = Machine::new();
    machine.add(&["ann"]).await;
    machine.add(&["root", "--admin"]).await;
    let server = machine.serve().await;
    let signed_in = async || {
        let mut browser = server.browser();
        browser.log_in("ann", PASSWORD).await.expect(200);
        browser
    };
    let (mut one, mut other) = (signed_in().await, signed_in().await);
    let id =
        one.get("/api/v1/session").await.expect(200).json()["session"]["id"].as_str().unwrap().to_owned();
    let listed = machine.json(&["session", "list", "--user", "ann"]).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(machine.json(&["session", "list"]).await.as_array().unwrap().len(), 2);
    assert!(
        listed.as_array().unwrap().iter().any(|session| session["id"] == id && session["username"] == "ann")
    );
    assert!(!listed.to_string().contains("gws1_"));
    assert_eq!(machine.json(&["session", "end", &id]).await, json!({"ended": 1}));
    within_a_second("session end ID", async || !one.is_signed_in().await).await;
    assert!(other.is_signed_in().await);

    let mut third = signed_in().await;
    assert_eq!(machine.json(&["session", "end", "--user", "ann"]).await, json!({"ended": 2}));
    within_a_second("session end --user", async || {
        !other.is_signed_in().await && !third.is_signed_in().await
    })
    .await;

    let mut browser = signed_in().await;
    assert_eq!(machine.json(&["user", "disable", "ann"]).await["disabled"], true);
    within_a_second("user disable", async || !browser.is_signed_in().await).await;
    server.browser().log_in("ann", PASSWORD).await.expect(401);
    refused(&machine, &["user", "reset", "ann"], None).await;
    assert_eq!(machine.json(&["user", "enable", "ann"]).await["disabled"], false);
    within_a_second("user enable", async || server.browser().log_in("ann", PASSWORD).await.status == 200)
        .await;

    let mut browser = signed_in().await;
    let next = "granite walnut harbour";
    let output = machine.run_with(&["user", "password", "ann", "--password-stdin"], next).await;
    assert!(output.status.success());
    within_a_second("user password", async || !browser.is_signed_in().await).await;
    server.browser().log_in("ann", next).await.expect(200);

    let reset = machine.json(&["user", "reset", "ann"]).await;
    let code = reset["code"].as_str().unwrap();
    assert!(reset["link"].as_str().unwrap().ends_with(&format!("/reset?code={code}")));
    let last = "marble lantern orchard";
    let fields = [("code", code), ("password", last), ("password_again", last)];
    server.browser().fill(&format!("/reset?code={code}"), "/reset", &fields).await.expect(200);
    server.browser().log_in("ann", last).await.expect(200);

    let peppers = async || {
        let keys = machine.json(&["key", "list"]).await;
        keys.as_array().unwrap().iter().filter(|key| key["purpose"] == "pepper").count()
    };
    assert_eq!(peppers().await, 1);
    machine.json(&["key", "rotate", "pepper"]).await;
    assert_eq!(peppers().await, 2);
    // A password that is hashed with the new pepper is known to the server that has not heard of it yet.
    let output = machine.run_with(&["user", "password", "ann", "--password-stdin"], next).await;
    assert!(output.status.success());
    within_a_second("key rotate pepper", async || server.browser().log_in("ann", next).await.status == 200)
        .await;
}

#[tokio::test]
async fn settings_doctor_and_proxies() {
    let mut machine = Machine::new();
    machine.set("GATEWARD_SESSIONS__IDLE", "20m");
    std::fs::write(machine.folder.path().join("gateward.toml"), "language = \"de\"\n").unwrap();
    let text = String::from_utf8(machine.run(&["config", "--listen", "127.0.0.1:9"]).await.stdout).unwrap();
    for (key, value, origin) in [
        ("sessions.idle", "20m", "GATEWARD_SESSIONS__IDLE"),
        ("language", "de", "gateward.toml"),
        ("listen", "127.0.0.1:9", "--listen"),
        ("sessions.absolute", "24h", "default"),
    ] {
        let line =
            text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key} in {text}"));
        assert!(line.contains(value) && line.contains(origin), "{line}");
    }
    let config = machine.json(&["config"]).await;
    assert!(config.to_string().contains("sessions.idle"), "{config}");
    assert!(!machine.data().exists(), "looking makes nothing");

    let doctor = machine.run(&["doctor", "--json"]).await;
    assert!(!doctor.status.success(), "without a data directory something is wrong");
    let findings: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(findings["findings"].as_array().unwrap().iter().any(|finding| finding["level"] == "wrong"));
    machine.add(&["root", "--admin"]).await;
    let findings = machine.json(&["doctor"]).await;
    let findings = findings["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["level"] != "wrong"), "{findings:?}");
    assert!(findings.iter().any(|finding| finding["what"] == "people" && finding["level"] == "good"));

    for proxy in ["nginx", "caddy", "traefik", "haproxy", "envoy"] {
        let output = machine.run(&["proxy", proxy]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("/forward-auth/"), "{proxy}: {text}");
    }
    let unknown = machine.run(&["usr", "list"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("user"));
}
