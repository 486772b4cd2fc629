//! A foreign library as a process: a question in JSON on a line, an answer on a line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::library::Library;
use crate::packages::{beside_node_packages, installed};

/// Nothing takes that long: whoever waits longer waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs of the libraries are.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

/// A library that answers. It is ended when this is dropped.
pub(crate) struct Peer {
    library: Library,
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    _folder: Option<TempDir>,
}

impl Peer {
    pub(crate) fn of(library: Library) -> Peer {
        let mut folder = None;
        let mut command = match library {
            Library::Jose => {
                let own = folder.insert(beside_node_packages("node", &[sources().join("node/peer.mjs")]));
                with("node", own.path().join("peer.mjs"))
            }
            Library::PyJwt | Library::Jwcrypto => {
                let mut command = with(installed("python/bin/python"), sources().join("python/peer.py"));
                command.arg(if library == Library::PyJwt { "pyjwt" } else { "jwcrypto" });
                command
            }
            Library::GoJose => Command::new(installed("go/peer")),
            Library::Nimbus => {
                let paths = format!(
                    "{}/*:{}",
                    installed("java/libraries").display(),
                    installed("java/classes").display()
                );
                let mut command = with("java", "-cp");
                // A short life: compiling thoroughly would not pay.
                command.arg(paths).args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "Peer"]);
                command
            }
        };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
                panic!("{library:?} does not start: {error}; see cargo xtask install")
            });
        let (questions, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (to, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(said).lines().map_while(Result::ok);
            lines.try_for_each(|line| to.send(line))
        });
        Peer { library, child, questions, answers, _folder: folder }
    }

    /// What it says; the error is its refusal.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").unwrap();
        let line = self.answers.recv_timeout(PATIENCE);
        let line =
            line.unwrap_or_else(|error| panic!("{:?} does not answer {question}: {error}", self.library));
        let answer: Value = serde_json::from_str(&line).unwrap();
        match answer["refused"].as_str() {
            Some(words) => Err(words.to_owned()),
            None => Ok(answer),
        }
    }

    /// A text of its answer to what it must be able to do.
    pub(crate) fn text(&mut self, question: &Value, name: &str) -> String {
        let answer = self.must(question);
        answer[name].as_str().unwrap_or_else(|| panic!("{name} in {answer}")).to_owned()
    }

    /// Its answer to what it must be able to do.
    pub(crate) fn must(&mut self, question: &Value) -> Value {
        let library = self.library;
        self.ask(question).unwrap_or_else(|words| panic!("{library:?} refuses {question}: {words}"))
    }

    /// It must say no.
    pub(crate) fn refuses(&mut self, question: &Value) {
        if let Ok(answer) = self.ask(question) {
            panic!("{:?} should refuse {question}: {answer}", self.library);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with(program: impl AsRef<std::ffi::OsStr>, argument: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    command
}
