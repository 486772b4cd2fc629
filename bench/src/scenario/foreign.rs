//! The check scenario against any other server, beside our limits on the same machine.

use anyhow::{Context, Result};
use clap::Args;

use super::{CONNECTIONS, Limit, Run, header};
use crate::chain::Requests;
use crate::chart::{Bar, Chart};
use crate::load::{Expected, Work};
use crate::place::Place;
use crate::process::Machine;
use crate::report::{self, Report, Table};
use crate::series::Series;
use crate::wire;

#[derive(Args)]
pub(crate) struct Options {
    /// Measure the server at this http address instead of starting ours
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// What the results call that server
    #[arg(long, requires = "url", default_value = "other server")]
    label: String,
    /// Path to ask for; default: the path of the address
    #[arg(long, requires = "url")]
    path: Option<String>,
    /// A session cookie; several are sent in turn
    #[arg(long = "cookie", requires = "url", value_name = "NAME=VALUE")]
    cookies: Vec<String>,
    /// A header field for every request
    #[arg(long = "header", requires = "url", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// The status a right answer has
    #[arg(long, requires = "url", default_value_t = 200)]
    expect: u16,
    /// Id of the server's process on this machine, to count its processor time
    #[arg(long, requires = "url", value_name = "ID")]
    pid: Option<u32>,
}

pub(crate) fn run(run: &Run, options: &Options) -> Result<()> {
    let place = Place::parse(options.url.as_deref().unwrap_or_default()).context("--url")?;
    let hyper = Limit::start("limit-hyper", &run.cores)?;
    let axum = Limit::start("limit-axum", &run.cores)?;
    let entries = [
        ("bare hyper", hyper.work(&[])),
        ("bare axum", axum.work(&[])),
        (options.label.as_str(), work(options, &place)?),
    ];
    let series = run.interleave(&entries, run.window(CONNECTIONS))?;
    hyper.stop()?;
    axum.stop()?;
    run.finish(report(run, series))
}

fn work(options: &Options, place: &Place) -> Result<Work> {
    let mut headers = Vec::new();
    for field in &options.headers {
        let (name, value) = field.split_once(':').with_context(|| format!("--header {field}: no colon"))?;
        headers.push(header(name.trim(), value.trim()));
    }
    let path = options.path.as_deref().unwrap_or(&place.path);
    let with_cookie = |cookie: Option<&String>| {
        let mut headers = headers.clone();
        headers.extend(cookie.map(|cookie| header("Cookie", cookie)));
        wire::request("GET", path, &place.authority, &headers, "")
    };
    let requests = match options.cookies.as_slice() {
        [] => vec![with_cookie(None)],
        cookies => cookies.iter().map(|cookie| with_cookie(Some(cookie))).collect(),
    };
    let expected = Expected { status: options.expect, ..Expected::default() };
    Ok(Work::at(place.address, options.pid, Requests::in_turn(requests), expected))
}

fn report(run: &Run, series: Vec<Series>) -> Report {
    let mut ratios =
        Table::new("Ratios, round by round", &["measured", "limit", "per server-CPU-second", "per second"]);
    if let [hyper, axum, other] = series.as_slice() {
        for limit in [axum, hyper] {
            let per_cpu = other.ratio(limit, |sample| sample.per_cpu_second);
            let per_second = other.ratio(limit, |sample| Some(sample.per_second));
            let text = |ratio: Option<_>| ratio.map_or_else(|| "–".to_owned(), report::percents);
            ratios.row([other.label.clone(), limit.label.clone(), text(per_cpu), text(per_second)]);
        }
    }
    let bar = |(index, series): (usize, &Series)| {
        Some(Bar { label: series.label.clone(), value: series.per_second()?, ours: index == 2 })
    };
    Report {
        name: "session-check-url".to_owned(),
        title: "The same load against another server".to_owned(),
        machine: Machine::read(&run.cores),
        conditions: vec![
            run.rounds_text(),
            format!("{CONNECTIONS} keep-alive connections; every answer's status is checked."),
            "The other server was started and placed on its cores by somebody else.".to_owned(),
            "The limits ran beside it without connections while it was measured.".to_owned(),
        ],
        targets: Vec::new(),
        tables: vec![Table::of_series("Load", &series), ratios],
        chart: Chart {
            title: "The same load against another server".to_owned(),
            unit: "requests per second; the line spans the rounds".to_owned(),
            bars: series.iter().enumerate().filter_map(bar).collect(),
        },
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Turns;

    #[test]
    fn each_cookie_becomes_a_request() {
        let place = Place::parse("http://127.0.0.1:8081/").unwrap();
        let mut options = Options {
            url: None,
            label: String::new(),
            path: Some("/me".to_owned()),
            cookies: vec!["s=1".to_owned(), "s=2".to_owned()],
            headers: vec!["Accept: text/plain".to_owned()],
            expect: 204,
            pid: None,
        };
        let made = work(&options, &place).unwrap();
        let turns = Turns::default();
        made.requests.next(&turns).unwrap();
        let second = String::from_utf8(made.requests.next(&turns).unwrap().to_vec()).unwrap();
        assert_eq!(
            second,
            "GET /me HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nAccept: text/plain\r\nCookie: s=2\r\n\r\n"
        );
        assert_eq!((made.requests.count(), made.expected.status), (2, 204));
        options.headers = vec!["Accept".to_owned()];
        assert!(work(&options, &place).is_err());
    }
}
