//! Tokens: what apps and services show instead of a cookie, the keys that sign them, and how they are revoked.
//!
//! A [grant](grants) is the record behind a refresh token; the [mint] makes every access token; [status] makes JWTs
//! revocable that are checked elsewhere; [ring] keeps the keys; [bearer] reads access tokens that come back.

pub mod bearer;
pub mod command;
pub mod flow;
pub mod grants;
pub mod mint;
pub mod news;
pub mod resource;
pub mod ring;
pub mod status;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::grant::RefreshPolicy;
use gateward_kernel::secret::{Entropy, RootKey};

use crate::config::Settings;
use bearer::SeenTokens;
use grants::Grants;
use mint::Mint;
use resource::Resources;
use ring::KeyRing;
use status::Status;

use crate::stores::Stores;

/// Places in status lists stay reserved so much longer than their tokens live: for retried refreshes and skewed clocks.
const SLACK: Duration = Duration::from_secs(15 * 60);

/// Everything about tokens.
#[derive(Debug)]
pub struct Tokens {
    /// What accepts them.
    pub resources: Resources,
    /// The grants behind them.
    pub grants: Arc<Grants>,
    /// What makes them.
    pub mint: Mint,
    /// What makes them worthless.
    pub status: Arc<Status>,
    /// Those whose signature was checked.
    pub seen: SeenTokens,
}

/// What the settings say of refresh tokens.
pub fn refresh_policy(settings: &Settings) -> RefreshPolicy {
    let tokens = &settings.tokens;
    RefreshPolicy {
        grace: tokens.refresh_grace.duration(),
        idle: tokens.refresh_idle.duration(),
        absolute: tokens.refresh_absolute.duration(),
    }
}

impl Tokens {
    /// Tokens of `issuer`, remembered in up to `cache` bytes. Everything but opaque access tokens is kept where nothing is lost.
    pub fn new(
        settings: &Settings,
        issuer: &str,
        ring: Arc<KeyRing>,
        stores: &Stores,
        cache: usize,
        root: &RootKey,
        entropy: &Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let resources = Resources::new(settings, issuer)?;
        let status = Status::new(&stores.records, entropy.clone(), resources.longest() + SLACK);
        let policy = refresh_policy(settings);
        let grants =
            Grants::new(stores.records.clone(), cache / 2, status.clone(), policy, root, entropy.clone());
        let mint = Mint::new(settings, issuer, ring, stores.tokens.clone(), cache / 4, root, entropy.clone());
        Ok(Tokens { resources, grants, mint, status, seen: SeenTokens::new(cache / 4) })
    }
}
