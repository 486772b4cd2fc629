//! The first administrator: chosen through a link that is printed once, counts once, and for one hour.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::{
    ADMINS, Email, MAX_DISPLAY_NAME, NameProblem, Person, UserName, tidy_display_name,
};
use gateward_kernel::ports::{Directory, Fault, Taken};
use gateward_kernel::record::{Book, Decision, Record};
use gateward_kernel::refusal::Refusal;
use gateward_kernel::secret::{Digest, Entropy, Secret};
use gateward_kernel::session::{Method, Proof, SignIn, Transport};
use gateward_kernel::time::Moment;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{Field, FieldProblem, Problem, SetupForm, SetupPage};
use crate::face::visit::Visit;
use crate::password::flow::{NotSet, choose, put};
use crate::password::web::limits;
use crate::session::web::hand_over;

/// How long the link counts.
pub const LIFETIME: Duration = Duration::from_secs(3600);

const PREFIX: &str = "gwi1_";

/// The living link, as it is kept: one at a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetupLink {
    digest: Digest,
    ends: Moment,
    used: bool,
}

/// There is only one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TheOne;

impl AsRef<[u8]> for TheOne {
    fn as_ref(&self) -> &[u8] {
        b"first"
    }
}

impl TryFrom<&[u8]> for TheOne {
    type Error = ();
    fn try_from(id: &[u8]) -> Result<Self, ()> {
        if id == b"first" { Ok(TheOne) } else { Err(()) }
    }
}

impl Record for SetupLink {
    const KIND: &'static str = "setup";
    const SCHEMA: u8 = 1;
    type Id = TheOne;

    fn id(&self) -> TheOne {
        TheOne
    }
    fn death(&self) -> Moment {
        self.ends
    }
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// What there is to print at start.
#[derive(Debug)]
pub enum Invitation {
    /// There is an administrator: nothing.
    NotNeeded,
    /// This link, which was never printed before.
    Link(String),
    /// A link that was printed at an earlier start counts until then.
    Earlier(Moment),
}

/// Makes the link when there is neither an administrator nor a living link.
pub async fn invite(
    directory: &dyn Directory,
    links: &Book<SetupLink>,
    base: &Url,
    entropy: &dyn Entropy,
    now: Moment,
) -> Result<Invitation, Fault> {
    if directory.group_has_members(ADMINS).await? {
        return Ok(Invitation::NotNeeded);
    }
    let secret = Secret::random(entropy);
    let link = SetupLink { digest: secret.digest(), ends: now + LIFETIME, used: false };
    // One that was used, and made no administrator, gives way.
    let decide = |there: &SetupLink| match there.used {
        true => Decision::Write(link.clone(), None),
        false => Decision::Leave(Some(there.ends)),
    };
    match links.change(TheOne, now, decide).await? {
        Some((_, Some(ends))) => return Ok(Invitation::Earlier(ends)),
        Some((_, None)) => {}
        None => {
            if links.create(link, now).await?.is_none() {
                // Another process was faster; its link is the one.
                return Ok(Invitation::Earlier(now + LIFETIME));
            }
        }
    }
    let mut address = base.clone();
    address.set_path("/setup");
    let code = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(secret.expose()));
    address.query_pairs_mut().append_pair("code", &code);
    Ok(Invitation::Link(address.into()))
}

fn digest_of(code: &str) -> Option<Digest> {
    let bytes = BASE64URL_NOPAD.decode(code.trim().strip_prefix(PREFIX)?.as_bytes()).ok()?;
    (bytes.len() == 32).then(|| Digest::of(&bytes))
}

async fn is_living(visit: &Visit, code: &str) -> Result<bool, Failure> {
    let Some(digest) = digest_of(code) else { return Ok(false) };
    let link = visit.app.setup.load(TheOne, visit.now).await?;
    let living = link.is_some_and(|link| !link.record.used && link.record.digest == digest);
    Ok(living && !visit.app.directory().group_has_members(ADMINS).await?)
}

/// Spends the link: true for exactly one of many callers.
async fn spend(visit: &Visit, code: &str) -> Result<bool, Failure> {
    let Some(digest) = digest_of(code) else { return Ok(false) };
    let decide = |link: &SetupLink| match !link.used && link.digest == digest {
        true => Decision::Write(SetupLink { used: true, ..link.clone() }, true),
        false => Decision::Leave(false),
    };
    Ok(visit.app.setup.change(TheOne, visit.now, decide).await?.is_some_and(|(_, won)| won))
}

/// Makes the link that this caller has spent count again, until the end it had.
async fn give_back(visit: &Visit, code: &str) -> Result<(), Failure> {
    let digest = digest_of(code);
    let decide = |link: &SetupLink| match Some(&link.digest) == digest.as_ref() {
        true => Decision::Write(SetupLink { used: false, ..link.clone() }, ()),
        false => Decision::Leave(()),
    };
    Ok(visit.app.setup.change(TheOne, visit.now, decide).await.map(drop)?)
}

/// `GET /setup`
pub async fn page(visit: Visit) -> Answer {
    let code = visit.query.text("code").to_owned();
    if !is_living(&visit, &code).await? {
        return invalid(&visit);
    }
    answer::page(&visit, &form(&visit, code, Vec::new()))
}

/// `POST /setup`
pub async fn submit(visit: Visit) -> Answer {
    let code = visit.form.text("code").to_owned();
    if !is_living(&visit, &code).await? {
        return invalid(&visit);
    }
    let person = match read(&visit).await {
        Ok(person) => person,
        Err(NotReady::Problem(problem)) => {
            let page = form(&visit, code, vec![problem]);
            return answer::page_with(&visit, http::StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(NotReady::Failure(failure)) => return Err(failure),
    };
    if !spend(&visit, &code).await? {
        return invalid(&visit);
    }
    match visit.app.directory().create_person(&person).await? {
        Ok(_) => welcome(&visit, &person).await,
        Err(taken) => {
            // Nothing came of it, so the link may be used once more.
            give_back(&visit, &code).await?;
            let page = form(&visit, code, vec![taken_problem(taken)]);
            answer::page_with(&visit, http::StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn welcome(visit: &Visit, person: &Person) -> Answer {
    let mut event = Event::new(visit.now, Fact::SetUp, Actor::Person(person.id));
    event.person = Some(person.id);
    event.address = Some(visit.client);
    visit.record(event).await;
    // The proof is a moment later than what the new password has ended.
    let proof = Proof { method: Method::Password, at: visit.now.next() };
    let sign_in = SignIn { person: person.id, proof, remember: false };
    let opened = visit
        .app
        .sessions
        .sign_in(None, sign_in, Transport::Cookie, visit.origin(), visit.now.next())
        .await?;
    let mut response = answer::see_other("/account")?;
    hand_over(visit, &opened, &mut response)?;
    super::web::remember_device(visit, person, &mut response);
    Ok(response)
}

enum NotReady {
    Problem(FieldProblem),
    Failure(Failure),
}

async fn read(visit: &Visit) -> Result<Person, NotReady> {
    let wrong = |field, problem| NotReady::Problem(FieldProblem { field, problem });
    let form = &visit.form;
    let name = form
        .text("username")
        .parse::<UserName>()
        .map_err(|problem| wrong(Field::Username, name_problem(problem)))?;
    let mut person = Person::new(PersonId::random(&*visit.app.entropy), name, visit.now);
    person.display_name =
        read_display_name(form.text("display_name")).map_err(|problem| wrong(Field::DisplayName, problem))?;
    if !form.text("email").trim().is_empty() {
        person.email =
            Some(Email::parse(form.text("email")).map_err(|_| wrong(Field::Email, Problem::EmailInvalid))?);
    }
    person.groups = vec![ADMINS.to_owned()];
    let password = match choose(visit, form.text("password"), form.text("password_again"), &person) {
        Ok(password) => password,
        Err(NotSet::Problem(problem)) => {
            let field = if problem == Problem::Mismatch { Field::PasswordAgain } else { Field::Password };
            return Err(wrong(field, problem));
        }
        Err(NotSet::Failure(failure)) => return Err(NotReady::Failure(failure)),
    };
    let stored =
        visit.app.passwords.hash(&password, visit.now).await.map_err(|r| NotReady::Failure(r.into()))?;
    put(&mut person, &stored, visit.now);
    Ok(person)
}

/// The display name that was typed, or what is wrong with it, on a page.
pub fn read_display_name(typed: &str) -> Result<Option<String>, Problem> {
    tidy_display_name(typed).map_err(|_| match typed.trim().len() > MAX_DISPLAY_NAME {
        true => Problem::TextTooLong,
        false => Problem::TextCharacters,
    })
}

/// What is wrong with a user name, on a page.
pub fn name_problem(problem: NameProblem) -> Problem {
    match problem {
        NameProblem::Empty => Problem::NameEmpty,
        NameProblem::TooLong => Problem::NameTooLong,
        NameProblem::Characters => Problem::NameCharacters,
        NameProblem::MixedScripts => Problem::NameConfusable,
    }
}

/// What is taken, on a page.
pub fn taken_problem(taken: Taken) -> FieldProblem {
    match taken {
        Taken::Name => FieldProblem { field: Field::Username, problem: Problem::NameTaken },
        Taken::LookAlike => FieldProblem { field: Field::Username, problem: Problem::NameConfusable },
        Taken::Email => FieldProblem { field: Field::Email, problem: Problem::EmailTaken },
    }
}

fn form(visit: &Visit, code: String, errors: Vec<FieldProblem>) -> SetupPage {
    let kept = |name: &str| visit.form.text(name).chars().take(320).collect();
    SetupPage::Form(SetupForm {
        csrf: visit.token("setup"),
        code,
        username: kept("username"),
        display_name: kept("display_name"),
        email: kept("email"),
        errors,
        limits: limits(visit),
    })
}

fn invalid(visit: &Visit) -> Answer {
    answer::page_with(visit, answer::status(Refusal::CodeInvalid.row().status), &SetupPage::Invalid)
}
