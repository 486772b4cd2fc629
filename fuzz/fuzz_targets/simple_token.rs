//! The simple signed token: exactly one spelling, good for one purpose, one context and before one moment, and only when our key
//! has made it. Input: the person, the end, four bytes for a change, the context.
#![no_main]

use gateward_fuzz::{CHANGE, changed};
use gateward_guard::RootKey;
use gateward_kernel::id::PersonId;
use gateward_kernel::time::Moment;
use gateward_kernel::token::{SimpleKey, SimpleToken, SimpleTokenProblem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let root = RootKey::from_bytes([5; 32]);
    let (key, other) = (SimpleKey::new(&root, "confirm address"), SimpleKey::new(&root, "reset password"));
    let (begin, invalid) = (Moment::from_micros(i64::MIN), Err(SimpleTokenProblem::Invalid));
    assert_eq!(key.verify(data, b"", begin), invalid, "made up, and valid");

    let Some((person, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((ends, rest)) = rest.split_first_chunk::<8>() else { return };
    let Some((how, context)) = rest.split_first_chunk::<CHANGE>() else { return };
    let ends = i64::from_be_bytes(*ends);
    let token = SimpleToken { person: PersonId::from_bytes(*person), ends: Moment::from_micros(ends) };
    let text = key.sign(token, context);
    if let Some(before) = ends.checked_sub(1).map(Moment::from_micros) {
        assert_eq!(key.verify(text.as_bytes(), context, before), Ok(token));
    }
    assert_eq!(key.verify(text.as_bytes(), context, token.ends), Err(SimpleTokenProblem::Expired));
    assert!(
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "fits into any address"
    );
    // What it was not made for.
    assert_eq!(other.verify(text.as_bytes(), context, begin), invalid);
    assert_eq!(key.verify(text.as_bytes(), &[context, b"x"].concat(), begin), invalid);
    if let Some(changed) = changed(text.as_bytes(), how) {
        assert_eq!(key.verify(&changed, context, begin), invalid, "changed, and valid");
    }
});
