//! Where a browser may be sent back to: our own origin, or an application that is protected by us.

use url::{Host, Url};

/// The longest return address in bytes.
pub const MAX_RETURN_TO: usize = 2048;
/// The same of our own: a request of a client travels in it, sealed.
const MAX_OWN: usize = 8192;

/// An address that may be returned to, as it goes into `Location`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnTo {
    target: String,
    app: Option<String>,
}

impl ReturnTo {
    /// Reads `return_to`: a path on our own origin (`base`), or an absolute http(s) URL of our own origin or of a
    /// host that `is_app` knows (given as `host` or `host:port`). Anything else is nobody's: `None`.
    ///
    /// The text is parsed once by the rules that browsers follow (WHATWG URL), and what is returned is the parsed
    /// form, so that the browser cannot read it differently.
    pub fn read(text: &str, base: &Url, is_app: impl Fn(&str) -> bool) -> Option<Self> {
        let odd = |c: char| c.is_control() || c == '\\' || c.is_whitespace();
        let longest = if text.starts_with('/') { MAX_OWN } else { MAX_RETURN_TO };
        if text.is_empty() || text.len() > longest || text.chars().any(odd) {
            return None;
        }
        if text.starts_with('/') {
            let url = (!text.starts_with("//")).then(|| base.join(text).ok())??;
            return (url.origin() == base.origin()).then(|| ReturnTo { target: own_path(&url), app: None });
        }
        let url = Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return None;
        }
        if url.origin() == base.origin() {
            return Some(ReturnTo { target: own_path(&url), app: None });
        }
        // What signs in over https is not sent back in the clear.
        if base.scheme() == "https" && url.scheme() != "https" {
            return None;
        }
        let app = authority(&url)?;
        is_app(&app).then(|| ReturnTo { target: url.to_string(), app: Some(app) })
    }

    /// What goes into `Location`: a path for our own origin, an absolute URL for an application.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The application's host, if it is one.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }
}

fn own_path(url: &Url) -> String {
    let mut path = url.path().to_owned();
    // "/.//host" is normalised to "//host", which a browser would take for another site.
    while path.starts_with("//") {
        path.remove(0);
    }
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    path
}

/// `host`, or `host:port` where the port is not the scheme's own.
fn authority(url: &Url) -> Option<String> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        let base = Url::parse("https://login.example.com").unwrap();
        ReturnTo::read(text, &base, |host| host == "wiki.example.com" || host == "wiki.example.com:8443")
            .map(|to| to.target().to_owned())
    }

    #[test]
    fn own_paths_and_known_applications_are_fine() {
        for (text, target) in [
            ("/account", "/account"),
            ("/account?tab=1&x=%20", "/account?tab=1&x=%20"),
            ("https://login.example.com/account", "/account"),
            ("https://wiki.example.com/a/b?c=d#e", "https://wiki.example.com/a/b?c=d#e"),
            ("https://wiki.example.com:443/", "https://wiki.example.com/"),
            ("https://wiki.example.com:8443/", "https://wiki.example.com:8443/"),
            ("HTTPS://WIKI.example.com/", "https://wiki.example.com/"),
        ] {
            assert_eq!(read(text).as_deref(), Some(target), "{text}");
        }
    }

    #[test]
    fn everything_else_is_dropped() {
        for text in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "https://evil.example",
            "https://wiki.example.com.evil.example",
            "https://evil.example/wiki.example.com",
            "https://wiki.example.com@evil.example/",
            "https://ann:pw@wiki.example.com/",
            "http://wiki.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://wiki.example.com:9/",
            "/a\nb",
            " /account",
            "https://wiki.example.com\\@evil.example",
            "\t//evil.example",
            "ftp://wiki.example.com/",
            "https://",
            "/\t/evil.example",
            "https://wiki.example.com./",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for (start, longest) in [("/", MAX_OWN), ("https://wiki.example.com/", MAX_RETURN_TO)] {
            let text = |length: usize| format!("{start}{}", "a".repeat(length - start.len()));
            assert!(read(&text(longest)).is_some() && read(&text(longest + 1)).is_none(), "{start}");
        }
        assert_eq!(read("/.//evil.example").as_deref(), Some("/evil.example"));
        assert_eq!(read("/..//evil.example").as_deref(), Some("/evil.example"));
    }

    proptest! {
        /// Whatever is read, a browser that resolves the target stays on our origin or goes to a known application.
        #[test]
        fn a_target_never_leaves(text in "[/.\\\\:@a-z?#%0-9]{0,40}|https?://[a-z.:@/\\\\]{0,40}|//?[!-~]{0,40}") {
            let base = Url::parse("https://login.example.com").unwrap();
            if let Some(target) = read(&text) {
                let resolved = base.join(&target).unwrap();
                let host = resolved.host_str().unwrap().to_owned();
                prop_assert!(host == "login.example.com" || host == "wiki.example.com", "{text} -> {target}");
            }
        }
    }
}
