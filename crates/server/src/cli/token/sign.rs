//! `gateward token sign`

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{anyhow, bail};
use gateward_guard::Opened;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::grant::Given;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::record::Decision;
use gateward_kernel::session::{Method, Origin, Proof, Session, SignIn, Subject, Transport};
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde_json::json;

use super::Sign;
use crate::app::App;
use crate::cli::show::Show;
use crate::cli::{Done, Trouble};
use crate::config::SessionStore;
use crate::tokens::flow::COMMAND_LINE;
use crate::tokens::mint::{Minted, Order};
use crate::tokens::resource::Resource;

pub(super) async fn run(app: &App, sign: &Sign, show: Show) -> Done {
    if app.settings.sessions.store == SessionStore::Memory {
        return Err(anyhow!(
            "sessions.store is \"memory\": the token would hang on a session that the server does not know"
        )
        .into());
    }
    let person = person(app, &sign.user).await?;
    let resource = resource(app, sign)?;
    let scope = resource.grant(sign.scope.as_deref()).map_err(|refusal| Trouble::Failure(refusal.into()))?;
    let now = app.clock.now();
    app.tokens.mint.ring().start(now).await?;
    let opened = open(app, &person, &resource, now).await?;
    let id = opened.session.record.id;
    let minted = match mint(app, &person, &opened, &resource, scope.clone(), now).await {
        Ok(minted) => minted,
        Err(trouble) => {
            // Nobody would have anything of it.
            app.sessions.end(id, now).await?;
            return Err(trouble);
        }
    };
    let mut event = Event::new(now, Fact::TokensIssued, Actor::CommandLine);
    (event.person, event.session) = (Some(person.id), Some(id));
    event.detail = Some(format!("client {COMMAND_LINE}, for {}", sign.audience));
    app.record(event).await;
    let told = json!({
        "access_token": minted.token.as_str(),
        "token_type": "Bearer",
        "expires_in": minted.expires_in.as_secs(),
        "scope": scope,
        "session": id,
    });
    show.one(&told, &minted.token);
    Ok(())
}

async fn person(app: &App, name: &str) -> anyhow::Result<Person> {
    match app.directory().person_by_login(&Login::read(name)).await? {
        Some(person) if person.record.disabled => bail!("{name:?} is disabled: nobody may act for them"),
        Some(person) => Ok(person.record),
        None => bail!("there is nobody called {name:?}: see `gateward user list`"),
    }
}

fn resource(app: &App, sign: &Sign) -> anyhow::Result<Resource> {
    let resources = &app.tokens.resources;
    let found = resources.find(Some(&sign.audience)).ok_or_else(|| {
        anyhow!("{:?} is no [[resource]] of the settings, and not the public address either", sign.audience)
    })?;
    let mut resource = found.clone();
    if let Some(span) = sign.lifetime {
        // Revocations are remembered for as long as the settings let a token live.
        let longest = resources.longest();
        if span.duration() > longest || span.duration().as_secs() == 0 {
            bail!(
                "--lifetime is 1s to {}s here: as long as the longest that tokens.access_lifetime and the [[resource]]s allow",
                longest.as_secs()
            );
        }
        resource.lifetime = span.duration();
    }
    Ok(resource)
}

/// A session of an app for the token to hang on, so that it is listed and can be ended like any other. It is over when
/// the token is, and nobody has proved anything in it.
async fn open(app: &App, person: &Person, resource: &Resource, now: Moment) -> anyhow::Result<Opened> {
    let proof = Proof { method: Method::Password, at: now };
    let sign_in = SignIn { person: person.id, proof, remember: false };
    let origin =
        Origin { device: "gateward token sign".into(), agent: 0, address: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let opened = app.sessions.sign_in(None, sign_in, Transport::Token, origin, now).await?;
    let ends = now + resource.lifetime;
    let decide = |session: &Session| {
        let subject = session.subject.clone().map(|subject| Subject { proofs: Vec::new(), ..subject });
        Decision::Write(Session { ends: session.ends.min(ends), subject, ..session.clone() }, ())
    };
    let changed = app.sessions.book().change(opened.session.record.id, now, decide).await?;
    let (session, ()) = changed.ok_or_else(|| anyhow!("the session was ended meanwhile"))?;
    Ok(Opened { session, ..opened })
}

async fn mint(
    app: &App,
    person: &Person,
    opened: &Opened,
    resource: &Resource,
    scope: Scope,
    now: Moment,
) -> Result<Minted, Trouble> {
    let ended = || anyhow!("the session was ended meanwhile");
    let session = &opened.session.record;
    let subject = session.subject.as_ref().ok_or_else(ended)?;
    let given = Given {
        person: person.id,
        client: COMMAND_LINE.into(),
        session: Some(session.id),
        since: subject.since,
        proofs: subject.proofs.clone(),
        audience: resource.audience.clone(),
        scope,
        extent: None,
    };
    let grant = app.tokens.grants.begin(given, now).await?;
    let hung = app.sessions.attach(session.id, grant.record.id, now).await?.ok_or_else(ended)?;
    let order = Order::whole(&grant.record, Some(&hung.record), person, resource);
    Ok(app.tokens.mint.access_token(&order, now).await?)
}
