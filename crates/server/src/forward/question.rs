//! What a proxy asks: may this request pass? The same for every proxy, whatever words it used.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gateward_guard::forwarded::Scheme;
use http::HeaderMap;
use http::header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, SEC_WEBSOCKET_KEY, UPGRADE};

use super::target::Target;

/// One request to an application, as it reached the proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    method: &'a str,
    scheme: Scheme,
    host: Cow<'a, str>,
    port: Option<u16>,
    target: Target<'a>,
    client: Option<IpAddr>,
    headers: &'a HeaderMap,
    by_token: bool,
}

/// Who waits for the answer, and so in which form a refusal is of use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A person who looks at a page: can be sent to sign in.
    Page,
    /// A script or a program: wants a status and JSON.
    Fetch,
    /// The opening of a WebSocket: follows no redirect.
    WebSocket,
    /// A CORS preflight, which browsers send without cookies: the rules count for it as for everything else, so that it
    /// passes only where everyone may use `OPTIONS`.
    Preflight,
}

/// The parts of a question as they were found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) method: &'a str,
    pub(super) scheme: Scheme,
    /// Host and port, as in the header `Host`.
    pub(super) authority: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) client: Option<IpAddr>,
    /// What tells who waits.
    pub(super) headers: &'a HeaderMap,
}

impl<'a> Question<'a> {
    /// Puts a question together, or says in a sentence what about it is wrong.
    pub(super) fn read(parts: Parts<'a>) -> Result<Self, String> {
        if !is_method(parts.method) {
            return Err("The method is not written in capitals and hyphens.".to_owned());
        }
        let (host, port) = authority(parts.authority).map_err(|problem| format!("The host {problem}."))?;
        let target = Target::read(parts.target).map_err(|problem| format!("The address {problem}."))?;
        let port = port.filter(|port| *port != parts.scheme.default_port());
        Ok(Question {
            method: parts.method,
            scheme: parts.scheme,
            host,
            port,
            target,
            client: parts.client,
            headers: parts.headers,
            by_token: false,
        })
    }

    /// The method, in capitals.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// How the client spoke to the proxy.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case, without port; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port that was asked for, or that the scheme stands for.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// The path in its forms, and the query.
    pub fn target(&self) -> &Target<'a> {
        &self.target
    }

    /// Who asks; `None` when the proxy did not tell, so that no rule may count on it.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The same question of somebody who came with an access token: a program, which cannot be sent to sign in,
    /// whatever else it says of itself.
    #[must_use]
    pub fn of_a_program(self) -> Self {
        Question { by_token: true, ..self }
    }

    /// Who waits for the answer.
    pub fn kind(&self) -> Kind {
        match Kind::read(self.method, self.headers) {
            Kind::Page if self.by_token => Kind::Fetch,
            kind => kind,
        }
    }

    /// Host and, where it is not the scheme's own, port.
    pub fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.to_string(), |port| format!("{}:{port}", self.host))
    }

    /// The address that was asked for, with path and query exactly as they were written.
    pub fn url(&self) -> String {
        let query = self.target.query().map_or(String::new(), |query| format!("?{query}"));
        format!("{}://{}{}{query}", self.scheme.as_str(), self.authority(), self.target.raw())
    }
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

impl Kind {
    /// Tells by method and headers. Nothing is allowed or refused by it; it decides only how a refusal is told.
    pub fn read(method: &str, headers: &HeaderMap) -> Kind {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if headers.contains_key(SEC_WEBSOCKET_KEY) || has_token(headers, &UPGRADE, "websocket") {
            return Kind::WebSocket;
        }
        if method == "OPTIONS" && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Kind::Preflight;
        }
        // Browsers say what they fetch for (Fetch Metadata, §2); frames are shown to people, too.
        match (text(SEC_FETCH_MODE), text(SEC_FETCH_DEST)) {
            (Some("navigate"), _) | (None, Some("document")) => return Kind::Page,
            (Some(_), _) | (None, Some(_)) => return Kind::Fetch,
            (None, None) => (),
        }
        let scripted = text(X_REQUESTED_WITH).is_some_and(|with| with.eq_ignore_ascii_case("XMLHttpRequest"));
        let reads = matches!(method, "GET" | "HEAD");
        let shows_html = headers
            .get_all(ACCEPT)
            .iter()
            .any(|line| line.to_str().is_ok_and(|line| line.to_ascii_lowercase().contains("text/html")));
        if reads && shows_html && !scripted { Kind::Page } else { Kind::Fetch }
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let is_token = |part: &str| part.trim().eq_ignore_ascii_case(token);
    headers.get_all(name).iter().any(|line| line.to_str().is_ok_and(|line| line.split(',').any(is_token)))
}

/// Methods are case sensitive (RFC 9110 §9.1), and some applications fold them all the same: only capitals have one reading.
fn is_method(method: &str) -> bool {
    (1..=32).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// Reads `Host` (RFC 9110 §7.2) as a name in lower case or an address in its shortest form, and a port.
fn authority(text: &str) -> Result<(Cow<'_, str>, Option<u16>), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if !text.is_ascii() {
        return Err("is not ASCII; international names travel in their xn-- form");
    }
    let behind_bracket = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = text.get(behind_bracket..).and_then(|rest| rest.find(':')).map(|at| at + behind_bracket);
    let (name, port) = match colon.and_then(|colon| text.split_at_checked(colon)) {
        Some((name, port)) => (name, Some(read_port(port.strip_prefix(':').unwrap_or(port))?)),
        None => (text, None),
    };
    if let Some(inner) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| "is not an IPv6 address")?;
        return Ok((Cow::Owned(format!("[{address}]")), port));
    }
    let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    };
    if is_name(&name) { Ok((name, port)) } else { Err("is not a host name") }
}

fn read_port(digits: &str) -> Result<u16, &'static str> {
    let plain = !digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or("has a wrong port")
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let letters =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    // What ends with a number is an IPv4 address to browsers, in more spellings than the usual one.
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let international = name.split('.').any(|label| label.starts_with("xn--"));
    name.len() <= 253
        && name.split('.').all(label)
        && (!numeric || name.parse::<Ipv4Addr>().is_ok())
        && (!international || url::Host::parse(name).is_ok_and(|host| host.to_string() == name))
}

#[cfg(test)]
mod tests;
