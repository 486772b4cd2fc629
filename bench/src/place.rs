//! Where another server is.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail};

/// An http address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Host and port as they were written.
    pub(crate) authority: String,
    pub(crate) address: SocketAddr,
    /// With its query.
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else { bail!("{url}: only http:// can be measured") };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let mut addresses = with_port.to_socket_addrs().with_context(|| format!("{url}: no such host"))?;
        let address = addresses.next().with_context(|| format!("{url}: no address"))?;
        Ok(Self { authority: authority.to_owned(), address, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let place = Place::parse("http://127.0.0.1:8081/check?a=b").unwrap();
        assert_eq!((place.authority.as_str(), place.path.as_str()), ("127.0.0.1:8081", "/check?a=b"));
        assert_eq!(place.address, ([127, 0, 0, 1], 8081).into());
        let place = Place::parse("http://127.0.0.1").unwrap();
        assert_eq!((place.address.port(), place.path.as_str()), (80, "/"));
        let place = Place::parse("http://[::1]:9/").unwrap();
        assert_eq!((place.address.port(), place.authority.as_str()), (9, "[::1]:9"));
        assert!(Place::parse("https://127.0.0.1").is_err());
        assert!(Place::parse("127.0.0.1:80").is_err());
    }
}
