//! What every test needs of the machine: programs, ports, child processes that end with their test, and waiting.

use std::collections::HashSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take on a slow machine before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PLACES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where an installed program is. Without it the test fails and says what to do.
pub fn program(name: &str, package: &str) -> PathBuf {
    let own = std::env::var("PATH").unwrap_or_default();
    let found = own.split(':').chain(PLACES.split(':')).map(|place| Path::new(place).join(name));
    found
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"))
}

/// A command with nothing of our environment but what every program needs.
pub fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PLACES).env("HOME", home).env("LANG", "C.UTF-8").current_dir(home);
    command
}

/// The ports that were given away.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A free port below those that the kernel gives to outgoing connections, so that none of these can take it before the program
/// it is meant for does.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap();
    // Two runs at the same time begin at different ports.
    let start = u16::try_from(std::process::id() % 500).unwrap() * 20;
    let port = (0..10_000)
        .map(|step| 20_000 + (start + step) % 10_000)
        .find(|port| !given.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port");
    given.insert(port);
    port
}

/// What stands before the last two digits of ports that are free, all that end so.
pub fn free_hundred(ends: &[u16]) -> u16 {
    let mut given = GIVEN.lock().unwrap();
    let start = u16::try_from(std::process::id() % 100).unwrap();
    let is_free = |port: u16| !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok();
    let hundred = (0..100)
        .map(|step| 200 + (start + step) % 100)
        .find(|hundred| ends.iter().all(|end| is_free(hundred * 100 + end)))
        .expect("free ports");
    given.extend(ends.iter().map(|end| hundred * 100 + end));
    hundred
}

/// A child process. It is ended when this is dropped.
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Running {
    /// Starts it; what it says goes to a file in `directory`.
    pub fn start(name: &str, mut command: Command, directory: &Path) -> Running {
        let log = directory.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Running { name: name.to_owned(), log, child }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails the test with its words when it has ended by itself.
    pub fn must_live(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("{} ended with {status}:\n{}", self.name, self.said());
        }
    }

    /// Asks it to end (SIGTERM) and waits; when it does not, kills it. Whether it ended by itself.
    pub fn stop(&mut self) -> bool {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return true;
        }
        terminate(self.child.id());
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        false
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.said());
        }
    }
}

/// Asks one process to end.
pub fn terminate(id: u32) {
    let _ = Command::new("kill").args(["-TERM", &id.to_string()]).stderr(Stdio::null()).status();
}

/// Asks again and again until there is an answer; fails the test when there is none for too long.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
