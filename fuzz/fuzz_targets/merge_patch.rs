//! Merge patches on a session's data: bounded, counted, and doing the same when done twice. First line: the data before.
#![no_main]

use gateward_fuzz::first_line;
use gateward_kernel::session::{Data, DataRefusal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const LIMIT: usize = 512;

fuzz_target!(|data: &[u8]| {
    let (before, patch) = first_line(data);
    let (Ok(before), Ok(patch)) = (serde_json::from_slice(before), serde_json::from_slice::<Value>(patch))
    else {
        return;
    };
    let Ok(start) = Data::default().patched(&before, Some(0), LIMIT) else { return };
    assert_eq!(start.version(), 1);
    assert_eq!(start.patched(&patch, Some(0), LIMIT), Err(DataRefusal::Stale { current: 1 }));
    let Ok(once) = start.patched(&patch, Some(1), LIMIT) else { return };
    assert!(once.json().len() <= LIMIT && once.version() == 2);
    let value: Value = serde_json::from_str(once.json()).expect("data are JSON");
    assert_follows(&value, &patch);
    let twice = once.patched(&patch, None, LIMIT).expect("what fitted once fits twice");
    assert_eq!(twice.json(), once.json(), "RFC 7396 patches are idempotent");
    // Patching by nothing changes nothing.
    let same = once.patched(&Value::Object(serde_json::Map::new()), None, LIMIT).expect("it fitted before");
    if value.is_object() {
        assert_eq!(same.json(), once.json());
    }
});

/// What RFC 7396 §2 says of the result, member by member.
fn assert_follows(value: &Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => {
            for (name, patch) in patch {
                match (value.get(name), patch) {
                    (None, Value::Null) => (),
                    (Some(value), patch) if !patch.is_null() => assert_follows(value, patch),
                    (found, _) => panic!("{name}: {found:?}"),
                }
            }
        }
        (value, patch) => assert_eq!(value.to_string(), patch.to_string()),
    }
}
