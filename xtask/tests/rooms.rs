//! The rooms stay apart: which crate may import what (ARCHITECTURE.md), read from the manifests and the sources.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names under `[dependencies]` of a crate.
fn dependencies(of: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("crates").join(of).join("Cargo.toml")).unwrap();
    let section =
        manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap().to_owned();
    let names = section.lines().skip(1).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_kernel_does_no_io_and_knows_no_runtime() {
    let found = dependencies("kernel");
    for foreign in ["tokio", "axum", "hyper", "http", "tower", "rusqlite", "tracing"] {
        assert!(!found.iter().any(|name| name == foreign), "the kernel imports {foreign}");
    }
    assert!(!found.iter().any(|name| name.starts_with("gateward")), "the kernel imports no other room");
    let mut files = Vec::new();
    sources(&root().join("crates/kernel/src"), &mut files);
    assert!(files.len() > 15);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // The traits `Read` and `Write` are no I/O: what is packed and encoded in memory goes through them.
        for io in ["std::fs", "io::std", "std::env", "std::process", "std::net::Tcp", "SystemTime", "Instant"]
        {
            assert!(!text.contains(io), "{} uses {io}", file.display());
        }
    }
}

#[test]
fn the_store_knows_no_http_and_the_guard_no_database() {
    let (store, guard) = (dependencies("store"), dependencies("guard"));
    for foreign in ["axum", "hyper", "http", "tower", "gateward-guard"] {
        assert!(!store.iter().any(|name| name == foreign), "the store imports {foreign}");
    }
    for foreign in ["rusqlite", "gateward-store"] {
        assert!(!guard.iter().any(|name| name == foreign), "the guard imports {foreign}");
    }
}

#[test]
fn axum_is_met_only_where_requests_come_in_and_answers_go_out() {
    let house = root().join("crates/server/src");
    let mut files = Vec::new();
    sources(&house, &mut files);
    for file in files {
        let inside = file.strip_prefix(&house).unwrap().to_str().unwrap().to_owned();
        let outer = ["face/", "serve", "routes.rs"].iter().any(|start| inside.starts_with(start))
            || inside.ends_with("web.rs")
            || inside == "forward/render.rs";
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(outer || !text.contains("axum::"), "{inside} uses axum");
    }
}

#[test]
fn the_clock_and_randomness_are_read_in_one_file() {
    let mut files = Vec::new();
    for room in ["kernel", "store", "guard", "server"] {
        sources(&root().join("crates").join(room).join("src"), &mut files);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let ambient = file.ends_with("guard/src/ambient.rs");
        for read in ["SystemTime::now", "Timestamp::now", "rand::fill", "getrandom::"] {
            assert!(ambient || !text.contains(read), "{} uses {read}", file.display());
        }
    }
}
