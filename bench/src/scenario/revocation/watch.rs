//! The verifier processes as the measurement sees them: told what to watch, heard when they refuse it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::verifier::Policy;
use crate::process::{self, Memory, Running};

/// How long a verifier may take for anything; much longer than any of it is worth.
const PATIENCE: Duration = Duration::from_secs(15);

/// The verifiers.
pub(super) struct Watchers {
    all: Vec<Watcher>,
    heard: Receiver<(usize, Said)>,
    ready: HashSet<usize>,
    accepted: HashSet<(usize, u32)>,
    /// When it was refused, in microseconds.
    refused: HashMap<(usize, u32), u64>,
    /// What else was said of tokens, and how often.
    trouble: BTreeMap<String, u64>,
}

struct Watcher {
    policy: Policy,
    running: Running,
    input: ChildStdin,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Ready,
    Accepted(u32),
    Refused(u32, u64),
    Trouble(String),
}

impl Watchers {
    /// Starts one for each policy, and waits until all are ready.
    pub(super) fn start(issuer: &str, audience: &str, policies: &[Policy]) -> Result<Self> {
        let (sender, heard) = channel();
        let start = |(number, policy): (usize, &Policy)| {
            Watcher::start(issuer, audience, *policy, number, sender.clone())
        };
        let all = policies.iter().enumerate().map(start).collect::<Result<Vec<_>>>()?;
        let (ready, accepted, refused) = (HashSet::new(), HashSet::new(), HashMap::new());
        let mut watchers = Self { all, heard, ready, accepted, refused, trouble: BTreeMap::new() };
        watchers.wait("to be ready", |watchers| watchers.ready.len() == watchers.all.len())?;
        Ok(watchers)
    }

    /// Has all of them watch a token, and waits until each has accepted it.
    pub(super) fn watch(&mut self, number: u32, token: &str) -> Result<()> {
        for watcher in &mut self.all {
            writeln!(watcher.input, "{number} {token}").context("a verifier is gone")?;
        }
        self.wait("to accept a token", |watchers| {
            (0..watchers.all.len()).all(|one| watchers.accepted.contains(&(one, number)))
        })
    }

    /// Waits until all verifiers of this policy refuse these tokens.
    pub(super) fn all_refused(&mut self, policy: Policy, numbers: std::ops::Range<u32>) -> Result<()> {
        self.wait("to refuse a token", |watchers| {
            let ours = watchers.of(policy);
            numbers
                .clone()
                .all(|number| ours.iter().all(|one| watchers.refused.contains_key(&(*one, number))))
        })
    }

    /// When the last verifier of this policy refused this token, in microseconds.
    pub(super) fn refused_at(&self, policy: Policy, number: u32) -> Option<u64> {
        self.of(policy).into_iter().filter_map(|one| self.refused.get(&(one, number))).max().copied()
    }

    /// The memory of one verifier of this policy.
    pub(super) fn memory(&self, policy: Policy) -> Result<Memory> {
        let watcher = self.all.iter().find(|watcher| watcher.policy == policy).context("there is none")?;
        process::memory(watcher.running.id())
    }

    pub(super) fn stop(self) -> Result<()> {
        if !self.trouble.is_empty() {
            bail!("verifiers were in trouble: {:?}", self.trouble);
        }
        self.all.into_iter().try_for_each(|watcher| watcher.running.stop())
    }

    fn of(&self, policy: Policy) -> Vec<usize> {
        let ours = self.all.iter().enumerate().filter(|(_, watcher)| watcher.policy == policy);
        ours.map(|(number, _)| number).collect()
    }

    /// Takes in what is said until this holds.
    fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (who, said) = self
                .heard
                .recv_timeout(left)
                .map_err(|_| anyhow!("waited in vain for a verifier {what}; trouble: {:?}", self.trouble))?;
            match said {
                Said::Ready => drop(self.ready.insert(who)),
                Said::Accepted(number) => drop(self.accepted.insert((who, number))),
                Said::Refused(number, at) => drop(self.refused.insert((who, number), at)),
                Said::Trouble(why) => *self.trouble.entry(why).or_default() += 1,
            }
        }
        Ok(())
    }
}

impl Watcher {
    fn start(
        issuer: &str,
        audience: &str,
        policy: Policy,
        number: usize,
        heard: Sender<(usize, Said)>,
    ) -> Result<Self> {
        // On the core of this process, beside it: the server's core is the server's.
        let mut command = process::on_core(&std::env::current_exe()?, None);
        command.args(["revocation-verifier", "--issuer", issuer, "--audience", audience, "--policy"]);
        command.arg(policy.name()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let input = running.child().stdin.take().context("the input is piped")?;
        let output = running.child().stdout.take().context("the output is piped")?;
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if heard.send((number, Said::read(&line))).is_err() {
                    return;
                }
            }
        });
        Ok(Self { policy, running, input })
    }
}

impl Said {
    fn read(line: &str) -> Self {
        let read = || {
            let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match what {
                "ready" => Some(Self::Ready),
                "accepted" => Some(Self::Accepted(number.parse().ok()?)),
                "refused" => Some(Self::Refused(number.parse().ok()?, rest.parse().ok()?)),
                "trouble" => Some(Self::Trouble(rest.to_owned())),
                _ => None,
            }
        };
        read().unwrap_or_else(|| Self::Trouble(format!("said {line:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_verifiers_say_is_read() {
        assert_eq!(Said::read("ready"), Said::Ready);
        assert_eq!(Said::read("accepted 7"), Said::Accepted(7));
        assert_eq!(Said::read("refused 7 1800000000000000"), Said::Refused(7, 1_800_000_000_000_000));
        assert_eq!(Said::read("trouble 7 it is old"), Said::Trouble("it is old".to_owned()));
        for odd in ["", "accepted", "refused 7", "refused x 1", "hello 1"] {
            assert!(matches!(Said::read(odd), Said::Trouble(_)), "{odd}");
        }
    }
}
