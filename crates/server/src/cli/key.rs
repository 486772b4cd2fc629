//! `gateward key …`

use clap::Subcommand;
use gateward_kernel::event::{Actor, Event, Fact};
use serde_json::{Value, json};

use super::show::Show;
use super::{Done, with_app};
use crate::app::App;
use crate::config::{Pepper, Settings};
use crate::password::pepper::Peppers;
use crate::start::Missing;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the keys that the data directory keeps, without the keys themselves
    List,
    /// Make a new pepper: passwords are hashed with it from the next sign-in on, older hashes still count
    Rotate,
}

pub(super) fn run(command: KeyCommand, settings: Settings, show: Show) -> Done {
    with_app(settings, Missing::Refuse, async |app: &App| match command {
        KeyCommand::List => {
            let keys = app.directory().sealed_keys("pepper").await?;
            let newest = keys.last().map(|key| key.id.clone());
            let state = |id: &String| if newest.as_ref() == Some(id) { "current" } else { "still verifies" };
            let values: Vec<Value> = keys
                .iter()
                .map(|key| json!({ "purpose": key.purpose, "id": key.id, "created_at": key.created.rfc3339(), "state": state(&key.id) }))
                .collect();
            let rows: Vec<Vec<String>> = keys
                .iter()
                .map(|key| {
                    vec![
                        key.purpose.clone(),
                        key.id.clone(),
                        key.created.rfc3339(),
                        state(&key.id).to_owned(),
                    ]
                })
                .collect();
            show.table(&Value::from(values), &["PURPOSE", "ID", "CREATED", "STATE"], &rows);
            Ok(())
        }
        KeyCommand::Rotate => {
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
    })
}
