//! `gateward client …`

mod invite;
mod metadata;
mod secret;
mod snippet;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::oauth::client::Origin;
use gateward_kernel::oauth::{Client, ClientSecret, Metadata};
use gateward_kernel::record::Decision;
use serde_json::{Value, json};

use super::show::Show;
use super::{Done, Trouble, with_app};
use crate::app::App;
use crate::config::{Settings, Span};
use crate::oauth::clients::check_name;
use crate::start::Missing;
pub(super) use snippet::Kind;

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Add an application that signs people in here, and print what it needs; its secret is printed this once
    Add {
        /// Its client_id
        name: String,
        /// What it is: decides how it proves itself and what it may do, unless --metadata says otherwise
        #[arg(long = "type", value_enum, value_name = "TYPE")]
        kind: Kind,
        #[command(flatten)]
        facts: Facts,
        /// Read its secret from standard input, instead of making one
        #[arg(long)]
        secret_stdin: bool,
    },
    /// List clients
    List,
    /// Show one client, without its secrets
    Show {
        /// Its client_id
        name: String,
    },
    /// Change a client; what is not named stays
    Change {
        /// Its client_id
        name: String,
        #[command(flatten)]
        facts: Facts,
        /// Keep it out without losing anything; what it holds is worthless until then
        #[arg(long)]
        disable: bool,
        /// Let it in again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
    },
    /// Give a client another secret, and print it this once
    RotateSecret {
        /// Its client_id
        name: String,
        /// For how long the secret before it is good, too
        #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = super::token::span)]
        overlap: Span,
        /// Read the secret from standard input, instead of making one
        #[arg(long)]
        secret_stdin: bool,
    },
    /// Print a token with which clients register themselves (RFC 7591), where oauth.registration says so
    Invite {
        /// For how long
        #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = super::token::span)]
        lifetime: Span,
    },
    /// Remove a client; its tokens are worthless at once
    Remove {
        /// Its client_id
        name: String,
    },
}

/// What can be said of a client.
#[derive(Debug, Args)]
pub(super) struct Facts {
    /// Where people are sent back to; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where people are sent after signing out; may be given several times
    #[arg(long = "logout-uri", value_name = "URI")]
    logout_uris: Vec<String>,
    /// What people read
    #[arg(long = "name", value_name = "TEXT")]
    shown_name: Option<String>,
    /// The scopes that it may ask for, with blanks between [default: all]
    #[arg(long)]
    scope: Option<String>,
    /// A [[resource]] that it may ask for; may be given several times [default: all]
    #[arg(long = "resource", value_name = "NAME")]
    resources: Vec<String>,
    /// An origin whose pages call the token endpoint; may be given several times
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Ask nobody for consent: the application is the installation's own. One without a secret that runs on the person's machine asks
    /// all the same
    #[arg(long)]
    skip_consent: bool,
    /// A file with a JSON object of client metadata by the names of RFC 7591; null takes a member away
    #[arg(long, value_name = "FILE.json")]
    metadata: Option<PathBuf>,
}

pub(super) fn run(command: ClientCommand, settings: Settings, show: Show) -> Done {
    let missing = match command {
        ClientCommand::Add { .. } => Missing::Create,
        _ => Missing::Refuse,
    };
    with_app(settings, missing, async |app: &App| match command {
        ClientCommand::Add { name, kind, facts, secret_stdin } => {
            add(app, &name, kind, facts, secret_stdin, show).await
        }
        ClientCommand::List => list(app, show).await,
        ClientCommand::Show { name } => {
            show.json(&view(&find(app, &name).await?));
            Ok(())
        }
        ClientCommand::Change { name, facts, disable, enable } => {
            let disabled = match (disable, enable) {
                (false, false) => None,
                (disable, _) => Some(disable),
            };
            change(app, &name, facts, disabled, show).await
        }
        ClientCommand::RotateSecret { name, overlap, secret_stdin } => {
            secret::rotate(app, &name, overlap, secret_stdin, show).await
        }
        ClientCommand::Invite { lifetime } => Ok(invite::run(app, lifetime, show)?),
        ClientCommand::Remove { name } => remove(app, &name, show).await,
    })
}

async fn find(app: &App, name: &str) -> Result<Client, Trouble> {
    match app.oauth.clients.find_any(name, app.clock.now()).await? {
        Some(found) => Ok(found.record.clone()),
        None => Err(anyhow!("there is no client called {name:?}: see `gateward client list`").into()),
    }
}

/// The same, one that is not of the settings.
async fn find_own(app: &App, name: &str) -> Result<Client, Trouble> {
    let found = find(app, name).await?;
    match app.oauth.clients.is_fixed(name) {
        true => Err(anyhow!("{name:?} is defined in the settings: change it there, and restart").into()),
        false => Ok(found),
    }
}

async fn add(app: &App, name: &str, kind: Kind, facts: Facts, secret_stdin: bool, show: Show) -> Done {
    let (clients, now) = (&app.oauth.clients, app.clock.now());
    check_name(name).map_err(|problem| anyhow!("{name:?} cannot be a client_id: {problem}"))?;
    let metadata = metadata::of_kind(app, kind, facts)?;
    let (text, kept) = secret::made(app, name, &metadata, secret_stdin)?.unzip();
    let client = Client {
        client_id: name.into(),
        origin: Origin::Administrator,
        created: now,
        changed: now,
        expires: None,
        secrets: Vec::from_iter(kept),
        registration: None,
        disabled: false,
        metadata,
    };
    if clients.add(client.clone(), now).await?.is_err() {
        return Err(anyhow!("there is a client called {name:?} already: nothing was added").into());
    }
    record(app, Fact::ClientAdded, name).await;
    let issuer = app.tokens.mint.issuer();
    let snippet = snippet::of(kind, issuer, &client);
    // What somebody else has chosen, they know.
    let told = text.as_ref().filter(|_| !secret_stdin).map(|text| text.as_str());
    if show.json {
        let mut value = view(&client);
        extend(&mut value, json!({"client_secret": told, "issuer": issuer, "snippet": snippet}));
        show.json(&value);
        return Ok(());
    }
    println!("issuer         {issuer}\nclient_id      {name}");
    if let Some(secret) = told {
        println!("client_secret  {secret}\n\nThe secret is shown this once.");
    }
    println!("\n{snippet}");
    Ok(())
}

async fn list(app: &App, show: Show) -> Done {
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    for client in app.oauth.clients.all(app.clock.now()).await? {
        let grants: Vec<&str> = client.metadata.grant_types.0.iter().map(|grant| grant.name()).collect();
        rows.push(vec![
            client.client_id.to_string(),
            client.shown_name().to_owned(),
            client.metadata.token_endpoint_auth_method.to_string(),
            grants.join(","),
            word(client.origin),
            if client.disabled { "disabled".into() } else { String::new() },
        ]);
        values.push(view(&client));
    }
    show.table(&Value::from(values), &["CLIENT", "NAME", "PROVES ITSELF BY", "GRANTS", "BY", "STATE"], &rows);
    Ok(())
}

async fn change(app: &App, name: &str, facts: Facts, disabled: Option<bool>, show: Show) -> Done {
    let (clients, now) = (&app.oauth.clients, app.clock.now());
    find_own(app, name).await?;
    let patch = metadata::patch(facts)?;
    let decide = |client: &Client| match changed(app, client, &patch, disabled) {
        Ok(next) if next == *client => Decision::Leave(Ok(())),
        Ok(next) => Decision::Write(Client { changed: now, ..next }, Ok(())),
        Err(problem) => Decision::Leave(Err(format!("{problem:#}"))),
    };
    let Some((client, told)) = clients.change(name, now, decide).await? else {
        return Err(anyhow!("{name:?} was removed meanwhile").into());
    };
    told.map_err(|problem| anyhow!("{problem}: nothing was changed"))?;
    if disabled == Some(true) {
        clients.cut(name, now).await?;
    }
    record(app, Fact::ClientChanged, name).await;
    let hint = match needs_secret(&client.record) {
        true => format!("; it needs a secret now: `gateward client rotate-secret {name}`"),
        false => String::new(),
    };
    show.one(&view(&client.record), &format!("{name} is changed{hint}"));
    Ok(())
}

fn changed(app: &App, client: &Client, patch: &Value, disabled: Option<bool>) -> anyhow::Result<Client> {
    let mut next = client.clone();
    next.metadata = metadata::merged(&client.metadata, patch)?;
    metadata::check(app, &next.metadata)?;
    if !next.metadata.has_secret() {
        next.secrets.clear();
    }
    next.disabled = disabled.unwrap_or(client.disabled);
    Ok(next)
}

/// Whether it has none by which it could do what it registered.
fn needs_secret(client: &Client) -> bool {
    let metadata: &Metadata = &client.metadata;
    let serves = |secret: &ClientSecret| !metadata.needs_plain_secret() || secret.sealed.is_some();
    metadata.has_secret() && !client.secrets.iter().any(serves)
}

async fn remove(app: &App, name: &str, show: Show) -> Done {
    let client = find_own(app, name).await?;
    app.oauth.remove_client(name, app.clock.now()).await?;
    record(app, Fact::ClientRemoved, name).await;
    show.one(&view(&client), &format!("{name} is removed, and what people had agreed to with it"));
    Ok(())
}

async fn record(app: &App, fact: Fact, name: &str) {
    let mut event = Event::new(app.clock.now(), fact, Actor::CommandLine);
    event.detail = Some(format!("client {name}"));
    app.record(event).await;
}

fn word(origin: Origin) -> String {
    serde_json::to_value(origin).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A client as it is shown: nothing of its secrets but when they were made and how long they are good.
fn view(client: &Client) -> Value {
    let secrets = client.secrets.iter().map(|secret| {
        json!({
            "created_at": secret.created.rfc3339(),
            "expires_at": secret.expires.map(|end| end.rfc3339()),
        })
    });
    json!({
        "client_id": client.client_id,
        "origin": client.origin,
        "created_at": client.created.rfc3339(),
        "changed_at": client.changed.rfc3339(),
        "disabled": client.disabled,
        "secrets": secrets.collect::<Vec<_>>(),
        "metadata": client.metadata,
    })
}

/// The text of a file, with its name where it cannot be read.
fn text_of(file: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Puts more members into an object.
fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(own), Value::Object(more)) = (value, more) {
        own.extend(more);
    }
}
