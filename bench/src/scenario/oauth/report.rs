//! What the scenario found out.

use gateward_kernel::jose::SignatureAlgorithm;

use super::{
    APPS, AXUM, AXUM_TOKEN, DISCOVERY, EXCHANGE_AT_RATE, INTROSPECTION, INTROSPECTION_OPAQUE, KEYS, RATE,
    REFRESH_AT_RATE, USERINFO, credentials_label,
};
use crate::chart::{Bar, Chart};
use crate::keys::{ALGORITHMS, bare_signing};
use crate::load::Sample;
use crate::process::{Machine, Memory};
use crate::report::{self, Report, Table, Target};
use crate::scenario::{CONNECTIONS, Run};
use crate::series::{Series, Spread, find, per_cpu_second};

/// Of what HTTP and signing together allow, client credentials by ES256.
const SHARE_SIGNED: f64 = 0.70;
/// Of bare axum, what is answered without signing or writing.
const SHARE: f64 = 0.60;
/// Microseconds, at the fixed rate.
const P99: f64 = 20_000.0;

/// The report on our own server.
pub(super) fn ours(run: &Run, series: Vec<Series>, memory: Memory) -> Report {
    let mut conditions = vec![
        run.rounds_text(),
        format!(
            "{CONNECTIONS} keep-alive connections; SQLite, with every write on disk before it is answered; every answer's status \
             is checked, a sample in full."
        ),
        limits_text(),
    ];
    conditions.extend([
        format!(
            "Clients prove themselves by a secret in the header. {APPS} apps of as many people are signed in with openid, \
             profile and email, with JWTs and with opaque access tokens, which are shown in turn; each refresh uses the token \
             of the last answer."
        ),
        "In one round nobody comes with two codes. Codes are got before they are exchanged, and that is not measured. An \
         exchange and a refresh yield an ID token besides, so each signs twice, by ES256."
            .to_owned(),
        format!(
            "At the fixed rate a request is sent when it is due, {} a second on {CONNECTIONS} connections, whether or not earlier \
             ones are answered; its latency counts from when it was due.",
            report::count(RATE.into())
        ),
    ]);
    let mut other = Table::new("Memory", &["what", "value"]);
    other.row(["resident, peak".to_owned(), report::mebibytes(memory.peak as f64)]);
    let title = "OAuth and OpenID Connect".to_owned();
    Report {
        name: "oauth".to_owned(),
        machine: Machine::read(&run.cores),
        conditions,
        targets: targets(&series),
        tables: vec![
            rates(&series),
            Table::of_series("As fast as it goes", series.iter().filter(|one| is_load(one))),
            shares(&series),
            Table::of_series("At a fixed rate", series.iter().filter(|one| is_at_rate(one))),
            other,
        ],
        chart: chart(&title, "requests per second of server processor time", &series, Series::per_cpu_second),
        title,
        series,
    }
}

/// The report on another provider; `left_out` says what was not measured, and why.
pub(super) fn foreign(run: &Run, label: &str, series: Vec<Series>, left_out: &[String]) -> Report {
    let mut conditions = vec![
        run.rounds_text(),
        format!(
            "At most {CONNECTIONS} keep-alive connections; every answer's status is checked, a sample in full."
        ),
        limits_text(),
        format!("The provider ({label}) was started and placed on its cores by somebody else."),
    ];
    conditions.extend(left_out.iter().map(|why| format!("Left out: {why}.")));
    let title = format!("OAuth and OpenID Connect: {label}");
    Report {
        name: "oauth-url".to_owned(),
        machine: Machine::read(&run.cores),
        conditions,
        targets: Vec::new(),
        tables: vec![
            rates(&series),
            Table::of_series("Load", series.iter().filter(|one| is_load(one))),
            shares(&series),
        ],
        chart: chart(&title, "requests per second", &series, Series::per_second),
        title,
        series,
    }
}

fn limits_text() -> String {
    "While requests come as fast as they can, the load generator never sleeps, so that no server is charged for waking it. \
     The limit is bare axum, which answers \"hello\" to the shortest request; where an access token is signed it is \
     1 / (1/axum + 1/signing), with the bare cryptographic library signing the bytes of such a token in a process of its own, \
     on the server's core. The limits ran beside the provider without connections while it was measured."
        .to_owned()
}

fn is_signing(series: &Series) -> bool {
    ALGORITHMS.iter().any(|algorithm| series.label == bare_signing(algorithm.name()))
}

fn is_at_rate(series: &Series) -> bool {
    [EXCHANGE_AT_RATE, REFRESH_AT_RATE].contains(&&*series.label)
}

fn is_limit(series: &Series) -> bool {
    is_signing(series) || [AXUM, AXUM_TOKEN].contains(&&*series.label)
}

fn is_load(series: &Series) -> bool {
    !is_signing(series) && !is_at_rate(series)
}

fn rates(series: &[Series]) -> Table {
    Table::of_rates("Bare signing, on the server's core", series.iter().filter(|one| is_signing(one)))
}

/// What is compared with the limit of this label.
fn limit(all: &[Series], label: &str) -> Option<Series> {
    let axum = find(all, AXUM)?;
    let name = |algorithm: &SignatureAlgorithm| algorithm.name();
    let signs = ALGORITHMS.iter().map(name).find(|name| credentials_label(Some(name)) == label);
    let Some(name) = signs else {
        let samples = axum.samples.clone();
        return Some(Series { label: axum.label.clone(), samples });
    };
    let signing = find(all, &bare_signing(name))?;
    let both = axum.samples.iter().zip(&signing.samples).map(|(axum, signing)| together(axum, signing));
    Some(Series { label: format!("{AXUM} and {name}"), samples: both.collect() })
}

/// One after the other on one core. Of a second of bare signing the processor time counts: others may have had the rest of it.
fn together(axum: &Sample, signing: &Sample) -> Sample {
    let rate = |axum: f64| signing.per_cpu_second.map(|signing| 1.0 / (1.0 / axum + 1.0 / signing));
    Sample {
        seconds: axum.seconds,
        per_second: rate(axum.per_second).unwrap_or(axum.per_second),
        per_cpu_second: axum.per_cpu_second.and_then(rate),
        ..Sample::default()
    }
}

fn share(all: &[Series], label: &str, value: fn(&Sample) -> Option<f64>) -> Option<Spread> {
    find(all, label)?.ratio(&limit(all, label)?, value)
}

fn shares(all: &[Series]) -> Table {
    let mut table = Table::new(
        "Of the limit, round by round",
        &["measured", "limit", "the limit, per CPU-second", "per server-CPU-second", "per second"],
    );
    let text = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), report::percents);
    for one in all.iter().filter(|one| is_load(one) && one.label != AXUM) {
        let Some(limit) = limit(all, &one.label) else { continue };
        table.row([
            one.label.clone(),
            limit.label.clone(),
            limit.per_cpu_second().map_or_else(|| "–".to_owned(), report::counts),
            text(one.ratio(&limit, per_cpu_second)),
            text(one.ratio(&limit, |sample| Some(sample.per_second))),
        ]);
    }
    table
}

fn targets(all: &[Series]) -> Vec<Target> {
    let es256 = credentials_label(Some(SignatureAlgorithm::Es256.name()));
    let signed = [(&*es256, SHARE_SIGNED, "axum and signing together")];
    let plain = [INTROSPECTION, INTROSPECTION_OPAQUE, USERINFO, KEYS, DISCOVERY];
    let plain = plain.map(|label| (label, SHARE, AXUM));
    let of_limits = signed.into_iter().chain(plain).filter_map(|(label, wanted, limit)| {
        let ratio = share(all, label, per_cpu_second)?;
        let what = format!("{label}, of {limit}, per server-CPU-second");
        Some(Target::at_least(&what, wanted, ratio.median, report::percent))
    });
    let at_rate = [EXCHANGE_AT_RATE, REFRESH_AT_RATE].into_iter().filter_map(|label| {
        let p99 = find(all, label)?.latency().quantile(0.99) as f64;
        Some(Target::at_most(&format!("{label}, p99"), P99, p99, report::millis))
    });
    of_limits.chain(at_rate).collect()
}

fn chart(title: &str, unit: &str, all: &[Series], value: fn(&Series) -> Option<Spread>) -> Chart {
    let bar = |series: &Series| {
        Some(Bar { label: series.label.clone(), value: value(series)?, ours: !is_limit(series) })
    };
    Chart {
        title: title.to_owned(),
        unit: format!("{unit}; the line spans the rounds"),
        bars: all.iter().filter(|one| !is_at_rate(one)).filter_map(bar).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(label: &str, rate: f64) -> Series {
        let sample = Sample { per_second: rate, per_cpu_second: Some(rate), ..Sample::default() };
        Series { label: label.to_owned(), samples: vec![sample] }
    }

    #[test]
    fn what_is_signed_is_held_against_both_limits_and_everything_else_against_one() {
        let es256 = credentials_label(Some("ES256"));
        let all = [
            series(AXUM, 60_000.0),
            series(&bare_signing("ES256"), 30_000.0),
            series(&es256, 15_000.0),
            series(USERINFO, 30_000.0),
        ];
        let ratio = |label| share(&all, label, per_cpu_second).unwrap().median;
        assert!((ratio(&es256) - 0.75).abs() < 1e-9 && (ratio(USERINFO) - 0.5).abs() < 1e-9);
        let targets = targets(&all);
        let met: Vec<_> = targets.iter().map(|target| target.met).collect();
        assert_eq!(met, [true, false], "{:?}", targets.iter().map(|one| &one.what).collect::<Vec<_>>());
    }

    #[test]
    fn a_wait_of_the_library_for_its_core_does_not_lower_the_limit() {
        let waited = Sample { per_second: 1.0, per_cpu_second: Some(30_000.0), ..Sample::default() };
        let axum = Sample { per_second: 60_000.0, per_cpu_second: Some(60_000.0), ..Sample::default() };
        let both = together(&axum, &waited);
        assert!((both.per_second - 20_000.0).abs() < 1e-6, "{}", both.per_second);
        assert!(both.per_cpu_second.is_some_and(|rate| (rate - 20_000.0).abs() < 1e-6));
    }
}
