//! Where a token stands in a request (RFC 6750 §2). Read strictly: what is ambiguous is refused, never guessed.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use url::form_urlencoded;

use super::rejection::BearerProblem;

/// The parameter of forms and queries.
const PARAMETER: &str = "access_token";

/// The token in the one `Authorization` header (§2.1). Another scheme is none of ours, but does not stand beside it.
pub(super) fn in_header(headers: &HeaderMap) -> Result<Option<&str>, BearerProblem> {
    in_values(headers.get_all(AUTHORIZATION).into_iter().map(HeaderValue::as_bytes))
}

/// The same from the values of all `Authorization` headers.
pub(super) fn in_values<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<&'a str>, BearerProblem> {
    const SCHEME: &str = "bearer";
    let mut found = None;
    let mut count = 0_usize;
    for value in values {
        count += 1;
        let (scheme, rest) = value.split_at_checked(SCHEME.len()).unwrap_or((value, b""));
        if scheme.eq_ignore_ascii_case(SCHEME.as_bytes())
            && matches!(rest.first(), None | Some(b' ' | b'\t' | b','))
        {
            found = Some(rest);
        }
    }
    let Some(rest) = found else { return Ok(None) };
    if count > 1 {
        return Err(BearerProblem::Malformed("there are several Authorization headers"));
    }
    let token = std::str::from_utf8(rest).ok().map(|rest| rest.trim_start_matches(' '));
    checked(token.unwrap_or_default()).map(Some)
}

/// The token in a query (§2.3) or in a form (§2.2).
pub(super) fn in_parameters(text: &str) -> Result<Option<Cow<'_, str>>, BearerProblem> {
    // In whatever spelling: `%61ccess_token` is that name, too.
    let mut values = form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| name == PARAMETER);
    let Some((_, token)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BearerProblem::Malformed("the parameter access_token is there twice"));
    }
    checked(&token)?;
    Ok(Some(token))
}

/// The same parameters without the token: it ends here, and no log further in sees it.
pub(super) fn without_token(text: &str) -> String {
    let is_other = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| name != PARAMETER);
    text.split('&').filter(is_other).collect::<Vec<&str>>().join("&")
}

/// The same address without the token in its query.
pub(super) fn strip(uri: &mut Uri) {
    let Some(query) = uri.query() else { return };
    let query = without_token(query);
    let path = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    // Parts of an address form an address again.
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// The characters of `b64token` (§2.1), at least one.
fn checked(token: &str) -> Result<&str, BearerProblem> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    if body.is_empty() || !body.bytes().all(is_token) {
        return Err(BearerProblem::Malformed("what is presented has not the form of an access token"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(values: &[&[u8]]) -> Result<Option<String>, BearerProblem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        in_header(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn the_header_is_read_strictly() {
        let good: [(&[&[u8]], Option<&str>); 9] = [
            (&[], None),
            (&[b"Bearer abc.-_~+/9=="], Some("abc.-_~+/9==")),
            (&[b"bEARER abc"], Some("abc")),
            (&[b"Bearer   abc"], Some("abc")),
            (&[b"Basic YTpi"], None),
            (&[b"Basic YTpi", b"Basic YTpj"], None),
            (&[b"Bearerabc"], None),
            (&[b"DPoP abc"], None),
            (&[b""], None),
        ];
        for (values, token) in good {
            assert_eq!(header(values), Ok(token.map(str::to_owned)), "{values:?}");
        }
        let odd: [&[&[u8]]; 16] = [
            &[b"Bearer abc", b"Bearer abc"],
            &[b"Bearer abc", b"Basic YTpi"],
            &[b"Basic YTpi", b"Bearer abc"],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Bearer ="],
            &[b"Bearer\tabc"],
            &[b"Bearer, abc"],
            &[b"Bearer a b"],
            &[b"Bearer a,b"],
            &[b"Bearer a=b"],
            &[b"Bearer \"abc\""],
            &[b"Bearer abc, Bearer abc"],
            &[b"Bearer token=abc"],
            &[b"Bearer a\xc3\xa9"],
            &[b"Bearer a\xff"],
        ];
        for values in odd {
            assert!(matches!(header(values), Err(BearerProblem::Malformed(_))), "{values:?}");
        }
    }

    #[test]
    fn parameters_hold_one_token_and_lose_it() {
        for (text, token, rest) in [
            ("", None, ""),
            ("a=b&token=x", None, "a=b&token=x"),
            ("access_token=abc", Some("abc"), ""),
            ("a=b&access_token=a%2Eb&c&a=%20", Some("a.b"), "a=b&c&a=%20"),
            ("%61ccess_token=abc&x=1", Some("abc"), "x=1"),
            ("Access_Token=abc&xaccess_token=d", None, "Access_Token=abc&xaccess_token=d"),
        ] {
            assert_eq!(in_parameters(text), Ok(token.map(Cow::Borrowed)), "{text}");
            assert_eq!(without_token(text), rest);
        }
        for text in [
            "access_token=a&access_token=a",
            "access_token=a&%61ccess_token=b",
            "access_token=",
            "access_token",
            "access_token=a%20b",
            "access_token=%00",
        ] {
            assert!(matches!(in_parameters(text), Err(BearerProblem::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn an_address_loses_its_token_and_nothing_else() {
        for (before, after) in [
            ("/a?access_token=x", "/a"),
            ("/a/%2e?b=1&access_token=x&c=%41", "/a/%2e?b=1&c=%41"),
            ("http://api.example/a?access_token=x", "http://api.example/a"),
            ("/a?b", "/a?b"),
            ("/a", "/a"),
        ] {
            let mut uri: Uri = before.parse().unwrap();
            strip(&mut uri);
            assert_eq!(uri.to_string(), after);
        }
    }
}
