//! The papers stay true: what they name is there, and their links lead somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files below a folder with this ending.
fn files(below: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && path != root().join("target") {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// What stands between backquotes, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The file of this name in one of these folders.
fn file(name: &str, folders: &[&str]) -> PathBuf {
    let mut paths = folders.iter().map(|folder| root().join(folder).join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| panic!("there is no file {name}"))
}

/// Where a function begins.
fn function(code: &str, name: &str) -> Option<usize> {
    code.find(&format!("fn {name}(")).or_else(|| code.find(&format!("fn {name}<")))
}

/// The code that a cell of a table names, each with its function, where it has one.
fn code_of<'a>(cell: &'a str, folder: &str) -> Vec<(&'a str, String, Option<&'a str>)> {
    let mut all = Vec::new();
    for word in quoted(cell) {
        let (name, function) = word.split_once(':').map_or((word, None), |(name, of)| (name, Some(of)));
        if [".rs", ".html", ".js"].iter().any(|ending| name.ends_with(ending)) {
            let folder = if name.starts_with("crates/") { "" } else { folder };
            all.push((word, fs::read_to_string(file(name, &[folder])).unwrap(), function));
        }
    }
    all
}

#[test]
fn architecture_names_only_what_is_there() {
    let paper = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut sources = Vec::new();
    for folder in ["crates", "xtask"] {
        files(&root().join(folder), ".rs", &mut sources);
    }
    let code: String = sources.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let (mut paths, mut tests) = (0, 0);
    for word in quoted(&paper) {
        if word.ends_with(".rs") && word.contains('/') {
            paths += 1;
            file(word, &["crates", ""]);
        } else if word.matches('_').count() > 1
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
        {
            tests += 1;
            assert!(function(&code, word).is_some(), "there is no test {word}");
        }
    }
    assert!(paths > 25 && tests > 30, "{paths} files, {tests} tests");
}

#[test]
fn conformance_names_only_what_is_there() {
    let paper = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let (mut rows, mut without) = (0, 0);
    let (tables, _runs) = paper.split_once("\n## Runs").unwrap();
    for line in tables.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, standard, code, test] = cells[..] else { continue };
        if !line.starts_with("| ") || code == "code" {
            continue;
        }
        rows += 1;
        assert!(!standard.is_empty(), "{line}");
        let places = code_of(code, "crates/server/src/oauth");
        assert!(!places.is_empty(), "{line}");
        for (word, source, of) in places {
            assert!(of.is_none_or(|of| function(&source, of).is_some()), "there is no {word}");
        }
        let tests = code_of(test, "crates/server/tests/http/oauth");
        if tests.is_empty() {
            without += 1;
            assert!(test.starts_with("no test") || test.starts_with("not met"), "{line}");
        }
        for (word, source, of) in tests {
            let start = of.and_then(|of| function(&source, of));
            let before = &source[..start.unwrap_or_else(|| panic!("there is no test {word}"))];
            let head = before.rsplit("\n\n").next().unwrap();
            assert!(head.contains("#[test]") || head.contains("#[tokio::test"), "{word} is no test");
        }
    }
    assert!(rows > 150 && without < rows / 3, "{rows} rows, {without} of them without a test");
}

#[test]
fn conformance_names_only_ids_and_settings_that_are_there() {
    let paper = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let settings = fs::read_to_string(root().join("docs/config.md")).unwrap();
    for word in quoted(&paper) {
        if ["oauth.", "outbound.", "tls."].iter().any(|section| word.starts_with(section)) {
            assert!(settings.contains(&format!("`{word}`")), "there is no setting {word}");
        }
    }
    let mut section = "";
    for line in paper.split_once("```toml").unwrap().1.split("```").next().unwrap().lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, _)) = line.split_once(" = ") {
            let dot = if section.is_empty() { "" } else { "." };
            assert!(
                settings.contains(&format!("`{section}{dot}{name}`")),
                "there is no setting {section}{dot}{name}"
            );
        }
    }
    let mut pages = Vec::new();
    files(&root().join("crates/server/src"), ".html", &mut pages);
    let pages: String = pages.iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    let rows = paper.split_once("| page | ids |").unwrap().1.split("\n\n").next().unwrap();
    let ids: Vec<&str> = rows.lines().filter_map(|row| row.rsplit(" | ").next()).flat_map(quoted).collect();
    assert!(ids.len() > 10);
    for id in ids {
        assert!(pages.contains(&format!("id=\"{id}\"")), "no page has the id {id}");
    }
}

#[test]
fn links_lead_to_files() {
    let mut papers = Vec::new();
    files(&root(), ".md", &mut papers);
    assert!(papers.len() > 15);
    for paper in papers {
        let text = fs::read_to_string(&paper).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            // The chart is drawn by the benchmark.
            let elsewhere = file.contains("://") || file.is_empty() || file.ends_with(".svg");
            assert!(elsewhere || paper.parent().unwrap().join(file).exists(), "{}: {link}", paper.display());
        }
    }
}
