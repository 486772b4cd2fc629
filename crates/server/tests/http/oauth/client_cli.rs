//! `gateward client …` beside a running server, and clients of the settings.

use serde_json::{Value, json};

use super::{BACK, header};
use crate::house::{PASSWORD, within_a_second};
use crate::machine::{Machine, Running};
use crate::wire::{Answer, encode};

fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.set("GATEWARD_OAUTH__ALGORITHMS", "ES256");
    machine
}

async fn refused(machine: &Machine, arguments: &[&str]) -> String {
    told_off(&machine.run(arguments).await)
}

fn told_off(output: &std::process::Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty());
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

fn file(machine: &Machine, name: &str, value: &Value) -> String {
    let path = machine.folder.path().join(name);
    std::fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn credentials(server: &Running, id: &str, secret: &str) -> Answer {
    let authorization = header(id, secret);
    let headers =
        [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", authorization.as_str())];
    let body = encode(&[("grant_type", "client_credentials")]);
    server.browser().send("POST", "/oauth/token", &headers, body.as_bytes()).await
}

#[tokio::test]
async fn a_client_lives_its_life_beside_a_running_server() {
    let machine = machine();
    machine.add(&["root", "--admin"]).await;
    let server = machine.serve().await;
    let added = machine.json(&["client", "add", "robot", "--type", "service", "--name", "Robot"]).await;
    let secret = added["client_secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("gwc1_"), "{added}");
    assert_eq!(
        (&added["metadata"]["grant_types"], &added["origin"]),
        (&json!(["client_credentials"]), &json!("administrator"))
    );
    within_a_second("client add", async || credentials(&server, "robot", &secret).await.status == 200).await;
    // The secret is never shown again, in no way.
    for arguments in [&["client", "show", "robot"][..], &["client", "list"]] {
        let output = machine.run(arguments).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("robot") && !text.contains(&secret), "{text}");
        assert!(!text.contains("digest"), "{text}");
    }
    assert_eq!(machine.json(&["client", "list"]).await[0]["client_id"], "robot");
    // Another one beside it, then instead of it.
    let rotated = machine.json(&["client", "rotate-secret", "robot"]).await;
    let second = rotated["client_secret"].as_str().unwrap().to_owned();
    assert!(
        rotated["secrets"][1]["expires_at"].as_str() > rotated["secrets"][1]["created_at"].as_str(),
        "{rotated}"
    );
    within_a_second("rotate-secret", async || credentials(&server, "robot", &second).await.status == 200)
        .await;
    credentials(&server, "robot", &secret).await.expect(200);
    let own = "x".repeat(32);
    let output = machine
        .run_with(&["client", "rotate-secret", "robot", "--overlap", "0s", "--secret-stdin"], &own)
        .await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !told.contains(&own), "{told}");
    within_a_second("rotate-secret", async || credentials(&server, "robot", &own).await.status == 200).await;
    for old in [&secret, &second] {
        credentials(&server, "robot", old).await.expect(401);
    }
    // Kept out, let in, changed, removed.
    let token = credentials(&server, "robot", &own).await.expect(200).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    machine.json(&["client", "change", "robot", "--disable"]).await;
    within_a_second("--disable", async || credentials(&server, "robot", &own).await.status == 401).await;
    machine.json(&["client", "change", "robot", "--enable"]).await;
    within_a_second("--enable", async || credentials(&server, "robot", &own).await.status == 200).await;
    let introspected = async || {
        let authorization = header("robot", &own);
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Authorization", authorization.as_str()),
        ];
        let body = encode(&[("token", token.as_str())]);
        server.browser().send("POST", "/oauth/introspect", &headers, body.as_bytes()).await.json()["active"]
            .clone()
    };
    assert_eq!(introspected().await, false, "what it held is worthless");
    let patch =
        file(&machine, "patch.json", &json!({"client_name": null, "gateward_access_token_lifetime": 60}));
    let changed = machine.json(&["client", "change", "robot", "--metadata", &patch]).await;
    assert_eq!(
        (changed["metadata"].get("client_name"), &changed["metadata"]["gateward_access_token_lifetime"]),
        (None, &json!(60))
    );
    within_a_second("--metadata", async || {
        credentials(&server, "robot", &own).await.json()["expires_in"] == 60
    })
    .await;
    machine.json(&["client", "remove", "robot"]).await;
    within_a_second("client remove", async || credentials(&server, "robot", &own).await.status == 401).await;
    assert!(refused(&machine, &["client", "show", "robot"]).await.contains("gateward client list"));
    for arguments in [vec!["remove"], vec!["change", "--name", "x"], vec!["rotate-secret"]] {
        let arguments = [&["client", arguments[0], "robot"], &arguments[1..]].concat();
        assert!(refused(&machine, &arguments).await.contains("no client called"));
    }
    // Written down, without secrets.
    let mut root = server.browser();
    root.log_in("root", PASSWORD).await.expect(200);
    let (log, events) = (machine.log(), root.get("/api/v1/admin/events").await.expect(200).text());
    for text in [&secret, &second, &own] {
        assert!(!log.contains(text.as_str()) && !events.contains(text.as_str()));
    }
    for fact in ["client-added", "client-changed", "client-removed"] {
        assert!(events.contains(fact), "{fact} in {events}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_type_comes_with_what_it_needs() {
    let machine = machine();
    let add = async |name: &str, kind: &str, more: &[&str]| {
        machine.json(&[&["client", "add", name, "--type", kind], more].concat()).await
    };
    for (kind, method, part) in [
        ("spa", "none", "client.None()"),
        ("web", "client_secret_basic", "client.ClientSecretBasic"),
        ("native", "none", "client.None()"),
        ("service", "client_secret_basic", "curl"),
        ("mcp", "none", "\"callbackPort\": 8765"),
    ] {
        let back = if kind == "mcp" { "http://localhost:8765/callback" } else { BACK };
        let redirect: &[&str] = if kind == "service" { &[] } else { &["--redirect-uri", back] };
        let added = add(kind, kind, redirect).await;
        let shown = added["metadata"]["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
        assert_eq!((shown, added["client_secret"].is_string()), (method, method != "none"), "{added}");
        let snippet = added["snippet"].as_str().unwrap();
        assert!(
            snippet.contains(part) && snippet.contains(added["issuer"].as_str().unwrap()) | (kind == "mcp"),
            "{snippet}"
        );
        assert!(
            !snippet.contains('{') || !snippet.contains("{issuer}") && !snippet.contains("{client_id}"),
            "{snippet}"
        );
        assert!(!snippet.contains("gwc1_"), "a secret is no part of a program");
        match kind {
            "spa" => assert_eq!(added["metadata"]["gateward_cors_origins"], json!(["https://app.example"])),
            "service" => assert_eq!(added["metadata"]["redirect_uris"], Value::Null),
            _ => assert!(snippet.contains(kind), "{snippet}"),
        }
    }
    // For people: everything on the screen, once.
    let output = machine.run(&["client", "add", "it's", "--type", "service", "--scope", "read"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.matches("gwc1_").count(), 1, "{text}");
    assert!(
        text.contains("client_id      it's") && text.contains("'it%27s'") && text.contains("'scope=read'"),
        "{text}"
    );
}

#[tokio::test]
async fn what_cannot_work_is_not_added() {
    let machine = machine();
    machine.add(&["root", "--admin"]).await;
    let add = |more: &'static [&'static str]| [&["client", "add", "app"], more].concat();
    for (more, part) in [
        (&["--type", "web"][..], "redirect_uris is missing"),
        (&["--type", "web", "--redirect-uri", "http://app.example/cb"], "http"),
        (&["--type", "web", "--redirect-uri", "com.example.app:/cb"], "application_type native"),
        (
            &[
                "--type",
                "web",
                "--redirect-uri",
                "https://app.example/cb",
                "--resource",
                "https://nobody.example",
            ],
            "[[resource]]",
        ),
        (
            &["--type", "web", "--redirect-uri", "https://app.example/cb", "--metadata", "missing.json"],
            "missing.json",
        ),
        (&["--type", "spa", "--redirect-uri", "https://app.example/cb", "--secret-stdin"], "has no secret"),
    ] {
        let told = refused(&machine, &add(more)).await;
        assert!(told.contains(part), "{more:?}: {told}");
    }
    let other = file(&machine, "other.json", &json!({"id_token_signed_response_alg": "PS256"}));
    let twice = file(&machine, "twice.json", &json!({"client_name": "x"}));
    let list = file(&machine, "list.json", &json!([]));
    let odd = file(&machine, "odd.json", &json!({"grant_types": ["password"]}));
    for (path, part) in
        [(&other, "PS256"), (&twice, "say it once"), (&list, "no JSON object"), (&odd, "RFC 7591")]
    {
        let arguments = [
            "client",
            "add",
            "app",
            "--type",
            "web",
            "--redirect-uri",
            BACK,
            "--name",
            "y",
            "--metadata",
            path,
        ];
        assert!(refused(&machine, &arguments).await.contains(part), "{path}");
    }
    let person = machine.json(&["user", "show", "root"]).await["id"].as_str().unwrap().to_owned();
    for name in [person.as_str(), "", "a b", "first-party", "command-line", "ä", &"x".repeat(513)] {
        // A person's id may begin with a hyphen.
        let told = refused(&machine, &["client", "add", "--type", "service", "--", name]).await;
        assert!(told.contains("cannot be a client_id"), "{told}");
    }
    for (secret, fits) in [
        ("x".repeat(31), false),
        ("x".repeat(32), true),
        ("x".repeat(512), true),
        ("x".repeat(513), false),
        (format!("{} x", "x".repeat(32)), false),
    ] {
        let name = format!("client-{}-{fits}", secret.len());
        let output =
            machine.run_with(&["client", "add", &name, "--type", "service", "--secret-stdin"], &secret).await;
        assert_eq!(output.status.success(), fits, "{name}");
        if !fits {
            assert!(told_off(&output).contains("32 to 512"), "{name}");
        }
    }
    machine.json(&add(&["--type", "service"])).await;
    assert!(refused(&machine, &add(&["--type", "service"])).await.contains("already"));
    let change = |more: &'static [&'static str]| [&["client", "change", "app"], more].concat();
    let told = refused(&machine, &change(&["--redirect-uri", "http://app.example/cb"])).await;
    assert!(told.contains("http"), "{told}");
    for bad in [
        &["client", "add", "x"][..],
        &["client", "add", "x", "--type", "other"],
        &["client", "rotate-secret", "app", "--overlap", "soon"],
    ] {
        assert_eq!(machine.run(bad).await.status.code(), Some(2), "{bad:?}");
    }
    // Nothing of all this has changed what is there.
    assert_eq!(machine.json(&["client", "list"]).await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn clients_of_the_settings_are_as_they_say() {
    let machine = machine();
    machine.add(&["root", "--admin"]).await;
    let settings = machine.folder.path().join("gateward.toml");
    let write = |more: &str| {
        std::fs::write(
            &settings,
            format!("[[client]]\nid = \"fixed\"\n{more}\n[client.metadata]\nresponse_types = []\n"),
        )
        .unwrap();
    };
    let secret = "s".repeat(32);
    std::fs::write(machine.folder.path().join("secret"), format!("{secret}\n")).unwrap();
    std::fs::write(machine.folder.path().join("short"), "short\n").unwrap();
    let good = file(&machine, "good.json", &json!({"grant_types": ["client_credentials"]}));
    file(&machine, "twice.json", &json!({"response_types": []}));
    file(
        &machine,
        "public.json",
        &json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}),
    );
    for (more, part) in [
        ("", "redirect_uris is missing"),
        ("metadata_file = \"missing.json\"", "missing.json"),
        ("metadata_file = \"twice.json\"", "say it once"),
        ("metadata_file = \"public.json\"", "client_credentials"),
        ("metadata_file = \"good.json\"", "no secret_file"),
        ("metadata_file = \"good.json\"\nsecret_file = \"short\"", "32 to 512"),
        ("metadata_file = \"good.json\"\nsecret_file = \"none\"", "none"),
    ] {
        write(more);
        let told = refused(&machine, &["--listen", "127.0.0.1:0"]).await;
        assert!(told.contains("[[client]] \"fixed\"") && told.contains(part), "{more}: {told}");
    }
    write(&format!("metadata_file = {good:?}\nsecret_file = \"secret\""));
    let server = machine.serve().await;
    credentials(&server, "fixed", &secret).await.expect(200);
    credentials(&server, "fixed", "other").await.expect(401);
    let shown = machine.json(&["client", "show", "fixed"]).await;
    assert_eq!(shown["origin"], "settings");
    for arguments in [
        &["client", "remove", "fixed"][..],
        &["client", "change", "fixed", "--disable"],
        &["client", "rotate-secret", "fixed"],
    ] {
        assert!(refused(&machine, arguments).await.contains("in the settings"));
    }
    let taken = refused(&machine, &["client", "add", "fixed", "--type", "service"]).await;
    assert!(taken.contains("already"), "{taken}");
    server.stop().await;
}
