//! Proofs of possession: nothing made up is believed, what the owner of a key signs is believed for exactly the request it was made for,
//! and nothing that was changed. Input: four bytes for a change, a line of the address, the name of the proof.
#![no_main]

use std::sync::LazyLock;

use gateward_fuzz::{CHANGE, changed, first_line};
use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::dpop::{NonceRule, Nonces, Request, Rules, TYPE, verify};
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::secret::{RootKey, SeededEntropy};
use gateward_kernel::time::Moment;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use url::Url;

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);

struct Known {
    jkt: Thumbprint,
    signer: Signer,
    nonces: Nonces,
    address: Url,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let key = Jwk::generate(SignatureAlgorithm::EdDsa, &SeededEntropy::new(1)).unwrap();
    let mut members = Map::new();
    members.insert("jwk".into(), serde_json::from_str::<Value>(&key.to_json().unwrap()).unwrap());
    let signing = SigningKey::new(&key, SignatureAlgorithm::EdDsa).unwrap();
    Known {
        jkt: Thumbprint::of(&key).unwrap(),
        signer: Signer::with_members(signing, TYPE, members).unwrap(),
        nonces: Nonces::new(&RootKey::from_bytes([5; 32]), std::time::Duration::from_secs(60)),
        address: Url::parse("https://login.example.com/oauth/token").unwrap(),
    }
});

fuzz_target!(|data: &[u8]| {
    let request = Request { method: "POST", addresses: &[&KNOWN.address], access_token: None, now: NOW };
    // Anybody may make a proof with a key of their own; none is of ours.
    let required = Rules::new(NonceRule::Required(&KNOWN.nonces));
    assert!(verify(data, &request, &required).is_err(), "made up, with a nonce of ours");
    assert!(!std::str::from_utf8(data).is_ok_and(|text| KNOWN.nonces.accepts(text, NOW)), "a nonce made up");

    let Some((how, rest)) = data.split_first_chunk::<CHANGE>() else { return };
    let (address, jti) = first_line(rest);
    let (address, jti) = (String::from_utf8_lossy(address), String::from_utf8_lossy(jti));
    let rules = Rules::new(NonceRule::Accepted(&KNOWN.nonces));
    let claims = json!({"htm": "POST", "htu": address, "jti": jti, "iat": NOW.seconds()});
    let proof = KNOWN.signer.sign_claims(&claims).unwrap();
    match verify(proof.as_bytes(), &request, &rules) {
        Ok(read) => {
            assert_eq!((read.jkt, read.jti.as_str()), (KNOWN.jkt, &*jti));
            let same = Url::parse(&address).expect("an address was believed that is none");
            assert_eq!(same.origin(), KNOWN.address.origin(), "believed for another host");
            assert!(same.path().len() >= KNOWN.address.path().len());
        }
        Err(_) => assert!(
            address != KNOWN.address.as_str() || jti.is_empty() || jti.len() > 256 || proof.len() > 8192
        ),
    }
    let Some(proof) = changed(proof.as_bytes(), how) else { return };
    assert!(verify(&proof, &request, &rules).is_err(), "changed, and believed");
});
