//! Signed tokens: those of ours verified there and theirs here, with our keys and with theirs.

use gateward_kernel::jose::{
    Invalid, Jwk, KeySet, Limits, SignatureAlgorithm, SignatureFamily, Signer, SigningKey, VerifyingKey,
    parse,
};
use serde_json::{Value, json};

use crate::keys::{Kind, changed, document, made_by, ours};
use crate::library::{Library, Task};
use crate::peer::Peer;

const PAYLOAD: &str = "{\"iss\":\"https://login.example.com\",\"sub\":\"Jürgen ☃\",\"exp\":1800000300}";

pub(crate) fn exchange(library: Library) {
    let mut peer = Peer::of(library);
    // Making an RSA key takes long: one serves all algorithms.
    let mut rsa: Option<Jwk> = None;
    for algorithm in SignatureAlgorithm::ALL.iter().copied() {
        let kind = Kind::named(kind_of(algorithm));
        let key = ours(kind);
        if library.lacks(Task::Signature, algorithm.name()) {
            peer.refuses(&signing(algorithm, &key));
            peer.refuses(&verifying(algorithm, &key, &signed(algorithm, &key)));
            continue;
        }
        let mut keys = vec![key];
        if !library.lacks(Task::Making, kind.name) {
            let mut make = || made_by(&mut peer, kind, algorithm.name());
            keys.push(if kind.name == "RSA" { rsa.get_or_insert_with(make).clone() } else { make() });
        }
        for key in &keys {
            ours_there(&mut peer, algorithm, key, &ours(kind));
            theirs_here(&mut peer, algorithm, key);
        }
    }
}

fn ours_there(peer: &mut Peer, algorithm: SignatureAlgorithm, key: &Jwk, other: &Jwk) {
    let token = signed(algorithm, key);
    assert_eq!(peer.text(&verifying(algorithm, key, &token), "payload"), PAYLOAD, "{algorithm}");
    for part in 0..3 {
        peer.refuses(&verifying(algorithm, key, &changed(&token, part)));
    }
    if key.thumbprint() != other.thumbprint() {
        peer.refuses(&verifying(algorithm, other, &token));
    }
}

fn theirs_here(peer: &mut Peer, algorithm: SignatureAlgorithm, key: &Jwk) {
    let token = peer.text(&signing(algorithm, key), "token");
    assert_eq!(verified(algorithm, key, &token).as_deref(), Ok(PAYLOAD), "{algorithm}: {token}");
    for part in 1..3 {
        assert_eq!(verified(algorithm, key, &changed(&token, part)), Err(Invalid::Signature), "{algorithm}");
    }
}

/// The name of the kind of key an algorithm takes.
pub(crate) fn kind_of(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm.family() {
        SignatureFamily::Hmac { .. } => "oct",
        SignatureFamily::Rsa => "RSA",
        SignatureFamily::Ec(curve) => curve.name(),
        SignatureFamily::Ed25519 => "Ed25519",
    }
}

/// Signed by us.
pub(crate) fn signed(algorithm: SignatureAlgorithm, key: &Jwk) -> String {
    let key = SigningKey::new(key, algorithm).unwrap();
    Signer::new(key, "JWT").sign(PAYLOAD.as_bytes()).unwrap()
}

/// What we read from a token; the keys are those of its public part.
pub(crate) fn verified(algorithm: SignatureAlgorithm, key: &Jwk, token: &str) -> Result<String, Invalid> {
    let mut keys = KeySet::new();
    keys.insert(VerifyingKey::new(key.public().as_ref().unwrap_or(key), algorithm).unwrap());
    let unverified = parse(token, Limits::default()).unwrap();
    let payload = unverified.verify(&keys, &[algorithm])?.into_payload();
    Ok(String::from_utf8(payload).unwrap())
}

fn signing(algorithm: SignatureAlgorithm, key: &Jwk) -> Value {
    json!({"op": "sign", "alg": algorithm, "typ": "JWT", "key": document(key), "payload": PAYLOAD})
}

fn verifying(algorithm: SignatureAlgorithm, key: &Jwk, token: &str) -> Value {
    let key = key.public().as_ref().map_or_else(|| document(key), document);
    json!({"op": "verify", "alg": algorithm, "key": key, "token": token})
}
