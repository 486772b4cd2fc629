//! Cookies: one reading of each, ours never reaches an application, and nobody signs a value without the key.
#![no_main]

use gateward::forward::cookies::{SESSION_COOKIES, without_session};
use gateward_guard::cookies::{Found, find, pairs};
use gateward_guard::{CookieSpec, RootKey, SealedCookies};
use http::HeaderMap;
use http::header::COOKIE;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let headers = gateward_fuzz::headers(data);
    for name in SESSION_COOKIES {
        let values: Vec<_> =
            pairs(&headers).filter(|(own, _)| *own == name.as_bytes()).map(|(_, value)| value).collect();
        let same = values.windows(2).all(|two| two[0] == two[1]);
        match find(&headers, name) {
            Found::Nothing => assert!(values.is_empty()),
            Found::One(value) => assert!(same && values[0] == value && !value.contains(&b';')),
            Found::Ambiguous => assert!(!same),
        }
    }
    what_an_application_gets_holds_nothing_of_ours(&headers);
    nothing_made_up_is_genuine(&headers);
});

fn what_an_application_gets_holds_nothing_of_ours(headers: &HeaderMap) {
    let ours = |name: &[u8]| SESSION_COOKIES.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
    let kept = without_session(headers);
    let rest: HeaderMap = kept.rest.into_iter().map(|value| (COOKIE, value)).collect();
    assert!(pairs(&rest).all(|(name, _)| !ours(name)));
    assert!(pairs(&rest).eq(pairs(headers).filter(|(name, _)| !ours(name))), "the others stay as they are");
    assert!(!without_session(&rest).changed);
}

fn nothing_made_up_is_genuine(headers: &HeaderMap) {
    let jar = SealedCookies::new(&RootKey::from_bytes([7; 32]));
    let spec = CookieSpec::for_plain_http("theme").unwrap();
    assert!(!matches!(jar.read_signed(headers, &spec), Ok(Some(_))));
    assert!(!matches!(jar.read_sealed(headers, &spec), Ok(Some(_))));
}
