//! `gateward bench-fill`: many sessions, apps or people at once, to measure with.

mod apps;
mod people;
mod sign_ins;

use std::time::Duration;

use clap::Args;
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::person::Login;
use gateward_kernel::record::Book;
use gateward_kernel::secret::Secret;
use gateward_kernel::session::{Handle, Method, Origin, Proof, Session, SignIn, Transport};
use gateward_kernel::time::Moment;
use serde_json::json;

use super::show::Show;
use super::{Done, with_app};
use crate::app::App;
use crate::config::Settings;
use crate::start::Missing;

/// So many writes wait for one commit together.
const TOGETHER: usize = 500;

#[derive(Debug, Args)]
pub(super) struct Fill {
    /// How many sessions of browsers
    #[arg(long, default_value_t = 0, conflicts_with = "grants")]
    sessions: usize,
    /// Print the cookies of so many of them, spread over all
    #[arg(long, default_value_t = 1000)]
    cookies: usize,
    /// Instead, let other people sign in without a password for so many seconds, and print how many did
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["sessions", "grants", "expired"])]
    sign_ins: Option<u64>,
    /// So many of them at the same time
    #[arg(long, default_value_t = 64, requires = "sign_ins")]
    clients: usize,
    /// How many apps instead: each with a session, a grant and a place in the status lists
    #[arg(long)]
    grants: Option<usize>,
    /// For which [[resource]] the tokens of the apps are
    #[arg(long, requires = "grants")]
    audience: Option<String>,
    /// Print an access token of so many of the apps
    #[arg(long, default_value_t = 0, requires = "grants")]
    tokens: usize,
    /// Print the sessions of so many other apps
    #[arg(long, default_value_t = 0, requires = "grants")]
    ids: usize,
    /// How many people instead, each signed in once; their cookies are printed
    #[arg(long, conflicts_with_all = ["sessions", "grants", "sign_ins", "expired"])]
    people: Option<usize>,
    /// Whose; with --people how their names begin
    #[arg(long)]
    user: String,
    /// Ones that have died already
    #[arg(long, conflicts_with = "grants")]
    expired: bool,
}

pub(super) fn run(fill: &Fill, settings: Settings, show: Show) -> Done {
    with_app(settings, Missing::Refuse, async |app: &App| {
        if let Some(count) = fill.grants {
            show.line(&apps::fill(app, fill, count).await?);
            return Ok(());
        }
        if let Some(seconds) = fill.sign_ins {
            show.line(&sign_ins::run(app, Duration::from_secs(seconds), fill.clients).await?);
            return Ok(());
        }
        if let Some(count) = fill.people {
            show.line(&people::fill(app, &fill.user, count).await?);
            return Ok(());
        }
        let person = app.directory().person_by_login(&Login::read(&fill.user)).await?;
        let person =
            person.ok_or_else(|| anyhow::anyhow!("there is nobody called {:?}", fill.user))?.record.id;
        let now = match fill.expired {
            true => app.clock.now() - app.sessions.policy().plain.absolute * 2,
            false => app.clock.now(),
        };
        let mut cookies = Vec::new();
        let step = (fill.sessions / fill.cookies.max(1)).max(1);
        let mut number = 0;
        while number < fill.sessions {
            let mut together = tokio::task::JoinSet::new();
            for _ in 0..TOGETHER.min(fill.sessions - number) {
                let handle =
                    app.sessions.handle(SessionId::random(&*app.entropy), Secret::random(&*app.entropy));
                if number % step == 0 && cookies.len() < fill.cookies {
                    cookies.push(handle.print().to_string());
                }
                number += 1;
                let session = begin(app, &handle, person, now);
                let book = Book::<Session>::new(app.sessions.book().kv().clone());
                together.spawn(async move { book.create(session, now).await.map(drop) });
            }
            while let Some(written) = together.join_next().await {
                written??;
            }
        }
        show.line(&json!({ "sessions": number, "cookies": cookies }));
        Ok(())
    })
}

fn begin(app: &App, handle: &Handle, person: PersonId, now: Moment) -> Session {
    let policy = app.sessions.policy();
    Session::begin(handle.id, handle.digest(), sign_in(person, now), Transport::Cookie, origin(), now, policy)
}

fn sign_in(person: PersonId, now: Moment) -> SignIn {
    SignIn { person, proof: Proof { method: Method::Password, at: now.next() }, remember: false }
}

fn origin() -> Origin {
    Origin { device: "Firefox 140 on Linux".into(), agent: 0, address: [127, 0, 0, 1].into() }
}
