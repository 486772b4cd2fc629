//! Forms: what is read is what browsers mean, each name once.
#![no_main]

use gateward::face::form::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(form) = Form::read(data) else { return };
    let expected: Vec<(String, String)> = url::form_urlencoded::parse(data).into_owned().collect();
    assert!(expected.len() <= 64);
    for (at, (name, value)) in expected.iter().enumerate() {
        assert_eq!(form.get(name), Some(value.as_str()));
        assert!(expected[..at].iter().all(|(other, _)| other != name), "a name that is there twice");
    }
    let again = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&expected).finish();
    let again = Form::read(again.as_bytes()).expect("what was read can be written and read");
    assert!(expected.iter().all(|(name, value)| again.get(name) == Some(value)));
});
