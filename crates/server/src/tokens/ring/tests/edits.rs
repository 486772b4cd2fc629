//! What people do with keys, and what they may find when a server starts.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn rotating_waits_for_the_lead_and_is_not_done_twice() {
    let house = House::new();
    let (ring, now) = (house.started().await, house.now());
    let first = ring.rotate(ES256, Takeover::AfterLead, Actor::CommandLine, now).await.unwrap();
    assert_eq!((first.is_new, first.key.term().active_from), (true, now + POLICY.lead));
    let again = ring.rotate(ES256, Takeover::AfterLead, Actor::CommandLine, now).await.unwrap();
    assert_eq!((again.is_new, again.key.kid()), (false, first.key.kid()));
    assert_eq!(signing(&ring, now), "ES256-1");
    assert_eq!(signing(&ring, now + POLICY.lead), "ES256-2");
    let urgent = ring.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, now).await.unwrap();
    assert_eq!((urgent.is_new, signing(&ring, now)), (true, "ES256-3".to_owned()));
    let refused = ring.rotate(SignatureAlgorithm::Hs256, Takeover::AtOnce, Actor::CommandLine, now).await;
    assert!(matches!(refused, Err(RingFault::NotPublic(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_signs_is_not_removed_while_it_is_needed() {
    let house = House::new();
    let (ring, now) = (house.started().await, house.now());
    let first = ring.find("ES256-1", now).unwrap();
    ring.rotate(ES256, Takeover::AfterLead, Actor::CommandLine, now).await.unwrap();
    let refused = ring.remove(&first, Actor::CommandLine, now).await.unwrap_err();
    assert!(refused.to_string().contains("gateward key rotate --alg ES256 --now"), "{refused}");
    // One that waits may go, and so may one that is retired.
    let waiting = ring.find("ES256-2", now).unwrap();
    ring.remove(&waiting, Actor::CommandLine, now).await.unwrap();
    ring.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, now).await.unwrap();
    ring.remove(&first, Actor::CommandLine, now).await.unwrap();
    assert_eq!(stages(&ring, now), [("ES256-2".to_owned(), Stage::Active)]);
    let gone = ring.remove(&first, Actor::CommandLine, now).await;
    assert!(matches!(gone, Err(RingFault::Unknown(_))));
    assert_ne!(signing_kid(&ring, now), waiting.kid(), "a number that came back is another key");
    assert_eq!(kids(&ring, now).len(), 2);
}

fn signing_kid(ring: &KeyRing, now: Moment) -> String {
    ring.snapshot(now).signing(ES256).unwrap().kid().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_keys_are_private_fitting_and_new() {
    let house = House::new();
    let (ring, now) = (house.started().await, house.now());
    let entropy = SeededEntropy::new(77);
    let import =
        async |key: &Jwk, alg, takeover| ring.import(key, alg, takeover, Actor::CommandLine, now).await;
    let key = Jwk::generate(ES256, &entropy).unwrap();
    let refused = import(&key.public().unwrap(), ES256, Takeover::AtOnce).await.unwrap_err();
    assert!(matches!(refused, RingFault::PublicOnly));
    let refused = import(&key, SignatureAlgorithm::Es384, Takeover::AtOnce).await.unwrap_err();
    assert!(matches!(refused, RingFault::Key(KeyError::Purpose(_))));
    let secret = Jwk::from_secret(&[7; 32]).unwrap();
    let refused = import(&secret, ES256, Takeover::AtOnce).await.unwrap_err();
    assert!(matches!(refused, RingFault::SharedSecret));
    let refused = import(&secret, SignatureAlgorithm::Hs256, Takeover::AtOnce).await.unwrap_err();
    assert!(matches!(refused, RingFault::NotPublic(_)));
    let added = import(&key.clone().with_kid("theirs"), ES256, Takeover::AfterLead).await.unwrap();
    assert_eq!((added.key.id(), added.key.kid()), ("ES256-2".to_owned(), key.thumbprint().as_str()));
    assert_eq!(signing(&ring, now + POLICY.lead), "ES256-2");
    let refused = import(&key, ES256, Takeover::AtOnce).await.unwrap_err();
    assert!(matches!(refused, RingFault::AlreadyThere { id, .. } if id == "ES256-2"));
    // One of an algorithm that is not in use signs nothing of ours, and may be there.
    let other = Jwk::generate(SignatureAlgorithm::Es384, &entropy).unwrap();
    let added = import(&other, SignatureAlgorithm::Es384, Takeover::AfterLead).await.unwrap();
    assert_eq!(added.key.term().active_from, now, "nobody waits for the first one");
    ring.remove(&added.key, Actor::CommandLine, now).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_key_is_said_at_the_start() {
    let house = House::new();
    house.started().await;
    let other = house.ring_under([2; 32]);
    let told = other.start(house.now()).await.unwrap_err().to_string();
    assert!(told.contains("root.key") && told.contains("bring back"), "{told}");
    // A row that was moved to another name opens no more.
    let ring = house.ring();
    let rows = ring.directory.sealed_keys(stored::PURPOSE).await.unwrap();
    let moved = SealedKey { id: "ES256-9".into(), ..rows[0].clone() };
    ring.directory.add_sealed_key(&moved).await.unwrap();
    assert!(ring.start(house.now()).await.unwrap_err().to_string().contains("ES256-9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_encrypted_anew_while_a_server_runs() {
    let mut house = House::new();
    let now = house.now();
    let running = house.started().await;
    running.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, now).await.unwrap();
    let token = signed(&running, now);
    let to = house.file("new.key", 9);
    let other = house.file("other.key", 8);

    // Nothing changes when the former key is not known.
    let ring = house.ring();
    let (by_root, new) = (ring.at_rest_by_root(), AtRest::file(&to).unwrap());
    let wrong = AtRest::file(&other).unwrap();
    let before = ring.directory.sealed_keys(stored::PURPOSE).await.unwrap();
    assert!(ring.reseal(&[&wrong], &new).await.is_err());
    assert_eq!(ring.directory.sealed_keys(stored::PURPOSE).await.unwrap(), before);

    // As if it had been interrupted after the first.
    let first = new.reseal(&before[0], &by_root, &*ring.entropy).unwrap();
    assert!(ring.directory.replace_sealed_key(&first).await.unwrap());
    assert_eq!(ring.reseal(&[&by_root], &new).await.unwrap(), Resealed { changed: 2, already: 1 });
    assert_eq!(ring.reseal(&[&by_root], &new).await.unwrap(), Resealed { changed: 0, already: 3 });

    // Who runs still signs and verifies, makes nothing that could not be read later, and says why.
    running.maintain(now).await.unwrap();
    running.maintain(now + POLICY.every).await.unwrap();
    assert!(verifies(&running, &token, now) && verifies(&running, &signed(&running, now), now));
    assert_eq!(stages(&running, now).len(), 2);
    let refused = running.rotate(ES256, Takeover::AtOnce, Actor::CommandLine, now).await;
    assert!(matches!(refused, Err(RingFault::Estranged)));

    // Who starts needs the new settings, and is told so otherwise.
    let told = house.ring().start(now).await.unwrap_err().to_string();
    assert!(told.contains("keys.encryption_key_file"), "{told}");
    house.settings.encryption_key_file = Some(other.clone());
    let told = house.ring().start(now).await.unwrap_err().to_string();
    assert!(told.contains("other.key") && told.contains("bring back"), "{told}");
    house.settings.encryption_key_file = Some(to);
    let restarted = house.started().await;
    assert!(verifies(&restarted, &token, now));
    assert_eq!(restarted.jwks(now).etag(), running.jwks(now).etag());

    // And back; a file that is named too early is explained.
    let by_root = restarted.at_rest_by_root();
    assert_eq!(restarted.reseal(&[&new], &by_root).await.unwrap().changed, 3);
    let told = house.ring().start(now).await.unwrap_err().to_string();
    assert!(told.contains("under the root key") && told.contains("gateward key reseal"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_no_key_is_said() {
    let mut house = House::new();
    let cases: [(&str, Option<&str>, &str); 2] =
        [("missing.key", None, "cannot be read"), ("short.key", Some("abcdef"), "64 hexadecimal digits")];
    for (name, content, part) in cases {
        let path = house.folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        house.settings.encryption_key_file = Some(path);
        let told = house.ring().start(house.now()).await.unwrap_err().to_string();
        assert!(told.contains(name) && told.contains(part), "{told}");
    }
}
