//! The cookies of an application without ours: an application must not see the cookie that opens every other one.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

/// Every name the session cookie can have.
pub const SESSION_COOKIES: [&str; 3] = ["gateward", "__Host-gateward", "__Secure-gateward"];

/// What the application may see of the cookies of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppCookies {
    /// The other cookies, as one `Cookie` header; `None` when there are no others.
    pub rest: Option<HeaderValue>,
    /// Whether ours was among them.
    pub changed: bool,
}

/// Takes the session cookie, in all its occurrences, out of the cookies.
pub fn without_session(headers: &HeaderMap) -> AppCookies {
    let (mut rest, mut changed) = (Vec::new(), false);
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair).trim_ascii();
        // Some applications fold the case of names; none of them has a cookie of this name.
        if SESSION_COOKIES.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes())) {
            changed = true;
            continue;
        }
        if !rest.is_empty() {
            rest.extend_from_slice(b"; ");
        }
        rest.extend_from_slice(pair);
    }
    let rest = Some(rest).filter(|rest| !rest.is_empty());
    AppCookies { rest: rest.and_then(|rest| HeaderValue::from_bytes(&rest).ok()), changed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(lines: &[&'static str]) -> (Option<String>, bool) {
        let lines = lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line)));
        let cookies = without_session(&lines.collect());
        (cookies.rest.map(|rest| rest.to_str().unwrap().to_owned()), cookies.changed)
    }

    #[test]
    fn ours_go_and_all_others_stay() {
        for (lines, rest, changed) in [
            (["a=1; b=2"].as_slice(), Some("a=1; b=2"), false),
            (&["gateward=x"], None, true),
            (&["__Host-gateward=x; a=1"], Some("a=1"), true),
            (&["a=1; __Secure-gateward=x; b=2"], Some("a=1; b=2"), true),
            (&["a=1;gateward=x"], Some("a=1"), true),
            (&["a=1;gateward=x;gateward=y;b=2; GATEWARD=z"], Some("a=1; b=2"), true),
            (&["a=1", "gateward=x", "b=2"], Some("a=1; b=2"), true),
            (&["gateward = x; a=gateward=y"], Some("a=gateward=y"), true),
            (&["gateward"], None, true),
            (
                &["mygateward=1; gateward2=2; xgateward=3"],
                Some("mygateward=1; gateward2=2; xgateward=3"),
                false,
            ),
            (&["; ;"], None, false),
            (&[], None, false),
        ] {
            assert_eq!(strip(lines), (rest.map(str::to_owned), changed), "{lines:?}");
        }
    }
}
