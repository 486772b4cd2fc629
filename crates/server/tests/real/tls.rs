//! https without a proxy.

use std::path::Path;

use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::client::{Ask, Client};
use crate::gateward::Gateward;
use crate::machine::until;
use crate::site::PASSWORD;

/// Makes a certificate and puts it where the settings say.
fn renew(directory: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_read_again_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let settings = |port: u16| {
        format!(
            "public_url = \"https://localhost:{port}\"\n[tls]\ncertificate = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\n",
            at.display()
        )
    };
    let first = renew(at);
    let mut gateward = Gateward::new_with(at, |listen| settings(listen.port()));
    gateward.add("ann", PASSWORD, &[]);
    let client = Client::tls(gateward.listen, first);
    gateward.start_for(&client).await;
    let host = format!("localhost:{}", gateward.listen.port());
    let body = json!({ "username": "ann", "password": PASSWORD }).to_string();
    let reply = client.send(&Ask::new("POST", &host, "/api/v1/login").body("application/json", body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let set = reply.headers("set-cookie").find(|line| line.starts_with("__Host-gateward=")).unwrap();
    for attribute in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    assert!(reply.header("strict-transport-security").is_some());
    let cookie = reply.cookie("__Host-gateward").unwrap();

    let newer = Client::tls(gateward.listen, renew(at));
    let ask = Ask::new("GET", &host, "/api/v1/session").cookie(&cookie);
    let reply = until("the new certificate is in use", async || newer.try_send(&ask).await.ok()).await;
    assert_eq!((reply.status, reply.json()["user"]["username"].as_str()), (200, Some("ann")));
    assert!(client.try_send(&ask).await.is_err(), "the old certificate is gone");
}
