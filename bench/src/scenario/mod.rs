//! The scenarios, and what they share: the limits beside them, rounds in turn, the end of a run.

pub(crate) mod cluster;
pub(crate) mod foreign;
pub(crate) mod generator;
pub(crate) mod oauth;
pub(crate) mod revocation;
pub(crate) mod session_check;
pub(crate) mod sign_in;
pub(crate) mod sweep;
pub(crate) mod tokens;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::chain::Requests;
use crate::load::{self, Expected, Sample, Window, Work};
use crate::process::{self, Cores, Running};
use crate::report::{self, Report};
use crate::series::Series;
use crate::wire;

/// Keep-alive connections of the check scenarios.
pub(crate) const CONNECTIONS: usize = 64;
/// A machine where the rest used more than this of one core was not quiet.
const QUIET: f64 = 0.1;
/// Fewer rounds are no result.
const ROUNDS_OF_A_RESULT: u32 = 5;

/// How a scenario is run.
pub(crate) struct Run {
    pub(crate) gateward: Option<PathBuf>,
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) quick: bool,
    pub(crate) results: PathBuf,
    pub(crate) cores: Cores,
}

impl Run {
    pub(crate) fn gateward(&self) -> Result<&Path> {
        self.gateward.as_deref().context("--gateward FILE names the program to measure")
    }

    pub(crate) fn window(&self, connections: usize) -> Window {
        let measured = Duration::from_secs(self.seconds.into());
        Window { connections, warm_up: Duration::from_secs(1).min(measured), measured }
    }

    /// `full` in a real run, a hundredth of it in a quick one.
    pub(crate) fn amount(&self, full: usize) -> usize {
        if self.quick { full / 100 } else { full }
    }

    /// The same by a load that never sleeps, where it has a core of its own.
    pub(crate) fn awake(&self, work: Work) -> Work {
        Work { awake: self.cores.load().is_some(), ..work }
    }

    /// How the rounds were run, as a sentence.
    pub(crate) fn rounds_text(&self) -> String {
        let place = if self.cores.server().is_some() {
            "the server on one core of its own, the load generator on another"
        } else {
            "server and load generator share one core"
        };
        format!("{} interleaved rounds of {} s each after a warm-up; {place}.", self.rounds, self.seconds)
    }

    /// Measures each in turn, round by round.
    pub(crate) fn interleave(&self, entries: &[(&str, Work)], window: Window) -> Result<Vec<Series>> {
        let mut series: Vec<_> = entries.iter().map(|(label, _)| Series::new(*label)).collect();
        for round in 1..=self.rounds {
            for ((label, work), series) in entries.iter().zip(&mut series) {
                let sample = load::run(work, window).with_context(|| format!("measuring {label}"))?;
                self.progress(round, label, sample.per_second);
                series.samples.push(sample);
            }
        }
        Ok(series)
    }

    /// Adds what a round showed to the series of this label.
    pub(crate) fn add(&self, all: &mut Vec<Series>, round: u32, label: String, sample: Sample) {
        self.progress(round, &label, sample.per_second);
        match all.iter_mut().find(|series| series.label == label) {
            Some(series) => series.samples.push(sample),
            None => all.push(Series { label, samples: vec![sample] }),
        }
    }

    pub(crate) fn progress(&self, round: u32, label: &str, per_second: f64) {
        eprintln!("round {round} of {}: {label}: {per_second:.0} a second", self.rounds);
    }

    /// Prints the report; writes it when it is a result.
    pub(crate) fn finish(&self, mut report: Report) -> Result<()> {
        let others = report.series.iter().filter_map(Series::others_share).reduce(f64::max);
        if let Some(share) = others {
            let verdict = if share > QUIET { ": the machine was not quiet" } else { "" };
            let text =
                format!("Other processes used at most {} of one core{verdict}.", report::percent(share));
            report.conditions.push(text);
        }
        print!("{}", report.markdown());
        if report.errors() > 0 {
            let errors: Vec<_> = report.series.iter().flat_map(Series::error_text).collect();
            bail!("{} wrong answers, so this is no result:\n{}", report.errors(), errors.join("\n"));
        }
        if self.quick || self.rounds < ROUNDS_OF_A_RESULT {
            eprintln!("not written: a result needs {ROUNDS_OF_A_RESULT} rounds and no --quick");
            return Ok(());
        }
        report.write(&self.results)
    }
}

/// One of the limit servers, running.
pub(crate) struct Limit {
    running: Running,
    pub(crate) address: SocketAddr,
}

impl Limit {
    /// `name` is the hidden subcommand of this program.
    pub(crate) fn start(name: &str, cores: &Cores) -> Result<Self> {
        let mut command = process::on_core(&std::env::current_exe()?, cores.server());
        command.arg(name).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let output = running.child().stdout.take().context("the output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port: u16 = line.trim().parse().with_context(|| format!("{name} did not say its port"))?;
        Ok(Self { running, address: ([127, 0, 0, 1], port).into() })
    }

    pub(crate) fn process(&self) -> u32 {
        self.running.id()
    }

    /// `GET /` with these headers; the answer is the short greeting.
    pub(crate) fn work(&self, headers: &[(String, String)]) -> Work {
        let request = wire::request("GET", "/", &self.address.to_string(), headers, "");
        let expected =
            Expected { status: 200, body_contains: Some("hello".to_owned()), ..Expected::default() };
        Work::at(self.address, Some(self.process()), Requests::in_turn(vec![request]), expected)
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.running.stop()
    }
}

/// A header field.
pub(crate) fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}
