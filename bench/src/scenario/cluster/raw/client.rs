//! A client for engines without a benchmark program in Debian: as few steps as their protocols allow, every answer checked.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gateward_engines::Nats;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::{Asked, VALUE};
use crate::load::{Sample, Window};
use crate::process;
use crate::scenario::CONNECTIONS;

/// Which protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Memcached,
    Nats,
}

/// NATS asks like this from time to time whether anybody is there.
const PING: &[u8] = b"PING\r\n";

/// What the bytes that have arrived come to.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// More must arrive.
    Part,
    /// The answer, and nothing behind it.
    Whole,
    /// Something that wants an answer itself, so many bytes long, before the answer.
    Ping(usize),
    /// The same behind the answer.
    WholeAndPing,
}

impl Speech {
    /// A stream as Gateward has it, where that is needed.
    pub(super) fn prepare(self, nats: &Nats) -> Result<()> {
        let stream = "{\"name\":\"RAW\",\"subjects\":[\"raw.>\"],\"max_msgs_per_subject\":1,\"storage\":\"file\",\
                      \"discard\":\"new\",\"num_replicas\":1}";
        let said = nats.ask("$JS.API.STREAM.CREATE.RAW", stream).context("NATS says nothing")?;
        if said.contains("\"error\"") { bail!("NATS says: {said}") } else { Ok(()) }
    }

    /// What is sent before anything else, once the server has greeted.
    fn hello(self, connection: usize) -> Option<String> {
        match self {
            Speech::Memcached => None,
            Speech::Nats => Some(format!(
                "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB own.{connection} 1\r\n"
            )),
        }
    }

    fn question(self, asked: Asked, connection: usize, number: usize, out: &mut Vec<u8>) {
        let text = match (self, asked) {
            (Speech::Memcached, Asked::Read) => format!("mg session:{number:020} v\r\n"),
            (Speech::Memcached, Asked::Write) => {
                format!("ms session:{number:020} {VALUE} T86400\r\n{:a<VALUE$}\r\n", "")
            }
            (Speech::Nats, Asked::Read) => {
                let body = format!("{{\"last_by_subj\":\"raw.{number}\"}}");
                format!("PUB $JS.API.STREAM.MSG.GET.RAW own.{connection} {}\r\n{body}\r\n", body.len())
            }
            (Speech::Nats, Asked::Write) => {
                format!("PUB raw.{number} own.{connection} {VALUE}\r\n{:a<VALUE$}\r\n", "")
            }
        };
        out.extend_from_slice(text.as_bytes());
    }

    fn hear(self, asked: Asked, bytes: &[u8]) -> Result<Heard> {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Ok(Heard::Part) };
        let (line, body) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default());
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let length = match (self, words.next().unwrap_or_default()) {
            (Speech::Memcached, "HD") if asked == Asked::Write && body.is_empty() => return Ok(Heard::Whole),
            (Speech::Memcached, "VA") if asked == Asked::Read => words.next(),
            (Speech::Nats, "PING") => return Ok(Heard::Ping(end + 2)),
            (Speech::Nats, "MSG") => words.next_back(),
            _ => bail!("it said {line:?}"),
        };
        let length: usize = length.and_then(|word| word.parse().ok()).context("a length")?;
        if body.len() < length + 2 {
            return Ok(Heard::Part);
        }
        let text = body.get(..length).unwrap_or_default();
        let right = match (self, asked) {
            (Speech::Memcached, _) => length == VALUE,
            (Speech::Nats, Asked::Read) => contains(text, b"\"message\":"),
            (Speech::Nats, Asked::Write) => contains(text, b"\"seq\":") && !contains(text, b"\"error\":"),
        };
        let behind = body.get(length + 2..).unwrap_or_default();
        match behind {
            [] if right => Ok(Heard::Whole),
            PING if right && self == Speech::Nats => Ok(Heard::WholeAndPing),
            part if right && self == Speech::Nats && PING.starts_with(part) => Ok(Heard::Part),
            _ => bail!("it said {line:?} and {:?}", String::from_utf8_lossy(body)),
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What the connections of one window share.
struct Shared {
    speech: Speech,
    asked: Asked,
    records: usize,
    /// Each record once; otherwise round and round.
    once: bool,
    next: Cell<usize>,
    stopped: Cell<bool>,
    tally: RefCell<Sample>,
}

/// Writes each record once.
pub(super) fn run_through(speech: Speech, address: SocketAddr, records: usize) -> Result<()> {
    let shared = Shared::new(speech, Asked::Write, records, true);
    on_this_thread(async {
        let connections = start(&shared, address, CONNECTIONS);
        for connection in connections {
            connection.await.context("a connection panicked")??;
        }
        Ok(())
    })
}

/// Reads or writes records in turn for one window.
pub(super) fn run(
    speech: Speech,
    address: SocketAddr,
    process: u32,
    asked: Asked,
    records: usize,
    window: Window,
) -> Result<Sample> {
    let shared = Shared::new(speech, asked, records, false);
    on_this_thread(async {
        let connections = start(&shared, address, window.connections);
        tokio::time::sleep(window.warm_up).await;
        *shared.tally.borrow_mut() = Sample::default();
        let read = || -> Result<[f64; 3]> {
            let own = process::cpu_seconds(std::process::id())?;
            Ok([process::family_cpu_seconds(process)?, own, process::machine_cpu_seconds()?])
        };
        let (before, begun) = (read()?, Instant::now());
        tokio::time::sleep(window.measured).await;
        let seconds = begun.elapsed().as_secs_f64();
        let after = read()?;
        let mut sample = std::mem::take(&mut *shared.tally.borrow_mut());
        shared.stopped.set(true);
        for connection in connections {
            tokio::time::timeout(Duration::from_secs(20), connection)
                .await
                .context("no last answer")???;
        }
        let [engine, load, machine] = [0, 1, 2]
            .map(|at: usize| after.get(at).zip(before.get(at)).map_or(0.0, |(after, before)| after - before));
        sample.conclude(seconds, Some(engine), Some(load));
        sample.others_cpu = Some((machine - load - engine).max(0.0));
        Ok(sample)
    })
}

impl Shared {
    fn new(speech: Speech, asked: Asked, records: usize, once: bool) -> Rc<Self> {
        let (next, stopped, tally) = (Cell::new(0), Cell::new(false), RefCell::default());
        Rc::new(Self { speech, asked, records, once, next, stopped, tally })
    }

    fn take(&self) -> Option<usize> {
        let turn = self.next.get();
        if self.stopped.get() || (self.once && turn >= self.records) {
            return None;
        }
        self.next.set(turn + 1);
        Some(turn % self.records.max(1))
    }
}

fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

fn start(shared: &Rc<Shared>, address: SocketAddr, count: usize) -> Vec<tokio::task::JoinHandle<Result<()>>> {
    (0..count).map(|number| tokio::task::spawn_local(talk(shared.clone(), address, number))).collect()
}

async fn talk(shared: Rc<Shared>, address: SocketAddr, connection: usize) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let (mut question, mut answer) = (Vec::new(), Vec::with_capacity(8 * 1024));
    if let Some(hello) = shared.speech.hello(connection) {
        // Its greeting is one line.
        while !answer.ends_with(b"\r\n") {
            if stream.read_buf(&mut answer).await? == 0 {
                bail!("no greeting");
            }
        }
        stream.write_all(hello.as_bytes()).await?;
    }
    while let Some(number) = shared.take() {
        question.clear();
        answer.clear();
        shared.speech.question(shared.asked, connection, number, &mut question);
        let asked = Instant::now();
        stream.write_all(&question).await?;
        loop {
            if stream.read_buf(&mut answer).await? == 0 {
                bail!("the engine has closed the connection");
            }
            let mut heard = shared.speech.hear(shared.asked, &answer)?;
            while let Heard::Ping(length) = heard {
                answer.drain(..length);
                stream.write_all(b"PONG\r\n").await?;
                heard = shared.speech.hear(shared.asked, &answer)?;
            }
            if heard == Heard::WholeAndPing {
                stream.write_all(b"PONG\r\n").await?;
            }
            if heard != Heard::Part {
                break;
            }
        }
        let mut tally = shared.tally.borrow_mut();
        tally.answers += 1;
        tally.latency.record(asked.elapsed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_only_when_they_are_right() {
        let value = "a".repeat(VALUE);
        let memcached = |asked, text: &str| Speech::Memcached.hear(asked, text.as_bytes());
        let found = format!("VA {VALUE}\r\n{value}\r\n");
        assert_eq!(memcached(Asked::Read, &found).unwrap(), Heard::Whole);
        assert_eq!(memcached(Asked::Read, &found[..found.len() - 1]).unwrap(), Heard::Part);
        assert_eq!(memcached(Asked::Write, "HD\r\n").unwrap(), Heard::Whole);
        for odd in ["EN\r\n", "VA 1\r\na\r\n", "SERVER_ERROR out of memory\r\n"] {
            assert!(memcached(Asked::Read, odd).is_err(), "{odd}");
        }
        let nats = |asked, text: &str| Speech::Nats.hear(asked, text.as_bytes());
        assert_eq!(nats(Asked::Write, "MSG own.1 1 9\r\n{\"seq\":1}\r\n").unwrap(), Heard::Whole);
        assert_eq!(nats(Asked::Write, "PING\r\n").unwrap(), Heard::Ping(6));
        assert_eq!(
            nats(Asked::Write, "MSG own.1 1 9\r\n{\"seq\":1}\r\nPING\r\n").unwrap(),
            Heard::WholeAndPing
        );
        assert_eq!(nats(Asked::Write, "MSG own.1 1 9\r\n{\"seq\":1}\r\nPI").unwrap(), Heard::Part);
        assert!(nats(Asked::Write, "MSG own.1 1 9\r\n{\"seq\":1}\r\nMSG").is_err());
        assert!(nats(Asked::Write, "MSG own.1 1 12\r\n{\"error\":{}}\r\n").is_err());
        assert!(nats(Asked::Read, "MSG own.1 1 9\r\n{\"seq\":1}\r\n").is_err());
        assert!(nats(Asked::Read, "-ERR 'no'\r\n").is_err());
    }
}
