//! The ring over a real directory, with a clock that stands until it is moved.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateward_guard::ambient::HeldClock;
use gateward_kernel::event::EventQuery;
use gateward_kernel::jose::{self, JwkSet, Limits};
use gateward_kernel::keyring::RotationPolicy;
use gateward_kernel::ports::SealedKey;
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::Clock as _;
use gateward_store::{Sqlite, SqliteOptions};
use tempfile::TempDir;

mod edits;

use super::*;

static SEED: AtomicU64 = AtomicU64::new(1);
const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;
const DAY: Duration = Duration::from_secs(24 * 3600);
const POLICY: RotationPolicy =
    RotationPolicy { every: DAY.saturating_mul(90), lead: DAY, overlap: Duration::from_secs(600) };

/// A data directory on which rings are started.
struct House {
    folder: TempDir,
    clock: HeldClock,
    settings: RingSettings,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let settings = RingSettings {
            in_use: vec![ES256, SignatureAlgorithm::EdDsa],
            policy: POLICY,
            encryption_key_file: None,
            root_key_file: folder.path().join("root.key"),
        };
        House { folder, clock: HeldClock::at(Moment::from_micros(1_800_000_000_000_000)), settings }
    }

    /// A ring over the same file, as another process has it.
    fn ring(&self) -> Arc<KeyRing> {
        self.ring_under([1; 32])
    }

    fn ring_under(&self, root: [u8; 32]) -> Arc<KeyRing> {
        let database = Sqlite::open(self.folder.path().join("test.db"), &SqliteOptions::default()).unwrap();
        // Each process draws other randomness.
        let entropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed) << 32));
        KeyRing::new(database.directory(), RootKey::from_bytes(root), self.settings.clone(), entropy)
    }

    async fn started(&self) -> Arc<KeyRing> {
        let ring = self.ring();
        ring.start(self.now()).await.unwrap();
        ring
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn file(&self, name: &str, byte: u8) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        crate::keyfile::write_new(&path, &RootKey::from_bytes([byte; 32])).unwrap();
        path
    }
}

fn signed(ring: &KeyRing, now: Moment) -> String {
    ring.signer(ES256, "at+jwt", now).unwrap().sign(b"{}").unwrap()
}

fn verifies(ring: &KeyRing, token: &str, now: Moment) -> bool {
    let unverified = jose::parse(token.as_bytes(), Limits::default()).unwrap();
    unverified.verify(&ring.verifying_keys(now), ring.algorithms()).is_ok()
}

fn kids(ring: &KeyRing, now: Moment) -> Vec<String> {
    let set = JwkSet::from_json(&ring.jwks(now).body()).unwrap();
    set.keys.iter().map(|key| key.kid().unwrap().to_owned()).collect()
}

fn stages(ring: &KeyRing, now: Moment) -> Vec<(String, Stage)> {
    let snapshot = ring.snapshot(now);
    let es256 = snapshot.keys().iter().filter(|(key, _)| key.term().alg == ES256);
    es256.map(|(key, stage)| (key.id(), *stage)).collect()
}

fn signing(ring: &KeyRing, now: Moment) -> String {
    ring.snapshot(now).signing(ES256).unwrap().id()
}

async fn facts(ring: &KeyRing) -> Vec<(Fact, String)> {
    let query = EventQuery { limit: 100, ..EventQuery::default() };
    let events = ring.directory.events(&query).await.unwrap();
    let mut facts: Vec<_> = events.into_iter().map(|event| (event.fact, event.detail.unwrap())).collect();
    facts.sort_by(|one, other| one.1.cmp(&other.1));
    facts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_a_key_for_each_algorithm_and_the_next_one_finds_them() {
    let house = House::new();
    let now = house.now();
    let first = house.ring();
    assert!(first.signer(ES256, "at+jwt", now).is_none(), "not before the start");
    assert_eq!(*first.jwks(now).body(), *b"{\"keys\":[]}");
    first.start(now).await.unwrap();
    assert_eq!(kids(&first, now).len(), 2);
    let token = signed(&first, now);
    assert!(verifies(&first, &token, now));
    let second = house.started().await;
    assert_eq!(kids(&second, now), kids(&first, now));
    assert_eq!(second.jwks(now).etag(), first.jwks(now).etag());
    assert!(verifies(&second, &token, now));
    let facts = facts(&second).await;
    assert_eq!(facts.len(), 2, "told once: {facts:?}");
    let kid = first.snapshot(now).signing(ES256).unwrap().kid().to_owned();
    assert_eq!(facts[0].0, Fact::KeyCreated);
    assert!(facts[0].1.contains("ES256-1") && facts[0].1.contains(&kid), "{facts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_names_its_type_and_key_and_signers_are_kept() {
    let house = House::new();
    let (ring, now) = (house.started().await, house.now());
    for typ in ["at+jwt", "command+jwt", "statuslist+jwt"] {
        let signer = ring.signer(ES256, typ, now).unwrap();
        assert!(Arc::ptr_eq(&signer, &ring.signer(ES256, typ, now).unwrap()));
        let token = signer.sign(b"{}").unwrap();
        let unverified = jose::parse(token.as_bytes(), Limits::default()).unwrap();
        let verified = unverified.verify(&ring.verifying_keys(now), ring.algorithms()).unwrap();
        assert_eq!(verified.header().typ(), Some(typ));
        let kid = ring.snapshot(now).signing(ES256).unwrap().kid().to_owned();
        assert_eq!(verified.header().kid(), Some(kid.as_str()));
        assert_eq!(ring.find(&kid, now).unwrap().jwk().thumbprint(), kid);
    }
    assert!(ring.signer(SignatureAlgorithm::Rs256, "at+jwt", now).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_keys_are_made_beside_and_not_at_the_start() {
    let mut house = House::new();
    house.settings.in_use = vec![SignatureAlgorithm::Ps256, ES256];
    let (ring, now) = (house.started().await, house.now());
    assert!(ring.signer(SignatureAlgorithm::Ps256, "at+jwt", now).is_none());
    assert!(ring.signer(ES256, "at+jwt", now).is_some());
    ring.maintain(now).await.unwrap();
    let token = ring.signer(SignatureAlgorithm::Ps256, "at+jwt", now).unwrap().sign(b"{}").unwrap();
    assert!(verifies(&ring, &token, now));
    assert!(!kids(&ring, now).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_follow_each_other_on_schedule_without_a_gap() {
    let house = House::new();
    let ring = house.started().await;
    let start = house.now();
    let old = signed(&ring, start);
    let first_etag = ring.jwks(start).etag().to_owned();
    let takes_over = start + POLICY.every;

    let before = takes_over - POLICY.lead - Duration::from_micros(1);
    ring.maintain(before).await.unwrap();
    assert_eq!(stages(&ring, before), [("ES256-1".into(), Stage::Active)]);
    let published = takes_over - POLICY.lead;
    ring.maintain(published).await.unwrap();
    let both = |first, second| [("ES256-1".to_owned(), first), ("ES256-2".to_owned(), second)];
    assert_eq!(stages(&ring, published), both(Stage::Active, Stage::Published));
    assert_eq!(kids(&ring, published).len(), 4, "learnt before they sign");
    assert_ne!(ring.jwks(published).etag(), first_etag);

    // From here on by the clock alone.
    let last = takes_over - Duration::from_micros(1);
    assert_eq!(signing(&ring, last), "ES256-1");
    let token = signed(&ring, last);
    let etag = ring.jwks(last).etag().to_owned();
    assert_eq!(signing(&ring, takes_over), "ES256-2", "exactly when its time comes");
    let next = signed(&ring, takes_over);
    assert_eq!(stages(&ring, takes_over), both(Stage::Retired, Stage::Active));
    assert_eq!(ring.jwks(takes_over).etag(), etag, "nothing is published that was not");
    assert!(verifies(&ring, &token, takes_over) && verifies(&ring, &old, takes_over));
    let end = takes_over + POLICY.overlap;
    assert!(verifies(&ring, &token, end - Duration::from_micros(1)));
    assert!(!verifies(&ring, &token, end), "nothing that it signed is valid any more");
    assert!(verifies(&ring, &next, end));
    assert_eq!(kids(&ring, end).len(), 2);
    // A clock that steps back finds what was.
    assert_eq!(signing(&ring, last), "ES256-1");

    assert_eq!(stages(&ring, end), both(Stage::Gone, Stage::Active));
    ring.maintain(end).await.unwrap();
    assert_eq!(stages(&ring, end), [("ES256-2".into(), Stage::Active)]);
    assert_eq!(ring.directory.sealed_keys(stored::PURPOSE).await.unwrap().len(), 2);
    let removed = facts(&ring).await.into_iter().filter(|(fact, _)| *fact == Fact::KeyRemoved);
    assert_eq!(removed.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_nodes_at_once_one_makes_the_successor() {
    let house = House::new();
    let rings: Vec<_> = (0..4).map(|_| house.ring()).collect();
    let now = house.now();
    let at_once = async |now: Moment| {
        let tasks: Vec<_> = rings
            .iter()
            .map(|ring| {
                let ring = ring.clone();
                tokio::spawn(async move { ring.maintain(now).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    };
    at_once(now).await;
    let due = now + POLICY.every;
    at_once(due).await;
    for ring in &rings {
        ring.maintain(due).await.unwrap();
        assert_eq!(kids(ring, due), kids(&rings[0], due));
        assert_eq!(stages(ring, due).len(), 2);
        assert_eq!(ring.jwks(due).etag(), rings[0].jwks(due).etag());
    }
    let token = signed(&rings[0], due + POLICY.lead);
    assert!(rings.iter().all(|ring| verifies(ring, &token, due + POLICY.lead)));
    assert_eq!(facts(&rings[0]).await.len(), 4, "two of each algorithm, told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_does_another_is_told() {
    let house = House::new();
    let (here, there) = (house.started().await, house.started().await);
    let now = house.now();
    there.maintain(now).await.unwrap();
    let old = signed(&here, now);
    let added = here.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, now).await.unwrap();
    assert!(added.is_new);
    assert_eq!(signing(&here, now), "ES256-2");
    // Told by the directory; what was told before may be told again.
    while signing(&there, now) != "ES256-2" {
        tokio::time::timeout(Duration::from_secs(5), there.changed()).await.unwrap();
        there.maintain(now).await.unwrap();
    }
    let token = signed(&here, now);
    assert!(verifies(&there, &token, now) && verifies(&there, &old, now));

    let first = here.find("ES256-1", now).unwrap();
    here.remove(&first, Actor::CommandLine, now).await.unwrap();
    assert!(!verifies(&here, &old, now));
    while verifies(&there, &old, now) {
        tokio::time::timeout(Duration::from_secs(5), there.changed()).await.unwrap();
        there.maintain(now).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_private_is_published_or_stored_in_the_clear() {
    let house = House::new();
    let (ring, now) = (house.started().await, house.now());
    let json = ring.jwks(now).body();
    let set: serde_json::Value = serde_json::from_slice(&json).unwrap();
    for key in set["keys"].as_array().unwrap() {
        let mut names: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert!(
            names.iter().all(|name| ["alg", "crv", "kid", "kty", "use", "x", "y"].contains(name)),
            "{names:?}"
        );
        assert_eq!(key["use"], "sig");
    }
    for row in ring.directory.sealed_keys(stored::PURPOSE).await.unwrap() {
        let text = String::from_utf8_lossy(&row.sealed);
        assert!(!text.contains("kty") && !text.contains("term"));
    }
    let private = ring.find("ES256-1", now).unwrap().jwk().to_private_json();
    let d = serde_json::from_str::<serde_json::Value>(&private).unwrap()["d"].as_str().unwrap().to_owned();
    assert!(!format!("{ring:?} {:?}", ring.find("ES256-1", now)).contains(&d));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_behind_signs_all_the_same() {
    let house = House::new();
    let (ahead, now) = (house.started().await, house.now());
    let behind = now - Duration::from_secs(3);
    let ring = house.ring();
    ring.start(behind).await.unwrap();
    assert_eq!(stages(&ring, behind), [("ES256-1".to_owned(), Stage::Published)]);
    assert!(verifies(&ahead, &signed(&ring, behind), now));
}
