//! The first words on a connection: signing in, and what the server says of itself.

use std::collections::HashMap;
use std::io;

use bytes::{Buf, BytesMut};
use gateward_kernel::ports::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::address::{Login, Password, ServerName};
use super::wire::{line_end, shown};

/// The oldest version with all that is used of the meta commands.
const OLDEST: (u64, u64, u64) = (1, 6, 13);
/// What an item needs beside its value: its header, its state and the longest key, rounded up.
const OVERHEAD: usize = 512;
/// More than a server says of itself.
const LONGEST: usize = 256 * 1024;
/// 2020-01-01: no server was started before.
const EPOCH: u64 = 1_577_836_800;

/// Why a server cannot be used at the moment.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer for {0} ms")]
    Silent(u128),
    #[error("it does not answer as Memcached does, but with {0:?}")]
    NotMemcached(String),
    #[error("it is version {0}, and 1.6.13 is the oldest that works")]
    TooOld(String),
    #[error("it refuses the user {0:?} with this password")]
    Refused(String),
    #[error(
        "it wants a user and a password (memcached -Y): memcached://user:password@… or password_file=PATH"
    )]
    Closed,
    #[error("the password file cannot be read: {0}")]
    PasswordFile(io::Error),
    #[error("it was started with -C, and conditional writes are impossible without what that turns off")]
    NoCas,
}

impl Unusable {
    /// Whether waiting does not help.
    pub(super) const fn is_lasting(&self) -> bool {
        !matches!(self, Unusable::Io(_) | Unusable::Silent(_))
    }
}

/// A connection that is ready for commands.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) stream: TcpStream,
    pub(super) life: Life,
    pub(super) said: Said,
}

/// What a server said of itself: its `stats` and `stats settings`.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) version: String,
    pub(super) stats: HashMap<String, String>,
    pub(super) settings: HashMap<String, String>,
}

impl Said {
    /// A figure of its `stats`.
    pub(super) fn figure(&self, name: &str) -> u64 {
        self.stats.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The largest value that fits with its key into an item.
    pub(super) fn largest(&self) -> usize {
        let size = self.settings.get("item_size_max").and_then(|text| text.parse::<usize>().ok());
        size.unwrap_or(1 << 20).saturating_sub(OVERHEAD)
    }
}

/// One run of a server, from its start to its end, with which all that it holds ends. A connection lives in one of them.
///
/// Its states are numbered anew in every run. So a [`Version`] consists of the second in which the run began, the number of the
/// state, and a mark of the server: it grows over restarts, and the version of an earlier run is none of this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Life {
    base: u64,
    mark: u64,
    /// What its clock showed, in seconds, at this instant of ours.
    clock: (u64, Instant),
}

/// A version is made of: start of the run (upper 32 bits), plus the number of the state (from bit 4 on), a bit that says that
/// this state was removed, and three bits of the server's mark.
const NUMBER: u64 = 16;
const REMOVED: u64 = 8;
const MARKS: u64 = 8;

impl Life {
    /// The run of the server with this mark, whose clock shows `time` after it ran for `uptime` seconds.
    fn new(mark: usize, time: u64, uptime: u64) -> Self {
        let start = time.saturating_sub(uptime).saturating_sub(EPOCH).min(u64::from(u32::MAX >> 1));
        Life { base: start << 32, mark: mark as u64 % MARKS, clock: (time, Instant::now()) }
    }

    /// The version of a state.
    pub(super) fn version(&self, cas: u64) -> Version {
        Version(self.base.saturating_add(cas.saturating_mul(NUMBER)) | self.mark)
    }

    /// The version of its removal: after it, and before every other state.
    pub(super) fn removal(&self, cas: u64) -> Version {
        Version(self.version(cas).0 | REMOVED)
    }

    /// The state of which this is the version; `None` when it is of no state in this run.
    pub(super) fn cas(&self, version: Version) -> Option<u64> {
        let number = version.0.checked_sub(self.base)?;
        let cas = number / NUMBER;
        (number % NUMBER == self.mark && cas > 0).then_some(cas)
    }

    /// What its clock shows now, in seconds.
    pub(super) fn now(&self) -> u64 {
        self.clock.0.saturating_add(self.clock.1.elapsed().as_secs())
    }
}

/// Connects, signs in, and listens to what the server says of itself.
pub(super) async fn greet(
    server: &ServerName,
    mark: usize,
    login: Option<&Login>,
) -> Result<Conversation, Unusable> {
    let mut stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    stream.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(8 * 1024);
    if let Some(login) = login {
        sign_in(&mut stream, &mut input, login).await?;
    }
    stream.write_all(b"version\r\nstats\r\nstats settings\r\n").await?;
    let line = read_line(&mut stream, &mut input).await?;
    let Some(version) = line.strip_prefix("VERSION ") else {
        let is_closed = line.starts_with("CLIENT_ERROR unauthenticated");
        return Err(if is_closed { Unusable::Closed } else { Unusable::NotMemcached(line) });
    };
    if numbers(version) < OLDEST {
        return Err(Unusable::TooOld(version.to_owned()));
    }
    let stats = read_stats(&mut stream, &mut input).await?;
    let settings = read_stats(&mut stream, &mut input).await?;
    if settings.get("cas_enabled").is_some_and(|text| text == "no") {
        return Err(Unusable::NoCas);
    }
    let said = Said { version: version.to_owned(), stats, settings };
    let (time, uptime) = (said.figure("time"), said.figure("uptime"));
    Ok(Conversation { stream, life: Life::new(mark, time, uptime), said })
}

async fn sign_in(stream: &mut TcpStream, input: &mut BytesMut, login: &Login) -> Result<(), Unusable> {
    let password = match &login.password {
        Password::Given(password) => Zeroizing::new(password.to_string()),
        Password::File(path) => {
            let content = tokio::fs::read_to_string(path).await.map_err(Unusable::PasswordFile)?;
            let content = Zeroizing::new(content);
            Zeroizing::new(content.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    let words = Zeroizing::new(format!("{} {}", login.user, *password));
    let command = Zeroizing::new(format!("set auth 0 0 {}\r\n{}\r\n", words.len(), *words));
    stream.write_all(command.as_bytes()).await?;
    let line = read_line(stream, input).await?;
    if line.starts_with("STORED") {
        // A server without -Y has stored it like anything else.
        stream.write_all(b"delete auth\r\n").await?;
        let line = read_line(stream, input).await?;
        let is_answer = ["DELETED", "NOT_FOUND"].contains(&line.as_str());
        return if is_answer { Ok(()) } else { Err(Unusable::NotMemcached(line)) };
    }
    Err(match line.starts_with("CLIENT_ERROR") {
        true => Unusable::Refused(login.user.clone()),
        false => Unusable::NotMemcached(line),
    })
}

async fn read_stats(
    stream: &mut TcpStream,
    input: &mut BytesMut,
) -> Result<HashMap<String, String>, Unusable> {
    let mut all = HashMap::new();
    loop {
        let line = read_line(stream, input).await?;
        if line == "END" {
            return Ok(all);
        }
        let pair = line.strip_prefix("STAT ").and_then(|pair| pair.split_once(' '));
        let Some((name, value)) = pair else { return Err(Unusable::NotMemcached(line)) };
        all.insert(name.to_owned(), value.to_owned());
    }
}

/// The next line, without its end.
async fn read_line(stream: &mut TcpStream, input: &mut BytesMut) -> Result<String, Unusable> {
    loop {
        match line_end(input) {
            Ok(Some(end)) => {
                let line = input.split_to(end);
                input.advance(2);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            Ok(None) if input.len() < LONGEST => {}
            _ => return Err(Unusable::NotMemcached(shown(input))),
        }
        if stream.read_buf(input).await? == 0 {
            if input.is_empty() {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
            return Err(Unusable::NotMemcached(shown(input)));
        }
    }
}

fn numbers(version: &str) -> (u64, u64, u64) {
    let mut parts = version.split(|sign: char| !sign.is_ascii_digit());
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn versions_grow_within_a_run_and_over_runs_and_are_of_one_server() {
        let started = EPOCH + 200_000_000;
        let (life, other) = (Life::new(1, started + 50, 50), Life::new(2, started + 50, 50));
        assert_eq!(life.base, Life::new(1, started + 99, 99).base, "whenever it is asked");
        assert!(life.version(1) < life.removal(1) && life.removal(1) < life.version(2));
        for cas in [1, 2, 1_000_000_007] {
            assert_eq!(life.cas(life.version(cas)), Some(cas));
            assert_eq!(life.cas(life.removal(cas)), None);
            assert_eq!(other.cas(life.version(cas)), None);
        }
        for none in [0, 1, life.version(0).0, life.version(1).0 + 1, u64::MAX] {
            assert_eq!(life.cas(Version(none)), None, "{none}");
        }
        let next = Life::new(1, started + 51, 0);
        assert!(next.version(1) > life.removal(1 << 28), "fewer states than that in 51 s");
        assert_eq!(next.cas(life.version(9)), None, "a state of an earlier run");
        assert!(life.version(1).0 < 1 << 63);
    }

    #[test]
    fn versions_of_programs() {
        assert_eq!(numbers("1.6.18"), (1, 6, 18));
        assert_eq!(numbers("1.6.18-beta2"), (1, 6, 18));
        assert_eq!(numbers("1.7"), (1, 7, 0));
        assert!(numbers("1.5.99") < OLDEST && numbers("1.6.12") < OLDEST && numbers("2.0") > OLDEST);
        assert_eq!(numbers("x"), (0, 0, 0));
    }
}
