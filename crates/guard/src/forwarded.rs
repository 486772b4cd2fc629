//! Who the client is when proxies stand in between: the peer of the connection, unless the peer is a proxy of ours that
//! tells on whose behalf it asks, in `X-Forwarded-For` or `Forwarded` (RFC 7239).
//!
//! What an untrusted peer says never matters. What a trusted one says is read from the right, because every proxy
//! appends and only our own are believed: the client is the right-most address that is not one of ours. Text that can be
//! read in two ways is refused, never guessed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::{CONNECTION, FORWARDED, HeaderName};
use ipnet::IpNet;

/// The most entries a forwarding header may have.
pub const MAX_HOPS: usize = 32;
/// The most bytes a forwarding header may have, all its lines together.
pub const MAX_FORWARDED: usize = 4 * 1024;

/// `X-Forwarded-For`: the list of addresses, each appended by the proxy that saw it as its peer.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`: the scheme the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of whoever really asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientAddress {
    address: IpAddr,
    behind_proxy: bool,
}

/// Why the headers of a trusted proxy could not be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForwardedProblem {
    /// More bytes than [`MAX_FORWARDED`].
    #[error("{0} has more than {MAX_FORWARDED} bytes")]
    TooLong(HeaderName),
    /// More entries than [`MAX_HOPS`].
    #[error("{0} has more than {MAX_HOPS} entries")]
    TooManyHops(HeaderName),
    /// An entry, counted from one, that is not written as it must be.
    #[error("entry {1} of {0} {2}")]
    Malformed(HeaderName, usize, &'static str),
    /// `X-Forwarded-For` and `Forwarded` name different clients.
    #[error("X-Forwarded-For and Forwarded name different clients")]
    Contradictory,
    /// The header is named by `Connection`, which means that it was not meant to travel further (RFC 9110 §7.6.1).
    #[error("{0} is listed in Connection")]
    HopByHop(HeaderName),
    /// A header that must be there once is there several times.
    #[error("{0} is there more than once")]
    Duplicate(HeaderName),
    /// `X-Forwarded-Proto` is neither `http` nor `https`.
    #[error("X-Forwarded-Proto is neither http nor https")]
    Scheme,
}

impl ClientAddress {
    /// The peer itself.
    pub fn of_peer(peer: IpAddr) -> Self {
        ClientAddress { address: peer.to_canonical(), behind_proxy: false }
    }

    /// The client, by the peer, the request's headers and the networks of our proxies.
    ///
    /// If only one of `X-Forwarded-For` and `Forwarded` is there, that one counts; if both are, they must name the same
    /// client. Several lines of one header are one list, in their order (RFC 9110 §5.3). An entry that hides the address
    /// (`unknown`, `_name`) ends the search: the last address known before it is the client.
    pub fn read(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<Self, ForwardedProblem> {
        if !is_trusted(peer, trusted) {
            return Ok(ClientAddress::of_peer(peer));
        }
        let by_list = by_x_forwarded_for(headers, trusted)?;
        let by_standard = by_forwarded(headers, trusted)?;
        let found = match (by_list, by_standard) {
            (Some(one), Some(other)) if one != other => return Err(ForwardedProblem::Contradictory),
            (one, other) => one.or(other).flatten(),
        };
        Ok(ClientAddress { address: found.unwrap_or(peer.to_canonical()), behind_proxy: true })
    }

    /// Like [`read`](Self::read), for proxies known to speak `X-Forwarded-For` only: they pass a `Forwarded` of the client
    /// on unread, so that it must not count. `None` when the peer is trusted and there is no `X-Forwarded-For`.
    pub fn read_list(
        peer: IpAddr,
        headers: &HeaderMap,
        trusted: &[IpNet],
    ) -> Result<Option<Self>, ForwardedProblem> {
        if !is_trusted(peer, trusted) {
            return Ok(Some(ClientAddress::of_peer(peer)));
        }
        Ok(by_x_forwarded_for(headers, trusted)?
            .map(|found| ClientAddress { address: found.unwrap_or(peer.to_canonical()), behind_proxy: true }))
    }

    /// The address; one of IPv4 is never written as IPv6.
    pub fn ip(&self) -> IpAddr {
        self.address
    }

    /// Whether a proxy of ours told the address.
    pub fn is_behind_proxy(&self) -> bool {
        self.behind_proxy
    }

    /// What attempts from this address are counted under.
    pub fn network(&self) -> Network {
        Network::of(self.address)
    }
}

/// The smallest network that is one customer's: an IPv4 address, or an IPv6 /64. Ordered and hashable, for counting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Network(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 => Network(v4),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { 32 } else { 64 })
    }
}

/// How the client spoke to the first proxy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// Reads `http` or `https`; `ws` and `wss`, which some proxies write for WebSockets, are the same in other words.
    pub fn read(text: &str) -> Option<Scheme> {
        match text {
            "http" | "ws" => Some(Scheme::Http),
            "https" | "wss" => Some(Scheme::Https),
            _ => None,
        }
    }
}

/// The scheme by `X-Forwarded-Proto`, which must be there at most once with one value. To be asked only about the headers
/// of a peer that [`is_trusted`].
pub fn scheme(headers: &HeaderMap) -> Result<Option<Scheme>, ForwardedProblem> {
    let mut values = headers.get_all(X_FORWARDED_PROTO).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ForwardedProblem::Duplicate(X_FORWARDED_PROTO));
    }
    refuse_hop_by_hop(headers, &X_FORWARDED_PROTO)?;
    let scheme = value.to_str().ok().and_then(Scheme::read).ok_or(ForwardedProblem::Scheme)?;
    Ok(Some(scheme))
}

/// Whether this address is one of our proxies.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// Whether `Connection` names this header, so that it was meant for the previous hop only (RFC 9110 §7.6.1).
pub fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(CONNECTION).iter().any(|line| {
        line.as_bytes()
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    })
}

fn refuse_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> Result<(), ForwardedProblem> {
    if is_hop_by_hop(headers, name) { Err(ForwardedProblem::HopByHop(name.clone())) } else { Ok(()) }
}

/// What one proxy says about the hop before it.
enum Hop {
    Address(IpAddr),
    /// `unknown`, an obfuscated name, or nothing at all.
    Hidden,
}

/// Walks the hops from left to right and ends where a walk from the right would: at the right-most address that is not
/// ours, or at the last one before something hidden.
struct Walk<'a> {
    trusted: &'a [IpNet],
    name: HeaderName,
    hops: usize,
    bytes: usize,
    client: Option<IpAddr>,
}

impl<'a> Walk<'a> {
    fn new(trusted: &'a [IpNet], name: HeaderName) -> Self {
        Walk { trusted, name, hops: 0, bytes: 0, client: None }
    }

    fn line(&mut self, bytes: usize) -> Result<(), ForwardedProblem> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_FORWARDED { Err(ForwardedProblem::TooLong(self.name.clone())) } else { Ok(()) }
    }

    fn hop(&mut self, hop: Result<Hop, &'static str>) -> Result<(), ForwardedProblem> {
        self.hops += 1;
        if self.hops > MAX_HOPS {
            return Err(ForwardedProblem::TooManyHops(self.name.clone()));
        }
        let hop = hop.map_err(|what| ForwardedProblem::Malformed(self.name.clone(), self.hops, what))?;
        self.client = match hop {
            Hop::Hidden => None,
            Hop::Address(address) if is_trusted(address, self.trusted) => self.client.or(Some(address)),
            Hop::Address(address) => Some(address),
        };
        Ok(())
    }
}

/// The client by `X-Forwarded-For`: `None` without the header, `Some(None)` when it hides the client.
fn by_x_forwarded_for(
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Result<Option<Option<IpAddr>>, ForwardedProblem> {
    let mut walk = Walk::new(trusted, X_FORWARDED_FOR);
    for line in headers.get_all(X_FORWARDED_FOR) {
        walk.line(line.len())?;
        for entry in line.as_bytes().split(|byte| *byte == b',') {
            walk.hop(node(entry.trim_ascii(), Ipv6::AlsoBare))?;
        }
    }
    if walk.hops == 0 {
        return Ok(None);
    }
    refuse_hop_by_hop(headers, &X_FORWARDED_FOR)?;
    Ok(Some(walk.client))
}

/// The client by `Forwarded` (RFC 7239 §4): elements between commas, pairs between semicolons.
fn by_forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Result<Option<Option<IpAddr>>, ForwardedProblem> {
    let mut walk = Walk::new(trusted, FORWARDED);
    for line in headers.get_all(FORWARDED) {
        walk.line(line.len())?;
        let mut rest = Some(line.as_bytes());
        while let Some(text) = rest {
            let read = element(text);
            rest = read.as_ref().ok().and_then(|(_, rest)| *rest);
            walk.hop(read.map(|(hop, _)| hop))?;
        }
    }
    if walk.hops == 0 {
        return Ok(None);
    }
    refuse_hop_by_hop(headers, &FORWARDED)?;
    Ok(Some(walk.client))
}

/// Reads one element, and yields what follows its comma.
fn element(text: &[u8]) -> Result<(Hop, Option<&[u8]>), &'static str> {
    let mut hop = None;
    let mut rest = text;
    loop {
        let (name, behind) = split_token(rest.trim_ascii_start());
        let value = behind.strip_prefix(b"=").ok_or("is not a list of name=value")?;
        if name.is_empty() {
            return Err("is not a list of name=value");
        }
        let (value, behind) = pair_value(value)?;
        if name.eq_ignore_ascii_case(b"for") && hop.replace(node(value, Ipv6::InBrackets)?).is_some() {
            return Err("has two for= parameters");
        }
        let behind = behind.trim_ascii_start();
        match behind.split_first() {
            None => return Ok((hop.unwrap_or(Hop::Hidden), None)),
            Some((b',', next)) => return Ok((hop.unwrap_or(Hop::Hidden), Some(next))),
            Some((b';', next)) => rest = next,
            Some(_) => return Err("is not a list of name=value"),
        }
    }
}

/// A token or a quoted string without its quotes (RFC 9110 §5.6.4), and what follows.
fn pair_value(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (token, rest) = split_token(text);
        return if token.is_empty() { Err("has an empty value") } else { Ok((token, rest)) };
    };
    // An escape is legal, but nothing that is written here needs one.
    let end = quoted.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    match end.and_then(|end| quoted.split_at_checked(end)) {
        Some((value, [b'"', rest @ ..])) => Ok((value, rest)),
        Some(_) => Err("has a backslash in a quoted value"),
        None => Err("has a quoted value without an end"),
    }
}

fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().position(|byte| !is_token(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

#[derive(Clone, Copy, PartialEq)]
enum Ipv6 {
    /// As RFC 7239 §6 has it.
    InBrackets,
    /// As most proxies write `X-Forwarded-For`.
    AlsoBare,
}

/// A node (RFC 7239 §6): an address with or without port, `unknown`, or an obfuscated name.
fn node(text: &[u8], ipv6: Ipv6) -> Result<Hop, &'static str> {
    const PROBLEM: &str = "is not an address";
    let text = std::str::from_utf8(text).map_err(|_| PROBLEM)?;
    if ipv6 == Ipv6::AlsoBare
        && let Ok(address) = text.parse::<Ipv6Addr>()
    {
        return Ok(Hop::Address(IpAddr::V6(address).to_canonical()));
    }
    let (name, port) = match text.rfind(']') {
        Some(bracket) => text.split_at_checked(bracket + 1).ok_or(PROBLEM)?,
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).ok_or(PROBLEM)?,
    };
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return Err("has a port that is none");
    }
    if name.eq_ignore_ascii_case("unknown") || name.strip_prefix('_').is_some_and(is_obfuscated) {
        return Ok(Hop::Hidden);
    }
    let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => IpAddr::V6(inner.parse().map_err(|_| PROBLEM)?),
        None => IpAddr::V4(name.parse().map_err(|_| PROBLEM)?),
    };
    Ok(Hop::Address(address.to_canonical()))
}

fn is_port(text: &str) -> bool {
    let number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    number || text.strip_prefix('_').is_some_and(is_obfuscated)
}

fn is_obfuscated(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests;
