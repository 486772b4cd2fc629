//! Comparing the address in a proof with that of the request (RFC 9449 §4.3 check 9): after the normalisation by syntax and
//! scheme of RFC 3986 §6.2.2 and §6.2.3, and without query and fragment.

use url::Url;

/// The longest address in a proof, in bytes.
pub(super) const MAX_ADDRESS_LEN: usize = 2048;

/// Whether `htu` means this address.
///
/// Case of scheme and host, a default port, dot segments and needless percent-encoding make no difference; anything that
/// two readers could take for different addresses is no address.
pub(super) fn is_same(htu: &str, address: &Url) -> bool {
    let odd = |byte: u8| {
        !byte.is_ascii_graphic()
            || matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if htu.len() > MAX_ADDRESS_LEN || htu.bytes().any(odd) {
        return false;
    }
    // The parser would forgive `https:host` and `https:///host`.
    let has_authority =
        htu.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
    let Ok(htu) = Url::parse(htu) else { return false };
    has_authority
        && matches!(htu.scheme(), "http" | "https")
        && htu.username().is_empty()
        && htu.password().is_none()
        && htu.origin() == address.origin()
        && normal_path(&htu) == normal_path(address)
}

/// The path with each byte in the one spelling of RFC 3986 §6.2.2: unreserved characters as they are, hexadecimal digits in
/// upper case.
fn normal_path(url: &Url) -> Vec<u8> {
    let mut rest = url.path().as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match after {
            [high, low, ..] if *byte == b'%' => {
                digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        match escaped {
            None => out.push(*byte),
            Some(escaped) => {
                rest = after.get(2..).unwrap_or_default();
                if escaped.is_ascii_alphanumeric() || b"-._~".contains(&escaped) {
                    out.push(escaped);
                } else {
                    out.extend_from_slice(format!("%{escaped:02X}").as_bytes());
                }
            }
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(htu: &str, address: &str) -> bool {
        is_same(htu, &Url::parse(address).unwrap())
    }

    #[test]
    fn spellings_of_one_address_are_the_same() {
        for (htu, address) in [
            ("https://login.example.com/oauth/token", "https://login.example.com/oauth/token"),
            ("HTTPS://LOGIN.example.COM/oauth/token", "https://login.example.com/oauth/token"),
            ("https://login.example.com:443/oauth/token", "https://login.example.com/oauth/token"),
            ("http://127.0.0.1:80/oauth/token", "http://127.0.0.1/oauth/token"),
            ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
            ("http://[::1]:8080/a", "http://[0:0:0:0:0:0:0:1]:8080/a"),
            ("https://login.example.com/oauth/token?a=b#c", "https://login.example.com/oauth/token"),
            ("https://login.example.com/oauth/token", "https://login.example.com/oauth/token?a=b"),
            ("https://login.example.com", "https://login.example.com/"),
            ("https://login.example.com/%7Eann/%61", "https://login.example.com/~ann/a"),
            ("https://login.example.com/a%2fb", "https://login.example.com/a%2Fb"),
            ("https://login.example.com/a/../oauth/./token", "https://login.example.com/oauth/token"),
        ] {
            assert!(same(htu, address), "{htu} {address}");
        }
    }

    #[test]
    fn everything_else_is_another_address() {
        let long = format!("https://login.example.com/oauth/token?{}", "a".repeat(MAX_ADDRESS_LEN));
        for htu in [
            "",
            "/oauth/token",
            "//login.example.com/oauth/token",
            "login.example.com/oauth/token",
            "http://login.example.com/oauth/token",
            "https://login.example.com:8443/oauth/token",
            "https://login.example.com.evil.example/oauth/token",
            "https://login.example.com./oauth/token",
            "https://xn--login.example.com/oauth/token",
            "https://login.example.com/oauth/token/",
            "https://login.example.com/oauth//token",
            "https://login.example.com/OAuth/token",
            "https://login.example.com/oauth%2Ftoken",
            "https://login.example.com/oauth/par",
            "https://login.example.com@evil.example/oauth/token",
            "https://user@login.example.com/oauth/token",
            "https://user:password@login.example.com/oauth/token",
            "https:\\\\login.example.com\\oauth\\token",
            "https:login.example.com/oauth/token",
            "https:/login.example.com/oauth/token",
            "https:///login.example.com/oauth/token",
            "https://login.example.com/oauth/to\tken",
            " https://login.example.com/oauth/token",
            "https://login.example.com/oauth/token ",
            "https://login.ex\u{e4}mple.com/oauth/token",
            "https://login\u{ff0e}example.com/oauth/token",
            "ftp://login.example.com/oauth/token",
            "javascript:https://login.example.com/oauth/token",
            &long,
        ] {
            assert!(!same(htu, "https://login.example.com/oauth/token"), "{htu}");
        }
    }

    #[test]
    fn an_address_has_at_most_2048_bytes() {
        let filled = |length: usize| {
            let start = "https://a.example/b?";
            format!("{start}{}", "c".repeat(length - start.len()))
        };
        for (length, fits) in
            [(MAX_ADDRESS_LEN - 1, true), (MAX_ADDRESS_LEN, true), (MAX_ADDRESS_LEN + 1, false)]
        {
            assert_eq!(same(&filled(length), "https://a.example/b"), fits, "{length}");
        }
    }
}
