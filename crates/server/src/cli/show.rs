//! Printing answers: aligned text for people, JSON for programs.

use serde_json::Value;

/// How answers are printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    /// As JSON.
    pub(super) json: bool,
}

impl Show {
    /// Prints JSON, over several lines.
    pub(super) fn json(self, value: &Value) {
        println!("{value:#}");
    }

    /// Prints JSON on one line.
    pub(super) fn line(self, value: &Value) {
        println!("{value}");
    }

    /// Prints one thing: JSON, or a sentence.
    pub(super) fn one(self, value: &Value, words: &str) {
        match self.json {
            true => self.json(value),
            false => println!("{words}"),
        }
    }

    /// Prints rows under headings, or the JSON they were made from.
    pub(super) fn table(self, value: &Value, headings: &[&str], rows: &[Vec<String>]) {
        if self.json {
            return self.json(value);
        }
        let heading: Vec<String> = headings.iter().map(ToString::to_string).collect();
        let widths: Vec<usize> = (0..headings.len())
            .map(|column| {
                let cells = rows.iter().chain([&heading]).filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in [&heading].into_iter().chain(rows) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", plain(cell)));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// Without what could steer a terminal.
fn plain(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
