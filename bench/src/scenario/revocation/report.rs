//! What the scenario found out.

use std::time::Duration;

use gateward_kernel::status::LIST_SIZE;

use super::verifier::Policy;
use super::{Costs, Seen, TTL, WATCHED};
use crate::chart::{Bar, Chart};
use crate::process::Machine;
use crate::report::{self, Report, Table, Target};
use crate::scenario::{CONNECTIONS, Run};
use crate::series::{Series, Spread};

/// Microseconds.
const BY_PUSH: f64 = 250_000.0;
/// A list that was fetched at its very end is fetched again, and looking takes its time.
const FETCHING: Duration = Duration::from_millis(100);

pub(super) fn report(run: &Run, seen: Seen) -> Report {
    let longest = |series: &Series| series.latency().longest() as f64;
    let by_poll = (TTL + FETCHING).as_micros() as f64;
    let targets = vec![
        Target::at_most(
            "acknowledged until refused by all, by push, p99",
            BY_PUSH,
            seen.push.latency().quantile(0.99) as f64,
            report::millis,
        ),
        Target::at_most(
            &format!("the same by poll, longest ({TTL:?} and {FETCHING:?} to fetch)"),
            by_poll,
            longest(&seen.poll),
            report::millis,
        ),
    ];
    let tables = vec![reach(&seen), together(&seen), costs(&seen)];
    let (conditions, chart) = (conditions(run, &seen), chart(&seen));
    let at_once = Series { label: "revoked at once".to_owned(), samples: vec![seen.together.sample] };
    Report {
        name: "revocation".to_owned(),
        title: "How soon a revocation is everywhere".to_owned(),
        machine: Machine::read(&run.cores),
        conditions,
        targets,
        tables,
        chart,
        series: vec![seen.push, seen.poll, seen.answers, at_once],
    }
}

fn conditions(run: &Run, seen: &Seen) -> Vec<String> {
    let place = if run.cores.server().is_some() {
        "the server has one core of its own, everybody else shares another"
    } else {
        "everybody shares one core"
    };
    vec![
        format!(
            "{} apps in SQLite, each with a session, a grant and a place in the status lists; none was revoked before.",
            report::count(seen.grants as f64)
        ),
        format!(
            "Three verifiers listen to the push channel, a fourth fetches the list; each is a process; {place}."
        ),
        format!(
            "A token is accepted by all four, then its session is ended by an administrator over HTTP; time runs from the \
             answer until the last verifier refuses the token, looking every {:?} (by poll every {:?}).",
            Policy::Push.look_every(),
            Policy::Poll.look_every()
        ),
        format!(
            "Revoked one after the other; {} of {} were refused everywhere before the answer had arrived, and count as \
             nothing.",
            seen.early,
            seen.push.latency().total()
        ),
        format!(
            "At once: over {CONNECTIONS} connections, each one request and one answer, on disk before it is answered; \
             {WATCHED} of them are watched by all verifiers."
        ),
        "Every verifier refused because the token was revoked; any other reason would have ended the run."
            .to_owned(),
    ]
}

fn reach(seen: &Seen) -> Table {
    let title = "From the acknowledged revocation until the token is refused";
    let mut table = Table::new(title, &["what", "revocations", "p50", "p99", "longest"]);
    for series in [&seen.push, &seen.poll, &seen.answers] {
        let latency = series.latency();
        let time = |micros: u64| report::millis(micros as f64);
        table.row([
            series.label.clone(),
            report::count(latency.total() as f64),
            time(latency.quantile(0.5)),
            time(latency.quantile(0.99)),
            time(latency.longest()),
        ]);
    }
    table
}

fn together(seen: &Seen) -> Table {
    let together = &seen.together;
    let count = together.count as f64;
    let title = format!("{} revocations at once, and everything of one person", report::count(count));
    let mut table = Table::new(&title, &["what", "value"]);
    let server = together.sample.server_cpu;
    let after = |duration: Duration| seconds(duration.as_secs_f64());
    let rows = [
        ("until the last was answered", seconds(together.sample.seconds)),
        ("until all were refused, by push", after(together.by_push)),
        ("until all were refused, by poll", after(together.by_poll)),
        ("revocations per second", report::count(together.sample.per_second)),
        ("answer, p50", report::millis(together.sample.p50 as f64)),
        ("answer, p99", report::millis(together.sample.p99 as f64)),
        ("processor time of the server", server.map_or_else(String::new, seconds)),
        ("pushed to one listener", bytes(together.pushed)),
        ("pushed for each", format!("{:.1} bytes", together.pushed as f64 / count.max(1.0))),
        ("everything of one person, answered after", millis(seen.cut.answer)),
        ("and refused by push, after the answer", millis(seen.cut.refused)),
        ("and pushed to one listener", bytes(seen.cut.pushed)),
    ];
    for (what, value) in rows {
        table.row([what.to_owned(), value]);
    }
    table
}

fn costs(seen: &Seen) -> Table {
    let grants = report::count(seen.grants as f64);
    let single = report::count(seen.push.latency().total() as f64);
    let more = report::count(seen.together.count as f64);
    let columns = ["what", "none revoked", &format!("{single} revoked"), &format!("{more} more revoked")];
    let mut table = Table::new(&format!("What {grants} revocable tokens cost"), &columns);
    let all = [&seen.before, &seen.after_single, &seen.after_together];
    let mut row = |what: &str, value: &dyn Fn(&Costs) -> String| {
        table.row(std::iter::once(what.to_owned()).chain(all.map(value)));
    };
    row("server resident", &|costs| report::mebibytes(costs.server.now as f64));
    row("status lists", &|costs| costs.lists.to_string());
    row("their bits in memory", &|costs| bytes(costs.lists as u64 * u64::from(LIST_SIZE) / 8));
    row("snapshot on the push channel", &|costs| bytes(costs.snapshot));
    row("status list tokens", &|costs| bytes(costs.list_tokens));
    row("pushed to one listener since", &|costs| bytes(costs.pushed));
    let mut alone =
        |what: &str, value: String| table.row([what.to_owned(), value, String::new(), String::new()]);
    let (empty, filled) = (seen.empty.now, seen.filled.now);
    alone("server just started", report::mebibytes(filled as f64));
    alone("the same without any token", report::mebibytes(empty as f64));
    let more = filled.saturating_sub(empty) as f64 * 1_024.0 / (seen.grants as f64).max(1.0);
    alone("memory for each token", format!("{more:.2} bytes"));
    alone("data directory", bytes(seen.filled_bytes));
    let each = seen.filled_bytes.saturating_sub(seen.empty_bytes) as f64 / (seen.grants as f64).max(1.0);
    alone("data directory, for each app", format!("{each:.0} bytes"));
    alone("a verifier by push, resident", report::mebibytes(seen.verifier.now as f64));
    table
}

fn chart(seen: &Seen) -> Chart {
    let bar = |series: &Series, ours: bool| {
        let latency = series.latency();
        let of = |share| latency.quantile(share) as f64 / 1_000.0;
        let value = Spread { median: of(0.99), lowest: of(0.5), highest: latency.longest() as f64 / 1_000.0 };
        Bar { label: series.label.clone(), value, ours }
    };
    Chart {
        title: "From the acknowledged revocation until every verifier refuses".to_owned(),
        unit: "milliseconds at p99; the line spans p50 to the longest".to_owned(),
        bars: vec![bar(&seen.push, true), bar(&seen.poll, false)],
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

fn millis(duration: Duration) -> String {
    report::millis(duration.as_micros() as f64)
}

fn bytes(bytes: u64) -> String {
    format!("{} bytes", report::count(bytes as f64))
}
