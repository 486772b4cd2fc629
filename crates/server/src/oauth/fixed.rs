//! The clients of the settings: read once, when the program starts. One that cannot work keeps it from starting, so that nobody finds
//! out later.

use std::path::Path;

use anyhow::{Context as _, bail};
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::oauth::{Client, Metadata};
use gateward_kernel::time::Moment;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::clients::{Clients, check_secret};
use crate::config::{self, Settings};

/// All of them.
pub(super) fn read(settings: &Settings, clients: &Clients, now: Moment) -> anyhow::Result<Vec<Client>> {
    let one = |own: &config::Client| {
        client(own, clients, now)
            .with_context(|| format!("the [[client]] {:?} of the settings cannot be used", own.id.as_str()))
    };
    settings.client.iter().map(one).collect()
}

fn client(own: &config::Client, clients: &Clients, now: Moment) -> anyhow::Result<Client> {
    let id = own.id.as_str();
    super::clients::check_name(id)?;
    let metadata = metadata(own)?;
    if let Err(problem) = metadata.check(clients.rules()) {
        bail!("{}", problem.description);
    }
    let secret = match (metadata.has_secret(), &own.secret_file) {
        (true, Some(file)) => Some(secret(file)?),
        (false, None) => None,
        (true, None) => {
            bail!("it proves itself by {}, and has no secret_file", metadata.token_endpoint_auth_method)
        }
        (false, Some(_)) => {
            bail!("it proves itself by {}, and needs no secret_file", metadata.token_endpoint_auth_method)
        }
    };
    let kept = secret.map(|text| clients.secret(id, &text, metadata.needs_plain_secret(), now));
    Ok(Client {
        client_id: id.into(),
        origin: Origin::Settings,
        created: now,
        changed: now,
        expires: None,
        secrets: Vec::from_iter(kept),
        registration: None,
        disabled: false,
        metadata,
    })
}

fn metadata(own: &config::Client) -> anyhow::Result<Metadata> {
    let mut all = own.metadata.members().clone();
    if let Some(file) = &own.metadata_file {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
        let more: Map<String, Value> =
            serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON object"))?;
        if let Some(name) = more.keys().find(|name| all.contains_key(*name)) {
            bail!("{name} is in {shown} and in metadata: say it once");
        }
        all.extend(more);
    }
    serde_json::from_value(Value::Object(all)).context("this is no client metadata (RFC 7591, section 2)")
}

/// The secret in a file: one line.
fn secret(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?;
    let text = Zeroizing::new(text);
    let line = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
    check_secret(&line).with_context(|| format!("the secret in {shown} cannot be used"))?;
    Ok(line)
}
