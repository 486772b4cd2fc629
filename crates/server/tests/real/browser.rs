//! A Chromium with an empty profile, driven by its driver (WebDriver, https://www.w3.org/TR/webdriver2/).

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::cookies::Cookie;
use fantoccini::elements::Element;
use fantoccini::wd::{Locator, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::machine::{Running, command, program, terminate, until};

/// A running browser. It ends with this value, whatever happens to the test.
pub struct Browser {
    client: Client,
    _driver: Running,
    profile: Profile,
}

struct Profile(TempDir);

impl Browser {
    /// Opens one; every host below `example.test` is this machine to it.
    pub async fn open() -> Browser {
        Browser::open_with(&json!({})).await
    }

    /// The same without JavaScript, as its settings can have it.
    pub async fn open_without_javascript() -> Browser {
        Browser::open_with(&json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    async fn open_with(preferences: &Value) -> Browser {
        let profile = Profile(tempfile::tempdir().unwrap());
        let at = profile.0.path();
        let mut command = command(&program("chromedriver", "chromium-driver"), at);
        command.arg("--port=0").env("TMPDIR", at);
        let mut driver = Running::start("chromedriver", command, at);
        let port = until("chromedriver names its port", async || {
            driver.must_live();
            let said = driver.said();
            let rest = said.split("started successfully on port ").nth(1)?;
            rest.split_once('.')?.0.parse::<u16>().ok()
        })
        .await;
        let wanted = json!({
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": program("chromium", "chromium"),
                "args": arguments(at),
                "prefs": preferences,
            },
        });
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = ClientBuilder::new(connector);
        builder.capabilities(wanted.as_object().unwrap().clone());
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await;
        let client =
            client.unwrap_or_else(|error| panic!("Chromium does not start: {error}\n{}", driver.said()));
        let browser = Browser { client, _driver: driver, profile };
        // Scroll bars over the page, as telephones have them, take nothing of its width.
        browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
        browser.size(1280, 900).await;
        browser
    }

    /// Opens an address.
    pub async fn goto(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Where it is.
    pub async fn address(&self) -> Url {
        self.client.current_url().await.unwrap()
    }

    /// Waits until it is at exactly this address.
    pub async fn arrives_at(&self, address: &str) {
        let mut last = String::new();
        let arrived = async || {
            last = self.address().await.to_string();
            (last == address).then_some(())
        };
        let arrived = tokio::time::timeout(Duration::from_secs(20), until(address, arrived)).await;
        if arrived.is_err() {
            panic!("is at {last} instead of {address}:\n{}", self.client.source().await.unwrap());
        }
    }

    /// Waits for what a CSS selector names.
    pub async fn find(&self, selector: &str) -> Element {
        let found =
            self.client.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!(
                "{selector}: {error}, at {}:\n{}",
                self.address().await,
                self.client.source().await.unwrap()
            ),
        }
    }

    /// Whether it is on the page now.
    pub async fn has(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.unwrap().is_empty()
    }

    /// How often it is on the page now.
    pub async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.unwrap().len()
    }

    /// The text that people see there.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Types into a field that is emptied first.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks what leads to another page or sends a form, and waits until this page is gone.
    pub async fn click(&self, selector: &str) {
        let before = self.find("html").await;
        self.tap(selector).await;
        until("the page is left", async || before.tag_name().await.is_err().then_some(())).await;
    }

    /// Clicks what changes something on this page.
    pub async fn tap(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// The id of what has the focus.
    pub async fn focused(&self) -> String {
        self.client.active_element().await.unwrap().attr("id").await.unwrap().unwrap_or_default()
    }

    /// One page back.
    pub async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// What a script on the page gives, which may be a promise.
    pub async fn run(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; Promise.resolve((async () => {{ {script} }})()).then(done, (e) => done(String(e)))"
        );
        self.client.execute_async(&script, vec![]).await.unwrap()
    }

    /// The cookies that it sends to the page it is on.
    pub async fn cookies(&self) -> Vec<Cookie<'static>> {
        self.client.get_all_cookies().await.unwrap()
    }

    /// What its console says of trouble, without the lines that hold one of these.
    pub async fn trouble(&self, known: &[&str]) -> Vec<String> {
        let lines = self.client.issue_cmd(Own("se/log", json!({ "type": "browser" }))).await.unwrap();
        let lines = lines.as_array().unwrap().iter();
        let lines = lines.filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        let lines = lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned());
        lines.filter(|line| !known.iter().any(|known| line.contains(known))).collect()
    }

    /// Sends a command of the DevTools protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let command = Own("goog/cdp/execute", json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap()
    }

    async fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn prefer(&self, scheme: &str) {
        // Without motion a picture never shows colours on their way from the one to the other.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Looks at the page on a phone and on a desk: nothing may stick out at the side. With `GATEWARD_SCREENSHOTS` set, pictures
    /// of it are put into that directory, in light and dark.
    pub async fn look(&self, name: &str) {
        let pictures = std::env::var_os("GATEWARD_SCREENSHOTS").map(PathBuf::from);
        for (device, width, height) in [("phone", 390, 844), ("desk", 1280, 900)] {
            self.size(width, height).await;
            let script = "return document.documentElement.scrollWidth";
            let wide = self.client.execute(script, vec![]).await.unwrap();
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} is {wide} wide on a {device}");
            let Some(directory) = &pictures else { continue };
            for scheme in ["light", "dark"] {
                self.prefer(scheme).await;
                let whole = json!({ "format": "png", "captureBeyondViewport": true });
                let picture = self.devtools("Page.captureScreenshot", whole).await;
                let picture =
                    data_encoding::BASE64.decode(picture["data"].as_str().unwrap().as_bytes()).unwrap();
                std::fs::write(directory.join(format!("{name}-{device}-{scheme}.png")), picture).unwrap();
            }
            self.prefer("").await;
        }
    }
}

fn arguments(profile: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en-GB",
        "--host-resolver-rules=MAP *.example.test 127.0.0.1",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--user-data-dir={}", profile.join("profile").display()));
    arguments
}

/// A command that the standard does not have.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver leaves its browser alone when it is ended itself; these are the ones with our profile.
        let profile = self.profile.0.path().display().to_string();
        let running = |id: &u32| {
            std::fs::read(format!("/proc/{id}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&profile))
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids: Vec<u32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        ids.iter().filter(|id| running(id)).for_each(|id| terminate(*id));
        let begun = std::time::Instant::now();
        while ids.iter().any(running) && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
