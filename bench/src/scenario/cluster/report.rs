//! What was found out, in words and tables.

use super::raw::{Asked, Rate, VALUE};
use super::{Near, Seen};
use crate::chart::{Bar, Chart};
use crate::load::Sample;
use crate::process::Machine;
use crate::report::{self, Report, Table, Target};
use crate::scenario::{CONNECTIONS, Run};
use crate::series::{Series, Spread, per_cpu_second};

/// The single node that everything is compared with.
const ALONE: &str = "SQLite";
const PUSHED_WITHIN: f64 = 50_000.0;
const STORED_IN_REDIS: f64 = 600.0;
const REMEMBERED: f64 = 400.0;

pub(super) fn report(run: &Run, seen: Vec<Seen>, raw: Vec<(Rate, Series)>) -> Report {
    let tables = vec![
        checks("Session checks, seen before", &seen, |seen| &seen.hits),
        checks("Session checks, not in memory", &seen, |seen| &seen.misses),
        rates("Reading, by the engine itself", &raw, Asked::Read),
        checks("Uses that are written", &seen, |seen| &seen.touches),
        checks("Sign-ins, without the hash", &seen, |seen| &seen.sign_ins),
        rates("Writing, by the engine itself", &raw, Asked::Write),
        memory(&seen),
        ends(&seen),
        nodes(&seen),
    ];
    let (targets, chart, conditions) = (targets(&seen), chart(&seen), conditions(run, &seen));
    let mut series: Vec<Series> = Vec::new();
    for one in seen {
        series.extend([one.hits, one.misses, one.touches, one.sign_ins]);
        series.extend(one.nodes);
        if let Some(ends) = one.ends {
            for (what, sample) in [("request", ends.from_request), ("answer", ends.from_answer)] {
                let label = format!("{}, end to refusal, from the {what}", one.engine);
                series.push(Series { label, samples: vec![sample] });
            }
        }
    }
    series.extend(raw.into_iter().map(|(_, series)| series));
    Report {
        name: "cluster".to_owned(),
        title: "Several nodes, over each engine".to_owned(),
        machine: Machine::read(&run.cores),
        conditions,
        targets,
        tables,
        chart,
        series,
    }
}

fn conditions(run: &Run, seen: &[Seen]) -> Vec<String> {
    let sessions = report::count(seen.iter().map(|seen| seen.sessions as f64).fold(0.0, f64::max));
    let missed: Vec<String> =
        seen.iter().map(|seen| format!("{} {}", seen.engine, report::percent(seen.missed))).collect();
    vec![
        run.rounds_text(),
        "The nodes have the server's core, all of them together; the engines share the load's, except while they are measured by \
         themselves. So checks per second are bounded by that other core where the engine takes part, and checks per \
         server-CPU-second are what compares."
            .to_owned(),
        format!(
            "{CONNECTIONS} keep-alive connections, forward-auth as nginx asks it; every answer's status is checked, a sample in full."
        ),
        format!("{sessions} sessions of one person in each engine; people and keys in PostgreSQL, with SQLite in its own file."),
        format!(
            "Not in memory: cookies of all sessions in turn, a cache of 4 MiB; read from the engine for an answer: {}.",
            missed.join(", ")
        ),
        "Memcached tells nobody of changes, so that nothing is remembered: every check asks it.".to_owned(),
        "A written use is a check whose session was not used for a hundredth of its idle time: one compare-and-set each, which was \
         counted."
            .to_owned(),
        format!(
            "Sign-ins run in the program without HTTP and without a password, {CONNECTIONS} at a time: a session and its person's list \
             each, somebody new every time. Starting the program is part of its processor time."
        ),
        format!(
            "The engines by themselves: records of {VALUE} bytes, {CONNECTIONS} connections, one question at a time on each unless said \
             otherwise. For Memcached Debian has no benchmark program, and for NATS none either: an own client, which checks \
             every answer."
        ),
        "PostgreSQL commits to disk (fsync on), Redis writes its append-only file every second, NATS syncs every two minutes, each as \
         it comes."
            .to_owned(),
    ]
}

fn targets(seen: &[Seen]) -> Vec<Target> {
    let mut targets = Vec::new();
    let alone = seen.iter().find(|seen| seen.engine == ALONE);
    for one in seen.iter().filter(|seen| seen.engine != ALONE && seen.near.is_some()) {
        if let Some(ratio) = alone.and_then(|alone| one.hits.ratio(&alone.hits, per_cpu_second)) {
            let what = format!("checks seen before, {}, of a single node's", one.engine);
            targets.push(Target::at_least(&what, 0.9, ratio.median, report::percent));
        }
    }
    // Where nothing is pushed there is nothing to wait for: the next check asks the engine.
    for one in seen {
        if let Some(ends) = &one.ends {
            let what = format!("end at one node to refusal at another, {}, p99", one.engine);
            let p99 = ends.from_request.latency.quantile(0.99) as f64;
            targets.push(Target::at_most(&what, PUSHED_WITHIN, p99, report::millis));
        }
    }
    for one in seen {
        if one.engine == "Redis" {
            targets.push(Target::at_most("a session in Redis", STORED_IN_REDIS, one.stored, bytes));
        }
        if let Some(Near { resident, .. }) = one.near {
            let what = format!("a session in a node's memory, {}", one.engine);
            targets.push(Target::at_most(&what, REMEMBERED, resident, bytes));
        }
    }
    targets
}

/// One row an engine: how often, and what one costs the node and the engine.
fn checks(title: &str, seen: &[Seen], pick: fn(&Seen) -> &Series) -> Table {
    let mut table = Table::new(
        title,
        &[
            "engine",
            "per second",
            "per server-CPU-second",
            "of a single node's",
            "node, each",
            "engine, each",
            "p50",
            "p99",
        ],
    );
    let alone = seen.iter().find(|seen| seen.engine == ALONE).map(pick);
    for one in seen {
        let series = pick(one);
        let ratio = alone.and_then(|alone| series.ratio(alone, per_cpu_second));
        let latency = series.latency();
        let time = |share| match latency.total() {
            0 => none(),
            _ => report::millis(latency.quantile(share) as f64),
        };
        table.row([
            one.engine.to_owned(),
            series.per_second().map_or_else(none, report::counts),
            series.per_cpu_second().map_or_else(none, report::counts),
            ratio.map_or_else(none, report::percents),
            each(series, |sample| sample.server_cpu),
            each(series, |sample| sample.engine_cpu),
            time(0.5),
            time(0.99),
        ]);
    }
    table
}

/// Processor time for one answer.
fn each(series: &Series, cpu: fn(&Sample) -> Option<f64>) -> String {
    let samples = series.samples.iter();
    let spread =
        Spread::of(samples.filter_map(|sample| Some(cpu(sample)? * 1e6 / (sample.answers as f64).max(1.0))));
    spread.map_or_else(none, |spread| format!("{:.1} µs", spread.median))
}

fn rates(title: &str, raw: &[(Rate, Series)], asked: Asked) -> Table {
    let mut table =
        Table::new(title, &["measured", "per second", "per engine-CPU-second", "engine, each", "others"]);
    for (_, series) in raw.iter().filter(|(rate, _)| rate.asked() == asked) {
        table.row([
            series.label.clone(),
            series.per_second().map_or_else(none, report::counts),
            series.per_cpu_second().map_or_else(none, report::counts),
            each(series, |sample| sample.server_cpu),
            series.others_share().map_or_else(none, report::percent),
        ]);
    }
    table
}

fn memory(seen: &[Seen]) -> Table {
    let mut table = Table::new(
        "A session in memory and on disk, in bytes",
        &[
            "engine",
            "in the engine",
            "which are",
            "with a list of its own",
            "resident in the engine",
            "in the node, resident",
            "in the node, counted",
        ],
    );
    for one in seen {
        let near =
            |pick: fn(&Near) -> f64| one.near.as_ref().map_or_else(none, |near| report::count(pick(near)));
        table.row([
            one.engine.to_owned(),
            report::count(one.stored),
            one.counted.to_owned(),
            report::count(one.stored_with_list),
            one.resident.map_or_else(none, report::count),
            near(|near| near.resident),
            near(|near| near.counted),
        ]);
    }
    table
}

fn ends(seen: &[Seen]) -> Table {
    let mut table = Table::new(
        "From the end at one node to the refusal at another",
        &[
            "engine",
            "ends",
            "p50 from the request",
            "p99",
            "longest",
            "p50 from the answer",
            "p99 ",
            "longest ",
        ],
    );
    for one in seen {
        let Some(ends) = &one.ends else { continue };
        let [request, answer] = [&ends.from_request, &ends.from_answer].map(|sample| {
            let time = |micros: u64| report::millis(micros as f64);
            let latency = &sample.latency;
            [time(latency.quantile(0.5)), time(latency.quantile(0.99)), time(latency.longest())]
        });
        let head = [one.engine.to_owned(), report::count(ends.from_request.answers as f64)];
        table.row(head.into_iter().chain(request).chain(answer));
    }
    table
}

fn nodes(seen: &[Seen]) -> Table {
    let mut table = Table::new(
        "One, two, three nodes on one core, checks seen before",
        &[
            "measured",
            "per second",
            "per second of all nodes' processor time",
            "of one node's",
            "engine, each",
        ],
    );
    for one in seen {
        let Some(first) = one.nodes.first() else { continue };
        for series in &one.nodes {
            table.row([
                series.label.clone(),
                series.per_second().map_or_else(none, report::counts),
                series.per_cpu_second().map_or_else(none, report::counts),
                series.ratio(first, per_cpu_second).map_or_else(none, report::percents),
                each(series, |sample| sample.engine_cpu),
            ]);
        }
    }
    table
}

fn chart(seen: &[Seen]) -> Chart {
    let bar = |series: &Series, ours: bool| {
        Some(Bar { label: series.label.clone(), value: series.per_cpu_second()?, ours })
    };
    let pairs = seen.iter().flat_map(|one| [bar(&one.hits, true), bar(&one.misses, false)]);
    Chart {
        title: "Session checks over each engine".to_owned(),
        unit: "per second of the node's processor time; the line spans the rounds".to_owned(),
        bars: pairs.flatten().collect(),
    }
}

fn bytes(value: f64) -> String {
    format!("{value:.0} bytes")
}

fn none() -> String {
    "–".to_owned()
}
