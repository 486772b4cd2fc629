//! Every route of the program, readable from top to bottom: method, path, gate, face, what for, handler.
//!
//! The forward-auth questions (`/forward-auth…`) and the probes (`/healthz`, `/readyz`, `/metrics`) are answered before
//! this table, without its layers; they are in [`serve`](crate::serve).

use crate::face::answer::Face::{self, Page, Plain, Problem};
use crate::face::dispatch::{Route, Verb};
use crate::face::gate::{Gate, How, Who};
use crate::oauth::{self, ENDPOINTS, applications, authorize, device, logout};
use crate::{account, admin, login, password, session, tokens};

macro_rules! row {
    ($verb:ident $path:literal, $who:ident $how:expr, $face:ident, $about:literal, $handler:path) => {
        Route {
            method: Verb::$verb,
            path: $path,
            gate: Gate { who: Who::$who, how: $how },
            face: $face,
            about: $about,
            handler: |visit| Box::pin($handler(visit)),
        }
    };
}

const READ: How = How::Read;
const JSON: How = How::Json;
const fn form(name: &'static str) -> How {
    How::Form(name)
}

/// The table.
pub const ROUTES: &[Route] = &[
    row!(Get "/", Anyone READ, Page, "leads to the account page", account::web::home),
    // Signing in and out.
    row!(Get "/login", Anyone READ, Page, "the sign-in page", login::web::page),
    row!(Post "/login", Anyone form("login"), Page, "signs in and leads back", login::web::submit),
    row!(Get "/logout", Anyone READ, Page, "asks whether to sign out", session::web::logout_page),
    row!(Post "/logout", Anyone form("logout"), Page, "signs out", session::web::logout_form),
    row!(Get "/setup", Anyone READ, Page, "where the first administrator is chosen", login::setup::page),
    row!(Post "/setup", Anyone form("setup"), Page, "creates the first administrator", login::setup::submit),
    row!(Get "/reset", Anyone READ, Page, "where a one-time code becomes a new password", password::web::page),
    row!(Post "/reset", Anyone form("reset"), Page, "sets the new password", password::web::submit),
    // Applications of others.
    row!(Get "/oauth/authorize", Anyone READ, Page, "a client asks, and its person is led on (RFC 6749 §3.1)", authorize::web::ask),
    row!(Post "/oauth/authorize", Anyone How::Foreign, Page, "the same by a form of the client", authorize::web::ask_by_form),
    row!(Post "/oauth/consent", SignedIn form("consent"), Page, "the person agrees, or does not", authorize::web::decide),
    row!(Get "/oauth/logo", Anyone READ, Page, "the picture of a client", oauth::logo::show),
    row!(Get "/oauth/logout", Anyone READ, Page, "a client asks that its person be signed out (RP-Initiated Logout)", logout::web::ask),
    row!(Post "/oauth/logout", Anyone How::Foreign, Page, "the same by a form of the client", logout::web::ask_by_form),
    row!(Get "/oauth/check-session", Anyone READ, Plain, "a frame that tells clients whether a session goes on (Session Management)", logout::web::check_session),
    row!(Get "/device", SignedIn READ, Page, "where the code of a device is typed (RFC 8628 §3.3)", device::web::page),
    row!(Post "/device", SignedIn form("device"), Page, "says what the device asks for", device::web::enter),
    row!(Post "/device/decide", SignedIn form("device"), Page, "the person lets the device in, or does not", device::web::decide),
    // The account.
    row!(Get "/account", SignedIn READ, Page, "profile, password, my sessions", account::web::page),
    row!(Post "/account/profile", SignedIn form("account"), Page, "changes the profile", account::web::profile),
    row!(Post "/account/password", SignedIn form("account"), Page, "changes the password", account::web::password),
    row!(Post "/account/sessions/end", SignedIn form("account"), Page, "ends one session", account::web::end_session),
    row!(Post "/account/sessions/end-others", SignedIn form("account"), Page, "ends all other sessions", account::web::end_other_sessions),
    row!(Post "/account/applications/end", SignedIn form("account"), Page, "takes back what an application was given", applications::end_by_form),
    // Administration.
    row!(Get "/admin", Admin READ, Page, "the people", admin::web::people),
    row!(Get "/admin/people/{id}", Admin READ, Page, "one person and what they have open", admin::web::person),
    row!(Post "/admin/people/{id}/sessions/end", Admin form("admin"), Page, "ends one session", admin::web::end_session),
    row!(Post "/admin/people/{id}/sessions/end-all", Admin form("admin"), Page, "ends all sessions of the person", admin::web::end_all),
    row!(Post "/admin/people/{id}/applications/end", Admin form("admin"), Page, "takes back what the person gave to an application", admin::web::end_application),
    row!(Post "/admin/people/{id}/disable", Admin form("admin"), Page, "keeps the person out", admin::web::disable),
    row!(Post "/admin/people/{id}/enable", Admin form("admin"), Page, "lets the person in again", admin::web::enable),
    row!(Post "/admin/people/{id}/reset", FreshAdmin form("admin"), Page, "issues a one-time code for a new password", admin::web::reset),
    // The API.
    row!(Post "/api/v1/login", Anyone JSON, Problem, "signs in", login::web::api),
    row!(Post "/api/v1/logout", Anyone JSON, Problem, "signs out", session::web::logout),
    row!(Get "/api/v1/session", SignedIn READ, Problem, "who is signed in, and the session", session::web::show),
    row!(Get "/api/v1/session/data", WithSession READ, Problem, "the application's data, with its ETag", session::web::data),
    row!(Patch "/api/v1/session/data", Anyone JSON, Problem, "changes the data by a merge patch; If-Match makes it conditional", session::web::patch_data),
    row!(Get "/api/v1/sessions", SignedIn READ, Problem, "my sessions", session::web::list),
    row!(Delete "/api/v1/sessions", SignedIn JSON, Problem, "ends all my sessions, or with keep=current all others", session::web::end_many),
    row!(Delete "/api/v1/sessions/{id}", SignedIn JSON, Problem, "ends one of my sessions", session::web::end_one),
    row!(Get "/api/v1/applications", SignedIn READ, Problem, "what I have given to applications of others", applications::list),
    row!(Delete "/api/v1/applications/{client_id}", SignedIn JSON, Problem, "takes back what an application was given", applications::end_one),
    row!(Post "/api/v1/token/refresh", Anyone JSON, Problem, "yields the next access and refresh token", tokens::web::refresh),
    row!(Post "/api/v1/commands", SignedIn JSON, Problem, "issues a one-time command", tokens::web::command),
    row!(Post "/api/v1/password/strength", Anyone JSON, Problem, "how strong a password seems, for the meter", password::web::strength),
    row!(Get "/api/v1/admin/sessions", Admin READ, Problem, "the sessions of a person", admin::api::sessions),
    row!(Delete "/api/v1/admin/sessions", Admin JSON, Problem, "ends all sessions of a person", admin::api::end_all),
    row!(Delete "/api/v1/admin/sessions/{id}", Admin JSON, Problem, "ends any session", admin::api::end_session),
    row!(Get "/api/v1/admin/events", Admin READ, Problem, "the newest audit events", admin::api::events),
];

/// The table as the page `docs/routes.md`.
pub fn manual() -> String {
    let mut text = String::from(
        "# Routes\n\nGenerated from `crates/server/src/routes.rs`; a test fails when this page is stale \
         (`GATEWARD_BLESS=1 cargo test -p gateward routes` writes it anew).\n\n\
         *Gate* says who may come and how: *form* is a form of Gateward's own pages with its token, *JSON* is a \
         body of `application/json`, and both are refused from other sites; a *form from anywhere* changes nothing by itself. *Face* says how answers look: a page, or \
         JSON with refusals as `application/problem+json` (RFC 9457).\n\n\
         | method | path | gate | face | what for |\n|---|---|---|---|---|\n",
    );
    for route in ROUTES {
        let who = match route.gate.who {
            Who::Anyone => "anyone",
            Who::WithSession => "with a session",
            Who::SignedIn => "signed in",
            Who::Admin => "administrator",
            Who::FreshAdmin => "administrator, recently signed in",
        };
        let how = match route.gate.how {
            How::Read => "",
            How::Form(_) => ", form",
            How::Foreign => ", form from anywhere",
            How::Json => ", JSON",
        };
        let face = match route.face {
            Face::Page => "page",
            Face::Problem => "JSON",
            Face::Plain => "text",
        };
        text.push_str(&format!(
            "| {} | `{}` | {who}{how} | {face} | {} |\n",
            route.method.name(),
            route.path,
            route.about
        ));
    }
    text.push_str("\nAsked by machines, without a session and on the shortest way:\n\n| methods | path | what for |\n|---|---|---|\n");
    for endpoint in ENDPOINTS {
        let methods: Vec<&str> = endpoint.methods.iter().map(http::Method::as_str).collect();
        text.push_str(&format!("| {} | `{}` | {} |\n", methods.join(", "), endpoint.path, endpoint.about));
    }
    text.push_str(
        "\nAnswered before this table, on the shortest way:\n\n\
         | path | what for |\n|---|---|\n\
         | `/forward-auth`, `/forward-auth/nginx`, `/traefik`, `/caddy`, `/envoy/…`, `/haproxy` | the proxy asks whether a request may pass; see [proxies.md](proxies.md) |\n\
         | `/assets/…` | stylesheet, script and mark of the pages; named by their content |\n\
         | `/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server` | where everything is (OpenID Connect Discovery, RFC 8414) |\n\
         | `/.well-known/oauth-protected-resource/oauth/userinfo` | what UserInfo takes, as a protected resource (RFC 9728) |\n\
         | `/oauth/jwks` | the keys that verify tokens |\n\
         | `/oauth/status`, `/oauth/status/{list}` | the status lists by which tokens are revoked; see [tokens.md](tokens.md) |\n\
         | `/oauth/status/events` | the same as it happens, as server-sent events |\n\
         | `/healthz` | the program is alive |\n\
         | `/readyz` | the program and its stores answer |\n\
         | `/metrics` | figures for Prometheus |\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_manual_is_not_stale() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/routes.md");
        if std::env::var_os("GATEWARD_BLESS").is_some() {
            std::fs::write(path, manual()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), manual(), "run with GATEWARD_BLESS=1");
    }

    #[test]
    fn whatever_changes_something_is_not_open_to_other_sites() {
        for route in ROUTES {
            assert_eq!(route.method == Verb::Get, route.gate.how == How::Read, "{}", route.path);
            let asks_only = ["/oauth/authorize", "/oauth/logout"];
            assert!(route.gate.how != How::Foreign || asks_only.contains(&route.path), "{}", route.path);
        }
    }
}
