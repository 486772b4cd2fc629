//! What a question brings to be let through by: a session, or, to a host that takes them, an access token. Never both.
//!
//! Where a host takes no tokens, the header `Authorization` is the application's own business, but for session secrets.
//! Where it does, whatever else has the form of a session secret or of a bearer credential counts as presented, whether it
//! is alive or not, and two of them are refused instead of one being chosen. Garbage in the session cookie is as good as
//! none, as it is everywhere else.

use std::borrow::Cow;

use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Handle, Transport};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use url::Url;

use super::law::Takes;
use super::question::Question;
use crate::app::App;
use crate::session::{present, url as url_session};

/// The query parameter of a token (RFC 6750 §2.3).
const PARAMETER: &str = "access_token";

/// What was presented, genuine or not.
#[derive(Debug)]
pub(super) enum Presented<'a> {
    /// Nothing.
    Nothing,
    /// A session secret, and how it travelled.
    Session(Handle, Transport),
    /// An access token.
    Token(Token<'a>),
}

/// An access token as it came.
pub(super) struct Token<'a> {
    /// The credential.
    pub(super) text: Cow<'a, [u8]>,
    /// For this audience it must be.
    pub(super) audience: &'a str,
    /// Whether it stood in the query.
    pub(super) in_query: bool,
}

impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Reads what was presented; what is ambiguous is refused.
pub(super) fn read<'a>(
    app: &'a App,
    headers: &'a HeaderMap,
    question: &Question<'a>,
) -> Result<Presented<'a>, Refusal> {
    let session = match present::secret(app, headers)? {
        None => by_url(app, headers, question)?.map(|handle| (handle, Transport::Url)),
        presented => presented,
    };
    // Nearly every question comes with a cookie and neither of these: it pays for nothing more.
    let law = &app.gatehouse.law;
    let has_query = law.looks_at_queries() && question.target().query().is_some();
    let takes = if headers.contains_key(AUTHORIZATION) || has_query { law.takes(question) } else { None };
    let token = match takes {
        None => None,
        Some(takes) => {
            let has_header_session = matches!(session, Some((_, Transport::Header)));
            token(takes, headers, question, has_header_session)?
        }
    };
    match (session, token) {
        (Some(_), Some(_)) => {
            Err(Refusal::Malformed("A session and an access token are presented: send one of them.".into()))
        }
        (Some((handle, transport)), None) => Ok(Presented::Session(handle, transport)),
        (None, Some(token)) => Ok(Presented::Token(token)),
        (None, None) => Ok(Presented::Nothing),
    }
}

fn by_url(app: &App, headers: &HeaderMap, question: &Question<'_>) -> Result<Option<Handle>, Refusal> {
    if app.settings.sessions.url_transport.is_empty() {
        return Ok(None);
    }
    match Url::parse(&question.url()) {
        Ok(address) => url_session::secret(app, &address, headers),
        Err(_) => Ok(None),
    }
}

fn token<'a>(
    takes: &'a Takes,
    headers: &'a HeaderMap,
    question: &Question<'a>,
    has_header_session: bool,
) -> Result<Option<Token<'a>>, Refusal> {
    let by_header = bearer(headers)?.filter(|_| !has_header_session);
    let by_query = match question.target().query() {
        Some(query) if takes.in_query => in_query(query)?,
        _ => None,
    };
    let token = |text, in_query| Token { text, audience: &takes.audience, in_query };
    match (by_header, by_query) {
        (Some(_), Some(_)) => Err(Refusal::Malformed(
            "An access token is presented in the Authorization header and in the query: send one of them."
                .into(),
        )),
        (Some(text), None) => Ok(Some(token(Cow::Borrowed(text), false))),
        (None, Some(text)) => Ok(Some(token(text, true))),
        (None, None) => Ok(None),
    }
}

/// The one bearer credential (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1). Other schemes are somebody else's
/// business, but not beside it: the application may look at the other one.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let (mut found, mut count) = (None, 0_usize);
    for value in headers.get_all(AUTHORIZATION) {
        count += 1;
        let mut words = value.as_bytes().splitn(2, |byte| *byte == b' ');
        let scheme = words.next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            found = Some(words.next().unwrap_or_default().trim_ascii());
        }
    }
    match found {
        Some(_) if count > 1 => Err(Refusal::Malformed("There are several Authorization headers.".into())),
        Some([]) => Err(Refusal::Malformed("The Authorization header has no token behind Bearer.".into())),
        found => Ok(found),
    }
}

fn in_query(query: &str) -> Result<Option<Cow<'_, [u8]>>, Refusal> {
    // A name is nothing else in any spelling: `%61ccess_token` is it, too.
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == PARAMETER);
    let (value, more) = (values.next(), values.next());
    match value {
        Some(_) if more.is_some() => {
            Err(Refusal::Malformed(format!("The parameter {PARAMETER} is there twice.")))
        }
        Some((_, value)) => Ok(Some(match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<String>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(|found| found.map(|text| String::from_utf8(text.to_vec()).unwrap()))
    }

    #[test]
    fn one_bearer_credential_alone_is_one() {
        for (values, found) in [
            ([].as_slice(), None),
            (&["Bearer abc"], Some("abc")),
            (&["bEARER   abc "], Some("abc")),
            (&["Bearer a b"], Some("a b")),
            (&["Basic YTpi"], None),
            (&["Basic YTpi", "Basic YTpj"], None),
            (&["Bearerabc"], None),
            (&["DPoP abc"], None),
        ] {
            assert_eq!(read(values), Ok(found.map(str::to_owned)), "{values:?}");
        }
        for values in [
            ["Bearer abc", "Bearer abc"].as_slice(),
            &["Basic YTpi", "Bearer abc"],
            &["Bearer abc", "Basic YTpi"],
            &["Bearer"],
            &["Bearer  "],
        ] {
            assert!(matches!(read(values), Err(Refusal::Malformed(_))), "{values:?}");
        }
    }

    #[test]
    fn one_token_in_the_query_is_one() {
        let found = |query| in_query(query).map(|found| found.map(Cow::into_owned));
        for (query, token) in [
            ("", None),
            ("a=b&token=x", None),
            ("access_token=abc", Some("abc")),
            ("a=b&access_token=a%2Eb&c", Some("a.b")),
            ("%61ccess_token=abc", Some("abc")),
            ("access_token=", Some("")),
            ("access_token", Some("")),
            ("Access_Token=abc&xaccess_token=d", None),
        ] {
            assert_eq!(found(query), Ok(token.map(|token: &str| token.as_bytes().to_vec())), "{query}");
        }
        for query in
            ["access_token=a&access_token=a", "access_token=a&%61ccess_token=b", "access_token&access_token"]
        {
            assert!(matches!(found(query), Err(Refusal::Malformed(_))), "{query}");
        }
    }
}
