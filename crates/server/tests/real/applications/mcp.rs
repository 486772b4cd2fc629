//! A server and a client of the Model Context Protocol, both with the protocol's own SDK: the client knows the server's address, and finds,
//! names itself and asks as the protocol says.

use std::path::Path;

use serde_json::{Value, json};

use super::{Application, Desk};
use crate::machine::free_port;

const SCOPE: &str = "whoami";

fn resource(port: u16) -> String {
    format!("[[resource]]\naudience = \"http://127.0.0.1:{port}/mcp\"\nscopes = [\"{SCOPE}\"]\n")
}

/// The walk of one client, whatever its name; what the tool said of it.
async fn walks(desk: &Desk) -> Value {
    let browser = &desk.browser;
    assert_eq!(desk.ask("/").await, json!({ "signed_in": false }));
    browser.goto(&desk.app("/sign-in")).await;
    desk.sign_in_and_agree().await;
    let ann = desk.gateward.ask_json(&["user", "show", "ann"]);
    let said = desk.said().await;
    assert_eq!((&said["signed_in"], &said["sub"]), (&json!(true), &ann["id"]), "{said}");
    assert_eq!(said["scope"], SCOPE, "{said}");
    let refreshed = desk.ask("/refresh").await;
    assert_eq!(refreshed, json!({ "refreshed": true, "new_access_token": true, "sub": ann["id"] }));
    assert_eq!(desk.ask("/call").await, said);
    assert_eq!(desk.ask("/revoke").await, json!({ "revoked": true }));
    assert_eq!(desk.ask("/call").await, json!({ "error": "unauthorized" }));
    // A program on the person's machine is asked about each time: any other could say that it is this one.
    browser.goto(&desk.app("/sign-in")).await;
    browser.click("#consent-allow").await;
    assert_eq!(desk.said().await["sub"], ann["id"]);
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_nobody_knows_registers_itself() {
    let settings = |port| format!("[oauth]\nregistration = \"open\"\n{}", resource(port));
    let desk = Desk::start(settings).await;
    let _application = Application::start_node("mcp.mjs", &desk, &[]).await;
    let said = walks(&desk).await;
    let known = desk.gateward.ask_json(&["client", "list"]);
    let all = known.as_array().unwrap();
    assert!(all.iter().any(|client| client["client_id"] == said["client_id"]), "{said}: {known}");
}

/// The client is named by the address of a document about it; the server asks about each token, which tells it nothing by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_known_by_the_address_of_its_document() {
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(files.path());
    let port = free_port();
    let settings = |app: u16| {
        format!(
            "[oauth]\nclient_documents = true\n[outbound]\nallow = [\"localhost:{port}\"]\nca_file = \"{certificate}\"\n{}format = \
             \"opaque\"\n",
            resource(app)
        )
    };
    let desk = Desk::start(settings).await;
    let metadata = json!({
        "gateward_introspects": true, "gateward_resources": [desk.app("/mcp")], "grant_types": [],
    });
    let file = files.path().join("server.json");
    std::fs::write(&file, metadata.to_string()).unwrap();
    let server = desk.client("service", &["--metadata", file.to_str().unwrap()]);
    let document = format!("https://localhost:{port}/client.json");
    let application = [
        ("CLIENT_ID", server["client_id"].as_str().unwrap()),
        ("CLIENT_SECRET", server["client_secret"].as_str().unwrap()),
        ("CLIENT_METADATA_URL", &document),
        ("TLS_CERT", &certificate),
        ("TLS_KEY", &key),
        ("TLS_PORT", &port.to_string()),
    ];
    let _application = Application::start_node("mcp.mjs", &desk, &application).await;
    assert_eq!(walks(&desk).await["client_id"], document);
}

/// A certificate of `localhost` that is its own authority, and its key: where they are.
fn certificate(folder: &Path) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate.display().to_string(), key.display().to_string())
}
