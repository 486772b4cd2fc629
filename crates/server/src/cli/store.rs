//! `gateward store`: moving from one store to another.

use std::io::IsTerminal;

use anyhow::{Context, bail};
use clap::Subcommand;
use gateward_guard::SystemClock;
use gateward_kernel::time::Clock;
use serde_json::{Value, json};

use super::Done;
use super::show::Show;
use crate::config::{SessionStore, Settings};
use crate::start::Missing;
use crate::stores::Lone;
use crate::stores::copy::{self, OF_DIRECTORY, OF_SESSIONS, OF_TOKENS, Progress};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Copy people, grants, keys, sessions and tokens from one store to another, and compare
    ///
    /// FROM and TO are `sqlite` (the database in the data directory) or addresses such as postgres://… and redis://… (without a
    /// password: name its file with ?password_file=PATH). What TO cannot hold is left out and said. Nothing is taken away, so a
    /// copy that was broken off is simply made again; made again after the nodes have changed over, it brings what they wrote
    /// meanwhile.
    Copy {
        /// Where everything is now
        from: String,
        /// Where it shall be
        to: String,
    },
}

pub(super) fn run(command: StoreCommand, settings: &Settings, show: Show) -> Done {
    let StoreCommand::Copy { from, to } = command;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    crate::telemetry::start_logs(&crate::config::Log {
        level: crate::config::LogLevel::Error,
        ..settings.log.clone()
    });
    runtime.block_on(copy_all(&from, &to, settings, show))?;
    Ok(())
}

async fn copy_all(from: &str, to: &str, settings: &Settings, show: Show) -> anyhow::Result<()> {
    if from == to {
        bail!("FROM and TO are the same");
    }
    let from = open(from, settings, Missing::Refuse).await.context("FROM")?;
    let to = open(to, settings, Missing::Create).await.context("TO")?;
    if !from.kv().traits().pages {
        bail!(
            "FROM cannot list what it holds ({}), so nothing can be copied out of it",
            from.kv().traits().engine
        );
    }
    let now = SystemClock.now();
    let mut report = Report { show, rows: Vec::new() };
    match (from.directory(), to.directory()) {
        (Some(source), Some(target)) => {
            let purposes = ["pepper", "signing"];
            report.add("keys", copy::keys(&*source, &*target, &purposes).await?);
            let done = copy::people(&*source, &*target, |done| report.tell("people", done)).await?;
            report.add("people", done);
            for kind in OF_DIRECTORY {
                let done =
                    copy::records(&*from.kv(), &*to.kv(), kind, now, |done| report.tell(kind, done)).await?;
                report.add(kind, done);
            }
            let done = copy::events(&*source, &*target, |done| report.tell("audit events", done)).await?;
            report.add("audit events", done);
        }
        _ => eprintln!("People, grants and keys are not copied: not both stores can hold them."),
    }
    for kind in OF_SESSIONS.into_iter().chain(OF_TOKENS) {
        let done = copy::records(&*from.kv(), &*to.kv(), kind, now, |done| report.tell(kind, done)).await?;
        report.add(kind, done);
    }
    report.print();
    Ok(())
}

async fn open(text: &str, settings: &Settings, missing: Missing) -> anyhow::Result<Lone> {
    let store = SessionStore::read(text).map_err(|reason| anyhow::anyhow!("{text:?} {reason}"))?;
    match &store {
        SessionStore::Directory => bail!("name a store itself: `sqlite`, or an address"),
        SessionStore::Memory => bail!("what is in the memory of a server cannot be reached from here"),
        SessionStore::Engine(address) if address.has_password() => {
            bail!("a password in an argument can be read by others: name its file with ?password_file=PATH")
        }
        SessionStore::Sqlite | SessionStore::Engine(_) => Lone::open(&store, settings, missing).await,
    }
}

/// What was copied, kind by kind.
struct Report {
    show: Show,
    rows: Vec<(&'static str, Progress)>,
}

impl Report {
    /// Says how far it is, where somebody watches.
    fn tell(&self, what: &str, done: Progress) {
        if std::io::stderr().is_terminal() {
            eprint!("\r{what}: {} looked at, {} written\u{1b}[K", done.seen, done.written);
        }
    }

    fn add(&mut self, what: &'static str, done: Progress) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\u{1b}[K");
        }
        self.rows.push((what, done));
    }

    fn print(&self) {
        let values: Vec<Value> = self
            .rows
            .iter()
            .map(|(what, done)| {
                json!({ "what": what, "seen": done.seen, "written": done.written, "dead": done.dead })
            })
            .collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|(what, done)| {
                vec![
                    (*what).to_owned(),
                    done.seen.to_string(),
                    done.written.to_string(),
                    done.dead.to_string(),
                ]
            })
            .collect();
        self.show.table(&json!({ "copied": values }), &["WHAT", "LOOKED AT", "WRITTEN", "DEAD"], &rows);
    }
}
