//! The session secret: exactly one spelling, and only what our key has made is ours.
#![no_main]

use gateward_guard::RootKey;
use gateward_kernel::handle::{HandleKey, TEXT_LENGTH};
use gateward_kernel::id::SessionId;
use gateward_kernel::secret::Secret;
use gateward_kernel::session::Handle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let key = HandleKey::new(&RootKey::from_bytes([3; 32]));
    if let Ok(handle) = Handle::read(data) {
        assert_eq!(handle.print().as_bytes(), data, "a secret has one spelling");
        assert!(!key.made(&handle), "a made-up secret counts as ours");
    }
    // A genuine secret made of the input, and then one of its bytes replaced.
    let Some((id, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((secret, rest)) = rest.split_first_chunk::<32>() else { return };
    let handle = key.handle(SessionId::from_bytes(*id), Secret::from_bytes(*secret));
    let mut text = handle.print().as_bytes().to_vec();
    let read = Handle::read(&text).expect("what is printed is read");
    assert!(read.id == handle.id && read.digest() == handle.digest() && key.made(&read));
    if let [at, byte, ..] = rest {
        let at = usize::from(*at) % TEXT_LENGTH;
        let changed = text[at] != *byte;
        text[at] = *byte;
        let ours = Handle::read(&text).is_ok_and(|read| key.made(&read));
        assert_eq!(ours, !changed, "a changed secret is garbage");
    }
});
