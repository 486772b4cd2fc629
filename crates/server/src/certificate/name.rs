//! Distinguished names: the subject of a certificate, and the text a client has registered (RFC 4514), compared as
//! RFC 4517 §4.2.15 wants it.

use data_encoding::HEXLOWER_PERMISSIVE;
use unicode_normalization::UnicodeNormalization;
use x509_parser::asn1_rs::{Any, FromDer, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The longest name that is read from text, in bytes.
pub const MAX_NAME_LEN: usize = 2048;

/// The attribute types that have a name: those of RFC 4514 §3, and those that certificate authorities write besides.
const TYPES: [(&str, &str); 27] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("surname", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("givenName", "2.5.4.42"),
    ("title", "2.5.4.12"),
    ("T", "2.5.4.12"),
    ("serialNumber", "2.5.4.5"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("dnQualifier", "2.5.4.46"),
    ("organizationIdentifier", "2.5.4.97"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("EMAIL", "1.2.840.113549.1.9.1"),
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3"),
    ("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2"),
    ("jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1"),
];

/// A text is no distinguished name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is no distinguished name as RFC 4514 writes it, such as CN=client,O=Example,C=DE")]
pub struct NotADistinguishedName;

/// A distinguished name in a form in which equal ones are equal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DistinguishedName(Vec<Vec<Attribute>>);

/// A part of a name. Several at one place of it are in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Attribute {
    /// The object identifier, in numbers and dots.
    kind: String,
    value: Content,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Content {
    /// Text as it is compared: without case, compatible characters made one, blanks made one (RFC 4518 §2).
    Text(String),
    /// Anything else: its ASN.1 tag and bytes.
    Bytes(u32, Vec<u8>),
}

impl DistinguishedName {
    /// That of a certificate.
    pub(super) fn of(name: &X509Name<'_>) -> Self {
        let attribute = |one: &AttributeTypeAndValue<'_>| Attribute {
            kind: one.attr_type().to_id_string(),
            value: Content::of(one.attr_value()),
        };
        DistinguishedName::ordered(
            name.iter_rdn().map(|place| place.iter().map(attribute).collect()).collect(),
        )
    }

    /// Reads the text form (RFC 4514 §3), as a client registers it: the last place first, escapes with `\`, `#` before
    /// hexadecimal DER. Blanks around `,`, `+` and `=` are passed over, as older texts have them.
    pub fn read(text: &str) -> Result<Self, NotADistinguishedName> {
        if text.len() > MAX_NAME_LEN {
            return Err(NotADistinguishedName);
        }
        let mut places = Vec::new();
        let mut rest = text;
        loop {
            let mut place = Vec::new();
            let end = loop {
                let (attribute, end, after) = attribute(rest)?;
                place.push(attribute);
                rest = after;
                if end != Some('+') {
                    break end;
                }
            };
            places.push(place);
            if end.is_none() {
                places.reverse();
                return Ok(DistinguishedName::ordered(places));
            }
        }
    }

    fn ordered(mut places: Vec<Vec<Attribute>>) -> Self {
        places.iter_mut().for_each(|place| place.sort());
        DistinguishedName(places)
    }

    /// Whether it has no parts: such a one names nobody.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Content {
    fn of(value: &Any<'_>) -> Self {
        let text = match value.tag() {
            Tag::Utf8String
            | Tag::PrintableString
            | Tag::Ia5String
            | Tag::NumericString
            | Tag::VisibleString => std::str::from_utf8(value.data).ok().map(str::to_owned),
            Tag::BmpString => from_utf16(value.data),
            _ => None,
        };
        text.map_or_else(|| Content::Bytes(value.tag().0, value.data.to_vec()), |text| Content::text(&text))
    }

    fn text(text: &str) -> Self {
        let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
        Content::Text(folded.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn from_utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

/// One `type=value`, what ends it (`,` or `+`), and what follows.
fn attribute(text: &str) -> Result<(Attribute, Option<char>, &str), NotADistinguishedName> {
    let (kind, rest) = text.split_once('=').ok_or(NotADistinguishedName)?;
    let kind = kind_of(kind.trim_matches(' ')).ok_or(NotADistinguishedName)?;
    let rest = rest.trim_start_matches(' ');
    let (value, end, rest) = match rest.strip_prefix('#') {
        Some(digits) => {
            let length = digits.find([',', '+']).unwrap_or(digits.len());
            let (digits, rest) = digits.split_at_checked(length).ok_or(NotADistinguishedName)?;
            (
                hexadecimal(digits.trim_end_matches(' '))?,
                rest.chars().next(),
                rest.get(1..).unwrap_or_default(),
            )
        }
        None => {
            let (text, end, rest) = escaped(rest)?;
            (Content::text(&text), end, rest)
        }
    };
    Ok((Attribute { kind, value }, end, rest))
}

/// A name of the table, in any case, or numbers with dots between them.
fn kind_of(text: &str) -> Option<String> {
    if let Some((_, kind)) = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some((*kind).to_owned());
    }
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    (text.contains('.') && text.split('.').all(is_number)).then(|| text.to_owned())
}

fn hexadecimal(digits: &str) -> Result<Content, NotADistinguishedName> {
    let document = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| NotADistinguishedName)?;
    match Any::from_der(&document) {
        Ok(([], value)) => Ok(Content::of(&value)),
        _ => Err(NotADistinguishedName),
    }
}

/// A value in text form up to its end, without escapes and without blanks around it.
fn escaped(text: &str) -> Result<(String, Option<char>, &str), NotADistinguishedName> {
    let mut bytes = Vec::new();
    // How much of it stays when the blanks behind it go.
    let mut kept = 0;
    let mut rest = text.chars();
    let end = loop {
        match rest.next() {
            None => break None,
            Some(end @ (',' | '+')) => break Some(end),
            Some('"' | ';' | '<' | '>' | '\0') => return Err(NotADistinguishedName),
            Some('\\') => {
                bytes.push(escape(&mut rest)?);
                kept = bytes.len();
            }
            Some(' ') => bytes.push(b' '),
            Some(other) => {
                bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                kept = bytes.len();
            }
        }
    };
    bytes.truncate(kept);
    match String::from_utf8(bytes) {
        Ok(value) if !value.is_empty() => Ok((value, end, rest.as_str())),
        _ => Err(NotADistinguishedName),
    }
}

/// What follows a `\`: a special character, or two hexadecimal digits.
fn escape(rest: &mut std::str::Chars<'_>) -> Result<u8, NotADistinguishedName> {
    let first = rest.next().ok_or(NotADistinguishedName)?;
    if let (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\', Ok(byte)) =
        (first, u8::try_from(first))
    {
        return Ok(byte);
    }
    let high = first.to_digit(16).ok_or(NotADistinguishedName)?;
    let low = rest.next().and_then(|low| low.to_digit(16)).ok_or(NotADistinguishedName)?;
    u8::try_from(high << 4 | low).map_err(|_| NotADistinguishedName)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> DistinguishedName {
        DistinguishedName::read(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (one, other) in [
            ("CN=a,O=b", "cn=a,o=b"),
            ("CN=a,O=b", "CN=a, O=b"),
            ("CN=a,O=b", "2.5.4.3 = a , 2.5.4.10 = b"),
            ("CN=Steve Kille,O=Isode Limited", "CN=steve  kille,O=ISODE LIMITED"),
            ("CN=a+OU=b,O=c", "OU=b+CN=a,O=c"),
            ("CN=L. Eagle,O=Sue\\, Grabbit and Runn,C=GB", "CN=L. Eagle,O=Sue\\2c Grabbit and Runn,C=GB"),
            ("CN=Lu\\C4\\8Di\\C4\\87", "CN=Lu\u{10d}i\u{107}"),
            ("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869 "),
            ("CN=ab", "CN=#0c026162"),
            ("CN=ab", "CN=#1e0400610062"),
            ("CN=\\ a\\ ", "CN=a"),
            ("CN=a=b", "CN=a\\=b"),
            ("emailAddress=a@b.example", "E=A@B.example"),
        ] {
            assert_eq!(read(one), read(other), "{one} {other}");
        }
    }

    #[test]
    fn other_names_are_not_equal() {
        for (one, other) in [
            ("CN=a,O=b", "O=b,CN=a"),
            ("CN=a,O=b", "CN=a"),
            ("CN=a,O=b", "CN=a+O=b"),
            ("CN=a,O=b", "CN=a\\,O\\=b"),
            ("CN=a", "OU=a"),
            ("CN=a", "CN=aa"),
            ("CN=a", "CN=a\\00"),
            ("CN=a b", "CN=ab"),
            ("CN=*", "CN=a"),
            ("CN=ab", "CN=#04026162"),
            ("CN=a,CN=a", "CN=a"),
        ] {
            assert_ne!(read(one), read(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("CN={}", "a".repeat(MAX_NAME_LEN));
        for text in [
            "",
            " ",
            "CN",
            "CN=",
            "=a",
            "CN=a,",
            ",CN=a",
            "CN=a,,O=b",
            "CN=a+",
            "CN=a+,O=b",
            "XX=a",
            "2=a",
            "2.=a",
            "2..5=a",
            "02.5=a",
            "CN=\"a\"",
            "CN=a;O=b",
            "CN=<a>",
            "CN=a\\",
            "CN=a\\x",
            "CN=a\\4",
            "CN=a\\4g",
            "CN=\\ff",
            "CN=#",
            "CN=#4",
            "CN=#zz",
            "CN=#0c0261",
            "CN=#0c01616",
            "CN=#0c016161",
            "CN= ",
            "CN=a\0",
            "CN\u{a0}=a",
            "/CN=a/O=b",
            &long,
        ] {
            assert_eq!(DistinguishedName::read(text), Err(NotADistinguishedName), "{text}");
        }
        assert!(DistinguishedName::read(&long[..MAX_NAME_LEN]).is_ok());
    }
}
