//! Forward-auth and session checks by cookie with 100,000 living sessions, beside bare hyper and bare axum.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{CONNECTIONS, Limit, Run, header};
use crate::chain::Requests;
use crate::chart::{Bar, Chart};
use crate::house::{House, Served, USER};
use crate::load::{Expected, Sample, Work};
use crate::process::{self, Machine, Memory};
use crate::report::{self, Report, Table, Target};
use crate::series::{Series, Spread};
use crate::wire;

const SESSIONS: usize = 100_000;
const STARTS: usize = 7;
const SETTINGS: &str = r#"
trusted_proxies = ["127.0.0.1/32"]

[[app]]
host = "app.localhost"
rules = [{ path = "/*", allow = "signed-in" }]
"#;

const HYPER: &str = "bare hyper";
const AXUM: &str = "bare axum";
const AXUM_HEADERS: &str = "bare axum, our request headers";
const FORWARD_AUTH: &str = "gateward forward-auth";
const SESSION: &str = "gateward session";

/// What is read outside the load.
struct Beside {
    first_answer: Spread,
    idle: Memory,
    loaded: Memory,
    sessions: usize,
}

pub(crate) fn run(run: &Run) -> Result<()> {
    let sessions = run.amount(SESSIONS);
    let house = House::new(run.gateward()?, SETTINGS)?;
    house.add_user(USER)?;
    let mut cookies = house.fill(sessions, false)?;
    let (served, starts) = start_often(&house, run)?;
    let idle = process::settled_memory(served.running.id())?;
    cookies.push(served.sign_in(USER)?);
    refuses_without_session(&served)?;

    let hyper = Limit::start("limit-hyper", &run.cores)?;
    let axum = Limit::start("limit-axum", &run.cores)?;
    let same_headers = cookies.first().map(|cookie| forward_headers(cookie)).unwrap_or_default();
    let entries = [
        (HYPER, hyper.work(&[])),
        (AXUM, axum.work(&[])),
        (AXUM_HEADERS, axum.work(&same_headers)),
        (FORWARD_AUTH, forward_auth(&served, &cookies)),
        (SESSION, session(&served, &cookies)),
    ];
    let series = run.interleave(&entries, run.window(CONNECTIONS))?;
    let loaded = process::memory(served.running.id())?;
    served.running.stop()?;
    hyper.stop()?;
    axum.stop()?;

    let first_answer = Spread::of(starts.iter().map(Duration::as_secs_f64));
    let Some(first_answer) = first_answer else { bail!("no start was measured") };
    run.finish(report(run, series, &Beside { first_answer, idle, loaded, sessions }))
}

/// Starts the server again and again on the same directory; the last one keeps running.
fn start_often(house: &House, run: &Run) -> Result<(Served, Vec<Duration>)> {
    let mut served = house.serve(run.cores.server())?;
    let mut starts = vec![served.first_answer];
    for _ in 1..if run.quick { 2 } else { STARTS } {
        served.running.stop()?;
        served = house.serve(run.cores.server())?;
        starts.push(served.first_answer);
    }
    Ok((served, starts))
}

/// A server that lets everybody in would be fast, too.
fn refuses_without_session(served: &Served) -> Result<()> {
    let asked = [
        served.get("/forward-auth/nginx", &forward_headers("x"))?,
        served.get("/api/v1/session", &[header("Cookie", "gateward=x")])?,
    ];
    match asked.iter().find(|answer| answer.status < 300) {
        None => Ok(()),
        Some(answer) => bail!("a request without a session was answered with {}", answer.status),
    }
}

fn forward_headers(cookie: &str) -> Vec<(String, String)> {
    vec![
        header("Cookie", format!("gateward={cookie}")),
        header("X-Original-URL", "http://app.localhost/page"),
        header("X-Original-Method", "GET"),
    ]
}

fn forward_auth(served: &Served, cookies: &[String]) -> Work {
    let expected = Expected {
        status: 200,
        empty_body: true,
        headers: vec![header("Remote-User", USER)],
        ..Expected::default()
    };
    work(served, "/forward-auth/nginx", cookies.iter().map(|cookie| forward_headers(cookie)), expected)
}

fn session(served: &Served, cookies: &[String]) -> Work {
    let expected =
        Expected { status: 200, body_contains: Some(format!("\"{USER}\"")), ..Expected::default() };
    let headers = cookies.iter().map(|cookie| vec![header("Cookie", format!("gateward={cookie}"))]);
    work(served, "/api/v1/session", headers, expected)
}

fn work(
    served: &Served,
    path: &str,
    headers: impl Iterator<Item = Vec<(String, String)>>,
    expected: Expected,
) -> Work {
    let authority = served.address.to_string();
    let requests = headers.map(|headers| wire::request("GET", path, &authority, &headers, "")).collect();
    Work::at(served.address, Some(served.running.id()), Requests::in_turn(requests), expected)
}

fn report(run: &Run, series: Vec<Series>, beside: &Beside) -> Report {
    let find = |label: &str| series.iter().find(|series| series.label == label);
    let ratio = |ours: &str, limit: &str, value: fn(&Sample) -> Option<f64>| {
        find(ours).zip(find(limit)).and_then(|(ours, limit)| ours.ratio(limit, value))
    };
    let mut ratios =
        Table::new("Ratios, round by round", &["ours", "limit", "per server-CPU-second", "per second"]);
    let text = |ratio: Option<Spread>| ratio.map_or_else(String::new, report::percents);
    for ours in [FORWARD_AUTH, SESSION] {
        for limit in [AXUM, AXUM_HEADERS, HYPER] {
            let per_cpu = ratio(ours, limit, |sample| sample.per_cpu_second);
            let per_second = ratio(ours, limit, |sample| Some(sample.per_second));
            ratios.row([ours.to_owned(), limit.to_owned(), text(per_cpu), text(per_second)]);
        }
    }

    let mut other = Table::new("Memory and start", &["what", "value"]);
    let start = beside.first_answer;
    let millis = |seconds: f64| report::millis(seconds * 1e6);
    let started = format!("{} ({}…{})", millis(start.median), millis(start.lowest), millis(start.highest));
    other.row(["start to first answer".to_owned(), started]);
    for (what, kibibytes) in [
        ("resident, idle", beside.idle.now),
        ("resident, after the load", beside.loaded.now),
        ("resident, peak", beside.loaded.peak),
    ] {
        other.row([what.to_owned(), report::mebibytes(kibibytes as f64)]);
    }

    let mut targets = Vec::new();
    if let Some(ratio) = ratio(FORWARD_AUTH, AXUM, |sample| sample.per_cpu_second) {
        let what = "forward-auth, of bare axum, per server-CPU-second";
        targets.push(Target::at_least(what, 0.70, ratio.median, report::percent));
    }
    if let Some(forward_auth) = find(FORWARD_AUTH) {
        let p99 = forward_auth.latency().quantile(0.99) as f64;
        targets.push(Target::at_most("forward-auth, p99", 5_000.0, p99, report::millis));
    }
    targets.push(Target::at_most(
        "resident, idle",
        25.0 * 1_024.0,
        beside.idle.now as f64,
        report::mebibytes,
    ));
    targets.push(Target::at_most("start to first answer", 100_000.0, start.median * 1e6, report::millis));

    Report {
        name: "session-check".to_owned(),
        title: "Session check by cookie".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: vec![
            run.rounds_text(),
            format!(
                "{CONNECTIONS} keep-alive connections; every answer's status is checked, a sample in full."
            ),
            format!(
                "{} living sessions in SQLite; the requests take turns through a sample of them.",
                report::count(beside.sessions as f64)
            ),
            "The servers that were not being measured ran beside it without connections.".to_owned(),
        ],
        targets,
        tables: vec![Table::of_series("Load", &series), ratios, other],
        chart: chart(&series),
        series,
    }
}

fn chart(series: &[Series]) -> Chart {
    let bar = |series: &Series| {
        let ours = series.label.starts_with("gateward");
        Some(Bar { label: series.label.clone(), value: series.per_cpu_second()?, ours })
    };
    Chart {
        title: "Session check by cookie, beside the bare HTTP stack".to_owned(),
        unit: "requests per second of server processor time; the line spans the rounds".to_owned(),
        bars: series.iter().filter_map(bar).collect(),
    }
}
