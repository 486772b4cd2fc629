//! Password sign-ins per second, beside raw Argon2id on the same cores.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Run;
use crate::chain::Requests;
use crate::chart::{Bar, Chart};
use crate::histogram::Histogram;
use crate::house::{House, PASSWORD, USER, sign_in_request};
use crate::load::{self, Expected, Sample, Work};
use crate::process::{self, Machine};
use crate::report::{self, Report, Table, Target};
use crate::series::Series;

/// Several, so that no single account is slowed down for being tried too often.
const ACCOUNTS: usize = 8;
const CONNECTIONS: usize = 16;
/// The product's default, OWASP's second choice: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

pub(crate) fn run(run: &Run) -> Result<()> {
    let names: Vec<String> = (1..=ACCOUNTS).map(|number| format!("{USER}-{number}")).collect();
    let house = with_people(run.gateward()?, &names)?;
    let served = house.serve(None)?;
    for name in &names {
        served.sign_in(name)?;
    }
    let requests = names.iter().map(|name| sign_in_request(served.address, name)).collect();
    let expected = Expected {
        status: 200,
        busy: Some(503),
        body_contains: Some(format!("\"{USER}-")),
        ..Expected::default()
    };
    let work = Work::at(served.address, Some(served.running.id()), Requests::in_turn(requests), expected);

    let window = run.window(CONNECTIONS);
    let (mut raw, mut sign_in) = (Series::new("raw Argon2id"), Series::new("gateward sign-in"));
    for round in 1..=run.rounds {
        raw.samples.push(hash_only(run.cores.count(), window.measured)?);
        sign_in.samples.push(load::run(&work, window)?);
        for series in [&raw, &sign_in] {
            run.progress(round, &series.label, series.samples.last().map_or(0.0, |sample| sample.per_second));
        }
    }
    let memory = process::memory(served.running.id())?;
    served.running.stop()?;
    run.finish(report(run, raw, sign_in, memory.peak))
}

fn with_people(gateward: &Path, names: &[String]) -> Result<House> {
    let house = House::new(gateward, "")?;
    for name in names {
        house.add_user(name)?;
    }
    Ok(house)
}

/// Hashes on `threads` threads at once, each with memory of its own that was touched before the clock starts.
fn hash_only(threads: usize, time: Duration) -> Result<Sample> {
    let ready = Barrier::new(threads);
    let (cpu_before, machine_before) =
        (process::cpu_seconds(std::process::id())?, process::machine_cpu_seconds()?);
    let results = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| hash_until(&ready, time))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a hashing thread panicked"))))
            .collect::<Result<Vec<_>>>()
    })?;
    let cpu = process::cpu_seconds(std::process::id())? - cpu_before;
    let machine = process::machine_cpu_seconds()? - machine_before;
    let mut sample = Sample::default();
    let mut per_second = 0.0;
    let mut longest = 0.0_f64;
    for (latency, seconds) in results {
        // Each thread ends with a whole hash, so each is divided by its own time.
        per_second += latency.total() as f64 / seconds;
        longest = longest.max(seconds);
        sample.answers += latency.total();
        sample.latency.add(&latency);
    }
    sample.conclude(longest, Some(cpu), None);
    sample.per_second = per_second;
    sample.others_cpu = Some((machine - cpu).max(0.0));
    Ok(sample)
}

fn hash_until(ready: &Barrier, time: Duration) -> Result<(Histogram, f64)> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).map_err(|error| anyhow!("{error}"))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = |salt: &[u8]| {
        let mut output = [0; 32];
        argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), salt, &mut output, &mut memory)
    };
    let warm = hash(b"salt to warm up.");
    ready.wait();
    warm.map_err(|error| anyhow!("{error}"))?;
    let mut latency = Histogram::default();
    let started = Instant::now();
    while started.elapsed() < time {
        let before = Instant::now();
        hash(b"sixteen bytes...").map_err(|error| anyhow!("{error}"))?;
        latency.record(before.elapsed());
    }
    if latency.total() == 0 {
        bail!("no hash was made in the window");
    }
    Ok((latency, started.elapsed().as_secs_f64()))
}

fn report(run: &Run, raw: Series, sign_in: Series, peak: u64) -> Report {
    let ratio = sign_in.ratio(&raw, |sample| Some(sample.per_second));
    let per_cpu = sign_in.ratio(&raw, |sample| sample.per_cpu_second);
    let mut other = Table::new("Ratio and memory", &["what", "value"]);
    for (what, ratio) in
        [("of raw Argon2id, per second", ratio), ("of raw Argon2id, per CPU-second", per_cpu)]
    {
        other.row([what.to_owned(), ratio.map_or_else(String::new, report::percents)]);
    }
    other.row(["resident, peak".to_owned(), report::mebibytes(peak as f64)]);
    let target = |ratio: f64| Target::at_least("sign-ins, of raw Argon2id", 0.90, ratio, report::percent);
    let bar = |series: &Series, ours: bool| {
        Some(Bar { label: series.label.clone(), value: series.per_second()?, ours })
    };
    let bars = [bar(&raw, false), bar(&sign_in, true)].into_iter().flatten().collect();
    let series = vec![raw, sign_in];
    Report {
        name: "sign-in".to_owned(),
        title: "Signing in with a password".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: vec![
            format!(
                "{} interleaved rounds of {} s each, both on all {} core(s).",
                run.rounds,
                run.seconds,
                run.cores.count()
            ),
            format!(
                "Argon2id with m={MEMORY_KIB} KiB, t={PASSES}, p={LANES}; raw: one thread a core, memory reused."
            ),
            format!(
                "{CONNECTIONS} connections sign in to {ACCOUNTS} accounts; 503 with Retry-After is obeyed and counted as \
                 deferred, and its wait is part of the latency; every sign-in is a session on disk."
            ),
            "While raw hashes were measured the server ran beside them without connections.".to_owned(),
        ],
        targets: ratio.map(|ratio| target(ratio.median)).into_iter().collect(),
        tables: vec![Table::of_series("Load", &series), other],
        chart: Chart {
            title: "Signing in, beside raw password hashing".to_owned(),
            unit: "per second on the same cores; the line spans the rounds".to_owned(),
            bars,
        },
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_hashes_are_counted_on_every_thread() {
        let sample = hash_only(2, Duration::from_millis(1)).unwrap();
        assert!(sample.answers >= 2);
        assert_eq!(sample.latency.total(), sample.answers);
        assert!(
            sample.per_second > 0.0 && sample.p99 > 1_000,
            "a hash of 19 MiB takes more than a millisecond"
        );
    }
}
