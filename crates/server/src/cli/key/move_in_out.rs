//! `gateward key import` and `gateward key export`

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use gateward_kernel::event::Actor;
use gateward_kernel::jose::jwk::MAX_KEY_LEN;
use gateward_kernel::jose::{Jwk, KeyError, SignatureAlgorithm};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{in_words, told};
use crate::app::App;
use crate::cli::Done;
use crate::cli::show::Show;
use crate::tokens::ring::Takeover;

pub(super) async fn import(
    app: &App,
    file: &Path,
    alg: SignatureAlgorithm,
    takeover: Takeover,
    show: Show,
) -> Done {
    let name = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let text = text_of(file).with_context(|| format!("{name} cannot be read"))?;
    let key = parse(&text).map_err(|problem| anyhow::anyhow!("{name}: {problem}"))?;
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    ring.load(now).await?;
    let added = ring
        .import(&key, alg, takeover, Actor::CommandLine, now)
        .await
        .map_err(|problem| anyhow::anyhow!("{name}: {problem}"))?;
    show.one(&told(&added), &in_words(app, &added));
    Ok(())
}

/// At most a little more than a key may have, so that what is longer is refused, and not cut.
fn text_of(file: &Path) -> std::io::Result<Zeroizing<String>> {
    let limit = MAX_KEY_LEN as u64 + 1;
    // It never grows, and so leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_LEN + 2));
    match file == Path::new("-") {
        true => std::io::stdin().lock().take(limit).read_to_string(&mut text)?,
        false => std::fs::File::open(file)?.take(limit).read_to_string(&mut text)?,
    };
    Ok(text)
}

fn parse(text: &str) -> Result<Jwk, KeyError> {
    match text.trim_start().starts_with('{') {
        true => Jwk::from_json(text.trim().as_bytes()),
        false => Jwk::from_pem(text),
    }
}

pub(super) async fn export(app: &App, name: &str, pem: bool, private: bool, show: Show) -> Done {
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    ring.load(now).await?;
    let found = ring.find(name, now)?;
    let key = found.jwk();
    let text = match (pem, private) {
        (false, false) => Zeroizing::new(key.to_json().unwrap_or_default()),
        (false, true) => key.to_private_json(),
        (true, false) => Zeroizing::new(key.to_pem()?),
        (true, true) => key.to_private_pem()?,
    };
    if private {
        eprintln!("gateward: this is a private key: whoever has it can make tokens that everybody believes");
    }
    match pem && show.json {
        true => show.json(&json!({ "kid": found.kid(), "pem": Value::from(text.as_str()) })),
        false => println!("{}", text.trim_end()),
    }
    Ok(())
}
