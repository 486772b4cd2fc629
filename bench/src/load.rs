//! The load: N keep-alive connections on one thread, each sending its next request when the last was answered, or when the next
//! one is due.
//!
//! A connection costs one write and one read per request and no allocation, so that the server is what is measured.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, LocalSet};

use crate::chain::{Chain, Requests, Turns};
pub(crate) use crate::expected::Expected;
use crate::expected::Verdict;
use crate::histogram::Histogram;
use crate::pace::Pace;
use crate::process;
use crate::wire::{self, Answer, Malformed};

/// Besides the first of each connection, every so many answers are compared in full.
const SAMPLE_EVERY: u64 = 64;
/// After this many errors in one window the load gives up.
const ERRORS_ENOUGH: u64 = 1_000;
/// How long a last answer may take once the window is over.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long before the first request is due the connections are opened.
const LEAD: Duration = Duration::from_millis(200);

/// What is asked, and what a right answer looks like.
#[derive(Clone)]
pub(crate) struct Work {
    /// Where the servers are; the connections are spread over them evenly.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) requests: Requests,
    pub(crate) expected: Rc<Expected>,
    /// The servers' processes, for their processor time; none where it is not known.
    pub(crate) servers: Vec<u32>,
    /// The processes of what the servers ask in their turn, each with its children.
    pub(crate) engines: Vec<u32>,
    /// Whether the load never sleeps. What wakes a thread that sleeps on another core is charged to whoever sends, some microseconds
    /// for each answer here; and the slower a server, the more often the load sleeps. Takes a core of the load's own.
    pub(crate) awake: bool,
}

impl Work {
    /// Asked of one server, whose process is known or not.
    pub(crate) fn at(
        address: SocketAddr,
        server: Option<u32>,
        requests: Requests,
        expected: Expected,
    ) -> Self {
        Self {
            addresses: vec![address],
            requests,
            expected: Rc::new(expected),
            servers: server.into_iter().collect(),
            engines: Vec::new(),
            awake: false,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What one window showed.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Sample {
    pub(crate) answers: u64,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    /// Processor seconds of the server in the window.
    pub(crate) server_cpu: Option<f64>,
    pub(crate) per_cpu_second: Option<f64>,
    /// Processor seconds of the engines behind the server in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine_cpu: Option<f64>,
    /// Processor seconds of the load generator in the window, where it is this program alone.
    pub(crate) load_cpu: Option<f64>,
    /// Processor seconds of everything else on the machine, where the server's are known.
    pub(crate) others_cpu: Option<f64>,
    /// Answers that said "later".
    pub(crate) deferred: u64,
    /// Connections opened anew because the server had announced that it closes them.
    pub(crate) reconnects: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    #[serde(skip)]
    pub(crate) latency: Histogram,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) longest: u64,
}

impl Sample {
    /// Fills in what follows from the answers, the latencies and the time they took.
    pub(crate) fn conclude(&mut self, seconds: f64, server_cpu: Option<f64>, load_cpu: Option<f64>) {
        self.seconds = seconds;
        self.per_second = self.answers as f64 / seconds;
        self.server_cpu = server_cpu;
        self.per_cpu_second = server_cpu.filter(|cpu| *cpu > 0.0).map(|cpu| self.answers as f64 / cpu);
        self.load_cpu = load_cpu;
        let quantile = |share| self.latency.quantile(share);
        (self.p50, self.p99, self.p999) = (quantile(0.5), quantile(0.99), quantile(0.999));
        self.longest = self.latency.longest();
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Runs the load for one window, on a runtime of its own. Errors of the server are counted in the sample, not returned.
pub(crate) fn run(work: &Work, window: Window) -> Result<Sample> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, measure(work, window))
}

/// Sends each request once, over so many connections, and measures until the last is answered.
pub(crate) fn run_through(work: &Work, connections: usize) -> Result<Sample> {
    let turns = Turns::once(work.requests.count());
    to_the_end(work, connections, Shared { turns, ..Shared::default() })
}

/// Sends so many requests at this rate, each when it is due, whether or not earlier ones are answered, and measures until the last
/// one is. Latency counts from when a request was due: one that waited for a free connection has waited. A request is sent up to a
/// millisecond late, which is the timer's step.
pub(crate) fn at_rate(work: &Work, connections: usize, per_second: u32, count: u32) -> Result<Sample> {
    let pace = Pace::new(Instant::now() + LEAD, per_second, count);
    to_the_end(work, connections, Shared { pace: Some(pace), ..Shared::default() })
}

fn to_the_end(work: &Work, connections: usize, shared: Shared) -> Result<Sample> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let shared = Rc::new(shared);
        let connections = start(work, connections, &shared);
        if let Some(pace) = &shared.pace {
            tokio::time::sleep_until(pace.begins().into()).await;
        }
        let (before, started) = (Cpu::read(work)?, Instant::now());
        for connection in connections {
            connection.await.context("a connection panicked")?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let used = Cpu::read(work)?.since(&before);
        let mut sample = std::mem::take(&mut *shared.tally.borrow_mut());
        used.conclude(&mut sample, seconds);
        Ok(sample)
    })
}

fn start(work: &Work, connections: usize, shared: &Rc<Shared>) -> Vec<JoinHandle<()>> {
    if work.awake {
        tokio::task::spawn_local(stay_awake(Rc::clone(shared)));
    }
    let addresses = work.addresses.iter().copied().cycle().take(connections);
    addresses
        .map(|address| tokio::task::spawn_local(keep_asking(work.clone(), address, Rc::clone(shared))))
        .collect()
}

#[derive(Default)]
struct Shared {
    turns: Turns,
    /// When each request is due; none where one follows the answer to the last.
    pace: Option<Pace>,
    stopped: Cell<bool>,
    tally: RefCell<Sample>,
}

async fn measure(work: &Work, window: Window) -> Result<Sample> {
    let shared = Rc::new(Shared::default());
    let connections = start(work, window.connections, &shared);
    tokio::time::sleep(window.warm_up).await;
    // What went wrong while warming up stays in the result.
    let errors = std::mem::take(&mut shared.tally.borrow_mut().errors);
    *shared.tally.borrow_mut() = Sample { errors, ..Sample::default() };
    let before = Cpu::read(work)?;
    let started = Instant::now();
    tokio::time::sleep(window.measured).await;
    let seconds = started.elapsed().as_secs_f64();
    let used = Cpu::read(work)?.since(&before);
    let mut sample = std::mem::take(&mut *shared.tally.borrow_mut());
    shared.stopped.set(true);
    for connection in connections {
        if tokio::time::timeout(PATIENCE, connection).await.is_err() {
            *sample.errors.entry("no answer after the window was over".to_owned()).or_default() += 1;
        }
    }
    for (error, count) in std::mem::take(&mut shared.tally.borrow_mut().errors) {
        *sample.errors.entry(error).or_default() += count;
    }
    used.conclude(&mut sample, seconds);
    Ok(sample)
}

/// Processor seconds used so far.
struct Cpu {
    server: Option<f64>,
    engine: Option<f64>,
    load: f64,
    machine: f64,
}

impl Cpu {
    fn read(work: &Work) -> Result<Self> {
        Ok(Self {
            server: of_all(&work.servers, process::cpu_seconds).context("the server is gone")?,
            engine: of_all(&work.engines, process::family_cpu_seconds).context("the engine is gone")?,
            load: process::cpu_seconds(std::process::id())?,
            machine: process::machine_cpu_seconds()?,
        })
    }

    fn since(self, before: &Self) -> Self {
        Self {
            server: self.server.zip(before.server).map(|(now, then)| now - then),
            engine: self.engine.zip(before.engine).map(|(now, then)| now - then),
            load: self.load - before.load,
            machine: self.machine - before.machine,
        }
    }

    /// What was used in a window, into its sample.
    fn conclude(&self, sample: &mut Sample, seconds: f64) {
        sample.conclude(seconds, self.server, Some(self.load));
        sample.engine_cpu = self.engine;
        let known = |server| self.load + server + self.engine.unwrap_or(0.0);
        sample.others_cpu = self.server.map(|server| (self.machine - known(server)).max(0.0));
    }
}

/// The sum over all processes; `None` without any.
fn of_all(processes: &[u32], seconds: fn(u32) -> Result<f64>) -> Result<Option<f64>> {
    if processes.is_empty() {
        return Ok(None);
    }
    processes.iter().map(|process| seconds(*process)).sum::<Result<f64>>().map(Some)
}

impl Shared {
    /// Waits until the next request may be sent; from when its latency counts, or `None` when there is no other.
    async fn turn(&self) -> Option<Instant> {
        let Some(pace) = &self.pace else { return Some(Instant::now()) };
        let due = pace.next()?;
        tokio::time::sleep_until(due.into()).await;
        Some(due)
    }
}

/// Always has something to do, so that what has arrived is looked for instead of waited for.
async fn stay_awake(shared: Rc<Shared>) {
    while !shared.stopped.get() {
        tokio::task::yield_now().await;
    }
}

/// One connection after the other until the window is over or too much has gone wrong.
async fn keep_asking(work: Work, address: SocketAddr, shared: Rc<Shared>) {
    let mut chain = work.requests.take_chain();
    while !shared.stopped.get() {
        match use_connection(&work, address, chain.as_mut(), &shared).await {
            Ok(()) if shared.stopped.get() => {}
            Ok(()) => shared.tally.borrow_mut().reconnects += 1,
            Err(error) => {
                let mut tally = shared.tally.borrow_mut();
                *tally.errors.entry(error).or_default() += 1;
                if tally.error_count() >= ERRORS_ENOUGH {
                    break;
                }
            }
        }
        // A server that is gone must not keep this thread from seeing the end of the window.
        tokio::task::yield_now().await;
    }
    if let Some(chain) = chain {
        work.requests.give_back(chain);
    }
}

/// Sends requests on one connection until the window is over or the server announces that it closes it.
async fn use_connection(
    work: &Work,
    address: SocketAddr,
    mut chain: Option<&mut Chain>,
    shared: &Shared,
) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| format!("connecting: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(16 * 1024);
    let mut count = 0_u64;
    while !shared.stopped.get() {
        let Some(started) = shared.turn().await else {
            shared.stopped.set(true);
            return Ok(());
        };
        let in_turn = if chain.is_none() { work.requests.next(&shared.turns) } else { None };
        if in_turn.is_none() && shared.turns.ends() {
            shared.stopped.set(true);
            return Ok(());
        }
        let closes = loop {
            let (request, found) = match (in_turn, chain.as_deref_mut().map(Chain::parts)) {
                (_, Some((request, found))) => (request, Some(found)),
                (Some(request), None) => (request, None),
                (None, None) => return Err("nothing to send".to_owned()),
            };
            let in_full = count.is_multiple_of(SAMPLE_EVERY);
            let judge = |answer: &Answer<'_>| {
                let verdict = work.expected.judge(answer, in_full)?;
                match (&verdict, found) {
                    (Verdict::Right { .. }, Some(found)) => found.look(&answer.body).map(|()| verdict),
                    _ => Ok(verdict),
                }
            };
            match exchange(&mut stream, request, &mut bytes, judge).await? {
                Verdict::Right { closes } => break closes,
                Verdict::Later { pause, closes } => {
                    shared.tally.borrow_mut().deferred += 1;
                    if closes || shared.stopped.get() {
                        return Ok(());
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        };
        if let Some(chain) = chain.as_deref_mut() {
            chain.go_on();
        }
        count += 1;
        let mut tally = shared.tally.borrow_mut();
        tally.answers += 1;
        tally.latency.record(started.elapsed());
        if closes {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends one request, reads until its answer is complete, and lets `judge` look at it.
async fn exchange<T>(
    stream: &mut TcpStream,
    request: &[u8],
    bytes: &mut Vec<u8>,
    judge: impl FnOnce(&Answer<'_>) -> Result<T, String>,
) -> Result<T, String> {
    stream.write_all(request).await.map_err(|error| format!("sending: {error}"))?;
    bytes.clear();
    loop {
        let count = stream.read_buf(bytes).await.map_err(|error| format!("reading: {error}"))?;
        match wire::parse(bytes, count == 0) {
            Ok(Some(answer)) if answer.length == bytes.len() => return judge(&answer),
            Ok(Some(_)) => return Err("bytes behind the end of an answer".to_owned()),
            Ok(None) if count == 0 => return Err("connection closed without notice".to_owned()),
            Ok(None) => {}
            Err(Malformed(reason)) => return Err(format!("malformed answer: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers everything with `answer` and closes the connection after `each` answers.
    fn serve(answer: &'static str, each: usize) -> SocketAddr {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut block = [0; 4096];
                    for _ in 0..each {
                        if stream.read(&mut block).unwrap_or(0) == 0
                            || stream.write_all(answer.as_bytes()).is_err()
                        {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn quiet(address: SocketAddr, requests: Requests) -> Work {
        Work::at(address, None, requests, Expected { status: 200, ..Expected::default() })
    }

    fn run_against(address: SocketAddr) -> Sample {
        let requests = Requests::in_turn(vec![wire::request("GET", "/", "h", &[], "")]);
        let work = Work { servers: vec![std::process::id()], ..quiet(address, requests) };
        let time = Duration::from_millis(100);
        run(&work, Window { connections: 3, warm_up: time, measured: time }).unwrap()
    }

    #[test]
    fn answers_are_counted_and_timed() {
        let sample = run_against(serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", usize::MAX));
        assert!(sample.answers > 0 && sample.errors.is_empty(), "{:?}", sample.errors);
        assert_eq!(sample.latency.total(), sample.answers);
        assert!(sample.p50 <= sample.p99 && sample.p99 <= sample.longest);
        assert!(sample.server_cpu.is_some() && sample.reconnects == 0);
    }

    #[test]
    fn each_request_is_sent_once() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", usize::MAX);
        let requests = (0..50).map(|n| wire::request("GET", &format!("/{n}"), "h", &[], "")).collect();
        let work = quiet(address, Requests::in_turn(requests));
        for awake in [false, true] {
            let sample = run_through(&Work { awake, ..work.clone() }, 3).unwrap();
            assert_eq!((sample.answers, sample.errors.len()), (50, 0));
        }
    }

    #[test]
    fn requests_are_sent_when_they_are_due_and_all_are_answered() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", usize::MAX);
        let work = quiet(address, Requests::in_turn(vec![wire::request("GET", "/", "h", &[], "")]));
        let sample = at_rate(&Work { awake: true, ..work }, 3, 500, 50).unwrap();
        assert_eq!((sample.answers, sample.errors.len()), (50, 0));
        assert!(sample.seconds >= 49.0 / 500.0, "{} s", sample.seconds);
    }

    #[test]
    fn who_waits_for_a_slow_server_has_waited() {
        use std::io::{Read, Write};
        const SLOW: Duration = Duration::from_millis(20);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut block = [0; 4096];
            while stream.read(&mut block).unwrap_or(0) > 0 {
                std::thread::sleep(SLOW);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        let work = quiet(address, Requests::in_turn(vec![wire::request("GET", "/", "h", &[], "")]));
        // All ten are due within ten milliseconds, and the last has waited for the nine before it.
        let sample = at_rate(&work, 1, 1_000, 10).unwrap();
        assert_eq!((sample.answers, sample.errors.len()), (10, 0));
        assert!(sample.longest >= 190_000 - 10_000, "{} µs", sample.longest);
        assert!(sample.p50 >= 80_000, "{} µs", sample.p50);
    }

    #[test]
    fn a_chain_goes_on_from_window_to_window() {
        let body = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nnext=b";
        let chain = Chain::new(wire::request("GET", "/a", "h", &[], ""), "a", "next=").unwrap();
        let requests = Requests::chained(vec![chain]);
        let work = quiet(serve(body, usize::MAX), requests);
        let time = Duration::from_millis(50);
        let sample = run(&work, Window { connections: 1, warm_up: time, measured: time }).unwrap();
        assert!(sample.answers > 0 && sample.errors.is_empty(), "{:?}", sample.errors);
        let mut chain = work.requests.take_chain().unwrap();
        assert!(chain.parts().0.starts_with(b"GET /b "));
    }

    #[test]
    fn an_announced_close_is_a_reconnect_and_a_silent_one_an_error() {
        let announced = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let sample = run_against(serve(announced, 1));
        assert!(sample.reconnects > 0 && sample.errors.is_empty(), "{:?}", sample.errors);
        let sample = run_against(serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 2));
        assert!(sample.error_count() > 0);
    }

    #[test]
    fn a_wrong_status_and_a_missing_server_are_errors() {
        let sample = run_against(serve("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", usize::MAX));
        assert_eq!(sample.answers, 0);
        assert!(sample.errors.contains_key("status 401 instead of 200"));
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(run_against(nobody).error_count() > 0);
    }
}
