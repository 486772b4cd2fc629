//! What people do, in a real browser.

mod account;
mod administration;
mod protected;
mod without_script;

use tempfile::TempDir;

use crate::browser::Browser;
use crate::gateward::Gateward;
use crate::site::PASSWORD;

/// A Gateward that browsers reach directly, in the clear, on this machine.
struct Plain {
    gateward: Gateward,
    _directory: TempDir,
}

impl Plain {
    async fn start(people: &[&str]) -> Plain {
        let directory = tempfile::tempdir().unwrap();
        let mut gateward = Gateward::new(directory.path(), "");
        for name in people {
            gateward.add(name, PASSWORD, &[]);
        }
        gateward.start().await;
        Plain { gateward, _directory: directory }
    }

    /// An address of it.
    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateward.listen)
    }

    /// Signs in at the sign-in page.
    async fn sign_in(&self, browser: &Browser, name: &str, password: &str) {
        browser.goto(&self.at("/login")).await;
        sign_in(browser, name, password).await;
        browser.arrives_at(&self.at("/account")).await;
    }
}

/// Fills in the sign-in form that is open, and sends it.
pub(crate) async fn sign_in(browser: &Browser, name: &str, password: &str) {
    browser.fill("#login-form [name=username]", name).await;
    browser.fill("#login-form [name=password]", password).await;
    browser.click("#login-submit").await;
}
