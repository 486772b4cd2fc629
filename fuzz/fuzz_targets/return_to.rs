//! `return_to`: wherever it says, a browser ends on our own origin or on a known application.
#![no_main]

use gateward_kernel::redirect::ReturnTo;
use libfuzzer_sys::fuzz_target;
use url::Url;

const APPS: [&str; 3] = ["wiki.example.com", "wiki.example.com:8443", "[2001:db8::1]"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for base in ["https://login.example.com", "http://127.0.0.1:8080/"] {
        let base = Url::parse(base).unwrap();
        let Some(to) = ReturnTo::read(text, &base, |host| APPS.contains(&host)) else { continue };
        let target = to.target();
        assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{target}");
        // As a browser resolves the header Location, wherever it stands.
        for page in ["login", "a/b/c", ""] {
            let landed = base.join(page).unwrap().join(target).unwrap();
            match to.app() {
                None => assert!(landed.origin() == base.origin() && target.starts_with('/'), "{target}"),
                Some(app) => {
                    assert!(APPS.contains(&app));
                    let port = landed.port().map_or(String::new(), |port| format!(":{port}"));
                    assert_eq!(format!("{}{port}", landed.host_str().unwrap()), app);
                    assert!(landed.username().is_empty() && landed.password().is_none());
                    assert!(base.scheme() == "http" || landed.scheme() == "https");
                }
            }
        }
        let again = ReturnTo::read(target, &base, |host| APPS.contains(&host));
        assert!(again.is_none_or(|again| again == to), "what was read reads the same");
    }
});
