//! A gateward server under measurement: its own data directory and settings, people, sessions, start and end.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{self, Running};
use crate::wire::{self, Kept};

pub(crate) const USER: &str = "bench-user";
pub(crate) const PASSWORD: &str = "quiet lantern over seven harbours";
/// How long a server may take until it is ready, a million stored sessions included.
const START_PATIENCE: Duration = Duration::from_secs(120);
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// A data directory that goes away with this value.
pub(crate) struct House {
    program: PathBuf,
    directory: tempfile::TempDir,
}

/// What apps are wanted.
pub(crate) struct Apps<'a> {
    pub(crate) grants: usize,
    pub(crate) audience: &'a str,
    /// So many of them with an access token,
    pub(crate) tokens: usize,
    /// and so many others with the id of their session.
    pub(crate) ids: usize,
}

/// Apps that are there now.
#[derive(Deserialize)]
pub(crate) struct FilledApps {
    grants: usize,
    pub(crate) tokens: Vec<FilledApp>,
    pub(crate) sessions: Vec<String>,
}

/// One app, as it would have signed in.
#[derive(Clone, Deserialize)]
pub(crate) struct FilledApp {
    pub(crate) session: String,
    pub(crate) access_token: String,
}

/// A server that has answered `/readyz` with 200.
pub(crate) struct Served {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// From starting the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl House {
    /// `settings` becomes `gateward.toml` in the directory every command is run in.
    pub(crate) fn new(program: &Path, settings: &str) -> Result<Self> {
        let program =
            fs::canonicalize(program).with_context(|| format!("no gateward at {}", program.display()))?;
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("gateward.toml"), settings)?;
        Ok(Self { program, directory })
    }

    pub(crate) fn add_user(&self, name: &str) -> Result<()> {
        self.run(&["user", "add", name, "--password-stdin"], PASSWORD).map(drop)
    }

    pub(crate) fn add_admin(&self, name: &str) -> Result<()> {
        self.run(&["user", "add", name, "--admin", "--password-stdin"], PASSWORD).map(drop)
    }

    /// Writes that many sessions straight into the store; returns the cookie values of some of them.
    pub(crate) fn fill(&self, sessions: usize, expired: bool) -> Result<Vec<String>> {
        self.fill_with(sessions, &[if expired { "--expired" } else { "--cookies=1000" }])
    }

    /// The same of sessions that live, with the cookie values of all.
    pub(crate) fn fill_all(&self, sessions: usize) -> Result<Vec<String>> {
        self.fill_with(sessions, &[&format!("--cookies={sessions}")])
    }

    fn fill_with(&self, sessions: usize, options: &[&str]) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Filled {
            sessions: usize,
            cookies: Vec<String>,
        }
        let number = sessions.to_string();
        let arguments = [&["bench-fill", "--sessions", &number, "--user", USER], options].concat();
        let output = self.run(&arguments, "")?;
        let filled: Filled = serde_json::from_str(output.trim()).context("the answer of bench-fill")?;
        if filled.sessions != sessions || filled.cookies.is_empty() {
            bail!("bench-fill made {} sessions and {} cookies", filled.sessions, filled.cookies.len());
        }
        Ok(filled.cookies.iter().map(|cookie| bare(cookie)).collect())
    }

    /// Writes that many apps straight into the store, each with a session, a grant and a place in the status lists.
    pub(crate) fn fill_apps(&self, wanted: &Apps<'_>) -> Result<FilledApps> {
        let [grants, tokens, ids] = [wanted.grants, wanted.tokens, wanted.ids].map(|count| count.to_string());
        let arguments = [
            ["--grants", &grants],
            ["--user", USER],
            ["--audience", wanted.audience],
            ["--tokens", &tokens],
            ["--ids", &ids],
        ];
        let output = self.run(&[&["bench-fill"], arguments.as_flattened()].concat(), "")?;
        let filled: FilledApps = serde_json::from_str(output.trim()).context("the answer of bench-fill")?;
        let told = (filled.grants, filled.tokens.len(), filled.sessions.len());
        if told != (wanted.grants, wanted.tokens, wanted.ids) {
            bail!("bench-fill made apps, tokens and sessions: {told:?}");
        }
        Ok(filled)
    }

    /// Has that many clients sign somebody new in again and again, each as the server does once a password was right, in a
    /// process of its own on this core; yields how many did, and in how many seconds.
    pub(crate) fn sign_ins(&self, seconds: u32, clients: usize, core: Option<usize>) -> Result<(u64, f64)> {
        #[derive(Deserialize)]
        struct Done {
            sign_ins: u64,
            seconds: f64,
        }
        let (seconds, clients) = (seconds.to_string(), clients.to_string());
        let arguments = ["bench-fill", "--sign-ins", &seconds, "--clients", &clients, "--user", USER];
        let output = self.run_on(core, &arguments, "")?;
        let done: Done = serde_json::from_str(output.trim()).context("the answer of bench-fill")?;
        Ok((done.sign_ins, done.seconds))
    }

    /// Creates that many people and signs each in; the values of their cookies.
    pub(crate) fn fill_people(&self, people: usize) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Filled {
            cookies: Vec<String>,
        }
        let output = self.run(&["bench-fill", "--people", &people.to_string(), "--user", USER], "")?;
        let filled: Filled = serde_json::from_str(output.trim()).context("the answer of bench-fill")?;
        if filled.cookies.len() != people {
            bail!("bench-fill signed {} people in, not {people}", filled.cookies.len());
        }
        Ok(filled.cookies.iter().map(|cookie| bare(cookie)).collect())
    }

    /// Adds a client of OAuth of this `--type`, with this secret, and says this of it besides.
    pub(crate) fn add_client(
        &self,
        id: &str,
        kind: &str,
        secret: &str,
        metadata: &serde_json::Value,
    ) -> Result<()> {
        let file = format!("{id}.json");
        fs::write(self.directory.path().join(&file), metadata.to_string())?;
        let arguments = ["client", "add", id, "--type", kind, "--secret-stdin", "--metadata", &file];
        self.run(&arguments, secret).map(drop)
    }

    /// Size of the data directory's files in bytes.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        let files = fs::read_dir(self.data())?.map(|entry| Ok(entry?.metadata()?.len()));
        files.sum::<Result<u64>>()
    }

    /// Starts the server on a free port, on this core only when one is named, and waits until it is ready.
    pub(crate) fn serve(&self, core: Option<usize>) -> Result<Served> {
        self.serve_at(free_address()?, core)
    }

    /// The same with further settings, as variables of the environment.
    pub(crate) fn serve_with(&self, core: Option<usize>, settings: &[(&str, &str)]) -> Result<Served> {
        self.start(free_address()?, core, settings)
    }

    /// The same at this address.
    pub(crate) fn serve_at(&self, address: SocketAddr, core: Option<usize>) -> Result<Served> {
        self.start(address, core, &[])
    }

    fn start(&self, address: SocketAddr, core: Option<usize>, settings: &[(&str, &str)]) -> Result<Served> {
        let log_path = self.directory.path().join("log");
        let log = File::create(&log_path)?;
        let mut command = self.command(core);
        command.envs(settings.iter().copied());
        command.args(["--listen", &address.to_string()]).stdout(log.try_clone()?).stderr(log);
        let ready = wire::request("GET", "/readyz", &address.to_string(), &[], "");
        let started = Instant::now();
        let mut running = Running::start(command)?;
        loop {
            if wire::ask_once(address, &ready, ANSWER_PATIENCE).is_ok_and(|answer| answer.status == 200) {
                return Ok(Served { running, address, first_answer: started.elapsed() });
            }
            if running.has_ended() || started.elapsed() > START_PATIENCE {
                bail!("gateward did not become ready; it said:\n{}", last_lines(&log_path));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Runs one command of the program to its end; returns what it printed.
    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        self.run_on(None, arguments, input)
    }

    fn run_on(&self, core: Option<usize>, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(core);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting gateward")?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input says why on standard error, which is shown below.
            let _ = writeln!(stdin, "{input}");
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "`gateward {}` failed: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(&self, core: Option<usize>) -> Command {
        let mut command = process::on_core(&self.program, core);
        command.current_dir(self.directory.path()).arg("--data").arg(self.data());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Served {
    pub(crate) fn get(&self, path: &str, headers: &[(String, String)]) -> Result<Kept> {
        let request = wire::request("GET", path, &self.address.to_string(), headers, "");
        wire::ask_once(self.address, &request, ANSWER_PATIENCE)
    }

    /// One request with an empty body or one of JSON.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<Kept> {
        let mut headers = headers.to_vec();
        if !body.is_empty() || method != "GET" {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let request = wire::request(method, path, &self.address.to_string(), &headers, body);
        wire::ask_once(self.address, &request, ANSWER_PATIENCE)
    }

    /// Signs in and returns the value of the session cookie.
    pub(crate) fn sign_in(&self, name: &str) -> Result<String> {
        let answer = wire::ask_once(self.address, &sign_in_request(self.address, name), ANSWER_PATIENCE)?;
        if answer.status != 200 {
            bail!("signing in was answered with {}: {}", answer.status, answer.body);
        }
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.strip_prefix("gateward="));
        let value = cookie.and_then(|cookie| cookie.split(';').next());
        value.map(str::to_owned).context("signing in set no cookie named gateward")
    }
}

/// `POST /api/v1/login` for this user.
pub(crate) fn sign_in_request(address: SocketAddr, name: &str) -> Vec<u8> {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let body = serde_json::json!({ "username": name, "password": PASSWORD }).to_string();
    wire::request("POST", "/api/v1/login", &address.to_string(), &headers, &body)
}

/// The value of a cookie that is told with its name or without.
fn bare(cookie: &str) -> String {
    cookie.strip_prefix("gateward=").unwrap_or(cookie).to_owned()
}

/// An address of this machine at which nobody listens.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
