//! The other side of the measurement: a process of its own that verifies tokens as any service does, again and again, and
//! says when it refuses them.
//!
//! It reads lines of a number and a token, and writes `ready`, `accepted N`, `refused N MICROS` and `trouble N WHY`.

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use gateward_guard::verify::{Denied, Stale, StatusPolicy, Verifier};
use tokio::runtime::Runtime;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    issuer: String,
    #[arg(long)]
    audience: String,
    #[arg(long)]
    policy: Policy,
}

/// How the verifier learns of revocations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Policy {
    Push,
    Poll,
}

impl Policy {
    /// As the option is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Poll => "poll",
        }
    }

    /// Watched tokens are verified this often; that is how exact the measurement is.
    pub(super) const fn look_every(self) -> Duration {
        match self {
            Self::Push => Duration::from_micros(500),
            Self::Poll => Duration::from_millis(2),
        }
    }

    const fn status(self) -> StatusPolicy {
        match self {
            Self::Push => StatusPolicy::Push(Stale::Deny),
            Self::Poll => StatusPolicy::Poll(Stale::Deny),
        }
    }
}

/// The time of the one clock that all processes of a machine share, in microseconds.
pub(super) fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

struct Watched {
    number: String,
    token: String,
}

/// Serves until its input ends.
pub(crate) fn run(options: &Options) -> Result<()> {
    // What listens has a thread of its own, as in any service; looking happens on this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let verifier = {
        let _within = runtime.enter();
        Verifier::for_issuer(&options.issuer)
            .audience(&options.audience)
            .status(options.policy.status())
            .build()?
    };
    runtime.block_on(verifier.ready())?;
    say("ready")?;
    let told = lines();
    let mut watched = Vec::new();
    loop {
        while let Some(next) = take(&told, watched.is_empty()) {
            let Some(next) = next else { return Ok(()) };
            if verify(&runtime, &verifier, &next)? {
                say(&format!("accepted {}", next.number))?;
                watched.push(next);
            }
        }
        let mut living = Vec::with_capacity(watched.len());
        for one in watched {
            if verify(&runtime, &verifier, &one)? {
                living.push(one);
            }
        }
        watched = living;
        thread::sleep(options.policy.look_every());
    }
}

/// Whether the token still counts; says so when it does not.
fn verify(runtime: &Runtime, verifier: &Verifier, one: &Watched) -> Result<bool> {
    match runtime.block_on(verifier.verify(&one.token)) {
        Ok(_) => return Ok(true),
        Err(Denied::Revoked) => say(&format!("refused {} {}", one.number, micros()))?,
        Err(other) => say(&format!("trouble {} {other}", one.number))?,
    }
    Ok(false)
}

fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).context("nobody listens any more")
}

/// What is told, as it comes.
fn lines() -> Receiver<Watched> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some((number, token)) = line.split_once(' ') else { return };
            if sender.send(Watched { number: number.to_owned(), token: token.to_owned() }).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next that was told, if there is one; waits for it when there is nothing else to do. `Some(None)` at the end.
fn take(told: &Receiver<Watched>, is_idle: bool) -> Option<Option<Watched>> {
    if is_idle {
        return Some(told.recv().ok());
    }
    match told.try_recv() {
        Ok(next) => Some(Some(next)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(None),
    }
}
