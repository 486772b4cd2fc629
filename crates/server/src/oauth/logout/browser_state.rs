//! Session management (OpenID Connect Session Management 1.0): a client asks a frame of ours, without any request, whether the same
//! session goes on in this browser. It needs a cookie that the script in that frame can read; off unless the settings say so.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use gateward_guard::cookies::{Found, find};
use gateward_kernel::secret::Digest;
use gateward_kernel::session::Session;
use http::HeaderValue;

use crate::app::App;
use crate::face::assets;
use crate::face::visit::Visit;

/// The path of the frame.
pub const PATH: &str = "/oauth/check-session";

/// What stands in the cookie while this session goes on: opaque, and good for nothing else.
fn state(app: &App, session: &Session) -> String {
    let tag: [u8; 16] = app.oauth.browsers.short_tag(&[session.id.as_bytes()]);
    BASE64URL_NOPAD.encode(&tag)
}

/// The `session_state` of an authorization answer (§3.2), if there is one.
pub fn session_state(app: &App, client: &str, redirect_uri: &str, session: &Session) -> Option<String> {
    if !app.settings.oauth.session_management {
        return None;
    }
    // Apps with a scheme of their own have no page that could ask.
    let origin = url::Url::parse(redirect_uri).ok()?.origin();
    let origin = origin.is_tuple().then(|| origin.ascii_serialization())?;
    let mut salt = [0; 16];
    app.entropy.fill(&mut salt);
    Some(salted(client, &origin, &state(app, session), &HEXLOWER.encode(&salt)))
}

/// As the script in the frame has it, too.
fn salted(client: &str, origin: &str, state: &str, salt: &str) -> String {
    let digest = Digest::of(format!("{client} {origin} {state} {salt}").as_bytes());
    format!("{}.{salt}", HEXLOWER.encode(digest.as_bytes()))
}

/// The `Set-Cookie` that puts the state of this session into the browser that is answered, if it is not there.
pub fn put(visit: &Visit, session: &Session) -> Option<HeaderValue> {
    if !visit.app.settings.oauth.session_management {
        return None;
    }
    let (state, spec) = (state(&visit.app, session), &visit.app.cookies.state);
    let is_there = find(&visit.headers, spec.name()) == Found::One(state.as_bytes());
    if is_there { None } else { spec.set(&state, None).ok() }
}

/// The one that keeps a browser that has a state with its session: whoever asks then hears that something has changed.
pub fn follow(visit: &Visit, session: Option<&Session>) -> Option<HeaderValue> {
    let spec = &visit.app.cookies.state;
    if !visit.app.settings.oauth.session_management || find(&visit.headers, spec.name()) == Found::Nothing {
        return None;
    }
    match session {
        Some(session) => put(visit, session),
        None => spec.clear().ok(),
    }
}

/// The frame (§3.3), which knows the name of the cookie; none where session management is off.
pub fn document(app: &App) -> Option<String> {
    let script = assets::href("check-session.js").filter(|_| app.settings.oauth.session_management)?;
    Some(format!(
        "<!doctype html>\n<html lang=\"en\" data-cookie=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<title>Gateward</title>\n\
         <script src=\"{script}\"></script>\n</head>\n<body></body>\n</html>\n",
        app.cookies.state.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_state_is_of_one_client_one_origin_and_one_state() {
        let first = salted("app", "https://app.example", "state", "00ff");
        assert!(first.ends_with(".00ff") && first.len() == 64 + 5 && !first.contains(' '));
        for other in [
            salted("other", "https://app.example", "state", "00ff"),
            salted("app", "https://app.example:8443", "state", "00ff"),
            salted("app", "https://app.example", "", "00ff"),
            salted("app", "https://app.example", "state", "00fe"),
        ] {
            assert_ne!(first, other);
        }
    }
}
