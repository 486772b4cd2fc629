//! `gateward key …` on the real binary, beside a running server: what it prints, what it refuses, and that it takes effect.

use std::path::PathBuf;

use gateward_kernel::jose::{EcCurve, Jwk, JwkSet, SignatureAlgorithm};
use gateward_kernel::secret::SeededEntropy;
use serde_json::{Value, json};

use crate::house::within_a_second;
use crate::machine::{Machine, Running};

/// A machine whose installation signs with ES256 alone.
fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.set("GATEWARD_OAUTH__ALGORITHMS", "ES256");
    machine
}

/// A data directory that was served from once, and is served from.
async fn served(machine: &Machine) -> Running {
    machine.add(&["root", "--admin"]).await;
    machine.serve().await
}

async fn refused(machine: &Machine, arguments: &[&str]) -> String {
    let output = machine.run(arguments).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    told
}

/// The signing keys that are listed, as name and stage.
async fn listed(machine: &Machine) -> Vec<(String, String)> {
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = machine.json(&["key", "list"]).await;
    let signing = keys.as_array().unwrap().iter().filter(|key| key["purpose"] == "signing");
    signing.map(|key| (text(key, "id"), text(key, "stage"))).collect()
}

async fn kid(machine: &Machine, id: &str) -> String {
    let keys = machine.json(&["key", "list"]).await;
    let key = keys.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap().clone();
    key["kid"].as_str().unwrap().to_owned()
}

async fn published(server: &Running) -> Vec<String> {
    let answer = server.browser().get("/oauth/jwks").await.expect(200);
    let set = JwkSet::from_json(&answer.body).unwrap();
    assert!(set.skipped.is_empty() && set.keys.iter().all(|key| !key.is_private()));
    let mut kids: Vec<String> = set.keys.iter().map(|key| key.kid().unwrap().to_owned()).collect();
    kids.sort_unstable();
    kids
}

fn words(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, stage)| ((*id).to_owned(), (*stage).to_owned())).collect()
}

fn written(machine: &Machine, name: &str, text: &str) -> String {
    let path: PathBuf = machine.folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_rotate_and_go_in_the_running_server() {
    let machine = machine();
    let server = served(&machine).await;
    assert_eq!(listed(&machine).await, words(&[("ES256-1", "active")]));
    let first = kid(&machine, "ES256-1").await;
    assert_eq!(published(&server).await, std::slice::from_ref(&first));
    let etag = server.browser().get("/oauth/jwks").await.header("etag").unwrap().to_owned();
    server.browser().get_with("/oauth/jwks", &[("If-None-Match", &etag)]).await.expect(304);

    let rotated = machine.json(&["key", "rotate"]).await;
    let second = rotated[0]["kid"].as_str().unwrap().to_owned();
    assert_eq!((&rotated[0]["id"], &rotated[0]["is_new"]), (&json!("ES256-2"), &json!(true)));
    assert!(rotated[0]["active_from"].as_str() > rotated[0]["created_at"].as_str(), "{rotated}");
    assert_eq!(listed(&machine).await, words(&[("ES256-1", "active"), ("ES256-2", "published")]));
    within_a_second("key rotate", async || published(&server).await.contains(&second)).await;
    server.browser().get_with("/oauth/jwks", &[("If-None-Match", &etag)]).await.expect(200);
    let again = machine.json(&["key", "rotate", "--alg", "ES256"]).await;
    assert_eq!((&again[0]["kid"], &again[0]["is_new"]), (&json!(second), &json!(false)));
    let output = machine.run(&["key", "rotate"]).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("ES256-2 is published already and signs from 20"), "{told}");

    let told = refused(&machine, &["key", "remove", &first]).await;
    assert!(told.contains("ES256-1") && told.contains("gateward key rotate --alg ES256 --now"), "{told}");
    assert_eq!(machine.json(&["key", "rotate", "--now"]).await[0]["id"], "ES256-3");
    assert_eq!(
        listed(&machine).await,
        words(&[("ES256-1", "retired"), ("ES256-2", "published"), ("ES256-3", "active")])
    );
    let removed = machine.json(&["key", "remove", &first]).await;
    assert_eq!(removed, json!({"removed": {"id": "ES256-1", "kid": first}}));
    within_a_second("key remove", async || !published(&server).await.contains(&first)).await;
    assert!(refused(&machine, &["key", "remove", &first]).await.contains("gateward key list"));
    assert_eq!(published(&server).await.len(), 2);

    // The same keys after a restart.
    let before = published(&server).await;
    server.stop().await;
    assert_eq!(published(&machine.serve().await).await, before);
}

#[tokio::test]
async fn keys_come_in_and_go_out_as_jwk_and_pem() {
    let machine = machine();
    let server = served(&machine).await;
    let entropy = SeededEntropy::new(3);
    let key = Jwk::generate(SignatureAlgorithm::Es256, &entropy).unwrap();
    let thumbprint = key.thumbprint();
    let jwk =
        written(&machine, "key.json", &format!("{}\n", *key.clone().with_kid("theirs").to_private_json()));
    let imported = machine.json(&["key", "import", &jwk, "--alg", "ES256", "--now"]).await;
    assert_eq!((&imported["id"], &imported["kid"]), (&json!("ES256-2"), &json!(thumbprint)));
    within_a_second("key import", async || published(&server).await.contains(&thumbprint)).await;
    assert_eq!(listed(&machine).await, words(&[("ES256-1", "retired"), ("ES256-2", "active")]));

    let ed = Jwk::generate(SignatureAlgorithm::EdDsa, &entropy).unwrap();
    let output =
        machine.run_with(&["key", "import", "-", "--alg", "EdDSA"], &ed.to_private_pem().unwrap()).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        told.contains("EdDSA-1 signs from now on") && told.contains("nothing is signed with EdDSA"),
        "{told}"
    );

    let export = async |arguments: &[&str]| {
        let output = machine.run(&[&["key", "export"], arguments].concat()).await;
        assert!(output.status.success(), "{arguments:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (text, told) = export(&[&thumbprint]).await;
    let exported = Jwk::from_json(text.trim().as_bytes()).unwrap();
    assert!(!exported.is_private() && told.is_empty());
    assert_eq!((exported.kid(), exported.thumbprint()), (Some(thumbprint.as_str()), thumbprint.clone()));
    let (text, told) = export(&["EdDSA-1", "--pem"]).await;
    assert!(told.is_empty() && text.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{text}");
    assert_eq!(Jwk::from_pem(&text).unwrap().thumbprint(), ed.thumbprint());
    let (text, told) = export(&["ES256-2", "--private"]).await;
    assert!(told.contains("private key"), "{told}");
    assert!(Jwk::from_json(text.trim().as_bytes()).unwrap().is_private());
    let (text, told) = export(&["ES256-2", "--private", "--pem"]).await;
    assert!(told.contains("private key") && Jwk::from_pem(&text).unwrap().is_private());
    let pem = machine.json(&["key", "export", "ES256-2", "--pem"]).await;
    assert_eq!(pem["kid"], json!(thumbprint));
    assert!(refused(&machine, &["key", "export", "nonsense"]).await.contains("gateward key list"));
    // Nothing of it is in the log, whatever its level.
    let private = key.to_private_json();
    let private: Value = serde_json::from_str(&private).unwrap();
    assert!(!machine.log().contains(private["d"].as_str().unwrap()));
}

#[tokio::test]
async fn what_is_no_key_to_sign_with_is_refused() {
    let machine = machine();
    let _server = served(&machine).await;
    let entropy = SeededEntropy::new(4);
    let key = Jwk::generate(SignatureAlgorithm::Es256, &entropy).unwrap();
    let encryption = Jwk::generate_ec(EcCurve::P256).unwrap().to_private_json();
    let encryption = encryption.replacen('{', "{\"use\":\"enc\",", 1);
    let weak = "AQAB".repeat(43);
    let long = " ".repeat(70_000);
    let cases: [(&str, &str, &str, &str); 9] = [
        ("public.json", &key.to_json().unwrap(), "ES256", "public key"),
        ("public.pem", &key.to_pem().unwrap(), "ES256", "public key"),
        ("other.json", &key.to_private_json(), "RS256", "not for this purpose"),
        ("enc.json", &encryption, "ES256", "not for this purpose"),
        ("weak.json", &format!(r#"{{"kty":"RSA","e":"AQAB","n":"{weak}"}}"#), "RS256", "size"),
        (
            "secret.json",
            r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            "ES256",
            "shared secret",
        ),
        ("nonsense.json", "{\"kty\":", "ES256", "the key is"),
        ("nonsense.pem", "nonsense", "ES256", "PEM"),
        ("long.pem", &long, "ES256", "too long"),
    ];
    for (name, text, alg, part) in cases {
        let path = written(&machine, name, text);
        let told = refused(&machine, &["key", "import", &path, "--alg", alg]).await;
        assert!(told.contains(name) && told.contains(part), "{name}: {told}");
    }
    assert!(
        refused(&machine, &["key", "import", "missing.pem", "--alg", "ES256"]).await.contains("missing.pem")
    );
    let good = written(&machine, "good.json", &key.to_private_json());
    machine.json(&["key", "import", &good, "--alg", "ES256"]).await;
    let told = refused(&machine, &["key", "import", &good, "--alg", "ES256"]).await;
    assert!(told.contains("there already") && told.contains("ES256-2"), "{told}");
    for alg in ["HS256", "none", "es256"] {
        let output = machine.run(&["key", "import", &good, "--alg", alg]).await;
        assert_eq!(output.status.code(), Some(2), "{alg}");
    }
    assert_eq!(listed(&machine).await.len(), 2);
    assert!(refused(&machine, &["key", "rotate", "pepper", "--now"]).await.contains("--now"));
}

#[tokio::test]
async fn keys_are_encrypted_under_another_key_without_a_stop() {
    let mut machine = machine();
    let server = served(&machine).await;
    machine.json(&["key", "rotate"]).await;
    within_a_second("key rotate", async || published(&server).await.len() == 2).await;
    let before = published(&server).await;
    let resealed = machine.json(&["key", "reseal", "--to", "keys.key"]).await;
    assert_eq!(
        (&resealed["changed"], &resealed["already"], &resealed["made_file"]),
        (&json!(2), &json!(0), &json!(true))
    );
    let file = machine.folder.path().join("keys.key").canonicalize().unwrap();
    let next = resealed["next"].as_str().unwrap();
    assert!(next.starts_with("set keys.encryption_key_file = ") && next.contains("keys.key"), "{next}");
    let again = machine.json(&["key", "reseal", "--to", "keys.key"]).await;
    assert_eq!((&again["changed"], &again["already"]), (&json!(0), &json!(2)));
    within_a_second("the running server goes on", async || published(&server).await == before).await;
    let told = refused(&machine, &["key", "list"]).await;
    assert!(told.contains("keys.encryption_key_file"), "{told}");
    server.stop().await;
    let told = refused(&machine, &["--listen", "127.0.0.1:0"]).await;
    assert!(told.contains("ES256-1") && told.contains("keys.encryption_key_file"), "{told}");

    machine.set("GATEWARD_KEYS__ENCRYPTION_KEY_FILE", file.to_str().unwrap());
    let server = machine.serve().await;
    assert_eq!(published(&server).await, before);
    assert_eq!(listed(&machine).await.len(), 2);
    let back = machine.json(&["key", "reseal", "--to-root"]).await;
    assert_eq!((&back["changed"], &back["made_file"]), (&json!(2), &json!(false)));
    assert!(back["next"].as_str().unwrap().starts_with("remove keys.encryption_key_file"));
    let told = refused(&machine, &["key", "list"]).await;
    assert!(told.contains("encrypted under the root key"), "{told}");

    // From a file that no setting names.
    machine.json(&["key", "reseal", "--to", "keys.key"]).await;
    machine.set("GATEWARD_KEYS__ENCRYPTION_KEY_FILE", "");
    let other = written(&machine, "other.key", &"ab".repeat(32));
    let told = refused(&machine, &["key", "reseal", "--to", &other]).await;
    assert!(told.contains("does not open"), "{told}");
    machine.json(&["key", "reseal", "--from", "keys.key", "--to", &other]).await;
    machine.set("GATEWARD_KEYS__ENCRYPTION_KEY_FILE", &other);
    assert_eq!(listed(&machine).await.len(), 2);
    let bad = written(&machine, "bad.key", "abc");
    assert!(refused(&machine, &["key", "reseal", "--to", &bad]).await.contains("64 hexadecimal digits"));
    assert_eq!(machine.run(&["key", "reseal"]).await.status.code(), Some(2));
}
