//! Is the load generator itself the bottleneck? It and wrk take turns against bare hyper. What matters is that a
//! request costs the generator less processor time than it costs the fastest server.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{CONNECTIONS, Limit, Run};
use crate::chart::{Bar, Chart};
use crate::load::{self, Sample};
use crate::process::{self, Machine};
use crate::report::{self, Report, Table, Target};
use crate::series::Series;

pub(crate) fn run(run: &Run) -> Result<()> {
    let hyper = Limit::start("limit-hyper", &run.cores)?;
    let axum = Limit::start("limit-axum", &run.cores)?;
    let window = run.window(CONNECTIONS);
    let mut own = Series::new("this generator, bare hyper");
    let mut wrk = Series::new("wrk, bare hyper");
    let mut own_axum = Series::new("this generator, bare axum");
    for round in 1..=run.rounds {
        own.samples.push(load::run(&hyper.work(&[]), window)?);
        wrk.samples.push(run_wrk(&hyper, run.seconds)?);
        own_axum.samples.push(load::run(&axum.work(&[]), window)?);
        for series in [&own, &wrk, &own_axum] {
            run.progress(round, &series.label, series.samples.last().map_or(0.0, |sample| sample.per_second));
        }
    }
    hyper.stop()?;
    axum.stop()?;
    run.finish(report(run, vec![own, wrk, own_axum]))
}

/// wrk with one thread on the core this process is pinned to. Its own latencies are not taken over.
fn run_wrk(server: &Limit, seconds: u32) -> Result<Sample> {
    let before = process::cpu_seconds(server.process())?;
    let wrk_before = process::ended_children_cpu_seconds()?;
    let output = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{seconds}s"),
            &format!("http://{}/", server.address),
        ])
        .output()
        .context("running wrk (package wrk)")?;
    let cpu = process::cpu_seconds(server.process())? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((answers, per_second)) = wrk_numbers(&text).filter(|_| output.status.success()) else {
        bail!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    };
    let mut sample = Sample { answers, ..Sample::default() };
    sample.conclude(
        answers as f64 / per_second,
        Some(cpu),
        Some(process::ended_children_cpu_seconds()? - wrk_before),
    );
    Ok(sample)
}

/// Answers and answers per second; `None` when wrk saw errors.
fn wrk_numbers(text: &str) -> Option<(u64, f64)> {
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return None;
    }
    let answers = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())?;
    let per_second = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())?;
    Some((answers, per_second))
}

fn report(run: &Run, series: Vec<Series>) -> Report {
    let mut targets = Vec::new();
    if let [own, wrk, ..] = series.as_slice() {
        let against_wrk = own.ratio(wrk, |sample| Some(sample.per_second));
        targets.extend(against_wrk.map(|ratio| {
            Target::at_least("requests per second, of wrk's", 0.95, ratio.median, report::percent)
        }));
        if let Some((load, server)) = own.load_share().zip(own.server_share()) {
            let what = "processor time a request, of bare hyper's";
            targets.push(Target::at_most(what, 1.0, load / server, report::percent));
        }
    }
    let bar = |series: &Series| {
        let ours = series.label.starts_with("this");
        Some(Bar { label: series.label.clone(), value: series.per_second()?, ours })
    };
    Report {
        name: "generator".to_owned(),
        title: "The load generator beside wrk".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: vec![
            run.rounds_text(),
            format!("{CONNECTIONS} keep-alive connections; wrk with one thread on the generator's core."),
            "wrk's row has no latencies: it keeps its own.".to_owned(),
        ],
        targets,
        tables: vec![Table::of_series("Load", &series)],
        chart: Chart {
            title: "The load generator beside wrk".to_owned(),
            unit: "requests per second; the line spans the rounds".to_owned(),
            bars: series.iter().filter_map(bar).collect(),
        },
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_is_understood() {
        let text = "Running 4s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  \
                    197532 requests in 4.10s, 23.36MB read\nRequests/sec:  48178.53\nTransfer/sec:  5.70MB\n";
        assert_eq!(wrk_numbers(text), Some((197_532, 48_178.53)));
        assert_eq!(wrk_numbers(&format!("{text}  Socket errors: connect 0, read 3")), None);
        assert_eq!(wrk_numbers("unable to connect"), None);
    }
}
