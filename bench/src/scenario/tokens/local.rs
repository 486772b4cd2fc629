//! Signing and verifying in this process, beside the bare library on the same core.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateward_guard::verify::{Stale, StatusPolicy, Verifier};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::minting::Mint;
use crate::keys::{ALGORITHMS, Key, Parts, bare_signing};
use crate::load::Sample;
use crate::process::{self, Running};
use crate::scenario::Run;
use crate::series::Series;
use crate::solo;

/// Different tokens, each verified once a round: several times as many as a verifier remembers.
const UNSEEN: usize = 20_000;
/// Fewer say nothing, even in a quick run.
const UNSEEN_AT_LEAST: usize = 2_000;
/// Tokens that come again and again.
const SEEN: usize = 1_000;
/// Different messages for the bare library to sign.
const MESSAGES: usize = 64;

pub(super) const SEEN_BY_PUSH: &str = "verifying, seen before";
pub(super) const FROM_MEMORY: &str = "from memory, status by push";
pub(super) const WITHOUT_STATUS: &str = "from memory, without status";

pub(super) fn minting(algorithm: &str) -> String {
    format!("{algorithm}, minting")
}

pub(super) fn raw_verifying(algorithm: &str) -> String {
    format!("{algorithm}, bare verifying")
}

pub(super) fn verifying(algorithm: &str) -> String {
    format!("{algorithm}, verifying, unseen")
}

/// Whose tokens are verified.
pub(super) struct Issuer {
    pub(super) address: String,
    pub(super) audience: String,
    /// A token of its own, for its own interface.
    pub(super) token: String,
}

/// What a program that counts found.
#[derive(Deserialize)]
pub(super) struct Allocations {
    pub(super) checks: u64,
    pub(super) by_push: u64,
    pub(super) by_poll: u64,
}

/// A key with tokens signed by it.
struct Bench {
    key: Key,
    messages: Vec<Vec<u8>>,
    tokens: Vec<String>,
    parts: Vec<Parts>,
}

/// All series, measured round by round in turn.
pub(super) fn measure(run: &Run, issuer: &Issuer, mint: &Mint) -> Result<(Vec<Series>, Allocations)> {
    let mut benches = Vec::new();
    for algorithm in ALGORITHMS {
        eprintln!("signing {} tokens to verify", algorithm.name());
        benches.push(Bench::new(algorithm, mint, run.amount(UNSEEN).max(UNSEEN_AT_LEAST))?);
    }
    // What listens for revocations has a thread of its own, so that this one can be measured.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let first = benches.first().context("there is an algorithm")?;
    let seen = Seen::new(&runtime, issuer, first)?;
    let time = (run.window(1).measured / 4).max(Duration::from_millis(250));
    let mut all: Vec<Series> = Vec::new();
    for round in 1..=run.rounds {
        let mut add = |label: String, sample: Sample| run.add(&mut all, round, label, sample);
        for bench in &benches {
            let name = bench.key.algorithm.name();
            add(bare_signing(name), bench.key.raw.keep_signing(time, &bench.messages)?);
            add(minting(name), bench.minting(time, mint)?);
            add(raw_verifying(name), bench.raw_verifying()?);
            add(verifying(name), bench.verifying(&runtime, issuer)?);
        }
        add(SEEN_BY_PUSH.to_owned(), seen.verifying(&runtime, time)?);
        add(FROM_MEMORY.to_owned(), seen.recognised(&seen.by_push, time)?);
        add(WITHOUT_STATUS.to_owned(), seen.recognised(&seen.without, time)?);
    }
    Ok((all, allocations(issuer)?))
}

impl Bench {
    fn new(algorithm: gateward_kernel::jose::SignatureAlgorithm, mint: &Mint, tokens: usize) -> Result<Self> {
        let key = Key::generate(algorithm)?;
        let tokens: Vec<String> =
            (0..tokens as u32).map(|number| mint.token(&key.signer, number)).collect::<Result<_>>()?;
        let parts: Vec<Parts> = tokens.iter().map(|token| Parts::of(token)).collect::<Result<_>>()?;
        let messages = parts.iter().take(MESSAGES).map(|parts| parts.message.clone()).collect();
        Ok(Self { key, messages, tokens, parts })
    }

    fn minting(&self, time: Duration, mint: &Mint) -> Result<Sample> {
        solo::repeat(time, |number| {
            std::hint::black_box(mint.token(&self.key.signer, number as u32)?);
            Ok(())
        })
    }

    fn raw_verifying(&self) -> Result<Sample> {
        solo::each(&self.parts, |parts| {
            let verified = self.key.raw_public.verify_sig(&parts.message, &parts.signature);
            verified.map_err(|_| anyhow::anyhow!("the bare library refuses a signature"))
        })
    }

    /// By a verifier that has never seen any of them.
    fn verifying(&self, runtime: &Runtime, issuer: &Issuer) -> Result<Sample> {
        let verifier = verifier(runtime, issuer, &self.key, StatusPolicy::Push(Stale::Deny))?;
        runtime.block_on(async {
            let begun = solo::Begun::now()?;
            for token in &self.tokens {
                std::hint::black_box(verifier.verify(token).await?);
            }
            begun.conclude(self.tokens.len())
        })
    }
}

/// Verifiers that have seen these tokens.
struct Seen<'a> {
    by_push: Verifier,
    without: Verifier,
    tokens: &'a [String],
}

impl<'a> Seen<'a> {
    fn new(runtime: &Runtime, issuer: &Issuer, bench: &'a Bench) -> Result<Self> {
        let tokens = bench.tokens.get(..SEEN).context("there are tokens")?;
        let by_push = verifier(runtime, issuer, &bench.key, StatusPolicy::Push(Stale::Deny))?;
        let without = verifier(runtime, issuer, &bench.key, StatusPolicy::Ignore)?;
        for token in tokens {
            runtime.block_on(by_push.verify(token))?;
            runtime.block_on(without.verify(token))?;
        }
        Ok(Self { by_push, without, tokens })
    }

    fn verifying(&self, runtime: &Runtime, time: Duration) -> Result<Sample> {
        let mut tokens = self.tokens.iter().cycle();
        runtime.block_on(async {
            let begun = solo::Begun::now()?;
            let mut count = 0;
            while begun.goes_on(count, time) {
                let token = tokens.next().context("there are tokens")?;
                std::hint::black_box(self.by_push.verify(token).await?);
                count += 1;
            }
            begun.conclude(count)
        })
    }

    fn recognised(&self, verifier: &Verifier, time: Duration) -> Result<Sample> {
        let mut tokens = self.tokens.iter().cycle();
        solo::repeat(time, |_| {
            let token = tokens.next().context("there are tokens")?;
            match std::hint::black_box(verifier.verify_cached(token)) {
                Some(Ok(_)) => Ok(()),
                _ => bail!("a token that was seen before is not found in memory"),
            }
        })
    }
}

fn verifier(runtime: &Runtime, issuer: &Issuer, key: &Key, policy: StatusPolicy) -> Result<Verifier> {
    let verifier = {
        let _within = runtime.enter();
        Verifier::for_issuer(&issuer.address)
            .audience(&issuer.audience)
            .algorithms(&[key.algorithm])
            .with_keys(key.set.clone())
            .status(policy)
            .build()?
    };
    runtime.block_on(verifier.ready())?;
    Ok(verifier)
}

/// Has the program that counts allocations check a token of the server's, with everything that belongs to it.
fn allocations(issuer: &Issuer) -> Result<Allocations> {
    let program = std::env::current_exe()?.with_file_name("gateward-bench-allocations");
    let mut command = process::on_core(&program, None);
    let mut running = Running::start({
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    })?;
    let told = serde_json::json!({
        "issuer": issuer.address,
        "audience": issuer.address,
        "token": issuer.token,
    });
    let mut input = running.child().stdin.take().context("the input is piped")?;
    input.write_all(told.to_string().as_bytes())?;
    drop(input);
    let output = running.child().stdout.take().context("the output is piped")?;
    let counted = std::io::read_to_string(output)?;
    serde_json::from_str(&counted).with_context(|| format!("{} says {counted:?}", program.display()))
}
