//! `gateward-bench-allocations`: how often memory is asked for when a token is checked that was seen before.
//!
//! Started by the scenario `tokens`, which gives it a token of the server on standard input; prints the count.

use std::io::Read as _;

use anyhow::{Context, Result, bail};
use gateward_guard::verify::{Stale, StatusPolicy, Verifier};
use serde::{Deserialize, Serialize};

const CHECKS: u64 = 10_000;

#[derive(Deserialize)]
struct Told {
    issuer: String,
    audience: String,
    token: String,
}

#[derive(Serialize)]
struct Counted {
    checks: u64,
    by_push: u64,
    by_poll: u64,
}

fn main() -> Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let told: Told = serde_json::from_str(&input).context("what the scenario says")?;
    let by_push = count(&told, StatusPolicy::Push(Stale::Deny))?;
    let by_poll = count(&told, StatusPolicy::Poll(Stale::Deny))?;
    println!("{}", serde_json::to_string(&Counted { checks: CHECKS, by_push, by_poll })?);
    Ok(())
}

/// Allocations in all checks together, the status check among them.
fn count(told: &Told, policy: StatusPolicy) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let verifier = {
        let _within = runtime.enter();
        Verifier::for_issuer(&told.issuer).audience(&told.audience).status(policy).build()?
    };
    runtime.block_on(verifier.ready())?;
    runtime.block_on(verifier.verify(&told.token))?;
    let mut refused = 0;
    // Only this thread is counted; what listens works on another.
    let info = allocation_counter::measure(|| {
        for _ in 0..CHECKS {
            let is_good = matches!(verifier.verify_cached(&told.token), Some(Ok(_)));
            refused += u64::from(!is_good);
        }
    });
    if refused > 0 {
        bail!("{refused} of {CHECKS} checks did not end with a yes from memory");
    }
    Ok(info.count_total)
}
