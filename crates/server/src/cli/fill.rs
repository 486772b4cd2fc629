//! `gateward bench-fill`: many sessions or apps at once, to measure with.

mod apps;

use clap::Args;
use gateward_kernel::id::SessionId;
use gateward_kernel::person::Login;
use gateward_kernel::secret::Secret;
use gateward_kernel::session::{Handle, Method, Origin, Proof, Session, SignIn, Transport};
use gateward_kernel::time::Moment;
use serde_json::json;

use super::show::Show;
use super::{Done, with_app};
use crate::app::App;
use crate::config::Settings;
use crate::start::Missing;

/// So many cookies are printed, spread over all sessions.
const SAMPLES: usize = 1000;
/// So many writes wait for one commit together.
const TOGETHER: usize = 500;

#[derive(Debug, Args)]
pub(super) struct Fill {
    /// How many sessions of browsers
    #[arg(long, default_value_t = 0, conflicts_with = "grants")]
    sessions: usize,
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
    /// Whose
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
        let person = app.directory().person_by_login(&Login::read(&fill.user)).await?;
        let person =
            person.ok_or_else(|| anyhow::anyhow!("there is nobody called {:?}", fill.user))?.record.id;
        let now = match fill.expired {
            true => app.clock.now() - app.sessions.policy().plain.absolute * 2,
            false => app.clock.now(),
        };
        let mut cookies = Vec::new();
        let step = (fill.sessions / SAMPLES).max(1);
        let mut number = 0;
        while number < fill.sessions {
            let mut together = tokio::task::JoinSet::new();
            for _ in 0..TOGETHER.min(fill.sessions - number) {
                let handle =
                    app.sessions.handle(SessionId::random(&*app.entropy), Secret::random(&*app.entropy));
                if number % step == 0 && cookies.len() < SAMPLES {
                    cookies.push(handle.print().to_string());
                }
                number += 1;
                let session = session(app, &handle, person, now);
                let book = gateward_kernel::record::Book::<Session>::new(app.sessions.book().kv().clone());
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

fn session(app: &App, handle: &Handle, person: gateward_kernel::id::PersonId, now: Moment) -> Session {
    let proof = Proof { method: Method::Password, at: now.next() };
    let sign_in = SignIn { person, proof, remember: false };
    let origin = Origin { device: "Firefox 140 on Linux".into(), agent: 0, address: [127, 0, 0, 1].into() };
    Session::begin(handle.id, handle.digest(), sign_in, Transport::Cookie, origin, now, app.sessions.policy())
}
