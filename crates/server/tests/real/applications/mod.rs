//! Applications written with the libraries of others, which sign their people in through Gateward: each as the library's own
//! documentation shows its use, before a real browser.
//!
//! The programs are in the folders here by language; `cargo xtask install` brings what they need, and is to be run again after a change in
//! `go/` or `java/`.

mod library;
mod mcp;
mod mod_auth_openidc;
mod oauth2_proxy;
mod openidconnect;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::app::App;
use crate::browser::Browser;
use crate::chromium::sign_in;
use crate::gateward::Gateward;
use crate::machine::{Running, command, free_port, program, until};
use crate::packages::beside_node_packages;
use crate::site::PASSWORD;

/// Where the programs are.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/applications")
}

/// A Gateward and a browser, and where an application is going to be. Cookies know no ports, so that the two have different hosts: Gateward is
/// `localhost`, the application 127.0.0.1.
struct Desk {
    gateward: Gateward,
    browser: Browser,
    /// The address of Gateward: the issuer.
    issuer: String,
    /// Where the application is to listen.
    port: u16,
    directory: TempDir,
}

impl Desk {
    /// Starts Gateward, in which ann lives, and a browser. The settings may depend on the application's port.
    async fn start(settings: impl FnOnce(u16) -> String) -> Desk {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut gateward = Gateward::new_with(directory.path(), |listen| {
            format!("public_url = \"http://localhost:{}\"\n{}", listen.port(), settings(port))
        });
        let facts = ["--email", "ann@example.test", "--email-verified", "--display-name", "Änn Weber"];
        gateward.add("ann", PASSWORD, &facts);
        gateward.start().await;
        let issuer = format!("http://localhost:{}", gateward.listen.port());
        Desk { gateward, browser: Browser::open().await, issuer, port, directory }
    }

    /// An address of the application.
    fn app(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// An address of Gateward.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Adds a client of that type, with more options; its `client_id` is `app`. What is printed.
    fn client(&self, kind: &str, options: &[&str]) -> Value {
        self.gateward
            .ask_json(&[&["client", "add", "app", "--type", kind, "--name", "The App"], options].concat())
    }

    /// Adds a client with a secret whose redirect URI is `/callback`, and whose people are at `/` after signing out.
    fn web_client(&self, options: &[&str]) -> Value {
        let (back, out) = (self.app("/callback"), self.app("/"));
        self.client("web", &[&["--redirect-uri", &back, "--logout-uri", &out], options].concat())
    }

    /// A file of settings, with the words in braces filled in; what the application protects is there.
    fn filled(&self, template: &str, client: &Value, upstream: &App) -> String {
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        [
            ("{issuer}", self.issuer.clone()),
            ("{port}", self.port.to_string()),
            ("{upstream}", format!("http://{}", upstream.address)),
            ("{client_id}", text("client_id")),
            ("{client_secret}", text("client_secret")),
            ("{directory}", self.directory.path().display().to_string()),
        ]
        .iter()
        .fold(template.to_owned(), |filled, (name, value)| filled.replace(name, value))
    }

    /// Signs ann in and agrees, on the pages of Gateward that the browser is being led to.
    async fn sign_in_and_agree(&self) {
        sign_in(&self.browser, "ann", PASSWORD).await;
        self.browser.click("#consent-allow").await;
    }

    /// What ann's applications are to her account page.
    async fn application_is_ended_by_its_person(&self) {
        self.browser.goto(&self.at("/account")).await;
        assert!(self.browser.text("#account-applications").await.contains("The App"));
        self.browser.click("#account-applications .application-end").await;
        self.browser.find("#notice").await;
    }

    /// What the application's page says. Waits until the page is the application's.
    async fn said(&self) -> Value {
        until("the application's page", async || {
            let address = self.browser.address().await;
            (address.port() == Some(self.port)).then_some(())
        })
        .await;
        let text = self.browser.text("#said").await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Opens a page of the application; what it says.
    async fn ask(&self, path: &str) -> Value {
        self.browser.goto(&self.app(path)).await;
        self.said().await
    }
}

/// An application that runs. It ends with this value.
struct Application {
    _running: Running,
    _folder: Option<TempDir>,
}

impl Application {
    /// Starts it, and waits until it listens.
    async fn start(program: Command, desk: &Desk) -> Application {
        let mut running = Running::start("application", program, desk.directory.path());
        until("the application listens", async || {
            running.must_live();
            TcpStream::connect(("127.0.0.1", desk.port)).await.ok()
        })
        .await;
        Application { _running: running, _folder: None }
    }

    /// The same for a program of Node, with what it is to find in its environment.
    async fn start_node(name: &str, desk: &Desk, environment: &[(&str, &str)]) -> Application {
        let folder = beside_node_packages("applications/node", &[sources().join("node").join(name)]);
        let mut node = command(&program("node", "nodejs"), desk.directory.path());
        node.arg(folder.path().join(name)).envs(environment.iter().copied());
        node.env("ISSUER", &desk.issuer).env("PORT", desk.port.to_string());
        Application { _folder: Some(folder), ..Application::start(node, desk).await }
    }
}
