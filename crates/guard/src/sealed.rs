//! Small values of an application in cookies of its own: signed (readable, unchangeable) or sealed (unreadable too).

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::secret::{Entropy, MacKey, RootKey, SealKey};
use http::{HeaderMap, HeaderValue};

use crate::cookies::{CookieProblem, CookieSpec, Found, find};

/// Bytes of the signature in a signed cookie.
const TAG: usize = 16;

/// A cookie's value was not made here, was changed, or was made for another cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cookie was not made here, or it was changed")]
pub struct CookieNotOurs;

/// Signs and seals cookie values. Each value is bound to its cookie's name: it counts in no other.
///
/// These hold small settings, not sessions: a value that was given away stays good until its cookie is gone, because
/// nothing on the server remembers it.
#[derive(Debug)]
pub struct SealedCookies {
    sign: MacKey,
    seal: SealKey,
}

impl SealedCookies {
    /// With keys that belong to this root key.
    pub fn new(root: &RootKey) -> Self {
        SealedCookies { sign: root.mac("signed cookie"), seal: root.seal("sealed cookie") }
    }

    /// A `Set-Cookie` whose value can be read but not changed. An error when it would be too large for browsers.
    pub fn signed(&self, spec: &CookieSpec, value: &[u8]) -> Result<HeaderValue, CookieProblem> {
        let tag: [u8; TAG] = self.sign.short_tag(&[spec.name().as_bytes(), value]);
        set(spec, &[value, &tag].concat())
    }

    /// The value of a signed cookie; `None` when there is no such cookie.
    pub fn read_signed(
        &self,
        headers: &HeaderMap,
        spec: &CookieSpec,
    ) -> Result<Option<Vec<u8>>, CookieNotOurs> {
        let Some(body) = decoded(headers, spec)? else { return Ok(None) };
        let (value, tag) = body.split_last_chunk::<TAG>().ok_or(CookieNotOurs)?;
        match self.sign.verify(&[spec.name().as_bytes(), value], tag) {
            true => Ok(Some(value.to_vec())),
            false => Err(CookieNotOurs),
        }
    }

    /// A `Set-Cookie` whose value can be neither read nor changed. An error when it would be too large for browsers.
    pub fn sealed(
        &self,
        spec: &CookieSpec,
        value: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<HeaderValue, CookieProblem> {
        set(spec, &self.seal.seal(entropy, spec.name().as_bytes(), value))
    }

    /// The value of a sealed cookie; `None` when there is no such cookie.
    pub fn read_sealed(
        &self,
        headers: &HeaderMap,
        spec: &CookieSpec,
    ) -> Result<Option<Vec<u8>>, CookieNotOurs> {
        let Some(body) = decoded(headers, spec)? else { return Ok(None) };
        self.seal.open(spec.name().as_bytes(), &body).map(Some).map_err(|_| CookieNotOurs)
    }
}

fn set(spec: &CookieSpec, body: &[u8]) -> Result<HeaderValue, CookieProblem> {
    spec.set(&BASE64URL_NOPAD.encode(body), None)
}

fn decoded(headers: &HeaderMap, spec: &CookieSpec) -> Result<Option<Vec<u8>>, CookieNotOurs> {
    match find(headers, spec.name()) {
        Found::Nothing => Ok(None),
        Found::Ambiguous => Err(CookieNotOurs),
        Found::One(value) => BASE64URL_NOPAD.decode(value).map(Some).map_err(|_| CookieNotOurs),
    }
}

#[cfg(test)]
mod tests {
    use gateward_kernel::secret::SeededEntropy;
    use http::header::COOKIE;

    use super::*;

    fn sent_back(set_cookie: &HeaderValue, as_name: &str) -> HeaderMap {
        let text = set_cookie.to_str().unwrap();
        let value = text.split(';').next().unwrap().split_once('=').unwrap().1;
        [(COOKIE, HeaderValue::from_str(&format!("{as_name}={value}")).unwrap())].into_iter().collect()
    }

    #[test]
    fn tampering_and_moving_are_detected() {
        let jar = SealedCookies::new(&RootKey::from_bytes([1; 32]));
        let (spec, other) =
            (CookieSpec::for_https("theme").unwrap(), CookieSpec::for_https("other").unwrap());
        let signed = jar.signed(&spec, b"dark").unwrap();
        let sealed = jar.sealed(&spec, b"dark", &SeededEntropy::new(1)).unwrap();
        assert_eq!(jar.read_signed(&sent_back(&signed, spec.name()), &spec), Ok(Some(b"dark".to_vec())));
        assert_eq!(jar.read_sealed(&sent_back(&sealed, spec.name()), &spec), Ok(Some(b"dark".to_vec())));
        assert_eq!(jar.read_signed(&HeaderMap::new(), &spec), Ok(None));
        // Under another name, as the other sort, or under another key: not ours.
        assert_eq!(jar.read_signed(&sent_back(&signed, other.name()), &other), Err(CookieNotOurs));
        assert_eq!(jar.read_sealed(&sent_back(&sealed, other.name()), &other), Err(CookieNotOurs));
        assert_eq!(jar.read_sealed(&sent_back(&signed, spec.name()), &spec), Err(CookieNotOurs));
        assert_eq!(jar.read_signed(&sent_back(&sealed, spec.name()), &spec), Err(CookieNotOurs));
        let foreign = SealedCookies::new(&RootKey::from_bytes([2; 32]));
        assert_eq!(foreign.read_signed(&sent_back(&signed, spec.name()), &spec), Err(CookieNotOurs));
        assert!(!sealed.to_str().unwrap().contains(&BASE64URL_NOPAD.encode(b"dark")), "sealed is unreadable");
    }

    #[test]
    fn too_large_a_value_is_an_error_not_a_lost_cookie() {
        let jar = SealedCookies::new(&RootKey::from_bytes([1; 32]));
        let spec = CookieSpec::for_https("theme").unwrap();
        assert!(jar.signed(&spec, &[0; 2900]).is_ok());
        assert!(matches!(jar.signed(&spec, &[0; 3100]), Err(CookieProblem::TooLarge(_))));
    }
}
