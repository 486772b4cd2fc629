//! `gateward session …`

use anyhow::bail;
use clap::Subcommand;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::person::Login;
use gateward_kernel::session::Session;
use serde_json::{Value, json};

use super::show::Show;
use super::{Done, Trouble, with_app};
use crate::admin::flow;
use crate::app::App;
use crate::config::{SessionStore, Settings};
use crate::session::view::SessionView;
use crate::start::Missing;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List living sessions
    List {
        /// Only those of this person
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// End one session by its id, or all of a person
    End {
        /// The id, as `session list` shows it
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        id: Option<String>,
        /// End all sessions of this person
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
}

pub(super) fn run(command: SessionCommand, settings: Settings, show: Show) -> Done {
    let in_memory = settings.sessions.store == SessionStore::Memory;
    with_app(settings, Missing::Refuse, async |app: &App| match command {
        SessionCommand::List { .. } | SessionCommand::End { id: Some(_), .. } if in_memory => {
            Err(anyhow::anyhow!(
                "sessions.store is \"memory\": only the server itself knows its sessions; see /admin"
            )
            .into())
        }
        SessionCommand::List { user } => list(app, user, show).await,
        SessionCommand::End { user: Some(user), .. } => end_all(app, &user, show).await,
        SessionCommand::End { id, .. } => end_one(app, &id.unwrap_or_default(), show).await,
    })
}

async fn person_id(app: &App, name: &str) -> anyhow::Result<PersonId> {
    match app.directory().person_by_login(&Login::read(name)).await? {
        Some(person) => Ok(person.record.id),
        None => bail!("there is nobody called {name:?}: see `gateward user list`"),
    }
}

async fn list(app: &App, user: Option<String>, show: Show) -> Done {
    let now = app.clock.now();
    let mut found: Vec<Session> = Vec::new();
    match user {
        Some(name) => {
            let sessions = app.sessions.list(person_id(app, &name).await?, now).await?;
            found.extend(sessions.iter().map(|session| session.record.clone()));
        }
        None if !app.stores.sessions.traits().pages => {
            return Err(anyhow::anyhow!(
                "sessions.store cannot list what it holds: name somebody with --user, whose sessions are known"
            )
            .into());
        }
        None => {
            let mut after = None;
            loop {
                let (page, next) = app.sessions.book().page(after, 500, now).await?;
                for session in page {
                    // What was ended person-wide is dead though it may not be swept yet.
                    found.extend(
                        app.sessions.find(session.record.id, now).await?.map(|living| living.record.clone()),
                    );
                }
                if next.is_none() {
                    break;
                }
                after = next;
            }
        }
    }
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    for session in &found {
        let name = match session.person() {
            Some(id) => app.directory().person(id).await?.map(|person| person.record.name.to_string()),
            None => None,
        };
        let view = SessionView::of(session, None, app.sessions.policy());
        rows.push(vec![
            view.id.clone(),
            name.clone().unwrap_or_else(|| "(guest)".into()),
            view.device.clone(),
            view.address.clone(),
            view.last_used_at.clone(),
            view.expires_at.clone(),
        ]);
        let mut value = serde_json::to_value(view)?;
        if let Some(members) = value.as_object_mut() {
            members.insert("username".into(), json!(name));
            members.remove("current");
        }
        values.push(value);
    }
    show.table(&Value::from(values), &["ID", "USER", "DEVICE", "ADDRESS", "LAST USED", "EXPIRES"], &rows);
    Ok(())
}

async fn end_one(app: &App, id: &str, show: Show) -> Done {
    let id: SessionId = id.parse()?;
    let person = flow::end_session(app, id, app.clock.now()).await.map_err(|failure| match failure {
        crate::face::failure::Failure::Refusal(_) => {
            anyhow::anyhow!("there is no living session {id}").into()
        }
        other => Trouble::Failure(other),
    })?;
    record(app, Fact::SessionEnded, person, Some(id)).await;
    show.one(&json!({ "ended": 1 }), &format!("{id} is ended"));
    Ok(())
}

async fn end_all(app: &App, user: &str, show: Show) -> Done {
    let person = person_id(app, user).await?;
    let count = app.sessions.end_all(person, app.clock.now()).await?;
    record(app, Fact::SessionsEnded, Some(person), None).await;
    show.one(
        &json!({ "ended": count }),
        &format!("{count} sessions of {user} are ended, and whatever else they had open"),
    );
    Ok(())
}

async fn record(app: &App, fact: Fact, person: Option<PersonId>, session: Option<SessionId>) {
    let mut event = Event::new(app.clock.now(), fact, Actor::CommandLine);
    (event.person, event.session) = (person, session);
    app.record(event).await;
}
