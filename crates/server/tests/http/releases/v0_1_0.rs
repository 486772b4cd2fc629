//! The records of 0.1.0, with everything in them that may be there.

mod oauth;

use std::net::IpAddr;
use std::time::Duration;

use gateward::login::setup::SetupLink;
use gateward_guard::Account;
use gateward_kernel::confirmation::Confirmation;
use gateward_kernel::event::{Actor, Event, Fact};
use gateward_kernel::grant::{Ending, Given, Grant, RefreshPolicy};
use gateward_kernel::id::{AccessTokenId, GrantId, ListId, NodeId, PersonId, SessionId};
use gateward_kernel::node::NodeSign;
use gateward_kernel::oauth::registration::Registry;
use gateward_kernel::oauth::{Client, Code, Consents, Device, LogoutNote, Pushed, UserCodeEntry};
use gateward_kernel::once::{Purpose, UsedOnce};
use gateward_kernel::person::{Detail, Email, Person, Reset, StoredPassword};
use gateward_kernel::record::{Decision, Record};
use gateward_kernel::secret::{Digest, SeededEntropy};
use gateward_kernel::session::{
    Entry, Lifetimes, Method, Origin, Policy, Proof, Roster, Session, SignIn, Transport,
};
use gateward_kernel::status::{BlockId, Cut, StatusBlock, StatusIndex, StatusList, SubjectTag};
use gateward_kernel::throttle::{Bucket, Rate};
use gateward_kernel::time::Moment;
use gateward_kernel::token::{AccessToken, Audience};
use serde_json::json;

use super::{document, holds};

const RELEASE: &str = "0.1.0";
const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const PERSON: PersonId = PersonId::from_bytes([1; 16]);
const SESSION: SessionId = SessionId::from_bytes([2; 16]);
const GRANT: GrantId = GrantId::from_bytes([3; 16]);
const LIST: ListId = ListId::from_bytes([4; 16]);
const PROOF: Proof = Proof { method: Method::Password, at: NOW };

fn written<R, T>(decision: Decision<R, T>) -> R {
    let Decision::Write(record, _) = decision else { panic!("nothing to write") };
    record
}

fn policy() -> Policy {
    let lifetimes = Lifetimes { idle: HOUR, absolute: HOUR * 24 };
    Policy {
        guest: lifetimes,
        plain: lifetimes,
        remembered: lifetimes,
        app: lifetimes,
        renew_percent: 5,
        data_limit: 1024,
        per_person: 10,
    }
}

fn origin(address: &str) -> Origin {
    Origin { device: "Firefox 140 on Linux".into(), agent: u64::MAX, address: address.parse().unwrap() }
}

fn session(remember: bool, transport: Transport) -> Session {
    let sign_in = SignIn { person: PERSON, proof: PROOF, remember };
    let origin = origin("2001:db8::7");
    let session = Session::begin(SESSION, Digest::of(b"secret"), sign_in, transport, origin, NOW, &policy());
    let mut session = session.with_grant(GRANT).unwrap();
    session.data = session.data.patched(&json!({"cart": ["ä\u{0}", 1.5]}), None, 1024).unwrap();
    session
}

#[tokio::test]
async fn sessions() {
    let guest = Session::guest(SESSION, Digest::of(b"secret"), origin("192.0.2.7"), NOW, &policy());
    holds(RELEASE, "session-guest", guest).await;
    holds(RELEASE, "session-plain", session(false, Transport::Header)).await;
    holds(RELEASE, "session-remembered", session(true, Transport::Cookie)).await;
    holds(RELEASE, "session-app", session(false, Transport::Token)).await;
    holds(RELEASE, "session-url", session(false, Transport::Url)).await;
    holds(RELEASE, "roster", Roster::of(PERSON, Entry { id: SESSION, ends: NOW + HOUR })).await;
}

fn given() -> Given {
    Given {
        person: PERSON,
        client: "first-party".into(),
        session: Some(SESSION),
        since: NOW,
        proofs: vec![PROOF],
        audience: Audience::all(["https://api.example.com", "https://other.example.com"]).unwrap(),
        scope: "read write".parse().unwrap(),
        extent: None,
    }
}

fn refreshing() -> RefreshPolicy {
    RefreshPolicy { grace: HOUR, idle: HOUR * 2, absolute: HOUR * 24 }
}

fn access_token() -> AccessToken {
    let given = given();
    AccessToken {
        id: AccessTokenId::from_bytes([5; 16]),
        digest: Digest::of(b"token"),
        grant: Some(GRANT),
        session: Some(SESSION),
        person: Some(PERSON),
        client: given.client,
        since: NOW,
        proofs: given.proofs,
        audience: given.audience,
        scope: given.scope,
        confirmation: Confirmation::NONE,
        extent: None,
        act: None,
        issued: NOW,
        expires: NOW + HOUR,
    }
}

#[tokio::test]
async fn grants_and_tokens() {
    let place = |index| StatusIndex { list: LIST, index, closes: NOW + HOUR };
    let grant = Grant::begin(GRANT, given(), &SeededEntropy::new(1), NOW, &refreshing());
    let grant = written(grant.placed(place(7)).placed(place(8)).refresh(0, NOW + HOUR, &refreshing()));
    holds(RELEASE, "grant", grant.clone()).await;
    holds(RELEASE, "grant-ended", grant.end(Ending::Reused, NOW + HOUR)).await;
    holds(RELEASE, "grant-given-back", grant.end(Ending::Asked, NOW + HOUR)).await;
    holds(RELEASE, "access-token", access_token()).await;
    let used = UsedOnce::new(Purpose::Command, "https://login.example.com", "one", NOW + HOUR);
    holds(RELEASE, "used-command", used).await;
}

#[tokio::test]
async fn revocations() {
    let list = StatusList::open(LIST, NOW, HOUR, HOUR * 2);
    holds(RELEASE, "status-list", written(list.claim(77, NOW))).await;
    let block = StatusBlock::empty(BlockId::new(LIST, 2), NOW + HOUR);
    holds(RELEASE, "status-block", written(block.revoke(&[8192, 8201, 12287]))).await;
    let cut = Cut { subject: SubjectTag::of(&PERSON.to_string()), at: NOW, dies: NOW + HOUR };
    holds(RELEASE, "cut", cut).await;
}

#[tokio::test]
async fn what_else_is_kept() {
    let rate = Rate { burst: 10, every: HOUR };
    holds(RELEASE, "bucket", Bucket::first([6; 16], rate, NOW)).await;
    let node = NodeSign {
        id: NodeId::from_bytes([7; 16]),
        name: Some("a".into()),
        version: RELEASE.into(),
        begun: NOW,
        at: NOW + HOUR,
    };
    holds(RELEASE, "node", node).await;
    let account = Account { id: PERSON, name: "ann".into(), valid_from: NOW, disabled: true };
    holds(RELEASE, "account", account).await;
    let link = json!({"digest": Digest::of(b"link"), "ends": NOW + HOUR, "used": false});
    holds(RELEASE, "setup", serde_json::from_value::<SetupLink>(link).unwrap()).await;
}

/// Every kind of record that 0.1.0 keeps, and what it is called today.
pub(super) const KINDS: [(&str, &str); 20] = [
    ("session", Session::KIND),
    ("roster", Roster::KIND),
    ("grant", Grant::KIND),
    ("access-token", AccessToken::KIND),
    ("used-command", UsedOnce::KIND),
    ("status-list", StatusList::KIND),
    ("status-block", StatusBlock::KIND),
    ("cut", Cut::KIND),
    ("bucket", Bucket::KIND),
    ("node", NodeSign::KIND),
    ("account", Account::KIND),
    ("setup", SetupLink::KIND),
    ("client", Client::KIND),
    ("registry", Registry::KIND),
    ("consents", Consents::KIND),
    ("code", Code::KIND),
    ("pushed", Pushed::KIND),
    ("device", Device::KIND),
    ("user-code", UserCodeEntry::KIND),
    ("logout-note", LogoutNote::KIND),
];

#[test]
fn people_and_events() {
    let mut person = Person::new(PERSON, "Ann".parse().unwrap(), NOW);
    document(RELEASE, "person-new", &person);
    person.email = Some(Email::parse("Ann@Example.com").unwrap());
    person.verify_email(true);
    for (detail, typed) in DETAILS {
        person.profile.set(detail, typed).unwrap();
    }
    person.profile.verify_phone(true);
    person.display_name = Some("Ann Exämple".into());
    person.groups = vec!["admins".into(), "staff".into()];
    person.claims.insert("floor".into(), json!({"number": 3}));
    person.disabled = true;
    person.valid_from = NOW;
    person.password =
        Some(StoredPassword { hash: "$argon2id$…".into(), pepper: Some("0123456789ab".into()), set: NOW });
    person.reset = Some(Reset { digest: Digest::of(b"code"), ends: NOW + HOUR });
    document(RELEASE, "person", &person);
    let mut event = Event::new(NOW, Fact::SignedIn, Actor::Person(PERSON));
    event.person = Some(PERSON);
    event.session = Some(SESSION);
    event.address = Some("192.0.2.7".parse::<IpAddr>().unwrap());
    event.request = Some("00000000-1".into());
    event.detail = Some("in words".into());
    document(RELEASE, "event", &event);
    let actors = [Actor::Nobody, Actor::CommandLine, Actor::System];
    document(RELEASE, "event-actors", &Listed { list: actors.to_vec() });
    document(RELEASE, "event-facts", &Listed { list: FACTS.to_vec() });
    document(RELEASE, "event-facts-oauth", &Listed { list: FACTS_OF_OAUTH.to_vec() });
}

/// Every detail that 0.1.0 writes.
const DETAILS: [(Detail, &str); 17] = [
    (Detail::GivenName, "Änn"),
    (Detail::MiddleName, "B."),
    (Detail::FamilyName, "Exämple"),
    (Detail::Nickname, "Annie"),
    (Detail::PhoneNumber, "+4312345678"),
    (Detail::StreetAddress, "c/o Weber\nRing 1"),
    (Detail::Locality, "Wien"),
    (Detail::Region, "Wien"),
    (Detail::PostalCode, "1010"),
    (Detail::Country, "Österreich"),
    (Detail::Profile, "https://example.com/ann"),
    (Detail::Picture, "https://example.com/ann.jpg"),
    (Detail::Website, "http://ann.example.com/"),
    (Detail::Gender, "female"),
    (Detail::Birthdate, "0000-05-17"),
    (Detail::Zoneinfo, "Europe/Vienna"),
    (Detail::Locale, "de-AT"),
];

/// Every fact that 0.1.0 writes, but for those about clients.
const FACTS: [Fact; 21] = [
    Fact::SignedIn,
    Fact::SignInRefused,
    Fact::SignedOut,
    Fact::SessionEnded,
    Fact::SessionsEnded,
    Fact::PersonCreated,
    Fact::PersonChanged,
    Fact::PersonDisabled,
    Fact::PersonEnabled,
    Fact::PersonRemoved,
    Fact::PasswordChanged,
    Fact::ResetIssued,
    Fact::PasswordReset,
    Fact::PasswordRehashed,
    Fact::SetUp,
    Fact::KeyCreated,
    Fact::KeyRemoved,
    Fact::AccessDenied,
    Fact::TokensIssued,
    Fact::RefreshTokenReused,
    Fact::CommandIssued,
];

/// Every fact about clients that 0.1.0 writes.
const FACTS_OF_OAUTH: [Fact; 8] = [
    Fact::CodeReused,
    Fact::TokensRevoked,
    Fact::ConsentGiven,
    Fact::ConsentWithdrawn,
    Fact::LogoutNotTold,
    Fact::ClientAdded,
    Fact::ClientChanged,
    Fact::ClientRemoved,
];

/// A list of words as a document.
#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
struct Listed<T> {
    list: Vec<T>,
}
