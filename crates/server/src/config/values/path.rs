//! Paths of the rules of protected apps, and paths of files.

use std::fmt;
use std::path::PathBuf;

use crate::config::definition::Scalar;

/// The path of a rule: `/x` means exactly that, `/x/*` means `/x` and everything below it, `/*` means every
/// path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// Without the star and the slash before it; empty for `/*`.
    path: String,
    below: bool,
}

impl PathPattern {
    /// Whether this normalised path is meant.
    pub fn matches(&self, path: &str) -> bool {
        if !self.below {
            return path == self.path;
        }
        path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Scalar for PathPattern {
    const KIND: &'static str = "a path";

    fn allowed() -> String {
        "\"/x\" for one path, \"/x/*\" for it and everything below, \"/*\" for every path".to_owned()
    }

    fn brief() -> String {
        "path".to_owned()
    }

    fn parse(text: &str) -> Result<PathPattern, String> {
        let (path, below) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text, false),
        };
        if !(below && path.is_empty()) {
            normalised(path)?;
        }
        if path.contains('*') {
            return Err("has a star that is not the whole last part".to_owned());
        }
        if below && path.ends_with('/') {
            return Err("has an empty part (//)".to_owned());
        }
        Ok(PathPattern { path: path.to_owned(), below })
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.path, if self.below { "/*" } else { "" })
    }
}

/// A path that every server reads the same: what one of them decodes, joins or cuts off is refused, since a
/// rule for it would guard something else than its author thinks.
pub(super) fn normalised(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err("does not begin with a slash".to_owned());
    }
    if path.contains("//") {
        return Err("has an empty part (//)".to_owned());
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Err("has a part . or ..".to_owned());
    }
    let forbidden = |one: char| "%\\;?#".contains(one) || !one.is_ascii_graphic();
    match path.chars().find(|one| forbidden(*one)) {
        Some(one) => Err(format!("has {one:?} in it")),
        None => Ok(()),
    }
}

impl Scalar for PathBuf {
    const KIND: &'static str = "a path of a file";

    fn allowed() -> String {
        "a path; one that is not absolute counts from the working directory".to_owned()
    }

    fn brief() -> String {
        "path".to_owned()
    }

    fn parse(text: &str) -> Result<PathBuf, String> {
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        if text.contains('\0') {
            return Err("has a zero byte in it".to_owned());
        }
        Ok(PathBuf::from(text))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_path_or_everything_below() {
        let cases = [
            ("/x", "/x", true),
            ("/x", "/x/", false),
            ("/x", "/x/y", false),
            ("/x/*", "/x", true),
            ("/x/*", "/x/", true),
            ("/x/*", "/x/y/z", true),
            ("/x/*", "/xy", false),
            ("/*", "/", true),
            ("/*", "/x/y", true),
            ("/", "/", true),
            ("/", "/x", false),
        ];
        for (pattern, path, expected) in cases {
            let parsed = PathPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(path), expected, "{pattern} {path}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_path_that_servers_read_differently_is_refused() {
        let cases = [
            ("", "does not begin with a slash"),
            ("*", "does not begin with a slash"),
            ("x/*", "does not begin with a slash"),
            ("/a//b", "has an empty part (//)"),
            ("//*", "has an empty part (//)"),
            ("/a/../b", "has a part . or .."),
            ("/a/..", "has a part . or .."),
            ("/./*", "has a part . or .."),
            ("/a%2fb", "has '%' in it"),
            ("/a\\b", "has '\\\\' in it"),
            ("/a;b", "has ';' in it"),
            ("/a?b", "has '?' in it"),
            ("/a#b", "has '#' in it"),
            ("/a b", "has ' ' in it"),
            ("/ä", "has 'ä' in it"),
            ("/a*", "has a star that is not the whole last part"),
            ("/*/a", "has a star that is not the whole last part"),
            ("/*/*", "has a star that is not the whole last part"),
        ];
        for (text, reason) in cases {
            assert_eq!(PathPattern::parse(text).unwrap_err(), reason, "{text:?}");
        }
        assert!(PathPattern::parse("/a..b/...").is_ok());
    }
}
