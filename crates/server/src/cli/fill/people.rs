//! Many people at once, each signed in once: what one of them does is nobody else's record.

use anyhow::Context as _;
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Email, Person};
use gateward_kernel::session::Transport;
use gateward_kernel::time::Moment;
use serde_json::{Value, json};

use super::{TOGETHER, origin, sign_in};
use crate::app::App;
use crate::cli::Trouble;

/// Creates `count` people without a password, called `prefix` and a number, and signs each in; the cookies of all.
pub(super) async fn fill(app: &App, prefix: &str, count: usize) -> Result<Value, Trouble> {
    let now = app.clock.now();
    let mut cookies = Vec::new();
    while cookies.len() < count {
        let numbers = cookies.len()..count.min(cookies.len() + TOGETHER);
        let people = numbers.map(|number| person(app, prefix, number, now));
        let people = people.collect::<anyhow::Result<Vec<_>>>()?;
        cookies
            .extend(futures_util::future::try_join_all(people.iter().map(|one| begin(app, one, now))).await?);
    }
    Ok(json!({ "people": count, "cookies": cookies }))
}

/// Somebody of whom applications can be told what they are told of most people.
fn person(app: &App, prefix: &str, number: usize, now: Moment) -> anyhow::Result<Person> {
    let name = format!("{prefix}-{number}");
    let email = Email::parse(&format!("{name}@example.com"));
    let email = email.map_err(|_| anyhow::anyhow!("{name:?} cannot stand in a mail address"))?;
    let shown = format!("Person {number}");
    let name = name.parse().with_context(|| format!("{name:?} cannot be a user name"))?;
    let mut person = Person::new(PersonId::random(&*app.entropy), name, now);
    (person.email, person.display_name) = (Some(email), Some(shown));
    person.groups = vec!["engineering".to_owned(), "staff".to_owned()];
    Ok(person)
}

/// Creates one, and signs them in as the server does once a password was right; their cookie.
async fn begin(app: &App, person: &Person, now: Moment) -> Result<String, Trouble> {
    if app.directory().create_person(person).await?.is_err() {
        return Err(anyhow::anyhow!("somebody is called {} already", person.name).into());
    }
    let opened =
        app.sessions.sign_in(None, sign_in(person.id, now), Transport::Cookie, origin(), now).await?;
    Ok(opened.handle.print().to_string())
}
