//! What the scenario found out.

use super::local::{self, Allocations};
use super::{APPS, AXUM, http};
use crate::chart::{Bar, Chart};
use crate::keys::{ALGORITHMS, bare_signing};
use crate::load::Sample;
use crate::process::{Machine, Memory};
use crate::report::{self, Report, Table, Target};
use crate::scenario::{CONNECTIONS, Run};
use crate::series::{Series, Spread, find, per_cpu_second};

/// Of the bare library's rate.
const SHARE: f64 = 0.80;
/// Checks of tokens that were seen before, per CPU-second.
const SEEN_RATE: f64 = 50_000.0;
/// Nanoseconds.
const STATUS_COST: f64 = 100.0;

pub(super) fn report(
    run: &Run,
    local: Vec<Series>,
    over_http: Vec<Series>,
    allocations: &Allocations,
    memory: Memory,
) -> Report {
    let mut targets = Vec::new();
    let mut shares = Table::new("Of the bare library, round by round", &["what", "per CPU-second"]);
    for (what, ours, bare) in pairs() {
        let ratio = ratio(&local, &ours, &bare);
        shares.row([what.clone(), ratio.map_or_else(String::new, report::percents)]);
        if let Some(ratio) = ratio {
            let what = format!("{what}, of the bare library");
            targets.push(Target::at_least(&what, SHARE, ratio.median, report::percent));
        }
    }
    if let Some(rate) = find(&local, local::SEEN_BY_PUSH).and_then(Series::per_cpu_second) {
        let what = "verifying a token seen before, per CPU-second";
        targets.push(Target::at_least(what, SEEN_RATE, rate.median, report::count));
    }
    let cost = status_cost(&local);
    if let Some(cost) = cost {
        targets.push(Target::at_most("the status check alone", STATUS_COST, cost.median, nanoseconds));
    }
    let counted = (allocations.by_push + allocations.by_poll) as f64;
    targets.push(Target::at_most("allocations of a check from memory", 0.0, counted, report::count));

    let tables = vec![
        Table::of_rates("In one process, on one core", &local),
        shares,
        memory_table(&local, cost, allocations),
        Table::of_series("Over HTTP", &over_http),
        http_shares(&over_http, memory),
    ];
    let chart = chart(&local);
    Report {
        name: "tokens".to_owned(),
        title: "Tokens: minting, verifying, refreshing".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: conditions(run, allocations),
        targets,
        tables,
        chart,
        series: local.into_iter().chain(over_http).collect(),
    }
}

fn conditions(run: &Run, allocations: &Allocations) -> Vec<String> {
    vec![
        run.rounds_text(),
        "Signing and verifying run in the load's process, in turn on its one core, the server idle beside it; bare signing \
         signs the bytes of such tokens, bare verifying has signatures decoded and keys parsed."
            .to_owned(),
        "Minting is what the server does: a name by chance, every claim, serialised into the token. Tokens are verified \
         once by a verifier that has never seen one, with listening to the server for revocations."
            .to_owned(),
        "The status check is the difference between checking tokens from memory with and without it.".to_owned(),
        format!(
            "Allocations were counted by a program of its own, in {} checks each by push and by poll.",
            report::count(allocations.checks as f64)
        ),
        format!(
            "{CONNECTIONS} keep-alive connections, {APPS} apps signed in; every refresh uses the token of the last answer \
             and is on disk before it is answered; every answer's status is checked, a sample in full."
        ),
    ]
}

fn pairs() -> Vec<(String, String, String)> {
    let names = ALGORITHMS.map(gateward_kernel::jose::SignatureAlgorithm::name);
    let minting = names.map(|name| (local::minting(name), bare_signing(name)));
    let verifying = names.map(|name| (local::verifying(name), local::raw_verifying(name)));
    minting.into_iter().chain(verifying).map(|(ours, bare)| (ours.clone(), ours, bare)).collect()
}

fn ratio(series: &[Series], ours: &str, limit: &str) -> Option<Spread> {
    find(series, ours)?.ratio(find(series, limit)?, per_cpu_second)
}

/// Nanoseconds of processor time one step of this takes.
fn cost(sample: &Sample) -> Option<f64> {
    sample.per_cpu_second.map(|rate| 1e9 / rate)
}

/// What a check costs more with the status than without, round by round.
fn status_cost(local: &[Series]) -> Option<Spread> {
    let (with, without) = (find(local, local::FROM_MEMORY)?, find(local, local::WITHOUT_STATUS)?);
    let pairs = with.samples.iter().zip(&without.samples);
    Spread::of(pairs.filter_map(|(with, without)| Some((cost(with)? - cost(without)?).max(0.0))))
}

fn memory_table(local: &[Series], status: Option<Spread>, allocations: &Allocations) -> Table {
    let mut table = Table::new("A token that was seen before", &["what", "value"]);
    for label in [local::SEEN_BY_PUSH, local::FROM_MEMORY, local::WITHOUT_STATUS] {
        let spread = find(local, label).and_then(|series| Spread::of(series.samples.iter().filter_map(cost)));
        table.row([label.to_owned(), spread.map_or_else(String::new, nanosecond_spread)]);
    }
    table.row(["the status check alone".to_owned(), status.map_or_else(String::new, nanosecond_spread)]);
    for (what, count) in [("by push", allocations.by_push), ("by poll", allocations.by_poll)] {
        let text = format!("{count} in {} checks", report::count(allocations.checks as f64));
        table.row([format!("allocations, {what}"), text]);
    }
    table
}

fn http_shares(over_http: &[Series], memory: Memory) -> Table {
    let mut table = Table::new(
        "Of bare axum, round by round, and memory",
        &["what", "per server-CPU-second", "per second"],
    );
    let text = |ratio: Option<Spread>| ratio.map_or_else(String::new, report::percents);
    for ours in [http::REFRESH, http::BEARER, http::KEYS] {
        let pair = find(over_http, ours).zip(find(over_http, AXUM));
        let of = |value: fn(&Sample) -> Option<f64>| pair.and_then(|(ours, axum)| ours.ratio(axum, value));
        table.row([ours.to_owned(), text(of(per_cpu_second)), text(of(|sample| Some(sample.per_second)))]);
    }
    table.row(["resident, peak".to_owned(), report::mebibytes(memory.peak as f64), String::new()]);
    table
}

fn chart(local: &[Series]) -> Chart {
    let bars = pairs().into_iter().filter_map(|(what, ours, bare)| {
        let Spread { median, lowest, highest } = ratio(local, &ours, &bare)?;
        let value = Spread { median: median * 100.0, lowest: lowest * 100.0, highest: highest * 100.0 };
        Some(Bar { label: what, value, ours: true })
    });
    Chart {
        title: "Minting and verifying, beside the bare cryptographic library".to_owned(),
        unit: "percent of the bare library's rate on the same core; the line spans the rounds".to_owned(),
        bars: bars.collect(),
    }
}

fn nanoseconds(value: f64) -> String {
    format!("{value:.0} ns")
}

fn nanosecond_spread(spread: Spread) -> String {
    format!("{} ({:.0}…{:.0})", nanoseconds(spread.median), spread.lowest, spread.highest)
}
