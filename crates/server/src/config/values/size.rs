//! Numbers of bytes: `65536`, `64KiB`, `19MiB`, `2GiB`.

use std::fmt;

use crate::config::definition::{Scalar, Written};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

impl Bytes {
    /// The number, as the files and wires count it.
    pub fn count(self) -> u64 {
        self.0
    }

    /// The number, as memory counts it. A number that does not fit (on a 32-bit machine) is the largest that
    /// does.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Scalar for Bytes {
    const KIND: &'static str = "a size";
    const WRITTEN: Written = Written::NumberOrQuoted;

    fn allowed() -> String {
        "a whole number of bytes, or one with KiB, MiB or GiB such as \"64KiB\"".to_owned()
    }

    fn brief() -> String {
        "size".to_owned()
    }

    fn parse(text: &str) -> Result<Bytes, String> {
        let found = UNITS.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
        let (number, factor) = found.unwrap_or((text, 1));
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("is not a size".to_owned());
        }
        let count = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        // TOML counts with 63 bits.
        let count = count.filter(|count| i64::try_from(*count).is_ok());
        count.map(Bytes).ok_or_else(|| "is too large".to_owned())
    }

    fn show(&self) -> toml::Value {
        match i64::try_from(self.0) {
            Ok(count) if unit_of(self.0).is_none() => toml::Value::Integer(count),
            _ => toml::Value::String(self.to_string()),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match unit_of(self.0) {
            Some((suffix, factor)) => write!(out, "{}{suffix}", self.0 / factor),
            None => write!(out, "{}", self.0),
        }
    }
}

fn unit_of(count: u64) -> Option<(&'static str, u64)> {
    UNITS.into_iter().rev().find(|(_, factor)| count != 0 && count.is_multiple_of(*factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_the_same() {
        for text in ["0", "1", "1000", "1KiB", "64KiB", "19MiB", "2GiB", "1025KiB"] {
            assert_eq!(Bytes::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Bytes::parse("65536").unwrap().to_string(), "64KiB");
        assert_eq!(Bytes::parse("19MiB").unwrap().count(), 19 * 1024 * 1024);
        assert_eq!(Scalar::show(&Bytes::parse("1000").unwrap()), toml::Value::Integer(1000));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "KiB", "64 KiB", "64KB", "64kib", "64K", "-1", "1.5MiB", "64KiBKiB"] {
            assert_eq!(Bytes::parse(text).unwrap_err(), "is not a size", "{text:?}");
        }
        for text in ["18446744073709551616", "99999999999GiB", "9223372036854775808"] {
            assert_eq!(Bytes::parse(text).unwrap_err(), "is too large", "{text:?}");
        }
    }
}
