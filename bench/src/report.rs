//! What a scenario found out: on the terminal, and as JSON, Markdown and a chart in the results directory.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::chart::Chart;
use crate::process::Machine;
use crate::series::{Series, Spread};

#[derive(Serialize)]
pub(crate) struct Report {
    /// Name of the files.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) machine: Machine,
    /// How it was measured and what ran beside it, a sentence each.
    pub(crate) conditions: Vec<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) tables: Vec<Table>,
    #[serde(skip)]
    pub(crate) chart: Chart,
    pub(crate) series: Vec<Series>,
}

/// A promise of the design and what was measured.
#[derive(Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

#[derive(Serialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Target {
    pub(crate) fn at_least(what: &str, wanted: f64, measured: f64, unit: fn(f64) -> String) -> Self {
        let wanted_text = format!("≥ {}", unit(wanted));
        Self { what: what.to_owned(), wanted: wanted_text, measured: unit(measured), met: measured >= wanted }
    }

    pub(crate) fn at_most(what: &str, wanted: f64, measured: f64, unit: fn(f64) -> String) -> Self {
        let wanted_text = format!("≤ {}", unit(wanted));
        Self { what: what.to_owned(), wanted: wanted_text, measured: unit(measured), met: measured <= wanted }
    }
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The usual table of a load: one row a series.
    pub(crate) fn of_series<'a>(title: &str, series: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut table = Self::new(
            title,
            &[
                "measured",
                "per second",
                "per server-CPU-second",
                "server core",
                "load core",
                "others",
                "p50",
                "p99",
                "p99.9",
                "longest",
                "deferred",
                "errors",
            ],
        );
        for one in series {
            let latency = one.latency();
            let time = |micros: u64| if latency.total() == 0 { none() } else { millis(micros as f64) };
            let deferred: u64 = one.samples.iter().map(|sample| sample.deferred).sum();
            table.row([
                one.label.clone(),
                one.per_second().map_or_else(none, counts),
                one.per_cpu_second().map_or_else(none, counts),
                one.server_share().map_or_else(none, percent),
                one.load_share().map_or_else(none, percent),
                one.others_share().map_or_else(none, percent),
                time(latency.quantile(0.5)),
                time(latency.quantile(0.99)),
                time(latency.quantile(0.999)),
                time(latency.longest()),
                deferred.to_string(),
                one.errors().to_string(),
            ]);
        }
        table
    }

    /// One row a series of what one process did by itself.
    pub(crate) fn of_rates<'a>(title: &str, series: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut table = Self::new(title, &["measured", "per second", "per CPU-second", "of a core"]);
        for one in series {
            table.row([
                one.label.clone(),
                one.per_second().map_or_else(none, counts),
                one.per_cpu_second().map_or_else(none, counts),
                one.server_share().map_or_else(none, percent),
            ]);
        }
        table
    }
}

impl Report {
    pub(crate) fn errors(&self) -> u64 {
        self.series.iter().map(Series::errors).sum()
    }

    /// For a terminal and for a Markdown file alike: columns are padded.
    pub(crate) fn markdown(&self) -> String {
        let Machine { processor, cores, kernel } = &self.machine;
        let mut text = format!("# {}\n\n{processor}, {cores} core(s), Linux {kernel}.\n\n", self.title);
        for condition in &self.conditions {
            let _ = writeln!(text, "- {condition}");
        }
        if !self.targets.is_empty() {
            let mut table = Table::new("Targets", &["what", "target", "measured", ""]);
            for target in &self.targets {
                let verdict = if target.met { "met" } else { "missed" };
                table.row([
                    target.what.clone(),
                    target.wanted.clone(),
                    target.measured.clone(),
                    verdict.to_owned(),
                ]);
            }
            write_table(&mut text, &table);
        }
        for table in &self.tables {
            write_table(&mut text, table);
        }
        text
    }

    /// Writes the three files. A run with errors is no result and must not come here.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory).context("making the results directory")?;
        let file = |ending: &str| directory.join(format!("{}.{ending}", self.name));
        fs::write(file("json"), serde_json::to_string_pretty(self)? + "\n")?;
        fs::write(file("md"), self.markdown())?;
        fs::write(file("svg"), self.chart.svg())?;
        Ok(())
    }
}

fn write_table(text: &mut String, table: &Table) {
    let _ = write!(text, "\n## {}\n\n", table.title);
    let width = |index: usize| {
        let cells = std::iter::once(&table.columns).chain(&table.rows).filter_map(|row| row.get(index));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let line = |text: &mut String, row: &[String]| {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    };
    line(text, &table.columns);
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(text, &rules);
    for row in &table.rows {
        line(text, row);
    }
}

fn none() -> String {
    "–".to_owned()
}

/// `12,345`.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A median with its extremes.
pub(crate) fn counts(spread: Spread) -> String {
    format!("{} ({}…{})", count(spread.median), count(spread.lowest), count(spread.highest))
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(crate) fn percents(spread: Spread) -> String {
    format!("{} ({}…{})", percent(spread.median), percent(spread.lowest), percent(spread.highest))
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: f64) -> String {
    format!("{:.2} ms", micros / 1_000.0)
}

/// Kibibytes as mebibytes.
pub(crate) fn mebibytes(kibibytes: f64) -> String {
    format!("{:.1} MiB", kibibytes / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            [0.4, 999.0, 1_000.0, 12_345.6, 1_234_567.0].map(count),
            ["0", "999", "1,000", "12,346", "1,234,567"]
        );
        assert_eq!(percent(0.7012), "70.1 %");
        assert_eq!(millis(4_321.0), "4.32 ms");
        assert_eq!(mebibytes(25.0 * 1_024.0), "25.0 MiB");
    }

    #[test]
    fn targets_hold_at_their_limit() {
        assert!(Target::at_least("a", 0.7, 0.7, percent).met);
        assert!(!Target::at_least("a", 0.7, 0.699, percent).met);
        assert!(Target::at_most("b", 25.0, 25.0, mebibytes).met);
        assert!(!Target::at_most("b", 25.0, 25.1, mebibytes).met);
    }

    #[test]
    fn the_report_is_written_in_three_forms() {
        let mut table = Table::new("Numbers", &["a", "b"]);
        table.row(["one".to_owned(), "two".to_owned()]);
        let report = Report {
            name: "x".to_owned(),
            title: "X".to_owned(),
            machine: Machine { processor: "P".to_owned(), cores: 2, kernel: "6".to_owned() },
            conditions: vec!["Quiet.".to_owned()],
            targets: vec![Target::at_least("speed", 0.7, 0.8, percent)],
            tables: vec![table],
            chart: Chart::default(),
            series: vec![Series::new("s")],
        };
        let directory = tempfile::tempdir().unwrap();
        report.write(directory.path()).unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let markdown = read("x.md");
        assert!(
            markdown.contains("| one | two |") && markdown.contains("| speed | ≥ 70.0 % | 80.0 %"),
            "{markdown}"
        );
        let json: serde_json::Value = serde_json::from_str(&read("x.json")).unwrap();
        assert_eq!(json["targets"][0]["met"], true);
        assert!(read("x.svg").starts_with("<svg"));
    }
}
