//! A whole installation: Gateward and an application behind a proxy that speaks https, configured as Gateward prints it.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::app::App;
use crate::client::{Ask, Client, Reply};
use crate::gateward::Gateward;
use crate::machine::{Running, free_port, until};

/// Everybody's password.
pub const PASSWORD: &str = "violet lantern oboe";

/// How to start a proxy.
#[derive(Clone, Copy)]
pub struct Proxy {
    /// As `gateward proxy` calls it.
    pub name: &'static str,
    /// Puts the addresses of this machine into the printed files and starts the proxy with them.
    pub start: fn(&Plan<'_>) -> Running,
    /// The certificate that clients trust, once the proxy runs.
    pub root: fn(&Plan<'_>) -> Option<PathBuf>,
}

/// What is to be put into the printed files.
pub struct Plan<'a> {
    /// Where the printed files are, the certificate `cert.pem` with its key `key.pem`, and both together in `certs/`.
    pub directory: &'a Path,
    /// Where the application really is.
    pub app: String,
}

impl Plan<'_> {
    /// A printed file, with the application's address in the place of the example's.
    pub fn printed(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.directory.join(name)).unwrap();
        assert!(name.ends_with(".lua") || text.contains("127.0.0.1:3000"), "{name} names no application");
        text.replace("127.0.0.1:3000", &self.app)
    }
}

/// The running installation. What is dropped first ends first.
pub struct Site {
    _proxy: Running,
    pub gateward: Gateward,
    pub app: App,
    pub client: Client,
    /// Where the proxy listens.
    pub port: u16,
    _directory: TempDir,
}

impl Site {
    /// Starts everything: people, rules, proxy.
    pub async fn start(proxy: Proxy) -> Site {
        Site::start_with(proxy, |_| {}).await
    }

    /// The same; `change` may change the printed files before the proxy reads them.
    pub async fn start_with(proxy: Proxy, change: impl FnOnce(&Site0<'_>)) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        // nginx works as another user when root starts it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(at, open).unwrap();
        certificate(at);
        let port = free_port();
        let app = App::start().await;
        let mut gateward = Gateward::new(at, &settings(port));
        people(&gateward);
        gateward.start().await;
        gateward.ask(&["proxy", proxy.name, "--out", &at.display().to_string()], "");
        change(&Site0 { directory: at, gateward: &gateward });
        let plan = Plan { directory: at, app: app.address.to_string() };
        let mut running = (proxy.start)(&plan);
        let address = ([127, 0, 0, 1], port).into();
        let login = format!("login.example.test:{port}");
        let client = until("the proxy answers", async || {
            running.must_live();
            let root = CertificateDer::from_pem_file((proxy.root)(&plan)?).ok()?;
            let client = Client::tls(address, root);
            let reply = client.try_send(&Ask::new("GET", &login, "/healthz")).await.ok()?;
            (reply.status == 200).then_some(client)
        })
        .await;
        Site { _proxy: running, gateward, app, client, port, _directory: directory }
    }

    /// A host below `example.test`, with the proxy's port.
    pub fn host(&self, name: &str) -> String {
        format!("{name}.example.test:{}", self.port)
    }

    /// The protected application's host.
    pub fn wiki(&self) -> String {
        self.host("wiki")
    }

    /// Sends a request to the proxy.
    pub async fn send(&self, ask: &Ask) -> Reply {
        self.client.send(ask).await
    }

    /// An access token of somebody for the API, that allows to read.
    pub async fn token(&self, name: &str) -> String {
        let body = json!({
            "username": name, "password": PASSWORD, "transport": "token",
            "audience": "https://api.example.test", "scope": "read",
        });
        let ask = Ask::new("POST", &self.host("login"), "/api/v1/login");
        let reply = self.send(&ask.body("application/json", body.to_string())).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Signs somebody in through the proxy; the session cookie as `name=value`.
    pub async fn sign_in(&self, name: &str) -> String {
        let body = json!({ "username": name, "password": PASSWORD }).to_string();
        let ask = Ask::new("POST", &self.host("login"), "/api/v1/login").body("application/json", body);
        let reply = self.send(&ask).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.cookie("__Secure-gateward").unwrap_or_else(|| panic!("no session cookie: {reply:?}"))
    }
}

/// What there is before the proxy starts.
pub struct Site0<'a> {
    pub directory: &'a Path,
    pub gateward: &'a Gateward,
}

fn settings(port: u16) -> String {
    format!(
        r#"public_url = "https://login.example.test:{port}"
trusted_proxies = ["127.0.0.1/32"]
[cookie]
domain = "example.test"
[[app]]
host = "wiki.example.test:{port}"
name = "Wiki"
rules = [
  {{ path = "/public/*", allow = "everyone" }},
  {{ path = "/admin/*", allow = "groups", groups = ["keepers", "owners"] }},
  {{ path = "/hook", methods = ["POST"], allow = "everyone" }},
  {{ path = "/never/*", allow = "nobody" }},
  {{ path = "/*", allow = "signed-in" }},
]
[[app]]
host = "*.apps.example.test:{port}"
rules = [{{ path = "/*", allow = "signed-in" }}]
[[resource]]
audience = "https://api.example.test"
scopes = ["read", "write"]
[[app]]
host = "api.example.test:{port}"
audience = "https://api.example.test"
rules = [
  {{ path = "/write/*", allow = "signed-in", scopes = ["write"] }},
  {{ path = "/*", allow = "signed-in" }},
]
"#
    )
}

fn people(gateward: &Gateward) {
    let ann = [
        "--email",
        "ann@example.test",
        "--display-name",
        "Änn Weber",
        "--group",
        "staff",
        "--group",
        "küche",
    ];
    gateward.add("ann", PASSWORD, &ann);
    gateward.add("kim", PASSWORD, &["--group", "keepers"]);
}

fn certificate(directory: &Path) {
    let names = ["login.example.test", "*.example.test", "*.apps.example.test"];
    let made = rcgen::generate_simple_self_signed(names.map(str::to_owned).to_vec()).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    std::fs::write(directory.join("cert.pem"), &certificate).unwrap();
    std::fs::write(directory.join("key.pem"), &key).unwrap();
    std::fs::create_dir_all(directory.join("certs")).unwrap();
    std::fs::write(directory.join("certs/all.pem"), certificate + &key).unwrap();
}
