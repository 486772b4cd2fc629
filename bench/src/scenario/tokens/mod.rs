//! Minting and verifying beside the bare cryptographic library, and tokens over HTTP beside bare axum.

mod http;
mod local;
mod minting;
mod report;

use anyhow::{Context, Result};

use self::http::App;
use self::local::Issuer;
use self::minting::Mint;
use super::{CONNECTIONS, Limit, Run};
use crate::house::{House, Served, USER};
use crate::process;

/// Apps that are signed in: as many as connections, and several times that.
const APPS: usize = 4 * CONNECTIONS;
/// Whose they are; no single account is slowed down for signing in too often.
const ACCOUNTS: usize = 16;
/// An audience of tokens that this program signs itself.
const AUDIENCE: &str = "https://api.example.com";
/// Passwords are not what is measured here.
const SETTINGS: &str = r#"
[passwords]
memory = "8MiB"
iterations = 1

[tokens]
access_lifetime = "6h"
"#;
const AXUM: &str = "bare axum";

pub(crate) fn run(run: &Run) -> Result<()> {
    let house = House::new(run.gateward()?, SETTINGS)?;
    let names: Vec<String> = (0..=ACCOUNTS).map(|number| format!("{USER}-{number}")).collect();
    for name in &names {
        house.add_user(name)?;
    }
    let served = house.serve(run.cores.server())?;
    http::refuses_others(&served)?;
    let (leaver, stayers) = names.split_first().context("there are accounts")?;
    let apps = (0..APPS)
        .zip(stayers.iter().cycle())
        .map(|(_, name)| App::sign_in(&served, name))
        .collect::<Result<Vec<_>>>()?;
    // Whoever checks tokens knows of a revoked one and of a person who was cut off.
    let gone = App::sign_in(&served, leaver)?;
    gone.end_everything(&served)?;

    let token = apps.first().context("there are apps")?.access_token.clone();
    let issuer =
        Issuer { address: format!("http://{}", served.address), audience: AUDIENCE.to_owned(), token };
    let mint = Mint::new(&issuer.address, AUDIENCE, gone.place()?)?;
    let (local, allocations) = local::measure(run, &issuer, &mint)?;
    let http = over_http(run, &served, &apps)?;
    let memory = process::memory(served.running.id())?;
    served.running.stop()?;
    run.finish(report::report(run, local, http, &allocations, memory))
}

fn over_http(run: &Run, served: &Served, apps: &[App]) -> Result<Vec<crate::series::Series>> {
    let axum = Limit::start("limit-axum", &run.cores)?;
    let entries = [
        (AXUM, axum.work(&[])),
        (http::REFRESH, http::refresh(served, apps)?),
        (http::BEARER, http::bearer(served, apps)),
        (http::KEYS, http::keys(served)),
    ];
    let series = run.interleave(&entries, run.window(CONNECTIONS))?;
    axum.stop()?;
    Ok(series)
}
