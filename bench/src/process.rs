//! Processes under measurement: started on their core, watched through `/proc`, ended by their own id.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Carries the core list into the process that was started again on the load's core.
const CORES_VARIABLE: &str = "BENCH_CORES";

/// Which cores this machine gives us, and who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// All cores this process may use; nothing is pinned.
    pub(crate) fn all() -> Result<Self> {
        if let Ok(list) = std::env::var(CORES_VARIABLE) {
            return core_list(&list).map(Self);
        }
        let status = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
        let list =
            field(&status, "Cpus_allowed_list").context("no Cpus_allowed_list in /proc/self/status")?;
        core_list(list).map(Self)
    }

    /// Starts this program again on the load's core, unless that has happened or there is one core only.
    /// Replaces the running process, so nothing before this call is kept.
    pub(crate) fn pin_load() -> Result<Self> {
        let cores = Self::all()?;
        let Some(load) = cores.load().filter(|_| std::env::var_os(CORES_VARIABLE).is_none()) else {
            return Ok(cores);
        };
        let list = cores.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let failure = Command::new("taskset")
            .args(["-c", &load.to_string()])
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env(CORES_VARIABLE, list)
            .exec();
        Err(failure).context("starting again under taskset (package util-linux)")
    }

    /// The core of the server under measurement; `None` when it cannot have one of its own.
    pub(crate) fn server(&self) -> Option<usize> {
        self.0.first().copied().filter(|_| self.0.len() > 1)
    }

    /// The core of the load generator, and of whatever is not the server; `None` when there is no second one.
    pub(crate) fn load(&self) -> Option<usize> {
        self.0.get(1).copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A command that will run on this core only, when one is named.
pub(crate) fn on_core(program: &Path, core: Option<usize>) -> Command {
    let mut command = match core {
        None => Command::new(program),
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string()]).arg(program);
            command
        }
    };
    // The machine's own settings must not leak into what is measured.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GATEWARD_")) {
        command.env_remove(name);
    }
    command.env_remove(CORES_VARIABLE).stdin(Stdio::null());
    command
}

/// A running child; ended when dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.spawn().map(Self).with_context(|| format!("starting {}", command.get_program().display()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Asks it to end and waits; a process that has not gone after ten seconds is killed, and that is an error.
    pub(crate) fn stop(mut self) -> Result<()> {
        let asked =
            Command::new("kill").args(["-TERM", &self.id().to_string()]).status().context("running kill")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while asked.success() && Instant::now() < deadline {
            if self.has_ended() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("a server did not end within ten seconds of SIGTERM")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Processor time this process has used since it started, all threads, user and system, in seconds.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process has ended")?;
    let ticks = cpu_ticks(&stat).context("unexpected /proc/PID/stat")?;
    Ok(ticks as f64 / ticks_per_second())
}

/// Processor time this process and its children have used, also those that have ended and were waited for, in seconds.
pub(crate) fn family_cpu_seconds(process: u32) -> Result<f64> {
    let ticks_of = |stat: &str| Some(cpu_ticks(stat)? + ended_children_cpu_ticks(stat)?);
    let mut ticks = 0;
    for member in family(process)? {
        // A child may end while this is read; its parent tells its time from then on.
        let stat = fs::read_to_string(format!("/proc/{member}/stat"));
        ticks += stat.ok().as_deref().and_then(ticks_of).unwrap_or(0);
    }
    Ok(ticks as f64 / ticks_per_second())
}

/// Lets this process and its children run on this core only, and whatever they start from now on.
pub(crate) fn move_to(core: usize, process: u32) -> Result<()> {
    for member in family(process)? {
        let moved = Command::new("taskset")
            .args(["-a", "-c", "-p", &core.to_string(), &member.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // One that has ended meanwhile needs no place.
        if !moved.context("running taskset (package util-linux)")?.success()
            && Path::new(&format!("/proc/{member}")).exists()
        {
            bail!("process {member} could not be moved to core {core}");
        }
    }
    Ok(())
}

/// This process and its children.
fn family(process: u32) -> Result<Vec<u32>> {
    let mut members = vec![process];
    for entry in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if parent(&stat) == Some(process) {
            members.push(id);
        }
    }
    if Path::new(&format!("/proc/{process}")).exists() {
        Ok(members)
    } else {
        bail!("process {process} has ended")
    }
}

/// Processor time the calling thread has used, in seconds: the scheduler's own account, where the kernel keeps one. It is
/// exact to one tick of the scheduler, a few milliseconds.
pub(crate) fn thread_cpu_seconds() -> Result<f64> {
    let Ok(text) = fs::read_to_string("/proc/thread-self/schedstat") else {
        return cpu_seconds(std::process::id());
    };
    let nanoseconds: Option<f64> = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    Ok(nanoseconds.context("unexpected /proc/thread-self/schedstat")? / 1e9)
}

/// The same of all children of this process that have ended and were waited for.
pub(crate) fn ended_children_cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    let ticks = ended_children_cpu_ticks(&stat).context("unexpected /proc/self/stat")?;
    Ok(ticks as f64 / ticks_per_second())
}

/// Processor time all processes of the machine have used since it started, in seconds.
pub(crate) fn machine_cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let ticks = machine_cpu_ticks(&stat).context("unexpected /proc/stat")?;
    Ok(ticks as f64 / ticks_per_second())
}

/// Resident memory in kibibytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

pub(crate) fn memory(process: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    memory_of(&status).context("unexpected /proc/PID/status")
}

/// Resident memory once it has stood still for half a second, or after five seconds.
pub(crate) fn settled_memory(process: u32) -> Result<Memory> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let (mut last, mut still) = (memory(process)?, 0);
    while still < 5 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        let next = memory(process)?;
        still = if next.now == last.now { still + 1 } else { 0 };
        last = next;
    }
    Ok(last)
}

/// What the results name the machine by: nothing that tells whose it is.
#[derive(Clone, serde::Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn read(cores: &Cores) -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = field(&text, "model name").unwrap_or("unknown processor").to_owned();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Self { processor, cores: cores.count(), kernel }
    }
}

/// The value behind `name` and a colon, as `/proc/cpuinfo` and `/proc/PID/status` write it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// Fields 14 and 15 (utime, stime) of proc_pid_stat(5). The name in field 2 may hold spaces and brackets, so counting
/// starts behind the last closing bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    two_fields(stat, 11)
}

/// Fields 16 and 17 (cutime, cstime).
fn ended_children_cpu_ticks(stat: &str) -> Option<u64> {
    two_fields(stat, 13)
}

/// Field 4 (ppid).
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The sum of two neighbouring numbers, counted from behind the name.
fn two_fields(stat: &str, first: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(first);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The line `cpu` of proc_stat(5) without idle, iowait, and the guests' time that user time holds already.
fn machine_cpu_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> =
        line.split_ascii_whitespace().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [user, nice, system, _idle, _iowait, interrupts, soft_interrupts, stolen, ..] = *fields.as_slice()
    else {
        return None;
    };
    Some(user + nice + system + interrupts + soft_interrupts + stolen)
}

fn memory_of(status: &str) -> Option<Memory> {
    let kibibytes = |name| field(status, name)?.strip_suffix("kB")?.trim().parse().ok();
    Some(Memory { now: kibibytes("VmRSS")?, peak: kibibytes("VmHWM")? })
}

/// `0-2,5` → 0, 1, 2, 5 (the format of cpuset(7)).
fn core_list(text: &str) -> Result<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse()?, last.trim().parse()?);
        cores.extend(first..=last);
    }
    Ok(cores)
}

fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().ok();
        output.and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok()).unwrap_or(100.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_behind_an_awkward_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 9 0 0 0 150 50 7 8 20 0 1 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(ended_children_cpu_ticks(stat), Some(15));
        assert_eq!((parent(stat), parent("")), (Some(1), None));
        assert_eq!(cpu_ticks("42 (short) S 1 2"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn idle_time_is_no_work_of_others() {
        assert_eq!(machine_cpu_ticks("cpu  1 2 4 800 900 8 16 32 64 128\ncpu0 1 1 1 1\n"), Some(63));
        assert_eq!(machine_cpu_ticks("cpu0 1 2 3 4 5 6 7 8\n"), None);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   812 kB\nVmRSS:\t   700 kB\nThreads:\t1\n";
        assert_eq!(memory_of(status), Some(Memory { now: 700, peak: 812 }));
        assert_eq!(memory_of("Name:\tkernel thread\n"), None);
    }

    #[test]
    fn core_lists() {
        assert_eq!(core_list("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(core_list("3\n").unwrap(), [3]);
        assert!(core_list("all").is_err());
    }

    #[test]
    fn a_single_core_is_shared() {
        assert_eq!(Cores(vec![3]).server(), None);
        assert_eq!(Cores(vec![3]).load(), None);
        let two = Cores(vec![2, 6]);
        assert_eq!((two.server(), two.load(), two.count()), (Some(2), Some(6), 2));
    }

    #[test]
    fn this_process_can_be_watched() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.now > 0 && memory.peak >= memory.now);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
        assert!(thread_cpu_seconds().unwrap() >= 0.0);
        assert!(Cores::all().unwrap().count() >= 1);
    }

    #[test]
    fn children_belong_to_the_family() {
        let mut command = on_core(Path::new("sleep"), None);
        command.arg("60");
        let child = Running::start(command).unwrap();
        let own = family(std::process::id()).unwrap();
        assert!(own.contains(&child.id()) && own.contains(&std::process::id()), "{own:?}");
        let core = *Cores::all().unwrap().0.first().unwrap();
        move_to(core, child.id()).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        assert_eq!(field(&status, "Cpus_allowed_list"), Some(core.to_string().as_str()));
        assert!(family_cpu_seconds(child.id()).unwrap() >= 0.0);
        let gone = child.id();
        child.stop().unwrap();
        assert!(family_cpu_seconds(gone).is_err());
    }

    #[test]
    fn a_process_that_is_stopped_has_ended() {
        let mut command = on_core(Path::new("sleep"), None);
        command.arg("60");
        let running = Running::start(command).unwrap();
        let process = running.id();
        running.stop().unwrap();
        assert!(cpu_seconds(process).is_err());
    }
}
