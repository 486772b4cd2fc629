//! A value as somebody wrote it, before it has a type: from the TOML of the settings file, or as the bare
//! text of an environment variable or a flag.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A raw value and, for the settings file, the line (from 1) it starts on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) what: What,
    pub(super) line: Option<usize>,
}

/// The shapes of raw values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// Text outside of TOML: the whole value of an environment variable or flag, or a piece of a comma list.
    Bare(String),
    /// A TOML string.
    Quoted(String),
    /// A TOML whole number, in decimal.
    Number(String),
    /// A TOML boolean.
    Truth(bool),
    /// A TOML float or date, which no setting takes.
    Other(String),
    /// A TOML array.
    List(Vec<Given>),
    /// A TOML table, in the order of the file.
    Table(Vec<Entry>),
}

/// One `key = value` of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: Option<usize>,
    pub(super) value: Given,
}

/// A mistake in the grammar of TOML, and its line.
#[derive(Debug, PartialEq)]
pub(super) struct SyntaxError {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl Given {
    /// Text from outside of TOML.
    pub(super) fn bare(text: impl Into<String>) -> Given {
        Given { what: What::Bare(text.into()), line: None }
    }

    /// The value as an error repeats it.
    pub(super) fn text(&self) -> String {
        match &self.what {
            What::Bare(text) | What::Quoted(text) | What::Number(text) | What::Other(text) => text.clone(),
            What::Truth(truth) => truth.to_string(),
            What::List(_) => "[…]".to_owned(),
            What::Table(_) => "{…}".to_owned(),
        }
    }
}

/// Reads a whole TOML document; every grammar mistake is reported, each with its line.
pub(super) fn document(text: &str) -> Result<Vec<Entry>, Vec<SyntaxError>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(entries(document.get_ref(), text));
    }
    let mut found: Vec<SyntaxError> = Vec::new();
    for error in errors {
        let line = error.span().map(|span| line_at(text, span.start));
        // After one mistake the recovering parser often trips again on the same line; the first says it best.
        if found.iter().all(|earlier| earlier.line != line) {
            found.push(SyntaxError { line, message: error.message().to_owned() });
        }
    }
    found.sort_by_key(|error| error.line);
    Err(found)
}

/// Reads one TOML value that stands alone, as in `GATEWARD_APP=[{ host = "…" }]`. It has no lines.
pub(super) fn inline(text: &str) -> Result<Given, String> {
    match DeValue::parse(text) {
        Ok(value) => Ok(without_lines(given(&value, text))),
        Err(error) => Err(error.message().to_owned()),
    }
}

fn entries(table: &DeTable<'_>, text: &str) -> Vec<Entry> {
    let mut all: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let entry = Entry {
                key: key.get_ref().to_string(),
                line: Some(line_at(text, start)),
                value: given(value, text),
            };
            (start, entry)
        })
        .collect();
    all.sort_by_key(|(start, _)| *start);
    all.into_iter().map(|(_, entry)| entry).collect()
}

fn given(value: &Spanned<DeValue<'_>>, text: &str) -> Given {
    let what = match value.get_ref() {
        DeValue::String(string) => What::Quoted(string.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => What::Number(number.to_string()),
            Err(_) => What::Other(number.as_str().to_owned()),
        },
        DeValue::Float(number) => What::Other(number.as_str().to_owned()),
        DeValue::Boolean(truth) => What::Truth(*truth),
        DeValue::Datetime(moment) => What::Other(moment.to_string()),
        DeValue::Array(items) => What::List(items.iter().map(|item| given(item, text)).collect()),
        DeValue::Table(table) => What::Table(entries(table, text)),
    };
    Given { what, line: Some(line_at(text, value.span().start)) }
}

fn without_lines(given: Given) -> Given {
    let what = match given.what {
        What::List(items) => What::List(items.into_iter().map(without_lines).collect()),
        What::Table(entries) => What::Table(
            entries
                .into_iter()
                .map(|entry| Entry { key: entry.key, line: None, value: without_lines(entry.value) })
                .collect(),
        ),
        other => other,
    };
    Given { what, line: None }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_its_order_and_its_lines() {
        let read = document("b = 1\n# note\na = [\n  'x',\n  'y',\n]\n\n[[t]]\nk = true\n").unwrap();
        let lines: Vec<_> = read.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(lines, [("b", Some(1)), ("a", Some(3)), ("t", Some(8))]);
        let What::List(items) = &read[1].value.what else { panic!("a list was written") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [Some(4), Some(5)]);
    }

    #[test]
    fn every_grammar_mistake_is_found_with_its_line() {
        let errors = document("a = 1\nb = = 2\nc = 3\nd = 'x\na = 4\n").unwrap_err();
        let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
        assert!(lines.contains(&Some(2)) && lines.contains(&Some(4)), "{errors:?}");
    }

    #[test]
    fn numbers_of_any_radix_are_kept_in_decimal_and_the_rest_is_named() {
        let read = document("a = 0x10\nb = 1_000\nc = 1.5\nd = 99999999999999999999\n").unwrap();
        let texts: Vec<_> = read.iter().map(|entry| entry.value.text()).collect();
        assert_eq!(texts, ["16", "1000", "1.5", "99999999999999999999"]);
    }

    #[test]
    fn an_inline_value_stands_alone() {
        let read = inline("[{ host = 'a' }]").unwrap();
        assert!(matches!(&read.what, What::List(items) if items.len() == 1));
        assert!(inline("[{ host = 'a' }").is_err());
        assert!(inline("[] x").is_err());
    }
}
