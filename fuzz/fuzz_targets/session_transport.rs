//! How a session secret is presented: in one place, once, or refused. First line: an address; then headers.
#![no_main]

use gateward::session::{present, url as in_url};
use gateward_fuzz::{first_line, headers};
use gateward_guard::cookies::{Found, find};
use gateward_kernel::session::Transport;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let (address, lines) = first_line(data);
    let headers = headers(lines);
    let bearers = headers.get_all("authorization").iter().filter(|value| {
        let text = value.as_bytes();
        text.len() >= 7
            && text[..7].eq_ignore_ascii_case(b"bearer ")
            && text[7..].trim_ascii().starts_with(b"gws")
    });
    let bearers = bearers.count();
    let cookie = find(&headers, "gateward");
    match present::presented(&headers, "gateward") {
        Ok(None) => assert!(bearers == 0 && cookie == Found::Nothing),
        Ok(Some((value, Transport::Cookie))) => {
            let Found::One(whole) = cookie else { panic!("there is no such cookie") };
            // Behind a dot stands the route to the node that set it.
            assert!(bearers == 0 && whole.split(|byte| *byte == b'.').next() == Some(value));
        }
        Ok(Some((value, _))) => {
            assert!(bearers == 1 && cookie == Found::Nothing);
            assert!(value.starts_with(b"gws"));
        }
        Err(_) => {
            assert!(bearers > 1 || cookie == Found::Ambiguous || (bearers == 1 && cookie != Found::Nothing));
        }
    }
    if let Ok(text) = std::str::from_utf8(address)
        && let Ok(address) = Url::parse(text)
    {
        one_secret_in_an_address(&address);
    }
});

fn one_secret_in_an_address(address: &Url) {
    let count = address.query_pairs().filter(|(name, _)| name == in_url::PARAMETER).count();
    match in_url::presented(address) {
        Ok(found) => assert_eq!(usize::from(found.is_some()), count),
        Err(_) => assert!(count > 1),
    }
    let others = |address: &Url| -> Vec<(String, String)> {
        let pairs = address.query_pairs().filter(|(name, _)| name != in_url::PARAMETER);
        pairs.map(|(name, value)| (name.into(), value.into())).collect()
    };
    if let Some(with) = in_url::with_secret(address.as_str(), "gws1_new") {
        let with = Url::parse(&with).expect("an address stays one");
        assert_eq!(in_url::presented(&with).expect("it is there once").as_deref(), Some("gws1_new"));
        assert_eq!(others(&with), others(address));
        assert_eq!((with.host(), with.port(), with.path()), (address.host(), address.port(), address.path()));
    }
}
