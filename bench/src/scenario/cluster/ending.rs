//! How soon one node refuses what was ended at another.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::installation::check;
use crate::house::Served;
use crate::load::Sample;
use crate::scenario::header;
use crate::wire::{self, Line};

/// Much longer than any of it is worth.
const PATIENCE: Duration = Duration::from_secs(15);
/// The second node is asked again after this pause.
const GLANCE: Duration = Duration::from_micros(200);

/// What was seen of many ends.
#[derive(Default)]
pub(super) struct Ends {
    /// From sending the end to the refusal at the other node.
    pub(super) from_request: Sample,
    /// From the answer to it; 0 for a refusal that came before.
    pub(super) from_answer: Sample,
}

/// Ends each at the first node, and watches until the second refuses it.
pub(super) fn measure(first: &Served, second: &Served, cookies: &[String]) -> Result<Ends> {
    let mut ends = Ends::default();
    let begun = Instant::now();
    for cookie in cookies {
        let (asked, answered, refused) = end_one(first, second, cookie)?;
        ends.from_request.latency.record(refused.saturating_duration_since(asked));
        ends.from_answer.latency.record(refused.saturating_duration_since(answered));
    }
    for sample in [&mut ends.from_request, &mut ends.from_answer] {
        sample.answers = sample.latency.total();
        sample.conclude(begun.elapsed().as_secs_f64(), None, None);
    }
    Ok(ends)
}

/// When the end was asked for, when it was answered, and when the second node refused.
fn end_one(first: &Served, second: &Served, cookie: &str) -> Result<(Instant, Instant, Instant)> {
    let request = check(cookie);
    let headers = [
        header("Cookie", format!("gateward={cookie}")),
        header("Content-Type", "application/json"),
        header("Content-Length", "0"),
    ];
    let end = wire::request("POST", "/api/v1/logout", "localhost", &headers, "");
    let mut line = Line::open(first.address, PATIENCE)?;
    if line.ask(&request)?.status != 200 {
        bail!("a living session is refused at the first node");
    }
    let (accepts, accepted) = channel();
    thread::scope(|scope| {
        let watching = scope.spawn(|| watch(second, &request, &accepts));
        let both =
            accepted.recv_timeout(PATIENCE).context("the second node does not accept it").and_then(|()| {
                let asked = Instant::now();
                let answer = line.ask(&end)?;
                match answer.status {
                    204 => Ok((asked, Instant::now())),
                    other => bail!("an end was answered with {other}: {}", answer.body),
                }
            });
        let refused = watching.join().map_err(|_| anyhow!("the watching thread panicked"))?;
        let (asked, answered) = both?;
        Ok((asked, answered, refused?))
    })
}

/// Asks until it is refused; says when it was accepted for the second time, which is from memory where there is one.
fn watch(node: &Served, request: &[u8], accepts: &Sender<()>) -> Result<Instant> {
    let mut line = Line::open(node.address, PATIENCE)?;
    let begun = Instant::now();
    let mut accepted = 0;
    loop {
        match line.ask(request)?.status {
            200 => accepted += 1,
            401 if accepted >= 2 => return Ok(Instant::now()),
            other => bail!("a session check was answered with {other}"),
        }
        if accepted == 2 {
            accepts.send(()).context("nobody waits")?;
        }
        if begun.elapsed() > PATIENCE {
            bail!("an ended session is still accepted at the second node");
        }
        thread::sleep(GLANCE);
    }
}
