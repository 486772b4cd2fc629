//! `gateward key reseal`

use std::path::Path;

use anyhow::Context as _;
use gateward_guard::RootKey;
use serde_json::json;

use super::Reseal;
use crate::app::App;
use crate::cli::Done;
use crate::cli::show::Show;
use crate::keyfile;
use crate::tokens::ring::{AtRest, Resealed};

pub(super) async fn run(app: &App, reseal: &Reseal, show: Show) -> Done {
    let ring = app.tokens.mint.ring();
    let root = || ring.at_rest_by_root();
    // The keys they may be encrypted under: what was named, what the settings say, and where everything begins.
    let mut from = Vec::new();
    match &reseal.from {
        Some(file) => from.push(AtRest::file(file)?),
        // The settings may name the new file already, which is made below.
        None => from
            .extend(ring.settings().encryption_key_file.as_deref().and_then(|file| AtRest::file(file).ok())),
    }
    from.push(root());
    let mut is_made = false;
    let to = match &reseal.to {
        Some(file) => {
            is_made = made(file, app)?;
            AtRest::file(file)?
        }
        None => root(),
    };
    let from: Vec<&AtRest> = from.iter().collect();
    let Resealed { changed, already } = ring.reseal(&from, &to).await?;
    let set = match &reseal.to {
        Some(file) => {
            let file = std::path::absolute(file)?.display().to_string();
            format!("set keys.encryption_key_file = {file:?}")
        }
        None => "remove keys.encryption_key_file from the settings".to_owned(),
    };
    let made = if is_made { "The new key was written into the file: keep a backup of it. " } else { "" };
    show.one(
        &json!({ "changed": changed, "already": already, "made_file": is_made, "next": set }),
        &format!(
            "{changed} signing keys were encrypted anew, {already} were already. {made}Now {set}, and restart every gateward"
        ),
    );
    Ok(())
}

/// Makes the file when it is not there.
fn made(file: &Path, app: &App) -> anyhow::Result<bool> {
    match keyfile::write_new(file, &RootKey::random(&*app.entropy)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| {
            format!("the encryption key {} is not there and cannot be made", file.display())
        }),
    }
}
