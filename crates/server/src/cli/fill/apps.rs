//! Many apps at once: each with a session, a grant and a place in the status lists, as if it had signed in.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::anyhow;
use gateward_kernel::grant::{Given, Grant};
use gateward_kernel::id::SessionId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::record::Book;
use gateward_kernel::secret::Secret;
use gateward_kernel::session::{Method, Origin, Proof, Session, SignIn, Transport};
use gateward_kernel::time::Moment;
use serde_json::{Value, json};

use super::{Fill, TOGETHER};
use crate::app::App;
use crate::cli::Trouble;
use crate::tokens::flow::FIRST_PARTY;
use crate::tokens::mint::Order;
use crate::tokens::resource::Resource;

/// What is printed of one app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Token,
    Session,
    Nothing,
}

/// Spreads what is told evenly over all.
struct Spread {
    count: usize,
    /// How many there are to be, and how many there were.
    tokens: (usize, usize),
    sessions: (usize, usize),
}

impl Spread {
    /// What to tell of this one.
    fn of(&mut self, number: usize) -> Told {
        let Spread { count, tokens, sessions } = self;
        let is_due = |(all, told): &mut (usize, usize)| {
            let due = *told * *count < (number + 1) * *all;
            *told += usize::from(due);
            due
        };
        if is_due(tokens) {
            Told::Token
        } else if is_due(sessions) {
            Told::Session
        } else {
            Told::Nothing
        }
    }
}

/// What is told of the apps that were made.
#[derive(Default)]
struct Made {
    tokens: Vec<Value>,
    sessions: Vec<SessionId>,
}

/// Makes `count` apps; says what is to be printed.
pub(super) async fn fill(app: &App, fill: &Fill, count: usize) -> Result<Value, Trouble> {
    let now = app.clock.now();
    let person = app.directory().person_by_login(&Login::read(&fill.user)).await?;
    let person = person.ok_or_else(|| anyhow!("there is nobody called {:?}", fill.user))?.record;
    let resource = app.tokens.resources.find(fill.audience.as_deref());
    let resource = resource.ok_or_else(|| anyhow!("{:?} is no [[resource]]", fill.audience))?;
    app.tokens.mint.ring().start(now).await?;
    let mut spread = Spread { count, tokens: (fill.tokens, 0), sessions: (fill.ids, 0) };
    let mut made = Made::default();
    let mut number = 0;
    while number < count {
        let mut together = tokio::task::JoinSet::new();
        for _ in 0..TOGETHER.min(count - number) {
            together.spawn(begin(app, &person, resource, spread.of(number), now));
            number += 1;
        }
        while let Some(written) = together.join_next().await {
            let (session, grant, told) = written??;
            made.tell(app, told, (&session, &grant), (&person, resource), now).await?;
        }
    }
    Ok(json!({ "grants": number, "tokens": made.tokens, "sessions": made.sessions }))
}

/// Writes one app. Its secrets are nobody's.
fn begin(
    app: &App,
    person: &Person,
    resource: &Resource,
    told: Told,
    now: Moment,
) -> impl Future<Output = anyhow::Result<(Session, Grant, Told)>> + Send + use<> {
    let handle = app.sessions.handle(SessionId::random(&*app.entropy), Secret::random(&*app.entropy));
    let proof = Proof { method: Method::Password, at: now.next() };
    let sign_in = SignIn { person: person.id, proof, remember: false };
    let origin = Origin { device: "An app".into(), agent: 0, address: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let policy = app.sessions.policy();
    let session = Session::begin(handle.id, handle.digest(), sign_in, Transport::Token, origin, now, policy);
    let given = Given {
        person: person.id,
        client: FIRST_PARTY.into(),
        session: Some(session.id),
        since: now.next(),
        proofs: vec![proof],
        audience: resource.audience.clone(),
        scope: resource.scopes.clone(),
        extent: None,
    };
    let grants = app.tokens.grants.clone();
    let sessions = Book::<Session>::new(app.sessions.book().kv().clone());
    async move {
        let grant = grants.begin(given, now).await?;
        let session = session.with_grant(grant.record.id).ok_or_else(|| anyhow!("a session without room"))?;
        sessions.create(session.clone(), now).await?;
        Ok((session, grant.record.clone(), told))
    }
}

impl Made {
    async fn tell(
        &mut self,
        app: &App,
        told: Told,
        (session, grant): (&Session, &Grant),
        (person, resource): (&Person, &Resource),
        now: Moment,
    ) -> Result<(), Trouble> {
        match told {
            Told::Token => {
                let mint = &app.tokens.mint;
                let order = Order::whole(grant, Some(session), person, resource);
                let minted = mint.access_token(&order, now).await?;
                let token = minted.token.as_str();
                self.tokens.push(json!({ "session": session.id, "access_token": token }));
            }
            Told::Session => self.sessions.push(session.id),
            Told::Nothing => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_spread_and_exact() {
        for (count, tokens, sessions) in [(1_000, 10, 100), (1_000, 0, 7), (100, 40, 60), (10, 0, 0)] {
            let mut spread = Spread { count, tokens: (tokens, 0), sessions: (sessions, 0) };
            let all: Vec<Told> = (0..count).map(|number| spread.of(number)).collect();
            let many = |told| all.iter().filter(|one| **one == told).count();
            assert_eq!((many(Told::Token), many(Told::Session)), (tokens, sessions));
            let (first, _) = all.split_at(count / 2);
            assert!(first.iter().filter(|one| **one == Told::Token).count() <= tokens / 2 + 1);
        }
    }
}
