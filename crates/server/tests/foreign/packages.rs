//! What `cargo xtask install` has brought or built of the libraries of others.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Something that `cargo xtask install` has brought or built. Without it the test fails and says what to do.
pub(crate) fn installed(path: &str) -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = tmp.parent().unwrap().join("foreign").join(path);
    assert!(path.exists(), "{} is not there: cargo xtask install", path.display());
    path
}

/// A copy of these programs below packages of Node, which are looked for from where a program is.
pub(crate) fn beside_node_packages(packages: &str, programs: &[PathBuf]) -> TempDir {
    let packages = installed(&format!("{packages}/node_modules"));
    let folder = TempDir::new_in(packages.parent().unwrap()).unwrap();
    for program in programs {
        std::fs::copy(program, folder.path().join(program.file_name().unwrap())).unwrap();
    }
    folder
}
