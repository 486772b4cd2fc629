//! Secrets of clients: made here, or by somebody else and read from standard input. Never an argument, which everybody on the machine
//! could read.

use anyhow::{anyhow, bail};
use gateward_kernel::event::Fact;
use gateward_kernel::oauth::{Client, ClientSecret, Metadata};
use gateward_kernel::record::Decision;
use serde_json::json;
use zeroize::Zeroizing;

use super::{extend, find_own, record, view};
use crate::app::App;
use crate::cli::Done;
use crate::cli::show::Show;
use crate::cli::user::read_line;
use crate::config::Span;
use crate::oauth::clients::check_secret;

/// A secret for a client with this metadata, and what is kept of it; nothing when it proves itself without one.
pub(super) fn made(
    app: &App,
    name: &str,
    metadata: &Metadata,
    from_stdin: bool,
) -> anyhow::Result<Option<(Zeroizing<String>, ClientSecret)>> {
    let (clients, keep, now) = (&app.oauth.clients, metadata.needs_plain_secret(), app.clock.now());
    if !metadata.has_secret() {
        return match from_stdin {
            true => {
                bail!("a client that proves itself by {} has no secret", metadata.token_endpoint_auth_method)
            }
            false => Ok(None),
        };
    }
    if !from_stdin {
        return Ok(Some(clients.fresh_secret(name, keep, now)));
    }
    let text = Zeroizing::new(read_line()?);
    check_secret(&text)?;
    let kept = clients.secret(name, &text, keep, now);
    Ok(Some((text, kept)))
}

/// `gateward client rotate-secret`
pub(super) async fn rotate(app: &App, name: &str, overlap: Span, from_stdin: bool, show: Show) -> Done {
    let (clients, now) = (&app.oauth.clients, app.clock.now());
    let client = find_own(app, name).await?;
    let Some((text, kept)) = made(app, name, &client.metadata, from_stdin)? else {
        let method = client.metadata.token_endpoint_auth_method;
        return Err(anyhow!("{name:?} proves itself by {method}, and has no secret").into());
    };
    let until = now + overlap.duration();
    let decide = |client: &Client| {
        let mut next = Client { changed: now, ..client.clone() };
        next.rotate_secret(kept.clone(), until);
        Decision::Write(next, ())
    };
    let Some((client, ())) = clients.change(name, now, decide).await? else {
        return Err(anyhow!("{name:?} was removed meanwhile").into());
    };
    record(app, Fact::ClientChanged, name).await;
    let mut value = view(&client.record);
    extend(&mut value, json!({"client_secret": (!from_stdin).then_some(text.as_str())}));
    let before = match client.record.secrets.len() > 1 {
        true => format!("the one before it is good until {}", until.rfc3339()),
        false => "there was none before it".to_owned(),
    };
    let words = match from_stdin {
        true => format!("{name} has another secret; {before}"),
        false => format!("client_secret  {}\n\nThe secret is shown this once; {before}.", text.as_str()),
    };
    show.one(&value, &words);
    Ok(())
}
