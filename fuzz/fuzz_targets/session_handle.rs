//! The session secret: exactly one spelling, and no other byte string opens anything.
#![no_main]

use gateward_guard::RootKey;
use gateward_kernel::id::SessionId;
use gateward_kernel::secret::Secret;
use gateward_kernel::session::{Handle, HandleKey, TEXT_LENGTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let key = HandleKey::new(&RootKey::from_bytes([3; 32]));
    if let Ok(handle) = key.read(data) {
        assert_eq!(key.print(&handle).as_bytes(), data, "a secret has one spelling");
    }
    // A genuine secret made of the input, and then one of its bytes replaced.
    let Some((id, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((secret, rest)) = rest.split_first_chunk::<32>() else { return };
    let handle = Handle { id: SessionId::from_bytes(*id), secret: Secret::from_bytes(*secret) };
    let mut text = key.print(&handle).as_bytes().to_vec();
    let read = key.read(&text).expect("what is printed is read");
    assert!(read.id == handle.id && read.digest() == handle.digest());
    if let [at, byte, ..] = rest {
        let at = usize::from(*at) % TEXT_LENGTH;
        let changed = text[at] != *byte;
        text[at] = *byte;
        assert_eq!(key.read(&text).is_err(), changed, "a changed secret is garbage");
    }
});
