//! A server of somebody else's, as a child of this process.

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(20);

/// A port of loopback that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap().port()
}

/// Where a program is: in the `PATH`, or where servers are that the `PATH` of an ordinary user leaves out.
pub fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = places.find_map(|place| Some(place.join(name)).filter(|file| file.is_file()));
    found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test` installs it, or says how"))
}

/// A running server; killed when this is dropped. It can be killed and started again with the same command, so on the same port and
/// with the same directory.
pub struct Process {
    make: Box<dyn Fn() -> Command + Send + Sync>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    name: String,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts the server that `make` says, and waits until it is `ready`. What it prints goes into `log`.
    pub fn start(
        name: impl Into<String>,
        log: impl AsRef<Path>,
        make: impl Fn() -> Command + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let mut process = Process::begin(name, log, make, ready);
        process.wait();
        process
    }

    /// Starts the server without waiting until it is ready: for members of a cluster that need each other.
    pub fn begin(
        name: impl Into<String>,
        log: impl AsRef<Path>,
        make: impl Fn() -> Command + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let mut process = Process {
            make: Box::new(make),
            ready: Box::new(ready),
            name: name.into(),
            log: log.as_ref().to_owned(),
            child: None,
        };
        process.launch();
        process
    }

    /// Ends the server as `kill -9` does, if it runs.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the server to end (SIGTERM) and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, "TERM");
            child.wait().unwrap();
        }
    }

    /// Starts the server again (after killing it if it runs) and waits until it is ready.
    pub fn restart(&mut self) {
        self.launch();
        self.wait();
    }

    /// Starts the server again without waiting until it is ready: for members of a cluster that need each other.
    pub fn launch(&mut self) {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = (self.make)();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        self.child = Some(child);
    }

    /// Waits until the server is ready.
    pub fn wait(&mut self) {
        let begun = Instant::now();
        while !(self.ready)() {
            let ended = self.child.as_mut().map(|child| child.try_wait().unwrap());
            if !matches!(ended, Some(None)) {
                panic!("{} ended at once: {ended:?}\n{}", self.name, self.said());
            }
            assert!(begun.elapsed() < PATIENCE, "{} is not ready\n{}", self.name, self.said());
            std::thread::sleep(GLANCE);
        }
    }

    /// Stops the server in the middle of whatever it does (SIGSTOP): its lines stay open and silent. It has stopped when this comes back.
    pub fn pause(&self) {
        let child = self.child.as_ref().expect("it runs");
        signal(child, "STOP");
        wait_until_stopped(child.id());
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&self) {
        signal(self.child.as_ref().expect("it runs"), "CONT");
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it printed so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.name, self.id())
    }
}

/// Whether somebody accepts connections there.
pub fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// A signal is on its way for a while: until every thread of the process has stopped, it may still answer.
pub(crate) fn wait_until_stopped(id: u32) {
    let begun = Instant::now();
    let goes_on = |thread: PathBuf| {
        let text = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
        // "id (name) state …"; the name may hold anything.
        let state = text.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        !matches!(state, None | Some("T" | "t" | "Z" | "X"))
    };
    let threads = || std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    while threads().any(|thread| goes_on(thread.path())) {
        assert!(begun.elapsed() < PATIENCE, "process {id} does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} failed");
}
