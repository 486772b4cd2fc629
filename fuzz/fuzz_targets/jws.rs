//! Signed tokens: whatever they are they are read or refused, what we sign is read as it was meant, and nothing made up or
//! changed verifies. Input: a number for the algorithm, four bytes for a change, a line of header members, the payload.
#![no_main]

use std::sync::LazyLock;

use gateward_fuzz::{CHANGE, changed, first_line};
use gateward_kernel::jose::jwt::{MAX_AUDIENCES, verify};
use gateward_kernel::jose::{
    Claims, Expectations, Jwk, KeySet, Limits, Malformed, OkpCurve, SignatureAlgorithm, Signer, SigningKey,
    VerifyingKey, parse,
};
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::Moment;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const ALGORITHMS: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Hs256, SignatureAlgorithm::Es256, SignatureAlgorithm::EdDsa];
const ES256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

struct Known {
    jwks: [Jwk; 3],
    keys: KeySet,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let entropy = SeededEntropy::new(1);
    let jwks = [
        Jwk::generate_oct(32, &entropy).unwrap().with_kid("h"),
        Jwk::from_json(ES256.as_bytes()).unwrap().with_kid("e"),
        Jwk::generate_okp(OkpCurve::Ed25519, &entropy).unwrap(),
    ];
    let mut keys = KeySet::new();
    for (jwk, algorithm) in jwks.iter().zip(ALGORITHMS) {
        keys.insert(VerifyingKey::new(jwk, algorithm).unwrap());
    }
    Known { jwks, keys }
});

fuzz_target!(|data: &[u8]| {
    nothing_made_up_verifies(data);
    claims_are_within_bounds(data);
    let Some((which, rest)) = data.split_first() else { return };
    let Some((how, rest)) = rest.split_first_chunk::<CHANGE>() else { return };
    let (members, payload) = first_line(rest);
    what_is_signed_is_read(usize::from(*which) % ALGORITHMS.len(), how, members, payload);
});

fn nothing_made_up_verifies(data: &[u8]) {
    // A payload that anybody may write under a header that anybody may write, too.
    let _ = verify(
        data,
        Limits::default(),
        &KNOWN.keys,
        &ALGORITHMS,
        &Expectations::new(&["at+jwt"], &["a"], Moment::from_micros(0)),
    )
    .map(|claims| panic!("{claims:?}"));
    let Ok(unverified) = parse(data, Limits::default()) else { return };
    assert!(unverified.verify(&KNOWN.keys, &ALGORITHMS).is_err(), "made up, and verified");
    assert_eq!(data.iter().filter(|byte| **byte == b'.').count(), 2);
}

fn claims_are_within_bounds(data: &[u8]) {
    let Ok(claims) = Claims::read(data) else { return };
    assert!(claims.audiences.len() <= MAX_AUDIENCES);
    for time in [claims.expires, claims.not_before, claims.issued_at].into_iter().flatten() {
        assert!((0..=253_402_300_800_000_000).contains(&time.micros()), "{time:?}");
    }
}

fn what_is_signed_is_read(which: usize, how: &[u8; CHANGE], members: &[u8], payload: &[u8]) {
    let members: Map<String, Value> = serde_json::from_slice(members).unwrap_or_default();
    let (jwk, algorithm) = (&KNOWN.jwks[which], ALGORITHMS[which]);
    let key = SigningKey::new(jwk, algorithm).unwrap();
    let Ok(signer) = Signer::with_members(key, "at+jwt", members.clone()) else { return };
    let token = signer.sign(payload).unwrap();
    match parse(&token, Limits::default()) {
        Ok(read) => {
            let verified = read.verify(&KNOWN.keys, &ALGORITHMS).expect("what we sign verifies");
            assert_eq!(verified.payload(), payload);
            let header = verified.header();
            assert_eq!((header.alg(), header.kid(), header.typ()), (algorithm, jwk.kid(), Some("at+jwt")));
            for (name, value) in &members {
                match name.as_str() {
                    "cty" => assert_eq!(header.cty(), value.as_str()),
                    name => assert_eq!(header.other(name), Some(value)),
                }
            }
        }
        // A member nested too deeply, a `cty` that is no text, or more than the bounds.
        Err(problem) => assert!(matches!(problem, Malformed::Header | Malformed::TooLong), "{problem}"),
    }
    let Some(token) = changed(token.as_bytes(), how) else { return };
    let read = parse(&token, Limits::default());
    assert!(read.is_err() || read.is_ok_and(|read| read.verify(&KNOWN.keys, &ALGORITHMS).is_err()));
}
