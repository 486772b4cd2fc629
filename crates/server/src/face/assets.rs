//! The files the pages load: the stylesheet, the scripts and the mark.
//!
//! They are part of the program. Each has the digest of its content in its name, so a browser may keep it for ever
//! (`Cache-Control: public, max-age=31536000, immutable`) and gets the new one the moment the program is upgraded.
//! Pages that are shown on other hosts load them from the public address; answer them with
//! `Cross-Origin-Resource-Policy: cross-origin`.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// The content.
    pub bytes: &'static [u8],
    /// For `Content-Type`.
    pub media_type: &'static str,
    /// For `ETag`: strong, with its quotes (RFC 9110, section 8.8.3).
    pub etag: String,
    /// The path it is served under, `/assets/<stem>.<first 12 hex digits of SHA-256>.<extension>`.
    pub path: String,
    name: &'static str,
}

/// The asset served under exactly this request path. A path with another digest is none: that page is older or newer
/// than this program.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The path of the asset with this plain name (`style.css`, `gateward.js`, `mark.svg` and so on).
pub fn href(name: &str) -> Option<&'static str> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.path.as_str())
}

static ASSETS: LazyLock<[Asset; 6]> = LazyLock::new(|| {
    [
        asset("style", "css", "style.css", include_bytes!("assets/style.css"), "text/css; charset=utf-8"),
        asset(
            "gateward",
            "js",
            "gateward.js",
            include_bytes!("assets/gateward.js"),
            "text/javascript; charset=utf-8",
        ),
        asset(
            "signed-out",
            "js",
            "signed-out.js",
            include_bytes!("assets/signed-out.js"),
            "text/javascript; charset=utf-8",
        ),
        asset(
            "form-post",
            "js",
            "form-post.js",
            include_bytes!("assets/form-post.js"),
            "text/javascript; charset=utf-8",
        ),
        asset(
            "check-session",
            "js",
            "check-session.js",
            include_bytes!("assets/check-session.js"),
            "text/javascript; charset=utf-8",
        ),
        asset("mark", "svg", "mark.svg", include_bytes!("assets/mark.svg"), "image/svg+xml"),
    ]
});

fn asset(
    stem: &str,
    extension: &str,
    name: &'static str,
    bytes: &'static [u8],
    media_type: &'static str,
) -> Asset {
    let hash = HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
    let short = hash.get(..12).unwrap_or(&hash);
    Asset {
        bytes,
        media_type,
        etag: format!("\"{short}\""),
        path: format!("/assets/{stem}.{short}.{extension}"),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_under_its_own_path_only() {
        for name in
            ["style.css", "gateward.js", "signed-out.js", "form-post.js", "check-session.js", "mark.svg"]
        {
            let path = href(name).unwrap();
            let asset = find(path).unwrap();
            assert_eq!(asset.path, path);
            assert!(!asset.bytes.is_empty());
            assert!(find(&path[1..]).is_none());
            assert!(find(&format!("{path}/")).is_none());
            assert!(find(&format!("/assets/{name}")).is_none());
        }
        assert!(href("other.css").is_none());
        assert!(find("/assets/../style.css").is_none());
    }

    #[test]
    fn the_name_carries_the_digest_of_the_content() {
        let of_nothing = asset("style", "css", "style.css", b"", "text/css");
        assert_eq!(of_nothing.path, "/assets/style.e3b0c44298fc.css");
        assert_eq!(of_nothing.etag, "\"e3b0c44298fc\"");
        assert_eq!(href("style.css"), href("style.css"));
        assert_ne!(asset("style", "css", "style.css", b" ", "text/css").path, of_nothing.path);
    }

    #[test]
    fn assets_load_nothing_from_elsewhere() {
        for asset in ASSETS.iter() {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http:", "https:", "@import", "data:", "eval(", "innerHTML"] {
                assert!(!text.contains(foreign), "{} holds {foreign}", asset.name);
            }
        }
    }
}
