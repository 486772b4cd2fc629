//! `gateward client invite`

use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::json;

use crate::app::App;
use crate::cli::show::Show;
use crate::config::{Registration, Span};
use crate::oauth::registration::invitation;

/// The longest life of an invitation.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Prints a token with which clients register themselves.
pub(super) fn run(app: &App, lifetime: Span, show: Show) -> anyhow::Result<()> {
    if app.settings.oauth.registration == Registration::Off {
        bail!("oauth.registration is \"off\": set it to \"token\" first");
    }
    let (now, lifetime) = (app.clock.now(), lifetime.duration());
    if lifetime.as_secs() == 0 || lifetime > LONGEST {
        return Err(anyhow!("--lifetime is 1s to 365d"));
    }
    let token = invitation::issue(app, lifetime, now);
    show.one(&json!({ "initial_access_token": token, "expires": (now + lifetime).rfc3339() }), &token);
    Ok(())
}
