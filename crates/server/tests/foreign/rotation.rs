//! Keys follow each other while apps refresh their tokens all the time, and verifiers of other worlds, who keep the key set for as
//! long as they were told and no shorter, refuse not one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateward::config::{self, FileText, Sources};
use gateward::tokens::ring::{KeyRing, RingSettings, Takeover};
use gateward_guard::{SystemClock, SystemEntropy};
use gateward_kernel::event::Actor;
use gateward_kernel::jose::{JwkSet, SignatureAlgorithm};
use gateward_kernel::time::{Clock, Moment};
use gateward_store::{Sqlite, SqliteOptions};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::house::PASSWORD;
use crate::library::Library;
use crate::machine::{Machine, Running};
use crate::peer::Peer;
use crate::wire::Browser;

const AUDIENCE: &str = "https://api.example.com";
const SETTINGS: &str = "
[[resource]]
audience = \"https://api.example.com\"

[tokens]
access_lifetime = \"1m\"

[keys]
rotate = \"4s\"
lead = \"3s\"
cache = \"1s\"
";
const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;

/// So often another key takes over.
const ROTATIONS: usize = 5;
/// So many tokens of each key are shown to every verifier, at least.
const TOKENS: usize = 20;
const APPS: usize = 4;
const VERIFIERS: [Library; 4] = [Library::Jose, Library::PyJwt, Library::GoJose, Library::Nimbus];
/// Within this time it is all over.
const PATIENCE: Duration = Duration::from_secs(40);
/// From the first look until a key that retired long ago leaves the set.
const UNTIL_GONE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_refused_while_keys_follow_each_other() {
    let all = async {
        let machine = Machine::new();
        std::fs::write(machine.folder.path().join("gateward.toml"), SETTINGS).unwrap();
        machine.add(&["ann"]).await;
        let old = retired_long_ago(&machine).await;
        let server = machine.serve().await;
        let scene = Arc::new(Scene::new(&server, old).await);
        let apps: Vec<_> = (0..APPS).map(|_| tokio::spawn(app(scene.clone()))).collect();
        rotated(&machine, &scene, &apps).await;
        for app in apps {
            app.await.unwrap();
        }
        every_key_was_known_in_time(&scene);
        every_set_was_kept(&scene);
        every_token_still_counts(&scene).await;
        the_old_key_is_taken_away(&machine, &scene.old).await;
    };
    tokio::time::timeout(PATIENCE, all).await.expect("it is over in time");
}

/// A key that signs nothing more, and is to leave the set in the middle of what follows.
struct Old {
    kid: String,
    goes: Moment,
}

/// Writes into the database what a server would have left there that was shut down minutes ago: a key that was replaced then.
async fn retired_long_ago(machine: &Machine) -> Old {
    let file = FileText { name: "gateward.toml".into(), text: SETTINGS.into() };
    let sources = Sources { file: Some(file), ..Default::default() };
    let settings = RingSettings::of(&config::load(&sources).unwrap().settings);
    let data = machine.data();
    let root = gateward::keyfile::parse(&std::fs::read(data.join("root.key")).unwrap()).unwrap();
    let database = Sqlite::open(data.join("gateward.db"), &SqliteOptions::default()).unwrap();
    let overlap = settings.policy.overlap;
    let ring = KeyRing::new(database.directory(), root, settings, Arc::new(SystemEntropy));
    let goes = SystemClock.now() + UNTIL_GONE;
    let retired = goes - overlap;
    ring.start(retired - Duration::from_secs(24 * 3600)).await.unwrap();
    let kid = ring.snapshot(retired).signing(ES256).unwrap().kid().to_owned();
    ring.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, retired).await.unwrap();
    let last_token_expires = retired + Duration::from_secs(60);
    assert!(last_token_expires < goes);
    Old { kid, goes }
}

/// What the apps and the verifiers share.
struct Scene {
    server: SocketAddr,
    begun: Moment,
    /// How long the set may be kept.
    lifetime: Duration,
    old: Old,
    verifiers: Vec<(Library, std::sync::mpsc::Sender<Asked>)>,
    seen: Mutex<Seen>,
    set: Mutex<PublishedSet>,
}

/// What became of tokens.
#[derive(Default)]
struct Seen {
    /// By the key: how many every verifier has accepted.
    tokens: BTreeMap<String, usize>,
    /// By the key.
    ends: BTreeMap<String, Ends>,
    /// How often each verifier has fetched the keys.
    fetched: BTreeMap<String, u64>,
}

/// The tokens with which the time of a key begins and ends.
struct Ends {
    /// When the first was there.
    minted: Moment,
    first: String,
    last: String,
}

/// What the published set was.
#[derive(Default)]
struct PublishedSet {
    /// When a key was first seen there, at the latest.
    since: BTreeMap<String, Moment>,
    /// Keys that were there at the last look.
    now: BTreeSet<String>,
}

/// A token for a verifier.
struct Asked {
    token: String,
    answer: oneshot::Sender<Result<Value, String>>,
}

impl Scene {
    async fn new(server: &Running, old: Old) -> Scene {
        let issuer = format!("http://{}", server.address);
        let answer = server.browser().get("/oauth/jwks").await.expect(200);
        let control = answer.header("cache-control").unwrap();
        let lifetime: u64 = control.strip_prefix("public, max-age=").unwrap().parse().unwrap();
        let keys = json!({"op": "follow", "url": format!("{issuer}/oauth/jwks"), "lifetime": lifetime});
        let verifiers = VERIFIERS.map(|library| (library, verifier(library, &keys, &issuer))).into();
        Scene {
            server: server.address,
            begun: SystemClock.now(),
            lifetime: Duration::from_secs(lifetime),
            old,
            verifiers,
            seen: Mutex::default(),
            set: Mutex::default(),
        }
    }

    fn is_over(&self) -> bool {
        let seen = self.seen.lock();
        let enough = seen.tokens.len() > ROTATIONS && seen.tokens.values().all(|count| *count >= TOKENS);
        enough && SystemClock.now() > self.old.goes
    }

    /// All verifiers must accept it. Yields its key.
    async fn shown(&self, token: &str) -> String {
        let asked = self.verifiers.iter().map(|(library, verifier)| {
            let (answer, answered) = oneshot::channel();
            verifier.send(Asked { token: token.to_owned(), answer }).unwrap();
            (library, answered)
        });
        let mut kids = BTreeSet::new();
        for (library, answered) in asked.collect::<Vec<_>>() {
            let answer = answered.await.unwrap();
            let answer = answer.unwrap_or_else(|words| {
                panic!("{library:?} refuses {token}: {words}; the set was {:?}", self.set.lock().since)
            });
            kids.insert(answer["kid"].as_str().unwrap().to_owned());
            let fetched = answer["fetched"].as_u64().unwrap();
            self.seen.lock().fetched.insert(format!("{library:?}"), fetched);
        }
        assert_eq!(kids.len(), 1);
        kids.pop_first().unwrap()
    }

    /// Fetches the set as whoever never cached it. Each key comes once, and stays; but the old one goes when its time is there.
    async fn look(&self) {
        let asked = SystemClock.now();
        let body = Browser::new(self.server).get("/oauth/jwks").await.expect(200).body;
        let answered = SystemClock.now();
        let keys = JwkSet::from_json(&body).unwrap().keys;
        let kids: BTreeSet<String> = keys.iter().map(|key| key.kid().unwrap().to_owned()).collect();
        let has_old = kids.contains(&self.old.kid);
        assert!(has_old || answered >= self.old.goes, "the old key is gone before its time");
        assert!(!has_old || asked < self.old.goes, "the old key is there after its time");
        let mut set = self.set.lock();
        for kid in &kids {
            set.since.entry(kid.clone()).or_insert(answered);
        }
        let known: Vec<&String> =
            set.since.iter().filter(|(_, at)| **at < asked).map(|(kid, _)| kid).collect();
        let lost: Vec<_> =
            known.into_iter().filter(|kid| !kids.contains(*kid) && **kid != self.old.kid).collect();
        assert!(lost.is_empty(), "no longer in the set: {lost:?}");
        set.now = kids;
    }
}

/// A library that verifies one token after the other, on a thread of its own.
fn verifier(library: Library, keys: &Value, issuer: &str) -> std::sync::mpsc::Sender<Asked> {
    let mut peer = Peer::of(library);
    peer.must(keys);
    let question = json!({"op": "check", "alg": "ES256", "issuer": issuer, "audience": AUDIENCE});
    let (send, receive) = std::sync::mpsc::channel::<Asked>();
    std::thread::spawn(move || {
        for asked in receive {
            let mut question = question.clone();
            question["token"] = json!(asked.token);
            // Whoever asked may be gone: another has failed the test.
            let _gone = asked.answer.send(peer.ask(&question));
        }
    });
    send
}

/// An app that refreshes as soon as its token was accepted everywhere.
async fn app(scene: Arc<Scene>) {
    let mut browser = Browser::new(scene.server);
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token", "audience": AUDIENCE});
    let mut tokens = browser.json("POST", "/api/v1/login", &body).await.expect(200).json();
    while !scene.is_over() {
        let token = tokens["access_token"].as_str().unwrap();
        let minted = SystemClock.now();
        let kid = scene.shown(token).await;
        {
            let mut seen = scene.seen.lock();
            *seen.tokens.entry(kid.clone()).or_default() += 1;
            let first = Ends { minted, first: token.to_owned(), last: String::new() };
            let ends = seen.ends.entry(kid).or_insert(first);
            ends.minted = ends.minted.min(minted);
            ends.last = token.to_owned();
        }
        scene.look().await;
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        tokens = browser.json("POST", "/api/v1/token/refresh", &refresh).await.expect(200).json();
    }
}

/// Asks for the next key whenever one has begun to sign, beside the schedule.
async fn rotated(machine: &Machine, scene: &Scene, apps: &[JoinHandle<()>]) {
    let mut signing = 0;
    // An app that has ended before has failed.
    while !scene.is_over() && !apps.iter().any(JoinHandle::is_finished) {
        let count = scene.seen.lock().tokens.len();
        if count > signing && count <= ROTATIONS {
            let output = machine.run(&["key", "rotate"]).await;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            signing = count;
        }
        scene.look().await;
    }
}

/// Whoever kept the set for the time allowed had every key before its first token.
fn every_key_was_known_in_time(scene: &Scene) {
    let (seen, set) = (scene.seen.lock(), scene.set.lock());
    assert!(!seen.tokens.contains_key(&scene.old.kid), "a retired key signs nothing");
    let mut first: Vec<_> = seen.ends.iter().map(|(kid, ends)| (ends.minted, kid)).collect();
    first.sort_unstable();
    // The first signed already when the looking began.
    for (minted, kid) in first.into_iter().skip(1) {
        let known = minted.since(set.since[kid]);
        assert!(known >= scene.lifetime, "{kid} was in the set only {known:?} before it signed");
    }
    for kid in seen.tokens.keys() {
        assert!(set.now.contains(kid), "{kid} has signed tokens that count, and is not in the set");
    }
}

/// Nobody asked before the time was over for which a set is kept: there was no need.
fn every_set_was_kept(scene: &Scene) {
    let fetched = scene.seen.lock().fetched.clone();
    let seconds = SystemClock.now().since(scene.begun).as_secs();
    for (library, count) in &fetched {
        let range = ROTATIONS as u64..=seconds + 2;
        assert!(range.contains(count), "{library} fetched {count} times in {seconds} s");
    }
    assert_eq!(fetched.len(), VERIFIERS.len());
}

/// The first and the last token of every key, also of those that retired.
async fn every_token_still_counts(scene: &Scene) {
    let ends = std::mem::take(&mut scene.seen.lock().ends);
    for (kid, ends) in ends {
        assert_eq!(scene.shown(&ends.first).await, kid);
        assert_eq!(scene.shown(&ends.last).await, kid);
    }
}

/// It is not only hidden: the running server removes it from the database.
async fn the_old_key_is_taken_away(machine: &Machine, old: &Old) {
    loop {
        let keys = machine.json(&["key", "list"]).await;
        if !keys.as_array().unwrap().iter().any(|key| key["kid"] == old.kid.as_str()) {
            break;
        }
    }
}
