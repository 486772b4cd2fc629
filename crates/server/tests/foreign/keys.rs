//! Keys: ours read there, written again and read here; theirs made there and read here; and one thumbprint of each.

use std::sync::OnceLock;

use gateward_guard::ambient::SystemEntropy;
use gateward_kernel::jose::{EcCurve, Jwk, OkpCurve};
use serde_json::{Value, json};

use crate::library::{Library, Task};
use crate::peer::Peer;

/// A kind of key.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    kty: &'static str,
    /// An algorithm it serves, for libraries that read a key only for one.
    serves: &'static str,
}

/// All kinds of keys.
pub(crate) const KINDS: [Kind; 7] = [
    Kind { name: "RSA", kty: "RSA", serves: "RS256" },
    Kind { name: "P-256", kty: "EC", serves: "ES256" },
    Kind { name: "P-384", kty: "EC", serves: "ES384" },
    Kind { name: "P-521", kty: "EC", serves: "ES512" },
    Kind { name: "Ed25519", kty: "OKP", serves: "EdDSA" },
    Kind { name: "X25519", kty: "OKP", serves: "ECDH-ES" },
    Kind { name: "oct", kty: "oct", serves: "HS512" },
];

impl Kind {
    pub(crate) fn named(name: &str) -> &'static Kind {
        KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("{name}"))
    }
}

pub(crate) fn exchange(library: Library) {
    let mut peer = Peer::of(library);
    for kind in &KINDS {
        let key = ours(kind);
        read_and_written(library, &mut peer, kind, &key);
        thumbprints(library, &mut peer, kind, &key);
        let make = question(kind, kind.serves);
        if library.lacks(Task::Making, kind.name) {
            peer.refuses(&make);
        } else {
            let theirs = made_by(&mut peer, kind, kind.serves);
            read_and_written(library, &mut peer, kind, &theirs);
            thumbprints(library, &mut peer, kind, &theirs);
        }
    }
}

fn read_and_written(library: Library, peer: &mut Peer, kind: &Kind, key: &Jwk) {
    for key in [Some(key.clone()), key.public()].into_iter().flatten() {
        let question = json!({"op": "export", "alg": kind.serves, "key": document(&key)});
        if library.lacks(Task::Key, kind.name) {
            peer.refuses(&question);
            continue;
        }
        let back = read(&peer.must(&question)["key"]);
        assert_eq!(back.is_private(), key.is_private());
        assert_eq!(numbers(&back), numbers(&key), "{}", kind.name);
    }
}

fn thumbprints(library: Library, peer: &mut Peer, kind: &Kind, key: &Jwk) {
    let question = json!({"op": "thumbprint", "key": document(key)});
    if library.lacks(Task::Thumbprint, kind.name) {
        peer.refuses(&question);
    } else {
        assert_eq!(peer.text(&question, "thumbprint"), key.thumbprint(), "{}", kind.name);
    }
}

/// A key of ours, the same at every call.
pub(crate) fn ours(kind: &Kind) -> Jwk {
    static KEYS: OnceLock<Vec<(&'static str, Jwk)>> = OnceLock::new();
    let make = |kind: &'static Kind| {
        let key = match kind.name {
            "RSA" => Jwk::generate_rsa(2048),
            "P-256" => Jwk::generate_ec(EcCurve::P256),
            "P-384" => Jwk::generate_ec(EcCurve::P384),
            "P-521" => Jwk::generate_ec(EcCurve::P521),
            "Ed25519" => Jwk::generate_okp(OkpCurve::Ed25519, &SystemEntropy),
            "X25519" => Jwk::generate_okp(OkpCurve::X25519, &SystemEntropy),
            _ => Jwk::generate_oct(64, &SystemEntropy),
        };
        (kind.name, key.unwrap().with_kid(format!("ours-{}", kind.name)))
    };
    let keys = KEYS.get_or_init(|| KINDS.iter().map(make).collect());
    keys.iter().find(|(name, _)| *name == kind.name).unwrap().1.clone()
}

/// A key that the library makes for an algorithm and writes, as we read it.
pub(crate) fn made_by(peer: &mut Peer, kind: &Kind, algorithm: &str) -> Jwk {
    let key = read(&peer.must(&question(kind, algorithm))["key"]);
    assert!(key.is_private());
    key.with_kid("theirs")
}

fn question(kind: &Kind, algorithm: &str) -> Value {
    let mut question = json!({"op": "make", "alg": algorithm, "kty": kind.kty, "bits": 512});
    if matches!(kind.kty, "EC" | "OKP") {
        question["crv"] = json!(kind.name);
    }
    question
}

/// A key as it is given to a library.
pub(crate) fn document(key: &Jwk) -> Value {
    serde_json::from_str(&key.to_private_json()).unwrap()
}

fn read(key: &Value) -> Jwk {
    Jwk::from_json(key.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {key}"))
}

/// The members that are the key itself, and not what it says about itself.
fn numbers(key: &Jwk) -> Value {
    let mut document = document(key);
    let members = document.as_object_mut().unwrap();
    members.retain(|name, _| !matches!(name.as_str(), "kid" | "use" | "alg" | "key_ops"));
    document
}

/// The token with another character in the middle of this part.
pub(crate) fn changed(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if &parts[part][middle..=middle] == "A" { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}
