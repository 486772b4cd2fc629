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
            let there = root().join("crates").join(word).is_file() || root().join(word).is_file();
            assert!(there, "there is no file {word}");
        } else if word.matches('_').count() > 1
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
        {
            tests += 1;
            assert!(code.contains(&format!("fn {word}(")), "there is no test {word}");
        }
    }
    assert!(paths > 25 && tests > 30, "{paths} files, {tests} tests");
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
