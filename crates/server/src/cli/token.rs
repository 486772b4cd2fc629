//! `gateward token …`

mod artefact;
mod inspect;
mod jwt;
mod sign;
mod verify;

use std::io::Read as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use gateward_guard::SystemClock;
use gateward_kernel::time::Clock as _;
use zeroize::Zeroizing;

use super::show::Show;
use super::{Done, with_app};
use crate::app::App;
use crate::config::{Settings, Span};
use crate::start::Missing;

/// The longest text that is looked at, in bytes: much longer than anybody accepts.
const LONGEST: u64 = 256 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Say what a token is, what it says, and what is wrong with it; nothing is sent anywhere, no signature is checked
    Inspect {
        /// The token, or `-` for standard input, which keeps it out of the history of your shell and the list of processes
        token: String,
    },
    /// Check a token as a resource does, with the issuer's published keys and status lists
    Verify(verify::Verify),
    /// Sign an access token for a person; it hangs on a session of theirs, and ends with it
    Sign(Sign),
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// Whose: the user name or e-mail address
    #[arg(long, value_name = "NAME")]
    user: String,
    /// For which [[resource]] of the settings; the public address for Gateward's own API
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// How long it counts, such as 5m [default: as the settings say for that resource]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lifetime: Option<Span>,
    /// What it allows, with blanks between [default: all scopes of that resource]
    #[arg(long)]
    scope: Option<String>,
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    text.parse()
        .map_err(|problem| format!("{text:?} {problem}; a duration is a number and a unit such as 90s or 5m"))
}

pub(super) fn run(command: TokenCommand, settings: Settings, show: Show) -> Done {
    match command {
        TokenCommand::Inspect { token } => inspect(&token, show),
        TokenCommand::Verify(verify) => check(&verify, show),
        TokenCommand::Sign(sign) => {
            with_app(settings, Missing::Refuse, async |app: &App| sign::run(app, &sign, show).await)
        }
    }
}

/// Looks into a token. Needs no settings and no data.
pub(super) fn inspect(given: &str, show: Show) -> Done {
    let text = text_of(given)?;
    let report = inspect::inspect(&text, SystemClock.now())?;
    report.print(show);
    Ok(())
}

/// Verifies a token. Needs no settings and no data, and no Gateward of one's own.
pub(super) fn check(verify: &verify::Verify, show: Show) -> Done {
    verify::run(verify, &text_of(&verify.token)?, show)
}

/// The token itself, whether it came as an argument or on standard input, alone or as it stands in a header.
fn text_of(given: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if given == "-" {
        let mut input = std::io::stdin().lock().take(LONGEST + 1);
        input.read_to_string(&mut text).context("standard input cannot be read as text")?;
    } else {
        text.push_str(given);
    }
    if text.len() as u64 > LONGEST {
        bail!("this is longer than any token: more than {LONGEST} bytes");
    }
    let bare = text.trim();
    let bare = match bare.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => bare,
    };
    if bare.is_empty() {
        bail!("there is no token");
    }
    if bare.contains(char::is_whitespace) {
        bail!("this is more than one word: give one token");
    }
    Ok(Zeroizing::new(bare.to_owned()))
}
