//! Forms and query strings: read once, strictly. A parameter that is there twice is refused, never guessed.

use gateward_kernel::refusal::Refusal;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The most parameters that are read.
const MOST: usize = 64;

/// Parameters that may be there several times: `resource` (RFC 8707 §2) and `audience` (RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a body is said to be of this type, exactly once, with whatever parameters. Its letters count in either case (RFC 9110 §8.3.1).
pub fn is_of_type(headers: &HeaderMap, kind: &str) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(said), None) = (all.next(), all.next()) else { return false };
    let said = said.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    said.trim().eq_ignore_ascii_case(kind)
}

/// The decoded parameters of a form or a query string, each name once.
#[derive(Clone, Default)]
pub struct Form(Vec<(String, String)>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be passwords.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` (WHATWG URL §5.1), strictly.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(at).unwrap_or((pair, &[]));
            let (name, value) = (decode(name)?, decode(value.get(1..).unwrap_or_default())?);
            if pairs.iter().any(|(other, _)| *other == name) && !REPEATABLE.contains(&&*name) {
                return Err(Refusal::Malformed(format!("The parameter {:?} is there twice.", shown(&name))));
            }
            if pairs.len() == MOST {
                return Err(Refusal::Malformed(format!("There are more than {MOST} parameters.")));
            }
            pairs.push((name, value));
        }
        Ok(Form(pairs))
    }

    /// Parameters that stood somewhere else, where each name was there once.
    pub const fn of(pairs: Vec<(String, String)>) -> Self {
        Form(pairs)
    }

    /// The value of a parameter, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be there several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Every parameter, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a parameter; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Decodes one name or value of a form.
pub fn decode(text: &[u8]) -> Result<String, Refusal> {
    let not_text = || Refusal::Malformed("A parameter is not valid UTF-8.".into());
    // A token is long, and there is nothing in it to decode.
    if !text.contains(&b'%') && !text.contains(&b'+') {
        return std::str::from_utf8(text).map(str::to_owned).map_err(|_| not_text());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits =
                    [rest.next().copied().unwrap_or_default(), rest.next().copied().unwrap_or_default()];
                data_encoding::HEXLOWER_PERMISSIVE
                    .decode(&digits)
                    .ok()
                    .and_then(|decoded| decoded.first().copied())
                    .ok_or_else(|| {
                        Refusal::Malformed("A percent sign is not followed by two hexadecimal digits.".into())
                    })?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| not_text())
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_once_and_strictly() {
        let form = Form::read(b"a=1&b=x+y%2B%c3%A9&c=&d&&e=1=2").unwrap();
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), Some("x y+é"));
        assert_eq!((form.get("c"), form.get("d"), form.get("z")), (Some(""), Some(""), None));
        assert_eq!(form.get("e"), Some("1=2"));
        assert_eq!(format!("{:?}", Form::read(b"password=x").unwrap()), r#"["password"]"#);
    }

    #[test]
    fn only_resources_may_be_there_several_times() {
        let form = Form::read(b"resource=a&x=1&resource=b&audience=c&audience=d").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.all("audience").count(), 2);
        assert!(Form::read(b"scope=a&scope=b").is_err());
    }

    #[test]
    fn odd_input_is_refused_precisely() {
        let refused = |text: &[u8]| Form::read(text).unwrap_err().detail().unwrap();
        assert_eq!(refused(b"a=1&%61=2"), "The parameter \"a\" is there twice.");
        for odd in [&b"a=%ff"[..], b"a=\xff", b"\xff=a"] {
            assert_eq!(refused(odd), "A parameter is not valid UTF-8.");
        }
        for odd in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%"] {
            assert_eq!(refused(odd), "A percent sign is not followed by two hexadecimal digits.");
        }
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1&")).collect::<String>();
        assert!(Form::read(many(64).as_bytes()).is_ok());
        assert_eq!(refused(many(65).as_bytes()), "There are more than 64 parameters.");
    }
}
