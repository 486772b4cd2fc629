//! What an application does with a library, whichever it is: it signs people in, refreshes, asks who they are, signs them out.

use serde_json::{Value, json};

use super::{Application, Desk, sources};
use crate::machine::{command, program};
use crate::packages::installed;

/// The libraries.
#[derive(Clone, Copy, Debug)]
enum Library {
    /// `openid-client`, Node.
    OpenidClient,
    /// Authlib, Python.
    Authlib,
    /// oauthlib by way of requests-oauthlib, Python.
    Oauthlib,
    /// `golang.org/x/oauth2` with `coreos/go-oidc`, Go.
    GoOidc,
    /// Spring Security with Nimbus, Java.
    SpringSecurity,
}

/// Starts an application with that library.
async fn start(library: Library, desk: &Desk, client: &Value) -> Application {
    let home = desk.directory.path();
    let text = |name: &str| client[name].as_str().unwrap();
    let known = [("CLIENT_ID", text("client_id")), ("CLIENT_SECRET", text("client_secret"))];
    let python = |name: &str| {
        let mut python = command(&installed("applications/python/bin/python"), home);
        python.arg("-B").arg(sources().join("python").join(name));
        python
    };
    let mut app = match library {
        Library::OpenidClient => return Application::start_node("openid-client.mjs", desk, &known).await,
        Library::Authlib => python("authlib_app.py"),
        Library::Oauthlib => python("oauthlib_app.py"),
        Library::GoOidc => command(&installed("go/application"), home),
        Library::SpringSecurity => {
            let (libraries, classes) =
                (installed("applications/java/libraries"), installed("applications/java/classes"));
            let mut java = command(&program("java", "default-jdk-headless"), home);
            // A short life: compiling thoroughly would not pay.
            java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
            java.arg(format!("{}/*:{}", libraries.display(), classes.display())).arg("Application");
            java
        }
    };
    app.envs(known).env("ISSUER", &desk.issuer).env("PORT", desk.port.to_string());
    Application::start(app, desk).await
}

/// The life of an application: everything that its library does with us, and everything that we end under it.
async fn signs_people_in(library: Library) {
    let desk = Desk::start(|_| String::new()).await;
    let client = desk.web_client(&[]);
    let _application = start(library, &desk, &client).await;
    walks(&desk).await;
}

/// What a person does there.
pub(super) async fn walks(desk: &Desk) {
    let ann = desk.gateward.ask_json(&["user", "show", "ann"]);
    let browser = &desk.browser;
    assert_eq!(desk.ask("/").await, json!({ "signed_in": false }));

    browser.goto(&desk.app("/sign-in")).await;
    desk.sign_in_and_agree().await;
    let known = json!({
        "signed_in": true, "sub": ann["id"], "name": "Änn Weber", "email": "ann@example.test",
    });
    assert_eq!(desk.said().await, known);
    let info = desk.ask("/userinfo").await;
    assert_eq!((&info["sub"], &info["email"]), (&ann["id"], &ann["email"]), "{info}");
    assert_eq!(info["preferred_username"], "ann", "{info}");
    for _ in 0..2 {
        let refreshed = desk.ask("/refresh").await;
        assert_eq!(refreshed["refreshed"], true, "{refreshed}");
        assert_eq!(refreshed["new_access_token"], true, "{refreshed}");
        assert_eq!(refreshed["new_refresh_token"], true, "{refreshed}");
        assert_eq!(refreshed["sub"], ann["id"], "{refreshed}");
    }
    assert_eq!(desk.ask("/userinfo").await["sub"], ann["id"]);

    // Who is signed in and has agreed is asked nothing.
    assert_eq!(desk.ask("/sign-in").await, known);

    // What a person takes back is gone, and asked for again.
    desk.application_is_ended_by_its_person().await;
    let refused = desk.ask("/refresh").await;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("invalid_grant")), "{refused}");
    browser.goto(&desk.app("/sign-in")).await;
    browser.click("#consent-deny").await;
    let denied = desk.said().await;
    assert!(denied["error"].as_str().is_some_and(|error| error.contains("access_denied")), "{denied}");
    browser.goto(&desk.app("/sign-in")).await;
    browser.click("#consent-allow").await;
    assert_eq!(desk.said().await, known);

    // Signed out here is signed out there.
    assert_eq!(desk.ask("/sign-out").await, json!({ "signed_in": false }));
    browser.goto(&desk.at("/account")).await;
    browser.find("#login-form").await;
    browser.goto(&desk.app("/sign-in")).await;
    browser.find("#login-form").await;
}

/// A test for each library.
macro_rules! libraries {
    ($($name:ident: $library:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                signs_people_in(Library::$library).await;
            }
        )+
    };
}

libraries! {
    openid_client: OpenidClient,
    authlib: Authlib,
    oauthlib: Oauthlib,
    go_oidc: GoOidc,
    spring_security: SpringSecurity,
}
