//! Signing by the bare cryptographic library on the server's core: a limit for whatever signs before it answers.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use gateward_kernel::jose::SignatureAlgorithm;
use serde::{Deserialize, Serialize};

use crate::keys::{ALGORITHMS, Key, Parts};
use crate::load::Sample;
use crate::process::{self, Running};

/// So long it signs before the clock starts.
const WARM_UP: Duration = Duration::from_millis(50);

/// What the process that signs is told on its command line. The message is its standard input.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = algorithm)]
    algorithm: SignatureAlgorithm,
    #[arg(long)]
    millis: u64,
}

/// What it says on its standard output.
#[derive(Serialize, Deserialize)]
struct Signed {
    answers: u64,
    seconds: f64,
    cpu: f64,
}

/// One of those that are measured, by its name.
pub(crate) fn algorithm(name: &str) -> Result<SignatureAlgorithm> {
    let found = ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == name);
    found.with_context(|| format!("signing by {name:?} is not measured"))
}

/// How often the bare library signs what stands in this token, on this core, by a key of its own.
pub(crate) fn measure(
    core: Option<usize>,
    algorithm: SignatureAlgorithm,
    token: &str,
    time: Duration,
) -> Result<Sample> {
    let mut command = process::on_core(&std::env::current_exe()?, core);
    let millis = time.as_millis().to_string();
    command.args(["limit-signing", "--algorithm", algorithm.name(), "--millis", &millis]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(command)?;
    let mut input = running.child().stdin.take().context("the input is piped")?;
    input.write_all(&Parts::of(token)?.message)?;
    drop(input);
    let output = running.child().stdout.take().context("the output is piped")?;
    let text = std::io::read_to_string(output)?;
    let signed: Signed = serde_json::from_str(&text)
        .with_context(|| format!("signing by {} said {text:?}", algorithm.name()))?;
    let mut sample = Sample { answers: signed.answers, ..Sample::default() };
    sample.conclude(signed.seconds, Some(signed.cpu), None);
    Ok(sample)
}

/// What that process does.
pub(crate) fn serve(options: &Options) -> Result<()> {
    let mut message = Vec::new();
    std::io::stdin().read_to_end(&mut message).context("reading the message")?;
    if message.is_empty() {
        bail!("there is no message to sign on standard input");
    }
    let key = Key::generate(options.algorithm)?;
    let messages = [message];
    key.raw.keep_signing(WARM_UP, &messages)?;
    let sample = key.raw.keep_signing(Duration::from_millis(options.millis), &messages)?;
    let cpu = sample.server_cpu.unwrap_or(sample.seconds);
    let signed = Signed { answers: sample.answers, seconds: sample.seconds, cpu };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&signed)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_known_by_their_names() {
        for known in ALGORITHMS {
            assert_eq!(algorithm(known.name()).unwrap(), known);
        }
        assert!(algorithm("none").unwrap_err().to_string().contains("\"none\""));
    }
}
