//! Invitations: the initial access tokens of RFC 7591 §3. Each is a signed text that counts until its end, for as many clients as
//! the quotas allow; nothing of it is stored.

use std::time::Duration;

use gateward_kernel::id::PersonId;
use gateward_kernel::time::Moment;
use gateward_kernel::token::{SimpleKey, SimpleToken};

use crate::app::App;

/// What they are signed for.
const PURPOSE: &str = "client registration";

/// A token with which clients may register for so long.
pub fn issue(app: &App, lifetime: Duration, now: Moment) -> String {
    // It is about nobody: the id only makes it differ from every other one.
    let token = SimpleToken { person: PersonId::random(&*app.entropy), ends: now + lifetime };
    SimpleKey::new(&app.root, PURPOSE).sign(token, b"")
}

/// Whether a token was made for this, and still counts.
pub fn is_good(app: &App, token: &str, now: Moment) -> bool {
    SimpleKey::new(&app.root, PURPOSE).verify(token.as_bytes(), b"", now).is_ok()
}
