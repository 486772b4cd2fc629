//! Request objects: nothing made up is believed; what a client signs becomes parameters that say the same, or is refused. Input: the
//! claims as JSON.
#![no_main]

use std::sync::LazyLock;

use gateward_kernel::jose::{Jwk, KeySet, SignatureAlgorithm, Signer, SigningKey, VerifyingKey};
use gateward_kernel::request_object::{MAX_PARAMETERS, Rules, SKEW, verify};
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::Moment;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const EDDSA: SignatureAlgorithm = SignatureAlgorithm::EdDsa;
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

static KNOWN: LazyLock<(Signer, KeySet)> = LazyLock::new(|| {
    let key = Jwk::generate(EDDSA, &SeededEntropy::new(1)).unwrap();
    let mut keys = KeySet::new();
    keys.insert(VerifyingKey::new(&key.public().unwrap(), EDDSA).unwrap());
    (Signer::new(SigningKey::new(&key, EDDSA).unwrap(), "oauth-authz-req+jwt"), keys)
});

fuzz_target!(|data: &[u8]| {
    let (signer, keys) = &*KNOWN;
    let rules = Rules {
        client: "client",
        keys,
        allowed: &[EDDSA],
        issuer: "https://login.example.com",
        strict: false,
        skew: SKEW,
    };
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(text, &rules, NOW).is_err(), "made up, and believed");
    }
    let object = signer.sign(data).unwrap();
    let read = verify(&object, &rules, NOW);
    let strict = verify(&object, &Rules { strict: true, ..rules }, NOW);
    assert!(strict.is_err() || strict == read, "what is strictly right is right");
    let Ok(read) = read else { return };
    let claims: Map<String, Value> = serde_json::from_slice(data).expect("it was read");
    assert!(read.parameters.len() <= MAX_PARAMETERS);
    for (name, text) in &read.parameters {
        assert!(!REGISTERED.contains(&name.as_str()) && name != "request" && name != "request_uri");
        match &claims[name] {
            Value::String(value) => assert_eq!(text, value),
            Value::Array(all) if name == "resource" => assert!(all.iter().any(|one| one == text.as_str())),
            value => assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), value, "it says the same"),
        }
    }
    assert_eq!(read.parameter("client_id").unwrap_or("client"), "client");
});
