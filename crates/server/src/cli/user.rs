//! `gateward user …`

mod facts;

use std::io::{IsTerminal, Read as _};

use anyhow::{Context, bail};
use clap::Subcommand;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::password::Password;
use gateward_kernel::person::{ADMINS, Login, Person, StoredPassword, UserName, tidy_groups};
use gateward_kernel::ports::PeopleQuery;
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use serde_json::{Value, json};

use facts::{Changes, Facts};

use super::show::Show;
use super::{Done, Trouble, with_app};
use crate::admin::flow;
use crate::app::App;
use crate::config::Settings;
use crate::password::flow::{changed, put, taken_name};
use crate::password::hasher;
use crate::start::Missing;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Create a person
    Add {
        /// The user name
        name: String,
        #[command(flatten)]
        facts: Facts,
        /// Make them an administrator: a member of the group "admins"
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input
        #[arg(long, conflicts_with = "hash_stdin")]
        password_stdin: bool,
        /// Read the hash of a password from standard input (argon2id, bcrypt, scrypt, pbkdf2)
        #[arg(long)]
        hash_stdin: bool,
    },
    /// List people
    List {
        /// Only those whose name or address holds this
        #[arg(long)]
        search: Option<String>,
    },
    /// Show one person
    Show {
        /// The user name or e-mail address
        name: String,
    },
    /// Change what is known of a person
    Change {
        /// The user name or e-mail address
        name: String,
        #[command(flatten)]
        facts: Facts,
        /// The new user name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Take the e-mail address away
        #[arg(long, conflicts_with = "email")]
        no_email: bool,
        /// Take all groups away first
        #[arg(long)]
        no_groups: bool,
    },
    /// Keep a person out and end everything they have open
    Disable {
        /// The user name or e-mail address
        name: String,
    },
    /// Let a disabled person in again
    Enable {
        /// The user name or e-mail address
        name: String,
    },
    /// Set a person's password and end their sessions
    Password {
        /// The user name or e-mail address
        name: String,
        /// Read the password from standard input
        #[arg(long, conflicts_with = "hash_stdin")]
        password_stdin: bool,
        /// Read the hash of a password from standard input
        #[arg(long)]
        hash_stdin: bool,
    },
    /// Print a one-time code and link with which the person chooses a new password, within 15 minutes
    Reset {
        /// The user name or e-mail address
        name: String,
    },
    /// Remove a person and end everything they have open
    Remove {
        /// The user name or e-mail address
        name: String,
    },
}

pub(super) fn run(command: UserCommand, settings: Settings, show: Show) -> Done {
    let missing = match command {
        UserCommand::Add { .. } => Missing::Create,
        _ => Missing::Refuse,
    };
    with_app(settings, missing, async |app: &App| match command {
        UserCommand::Add { name, facts, admin, password_stdin, hash_stdin } => {
            add(app, &name, facts, admin, Given::new(password_stdin, hash_stdin), show).await
        }
        UserCommand::List { search } => list(app, search, show).await,
        UserCommand::Show { name } => {
            let person = find(app, &name).await?.record;
            show.json(&view(&person));
            Ok(())
        }
        UserCommand::Change { name, facts, rename, no_email, no_groups } => {
            let mut changes = facts.read()?;
            (changes.no_email, changes.no_groups) = (no_email, no_groups);
            change(app, &name, changes, rename, show).await
        }
        UserCommand::Disable { name } => set_disabled(app, &name, true, show).await,
        UserCommand::Enable { name } => set_disabled(app, &name, false, show).await,
        UserCommand::Password { name, password_stdin, hash_stdin } => {
            password(app, &name, Given::new(password_stdin, hash_stdin), show).await
        }
        UserCommand::Reset { name } => reset(app, &name, show).await,
        UserCommand::Remove { name } => {
            let person = find(app, &name).await?.record;
            flow::remove(app, person.id, app.clock.now()).await.map_err(Trouble::Failure)?;
            record(app, Fact::PersonRemoved, person.id).await;
            show.one(&view(&person), &format!("{} is removed", person.name));
            Ok(())
        }
    })
}

/// How a password is given.
#[derive(Clone, Copy)]
enum Given {
    Ask,
    Password,
    Hash,
}

impl Given {
    fn new(password_stdin: bool, hash_stdin: bool) -> Self {
        match (password_stdin, hash_stdin) {
            (true, _) => Given::Password,
            (_, true) => Given::Hash,
            _ => Given::Ask,
        }
    }
}

async fn find(app: &App, name: &str) -> Result<Loaded<Person>, Trouble> {
    match app.directory().person_by_login(&Login::read(name)).await? {
        Some(person) => Ok(person),
        None => Err(anyhow::anyhow!("there is nobody called {name:?}: see `gateward user list`").into()),
    }
}

async fn add(app: &App, name: &str, facts: Facts, admin: bool, given: Given, show: Show) -> Done {
    let now = app.clock.now();
    let name: UserName = name.parse().with_context(|| format!("{name:?} cannot be a user name"))?;
    let mut person = Person::new(PersonId::random(&*app.entropy), name, now);
    facts.read()?.put(&mut person).map_err(|refusal| Trouble::Failure(refusal.into()))?;
    if admin {
        person.groups =
            tidy_groups(person.groups.into_iter().chain([ADMINS.to_owned()])).map_err(anyhow::Error::msg)?;
    }
    if let Some(stored) = read_password(app, &person, given).await? {
        put(&mut person, &stored, now);
    }
    if let Err(taken) = app.directory().create_person(&person).await? {
        return Err(anyhow::anyhow!("the {} is taken: nobody was created", taken_name(taken)).into());
    }
    record(app, Fact::PersonCreated, person.id).await;
    let without = match person.password {
        Some(_) => String::new(),
        None => format!("; they have no password yet: `gateward user reset {}`", person.name),
    };
    show.one(&view(&person), &format!("{} is created{without}", person.name));
    Ok(())
}

async fn read_password(app: &App, person: &Person, given: Given) -> Result<Option<StoredPassword>, Trouble> {
    let now = app.clock.now();
    let text = match given {
        Given::Hash => return Ok(Some(hasher::import(read_line()?.trim(), now)?)),
        Given::Password => read_line()?,
        Given::Ask if std::io::stdin().is_terminal() => {
            let text = rpassword::prompt_password("password: ")?;
            if rpassword::prompt_password("once more: ")? != text {
                return Err(anyhow::anyhow!("the two passwords are not the same: nothing was changed").into());
            }
            text
        }
        Given::Ask => return Ok(None),
    };
    let problem = |problem: &dyn std::fmt::Display| anyhow::anyhow!("{problem}: nothing was changed");
    let password = Password::typed(text)
        .ok_or_else(|| problem(&gateward_kernel::person::password::PasswordProblem::TooLong))?;
    app.passwords.judge(&password, person).map_err(|wrong| problem(&wrong))?;
    let stored = app.passwords.hash(&password, now).await;
    stored.map(Some).map_err(|refusal| Trouble::Failure(refusal.into()))
}

/// Standard input without its last line end.
pub(super) fn read_line() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(16 * 1024).read_to_string(&mut text).context("standard input cannot be read")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        bail!("standard input holds more than one line");
    }
    Ok(line.to_owned())
}

async fn list(app: &App, search: Option<String>, show: Show) -> Done {
    let mut query = PeopleQuery { search, after: None, limit: 500 };
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    loop {
        let page = app.directory().people(&query).await?;
        let Some(last) = page.last() else { break };
        query.after = Some(last.record.name.key().to_owned());
        for Loaded { record: person, .. } in &page {
            values.push(view(person));
            let state = if person.disabled { "disabled" } else { "" };
            rows.push(vec![
                person.name.to_string(),
                person.shown_name().to_owned(),
                person.email.as_ref().map(ToString::to_string).unwrap_or_default(),
                person.groups.join(","),
                state.to_owned(),
            ]);
        }
    }
    show.table(&Value::from(values), &["NAME", "DISPLAY NAME", "EMAIL", "GROUPS", "STATE"], &rows);
    Ok(())
}

async fn change(app: &App, name: &str, mut changes: Changes, rename: Option<String>, show: Show) -> Done {
    let id = find(app, name).await?.record.id;
    if let Some(name) = rename {
        changes.name = Some(name.parse().with_context(|| format!("{name:?} cannot be a user name"))?);
    }
    let put = |person: &mut Person| changes.put(person);
    let person =
        changed(app.sessions.people().change(id, app.clock.now(), put).await).map_err(Trouble::Failure)?;
    record(app, Fact::PersonChanged, person.id).await;
    show.one(&view(&person), &format!("{} is changed", person.name));
    Ok(())
}

async fn set_disabled(app: &App, name: &str, disabled: bool, show: Show) -> Done {
    let id = find(app, name).await?.record.id;
    let person = flow::set_disabled(app, id, disabled, app.clock.now()).await.map_err(Trouble::Failure)?;
    record(app, if disabled { Fact::PersonDisabled } else { Fact::PersonEnabled }, id).await;
    let words = if disabled { "is disabled, and everything they had open is ended" } else { "is enabled" };
    show.one(&view(&person), &format!("{} {words}", person.name));
    Ok(())
}

async fn password(app: &App, name: &str, given: Given, show: Show) -> Done {
    let person = find(app, name).await?.record;
    let Some(stored) = read_password(app, &person, given).await? else {
        return Err(anyhow::anyhow!("give the password on standard input with --password-stdin").into());
    };
    let now = app.clock.now();
    let set = |person: &mut Person| -> Result<(), Refusal> {
        put(person, &stored, now);
        Ok(())
    };
    let announced = app.sessions.announce_end(person.id, None, now).await;
    let person =
        changed(app.sessions.people().change(person.id, now, set).await).map_err(Trouble::Failure)?;
    app.sessions.end_all(person.id, now).await?;
    announced?;
    record(app, Fact::PasswordChanged, person.id).await;
    show.one(
        &view(&person),
        &format!("the password of {} is set, and their sessions are ended", person.name),
    );
    Ok(())
}

async fn reset(app: &App, name: &str, show: Show) -> Done {
    let person = find(app, name).await?.record;
    let now = app.clock.now();
    let code = flow::issue_reset(app, person.id, now).await.map_err(Trouble::Failure)?;
    record(app, Fact::ResetIssued, person.id).await;
    let ends = (now + crate::password::reset::LIFETIME).rfc3339();
    let link = code.link(&app.base);
    let value = json!({ "code": code.text().as_str(), "link": link, "expires_at": ends });
    show.one(&value, &format!("code: {}\nlink: {link}\nThey count once, until {ends}.", *code.text()));
    Ok(())
}

async fn record(app: &App, fact: Fact, person: PersonId) {
    let mut event = Event::new(app.clock.now(), fact, Actor::CommandLine);
    event.person = Some(person);
    app.record(event).await;
}

/// A person in JSON, as the operator may see them: without anything that opens something.
fn view(person: &Person) -> Value {
    json!({
        "id": person.id,
        "username": person.name,
        "display_name": person.display_name,
        "email": person.email,
        "email_verified": person.email_verified(),
        "groups": person.groups,
        "profile": facts::shown(&person.profile),
        "phone_verified": person.profile.phone_verified(),
        "claims": person.claims,
        "disabled": person.disabled,
        "has_password": person.password.is_some(),
        "created_at": person.created.rfc3339(),
        "changed_at": person.changed.rfc3339(),
    })
}
