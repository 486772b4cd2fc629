//! A million stored sessions, half of them expired: memory stays bounded, sign-ins stay quick while they are swept.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::{Run, header};
use crate::chart::{Bar, Chart};
use crate::house::{House, Served, USER, sign_in_request};
use crate::load::Sample;
use crate::process::{self, Machine};
use crate::report::{self, Report, Table, Target};
use crate::series::{Series, Spread};
use crate::wire;

/// As many living ones as expired ones.
const SESSIONS: usize = 500_000;
const METRIC: &str = "gateward_sweep_removed_total";
const ACCOUNTS: usize = 4;
/// A sign-in starts this often, whether or not earlier ones are answered: a third of what one core can hash, so that
/// what is measured is the sweep and not the queue before the hash.
const PACE: Duration = Duration::from_millis(125);
/// Sign-ins go on this long after the sweep, to compare.
const AFTERWARDS: Duration = Duration::from_secs(15);
/// The sweep may pause between its steps, but not longer than this.
const PROGRESS_PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One sign-in: when it was due, and how long after that it was answered.
type SignIn = (Instant, Result<Duration>);

/// What was seen of the sweep.
#[derive(Default)]
struct Seen {
    first_removal: Duration,
    finished: Duration,
    idle_before: u64,
    largest: u64,
    after: u64,
    stored_before: u64,
    stored_after: u64,
}

pub(crate) fn run(run: &Run) -> Result<()> {
    let amount = run.amount(SESSIONS);
    let house = House::new(run.gateward()?, "")?;
    house.add_user(USER)?;
    let names: Vec<String> = (1..=ACCOUNTS).map(|number| format!("{USER}-{number}")).collect();
    for name in &names {
        house.add_user(name)?;
    }
    let living = house.fill(amount, false)?;
    let expired = house.fill(amount, true)?;
    let stored_before = house.stored_bytes()?;

    let served = house.serve(run.cores.server())?;
    let (started, over) = (Instant::now(), AtomicBool::new(false));
    let sign_ins = Mutex::new(Vec::new());
    let mut seen = Seen { stored_before, ..Seen::default() };
    let watched = thread::scope(|scope| {
        for (lane, name) in names.iter().enumerate() {
            let (served, over, sign_ins) = (&served, &over, &sign_ins);
            scope.spawn(move || sign_in_at_pace(served, name, started, lane, over, sign_ins));
        }
        let watched = watch(&served, amount, started, &mut seen);
        if watched.is_ok() {
            thread::sleep(AFTERWARDS);
        }
        over.store(true, Ordering::Relaxed);
        watched
    });
    watched?;
    seen.after = process::settled_memory(served.running.id())?.now;
    seen.largest = process::memory(served.running.id())?.peak;
    answers_are_right(&served, &living, &expired)?;
    served.running.stop()?;
    seen.stored_after = house.stored_bytes()?;
    let sign_ins = sign_ins.into_inner().map_err(|_| anyhow!("a sign-in thread panicked"))?;
    run.finish(report(run, amount, started, sign_ins, &seen))
}

/// Looks at memory and the sweep's counter until every expired session is gone.
fn watch(served: &Served, amount: usize, started: Instant, seen: &mut Seen) -> Result<()> {
    seen.idle_before = process::memory(served.running.id())?.now;
    let (mut last, mut progress) = (0, Instant::now());
    loop {
        let removed = removed(&served.get("/metrics", &[])?.body)
            .with_context(|| format!("no {METRIC} in /metrics"))?;
        if removed > 0 && last == 0 {
            seen.first_removal = started.elapsed();
        }
        if removed > last {
            (last, progress) = (removed, Instant::now());
        }
        if removed >= amount as u64 {
            seen.finished = started.elapsed();
            return Ok(());
        }
        if progress.elapsed() > PROGRESS_PATIENCE {
            bail!("the sweep stands still: {removed} of {amount} removed");
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The counter's value, its labelled children added up.
fn removed(metrics: &str) -> Option<u64> {
    let value = |line: &str| {
        let rest = line.strip_prefix(METRIC)?;
        rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    let values: Vec<f64> = metrics.lines().filter_map(value).collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
}

/// Every lane takes each `ACCOUNTS`th of the sign-ins that are due. Time is counted from when one was due, so that a
/// late one does not hide the wait of the next.
fn sign_in_at_pace(
    served: &Served,
    name: &str,
    started: Instant,
    lane: usize,
    over: &AtomicBool,
    results: &Mutex<Vec<SignIn>>,
) {
    let request = sign_in_request(served.address, name);
    let step = PACE * ACCOUNTS as u32;
    let mut due = started + PACE * lane as u32;
    while !over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = wire::ask_once(served.address, &request, Duration::from_secs(30));
        let result = match answer {
            Ok(answer) if answer.status == 200 => Ok(due.elapsed()),
            Ok(answer) => Err(anyhow!("status {} instead of 200", answer.status)),
            Err(error) => Err(error),
        };
        if let Ok(mut results) = results.lock() {
            results.push((due, result));
        }
        due += step;
    }
}

/// What was alive is still alive, and what had expired is not.
fn answers_are_right(served: &Served, living: &[String], expired: &[String]) -> Result<()> {
    for (cookies, status) in [(living, 200), (expired, 401)] {
        for cookie in cookies {
            let found =
                served.get("/api/v1/session", &[header("Cookie", format!("gateward={cookie}"))])?.status;
            if found != status {
                bail!("after the sweep a session was answered with {found} instead of {status}");
            }
        }
    }
    Ok(())
}

fn report(run: &Run, amount: usize, started: Instant, sign_ins: Vec<SignIn>, seen: &Seen) -> Report {
    let end = started + seen.finished;
    let (during, after): (Vec<_>, Vec<_>) = sign_ins.into_iter().partition(|(due, _)| *due <= end);
    let during = series("sign-in during the sweep", during, seen.finished);
    let after = series("sign-in afterwards", after, AFTERWARDS);
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let bytes = |bytes: u64| report::mebibytes(bytes as f64 / 1_024.0);
    let sweeping = (seen.finished.saturating_sub(seen.first_removal)).as_secs_f64().max(0.001);
    let mut table = Table::new("The sweep", &["what", "value"]);
    for (what, value) in [
        ("ready until first removal seen", seconds(seen.first_removal)),
        ("ready until all expired are gone", seconds(seen.finished)),
        ("removed per second", report::count(amount as f64 / sweeping)),
        ("resident, when ready", report::mebibytes(seen.idle_before as f64)),
        ("resident, peak", report::mebibytes(seen.largest as f64)),
        ("resident, afterwards", report::mebibytes(seen.after as f64)),
        ("data directory before", bytes(seen.stored_before)),
        ("data directory after", bytes(seen.stored_after)),
    ] {
        table.row([what.to_owned(), value]);
    }
    let p99 = during.latency().quantile(0.99) as f64;
    let target = Target::at_most("sign-in during the sweep, p99", 100_000.0, p99, report::millis);
    let bar = |series: &Series, ours: bool| {
        let latency = series.latency();
        let of = |share| latency.quantile(share) as f64 / 1_000.0;
        Bar {
            label: series.label.clone(),
            value: Spread { median: of(0.99), lowest: of(0.5), highest: latency.longest() as f64 / 1_000.0 },
            ours,
        }
    };
    let bars = vec![bar(&during, true), bar(&after, false)];
    let series = vec![during, after];
    Report {
        name: "sweep".to_owned(),
        title: "Sweeping expired sessions while people sign in".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: vec![
            format!("{0} living and {0} expired sessions in SQLite when the server starts.", report::count(amount as f64)),
            format!(
                "A sign-in is due every {} ms, on a new connection; its time is counted from when it was due.",
                PACE.as_millis()
            ),
            "One server process on its own core when there are two; nothing else ran beside it.".to_owned(),
            "After the sweep a sample of the living sessions was answered with 200, of the expired ones with 401.".to_owned(),
        ],
        targets: vec![target],
        chart: Chart {
            title: format!("Sign-ins while {} expired sessions are swept", report::count(amount as f64)),
            unit: "milliseconds at p99; the line spans p50 to the longest".to_owned(),
            bars,
        },
        tables: vec![Table::of_series("Load", &series), table],
        series,
    }
}

fn series(label: &str, sign_ins: Vec<SignIn>, time: Duration) -> Series {
    let mut sample = Sample::default();
    for (_, result) in sign_ins {
        match result {
            Ok(latency) => {
                sample.answers += 1;
                sample.latency.record(latency);
            }
            Err(error) => *sample.errors.entry(format!("{error:#}")).or_default() += 1,
        }
    }
    sample.conclude(time.as_secs_f64().max(0.001), None, None);
    Series { label: label.to_owned(), samples: vec![sample] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_among_other_metrics() {
        let metrics = "# TYPE gateward_sweep_removed counter\n\
                       gateward_sweep_removed_total{kind=\"session\"} 120\n\
                       gateward_sweep_removed_total{kind=\"guest\"} 3\n\
                       gateward_sweep_removed_total_other 9\n";
        assert_eq!(removed(metrics), Some(123));
        assert_eq!(removed("gateward_sweep_removed_total 7\n"), Some(7));
        assert_eq!(removed("gateward_sessions 7\n"), None);
    }

    #[test]
    fn failed_sign_ins_are_errors_and_not_latencies() {
        let now = Instant::now();
        let sign_ins =
            vec![(now, Ok(Duration::from_millis(30))), (now, Err(anyhow!("status 503 instead of 200")))];
        let series = series("s", sign_ins, Duration::from_secs(2));
        assert_eq!((series.errors(), series.latency().total(), series.latency().longest()), (1, 1, 30_000));
    }
}
