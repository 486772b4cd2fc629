//! The parameter `claims`: what is taken is kept and read again as the same, asks for nothing that nobody knows, and yields nothing
//! that was not asked for.
#![no_main]

use gateward_kernel::claims::{Claim, ClaimsRequest, Custom, MAX_REQUEST, MAX_WISHES, Place, claims_of};
use gateward_kernel::id::PersonId;
use gateward_kernel::person::Person;
use gateward_kernel::time::Moment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let on_request = ["desk".to_owned()];
    let custom = Custom { always: &[], on_request: &on_request };
    let Ok(request) = ClaimsRequest::parse(text, custom) else { return };
    assert!(text.len() <= MAX_REQUEST);
    let stored = serde_json::to_value(&request).unwrap();
    assert_eq!(serde_json::from_value::<ClaimsRequest>(stored.clone()).unwrap(), request);

    let is_known =
        |name: &str| Claim::named(name).is_some() || ["desk", "sub", "acr", "auth_time"].contains(&name);
    let mut person = Person::new(PersonId::from_bytes([1; 16]), "ann".parse().unwrap(), Moment::DAWN);
    person.claims.insert("desk".into(), "C".into());
    let scope = "openid".parse().unwrap();
    for (name, place) in [("userinfo", Place::UserInfo), ("id_token", Place::IdToken)] {
        let asked = stored.get(name).and_then(|wishes| wishes.as_object()).cloned().unwrap_or_default();
        assert!(asked.len() <= MAX_WISHES && asked.keys().all(|name| is_known(name)), "{stored}");
        let told = claims_of(&person, &scope, &request, custom, place);
        assert!(told.iter().all(|(name, value)| asked.contains_key(name) && !value.is_null()), "{told:?}");
    }
    let within = request.within(&scope);
    assert_eq!(within.scopes().count(), 0);
});
