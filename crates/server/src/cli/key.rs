//! `gateward key …`

mod list;
mod move_in_out;
mod reseal;

use std::path::PathBuf;
use std::str::FromStr as _;

use clap::{Args, Subcommand, ValueEnum};
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::jose::SignatureAlgorithm;
use serde_json::{Value, json};

use super::show::Show;
use super::{Done, with_app};
use crate::app::App;
use crate::config::{Pepper, Settings};
use crate::password::pepper::Peppers;
use crate::start::Missing;
use crate::tokens::ring::{Added, Takeover};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the keys of this installation, without the keys themselves
    List,
    /// Let a new key take over: a signing key, which verifiers learn before it signs, or a pepper
    Rotate(Rotate),
    /// Add a private key that was made elsewhere, as JWK or PEM; it takes over from the present one of its algorithm
    Import {
        /// The file, or `-` for standard input
        file: PathBuf,
        /// For what it signs, such as ES256
        #[arg(long, value_parser = algorithm)]
        alg: SignatureAlgorithm,
        /// Let it sign at once, instead of after keys.lead
        #[arg(long)]
        now: bool,
    },
    /// Print the public part of a signing key
    Export {
        /// Its id in tokens (kid), or its name such as ES256-1
        kid: String,
        /// As PEM, instead of as JWK
        #[arg(long)]
        pem: bool,
        /// With the private part
        #[arg(long)]
        private: bool,
    },
    /// Take a signing key away: what it signed is refused from now on
    Remove {
        /// Its id in tokens (kid), or its name such as ES256-1
        kid: String,
    },
    /// Encrypt all signing keys under another key; can be interrupted and done again
    Reseal(Reseal),
}

#[derive(Clone, Debug, Args)]
pub(super) struct Rotate {
    /// What: signing keys, or the pepper of passwords
    #[arg(value_enum, default_value = "signing")]
    what: What,
    /// Only the key of this algorithm, such as ES256 [default: those of all algorithms in use]
    #[arg(long, value_parser = algorithm)]
    alg: Option<SignatureAlgorithm>,
    /// Let it sign at once, instead of after keys.lead: when the present key is not to be used any more
    #[arg(long)]
    now: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    Signing,
    Pepper,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Reseal {
    /// Under the key in this file: 64 hexadecimal digits; made when it is not there
    #[arg(long, value_name = "FILE", required_unless_present = "to_root")]
    to: Option<PathBuf>,
    /// Under the root key
    #[arg(long, conflicts_with = "to")]
    to_root: bool,
    /// The file of the key they are encrypted under now [default: as the settings say]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

fn algorithm(text: &str) -> Result<SignatureAlgorithm, String> {
    SignatureAlgorithm::from_str(text)
        .ok()
        .filter(|algorithm| !algorithm.is_hmac())
        .ok_or_else(|| "ES256, ES384, ES512, EdDSA, RS256, RS384, RS512, PS256, PS384 or PS512".into())
}

const fn takeover(now: bool) -> Takeover {
    if now { Takeover::AtOnce } else { Takeover::AfterLead }
}

pub(super) fn run(command: KeyCommand, settings: Settings, show: Show) -> Done {
    with_app(settings, Missing::Refuse, async |app: &App| match command {
        KeyCommand::List => list::run(app, show).await,
        KeyCommand::Rotate(Rotate { what: What::Signing, alg, now }) => {
            rotate(app, alg, takeover(now), show).await
        }
        KeyCommand::Rotate(Rotate { what: What::Pepper, alg: None, now: false }) => {
            rotate_pepper(app, show).await
        }
        KeyCommand::Rotate(_) => {
            Err(anyhow::anyhow!("a new pepper counts at once and for all: leave --alg and --now away").into())
        }
        KeyCommand::Import { file, alg, now } => {
            move_in_out::import(app, &file, alg, takeover(now), show).await
        }
        KeyCommand::Export { kid, pem, private } => move_in_out::export(app, &kid, pem, private, show).await,
        KeyCommand::Remove { kid } => remove(app, &kid, show).await,
        KeyCommand::Reseal(reseal) => reseal::run(app, &reseal, show).await,
    })
}

async fn rotate(app: &App, alg: Option<SignatureAlgorithm>, takeover: Takeover, show: Show) -> Done {
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    ring.load(now).await?;
    let algorithms = alg.map_or_else(|| ring.settings().in_use.clone(), |alg| vec![alg]);
    let mut values = Vec::new();
    let mut words = Vec::new();
    for alg in algorithms {
        let added = ring.rotate(alg, takeover, Actor::CommandLine, now).await?;
        values.push(told(&added));
        words.push(in_words(app, &added));
    }
    show.one(&Value::from(values), &words.join("\n"));
    Ok(())
}

fn told(added: &Added) -> Value {
    let (key, term) = (&added.key, added.key.term());
    json!({
        "purpose": "signing", "id": key.id(), "alg": term.alg.name(), "kid": key.kid(),
        "created_at": term.created.rfc3339(), "active_from": term.active_from.rfc3339(), "is_new": added.is_new,
    })
}

fn in_words(app: &App, added: &Added) -> String {
    let (key, term) = (&added.key, added.key.term());
    let (id, kid, from) = (key.id(), key.kid(), term.active_from.rfc3339());
    let mut words = match (added.is_new, term.active_from <= term.created) {
        (true, true) => format!("{id} signs from now on, kid {kid}"),
        (true, false) => format!("{id} is published now and signs from {from} on, kid {kid}"),
        (false, _) => format!("{id} is published already and signs from {from} on, kid {kid}"),
    };
    if !app.tokens.mint.ring().settings().in_use.contains(&term.alg) {
        words.push_str(&format!("; nothing is signed with {} by the present settings", term.alg));
    }
    words
}

async fn rotate_pepper(app: &App, show: Show) -> Done {
    if app.settings.passwords.pepper != Pepper::Data {
        let advice = "passwords.pepper is not \"data\": add a line to your pepper file, and restart";
        return Err(anyhow::anyhow!(advice).into());
    }
    let now = app.clock.now();
    let id = Peppers::add_to_directory(app.directory(), &app.root, &*app.entropy, now).await?;
    let mut event = Event::new(now, Fact::KeyCreated, Actor::CommandLine);
    event.detail = Some(format!("pepper {id}"));
    app.record(event).await;
    show.one(&json!({ "purpose": "pepper", "id": id }), &format!("pepper {id} is the current one"));
    Ok(())
}

async fn remove(app: &App, name: &str, show: Show) -> Done {
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    ring.load(now).await?;
    let key = ring.find(name, now)?;
    ring.remove(&key, Actor::CommandLine, now).await?;
    let (id, kid) = (key.id(), key.kid());
    show.one(
        &json!({ "removed": { "id": id, "kid": kid } }),
        &format!("{id} is taken away; what it signed is refused, kid {kid}"),
    );
    Ok(())
}
