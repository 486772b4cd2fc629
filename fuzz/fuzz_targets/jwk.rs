//! Keys: refused, or read and written as the same key again, in each of its forms.
#![no_main]

use gateward_kernel::jose::{Jwk, JwkSet, KeySet, SignatureAlgorithm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = Jwk::from_json(data) {
        is_stable(&key);
    }
    if let Ok(set) = JwkSet::from_json(data) {
        let public = set.to_json();
        let again = JwkSet::from_json(public.as_bytes()).expect("a set that we write is read");
        assert!(again.skipped.is_empty());
        assert!(again.keys.iter().all(|key| !key.is_private()), "private parts in a public set");
        assert_eq!(again.to_json(), public);
        KeySet::from_jwks(&set, SignatureAlgorithm::ALL);
    }
    if let Some(key) = std::str::from_utf8(data).ok().and_then(|pem| Jwk::from_pem(pem).ok()) {
        is_stable(&key);
    }
});

fn is_stable(key: &Jwk) {
    let document = key.to_private_json();
    let again = Jwk::from_json(document.as_bytes()).expect("a key that we write is read");
    assert_eq!(*again.to_private_json(), *document);
    assert_eq!((again.thumbprint(), again.is_private()), (key.thumbprint(), key.is_private()));
    let Some(public) = key.public() else { return assert!(key.to_json().is_none()) };
    assert_eq!(public.thumbprint(), key.thumbprint());
    let written = public.to_json().expect("a public key has a public form");
    let read = Jwk::from_json(written.as_bytes()).expect("a public key that we write is read");
    assert!(!read.is_private());
    assert_eq!(read.to_json().as_ref(), Some(&written));
    if let Ok(pem) = key.to_pem() {
        assert_eq!(Jwk::from_pem(&pem).expect("PEM that we write is read").thumbprint(), key.thumbprint());
    }
    if let Ok(pem) = key.to_private_pem() {
        let read = Jwk::from_pem(&pem).expect("PEM that we write is read");
        assert!(read.is_private() && read.thumbprint() == key.thumbprint());
    }
}
