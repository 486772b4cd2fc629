//! `gateward proxy …`

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::Done;
use super::show::Show;
use crate::config::Settings;
use crate::forward::snippet::{Proxy, Setup, print};

/// Prints the files one after the other, each under its name; or writes them into `out`.
pub(super) fn run(proxy: Proxy, out: Option<&Path>, settings: &Settings, show: Show) -> Done {
    let setup = Setup {
        listen: settings.listen,
        public_url: settings.base_url(),
        apps: settings.app.iter().map(|app| app.host.to_string()).collect(),
    };
    let files = print(proxy, &setup)?;
    if let Some(directory) = out {
        for file in &files {
            let path = directory.join(file.name);
            std::fs::write(&path, &file.text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            println!("{}", path.display());
        }
        return Ok(());
    }
    if show.json {
        let files: Vec<_> =
            files.iter().map(|file| json!({ "name": file.name, "text": file.text })).collect();
        show.json(&json!({ "files": files }));
        return Ok(());
    }
    for file in &files {
        // One file alone can be piped into place; several are told apart.
        if files.len() > 1 {
            let comment = if file.name.ends_with(".lua") { "--" } else { "#" };
            println!("{comment} ===== {} =====", file.name);
        }
        println!("{}", file.text.trim_end());
    }
    Ok(())
}
