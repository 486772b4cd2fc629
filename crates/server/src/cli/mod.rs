//! The command line: what can be said, and how answers are printed.

mod client;
mod doctor;
mod fill;
mod key;
mod proxy;
mod serve;
mod session;
mod show;
mod store;
mod token;
mod user;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use data_encoding::BASE64URL_NOPAD;

use crate::app::App;
use crate::config::{self, Flag, Loaded, Sources};
use crate::face::failure::Failure;
use crate::forward::snippet::Proxy;
use crate::start::{self, Missing};
use show::Show;

/// Signs people in and proves it to everything else.
///
/// Without a command it serves. Settings come from a file, the environment (GATEWARD_…) and flags, in this order;
/// `gateward config` shows them all with where each came from.
#[derive(Debug, Parser)]
#[command(name = "gateward", version, max_term_width = 100)]
struct Cli {
    /// The directory of the database and the keys [default: ./gateward-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// The address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The address that people's browsers use, such as https://login.example.com
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// The settings file [default: gateward.toml when it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; on an empty data directory print a link for the first administrator
    Serve,
    /// People
    #[command(subcommand)]
    User(user::UserCommand),
    /// Who is signed in, and cutting it
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Applications that sign people in here
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Keys of this installation
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Tokens: look into any, and sign one
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Print a working configuration for a proxy in front of protected applications
    Proxy {
        /// Which proxy
        kind: ProxyKind,
        /// Write the files into this directory instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Stores: move from one to another
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Check settings, stores, clock and proxies; each finding says what to do
    Doctor,
    /// Print every effective setting and where it came from
    Config,
    /// Fill the store with sessions, to measure with
    #[command(hide = true)]
    BenchFill(fill::Fill),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProxyKind {
    Nginx,
    Caddy,
    Traefik,
    Haproxy,
    Envoy,
}

/// Why a command did not succeed: one line for each problem.
#[derive(Debug)]
enum Trouble {
    Settings(Vec<config::Problem>),
    Failure(Failure),
    Other(anyhow::Error),
    /// Printed already; only the exit code is left to say.
    Told,
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Trouble::Other(error.into())
    }
}

type Done = Result<(), Trouble>;

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let cli = Cli::parse_from(ids_last(std::env::args_os()));
    match command(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&trouble);
            ExitCode::FAILURE
        }
    }
}

/// Every sixty-fourth id begins with a hyphen, as options do: such are put behind `--`, where nothing is one.
fn ids_last(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut all, mut ids): (Vec<OsString>, Vec<OsString>) = (Vec::new(), Vec::new());
    for argument in arguments {
        match is_id_like_an_option(&argument) && !all.iter().any(|one| one == "--") {
            true => ids.push(argument),
            false => all.push(argument),
        }
    }
    if !ids.is_empty() {
        all.push("--".into());
        all.append(&mut ids);
    }
    all
}

/// Whether it begins with a hyphen, and is what 16 bytes (a session) or 32 (a key) are in base64url.
fn is_id_like_an_option(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    let decoded = || BASE64URL_NOPAD.decode(bytes).is_ok_and(|bytes| matches!(bytes.len(), 16 | 32));
    bytes.starts_with(b"-") && !bytes.starts_with(b"--") && decoded()
}

fn tell(trouble: &Trouble) {
    match trouble {
        Trouble::Settings(problems) => problems.iter().for_each(|problem| eprintln!("gateward: {problem}")),
        Trouble::Other(error) => eprintln!("gateward: {error:#}"),
        Trouble::Told => {}
        Trouble::Failure(Failure::Fault(fault)) => eprintln!("gateward: {fault}"),
        Trouble::Failure(failure) => match failure.refusal() {
            Some(refusal) => match refusal.detail() {
                Some(detail) => eprintln!("gateward: {} {detail}", refusal.row().title),
                None => eprintln!("gateward: {}", refusal.row().title),
            },
            None => eprintln!("gateward: internal error"),
        },
    }
}

fn command(cli: Cli) -> Done {
    if let Some(Command::Token(token::TokenCommand::Inspect { token })) = &cli.command {
        // It needs nothing of an installation, and so it does not ask for one.
        return token::inspect(token, Show { json: cli.json });
    }
    if let Some(Command::Token(token::TokenCommand::Verify(verify))) = &cli.command {
        return token::check(verify, Show { json: cli.json });
    }
    let loaded = load(&cli)?;
    let show = Show { json: cli.json };
    match cli.command {
        None | Some(Command::Serve) => serve::run(loaded.settings),
        Some(Command::Config) => {
            match cli.json {
                true => show.json(&config::to_json(&loaded.effective)),
                false => print!("{}", config::to_text(&loaded.effective)),
            }
            Ok(())
        }
        Some(Command::Proxy { kind, out }) => proxy::run(kind.into(), out.as_deref(), &loaded.settings, show),
        Some(Command::Doctor) => doctor::run(loaded.settings, show),
        Some(Command::User(command)) => user::run(command, loaded.settings, show),
        Some(Command::Session(command)) => session::run(command, loaded.settings, show),
        Some(Command::Client(command)) => client::run(command, loaded.settings, show),
        Some(Command::Key(command)) => key::run(command, loaded.settings, show),
        Some(Command::Token(command)) => token::run(command, loaded.settings, show),
        Some(Command::Store(command)) => store::run(command, &loaded.settings, show),
        Some(Command::BenchFill(fill)) => fill::run(&fill, loaded.settings, show),
    }
}

fn load(cli: &Cli) -> Result<Loaded, Trouble> {
    let flags = [
        ("data", "--data", &cli.data),
        ("listen", "--listen", &cli.listen),
        ("public_url", "--public-url", &cli.public_url),
    ];
    let flags = flags.into_iter().filter_map(|(key, flag, value)| Some(Flag::new(key, value.clone()?, flag)));
    let sources = Sources::from_system(cli.config.as_deref(), flags.collect())
        .map_err(|problem| Trouble::Settings(vec![problem]))?;
    config::load(&sources).map_err(Trouble::Settings)
}

impl From<ProxyKind> for Proxy {
    fn from(kind: ProxyKind) -> Proxy {
        match kind {
            ProxyKind::Nginx => Proxy::Nginx,
            ProxyKind::Caddy => Proxy::Caddy,
            ProxyKind::Traefik => Proxy::Traefik,
            ProxyKind::Haproxy => Proxy::Haproxy,
            ProxyKind::Envoy => Proxy::Envoy,
        }
    }
}

/// Runs a command on the opened program, on one thread.
fn with_app<T>(
    settings: config::Settings,
    missing: Missing,
    work: impl AsyncFnOnce(&App) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // A failed command tells its failure itself; only what is alarming is worth a line beside it.
        crate::telemetry::start_logs(&config::Log { level: config::LogLevel::Error, ..settings.log.clone() });
        let base = settings.base_url();
        let app = start::open(settings, base, missing).await?;
        work(&app).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_no_options() {
        let parsed = |line: &str| {
            let line = line.split(' ').map(OsString::from);
            ids_last(line).into_iter().map(|one| one.into_string().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let (session, key) = ("-8wiTCdoXEqvjLknhu0qPg", "-YkHtf2eaVqMxK1S6bH0zS0m7xg0q3yO3k9QdJcT0wE");
        for id in [session, key] {
            assert_eq!(
                parsed(&format!("gateward session end {id} --json")),
                format!("gateward session end --json -- {id}")
            );
            assert_eq!(
                parsed(&format!("gateward session end -- {id} x")),
                format!("gateward session end -- {id} x")
            );
        }
        for plain in [
            "gateward session end 8wiTCdoXEqvjLknhu0qPgA --json",
            "gateward --listen 127.0.0.1:1",
            "gateward -h",
        ] {
            assert_eq!(parsed(plain), plain);
        }
        let cli = Cli::try_parse_from(ids_last(
            ["gateward", "session", "end", session, "--json"].map(OsString::from).into_iter(),
        ));
        let ended = cli.unwrap().command;
        assert!(
            matches!(ended, Some(Command::Session(session::SessionCommand::End { id: Some(id), .. })) if id == session)
        );
    }
}
