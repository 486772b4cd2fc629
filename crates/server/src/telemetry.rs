//! Logs and figures.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use gateward_kernel::event::Event;
use gateward_kernel::ports::Directory;
use gateward_store::layers::BOUNDS;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::{Log, LogFormat};
use crate::forward::law::Verdict;

/// Begins to log to standard error. A second call changes nothing.
pub fn start_logs(settings: &Log) {
    let level = settings.level.to_string();
    let filter = EnvFilter::new(format!("{level},hyper=warn,rustls=warn,async_nats=warn"));
    let text = match settings.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match text {
        true => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        false => builder.json().flatten_event(true).try_init(),
    };
    // In tests several servers share one process and one log.
    drop(started);
}

/// Writes an audit event, and logs it.
pub async fn audit(directory: &dyn Directory, event: &Event) {
    let person = event.person.map(|person| person.to_string());
    let (fact, request) = (event.fact.name(), event.request.as_deref());
    tracing::info!(target: "gateward::audit", fact, person, request, "audit");
    if let Err(fault) = directory.record_event(event).await {
        tracing::error!(%fault, fact, "an audit event could not be written");
    }
}

/// Counted since the start. Every label comes from a closed set.
#[derive(Debug, Default)]
pub struct Metrics {
    forward: [AtomicU64; 4],
    answers: [AtomicU64; 5],
    /// Records that were swept.
    pub swept: AtomicU64,
    /// Audit events that were swept.
    pub swept_events: AtomicU64,
    /// Open connections.
    pub connections: AtomicU64,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an answer to a proxy.
    pub fn forward_auth(&self, verdict: &Verdict) {
        let [allow, sign_in, denied, unlisted] = &self.forward;
        let counter = match verdict {
            Verdict::Allow => allow,
            Verdict::SignIn => sign_in,
            Verdict::Denied { .. } => denied,
            Verdict::NotListed => unlisted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts any other answer by the class of its status.
    pub fn answered(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The figures in the text format of Prometheus.
pub fn exposition(app: &App) -> String {
    let mut page = Exposition(String::with_capacity(4096));
    let metrics = &app.metrics;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let verdicts = ["allow", "sign-in", "denied", "not-listed"];
    page.begin("gateward_forward_auth_total", "counter", "Answers to proxies, by verdict.");
    for (verdict, counter) in verdicts.iter().zip(&metrics.forward) {
        page.labelled("gateward_forward_auth_total", "verdict", verdict, read(counter));
    }
    page.begin("gateward_http_answers_total", "counter", "Other answers, by class of status.");
    for (class, counter) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&metrics.answers) {
        page.labelled("gateward_http_answers_total", "class", class, read(counter));
    }
    page.one("gateward_sweep_removed_total", "counter", "Dead records taken away.", read(&metrics.swept));
    page.one(
        "gateward_sweep_events_total",
        "counter",
        "Old audit events taken away.",
        read(&metrics.swept_events),
    );
    page.one("gateward_connections", "gauge", "Open connections.", read(&metrics.connections));
    let pool = app.passwords.pool();
    page.one("gateward_hashing_waiting", "gauge", "Passwords that wait to be hashed.", pool.waiting() as u64);
    page.one("gateward_hashing_threads", "gauge", "Threads that hash passwords.", pool.threads() as u64);
    caches(app, &mut page);
    if let Some(database) = app.stores.sqlite() {
        let (transactions, writes) = (database.transactions, database.writes);
        page.one("gateward_database_transactions_total", "counter", "Transactions committed.", transactions);
        page.one("gateward_database_writes_total", "counter", "Writes in these transactions.", writes);
        page.one("gateward_database_queue", "gauge", "Writes that wait.", database.writes_waiting as u64);
    }
    nodes(app, &mut page);
    stores(app, &mut page);
    page.0
}

fn nodes(app: &App, page: &mut Exposition) {
    let roster = app.roster.borrow();
    page.one(
        "gateward_nodes",
        "gauge",
        "Nodes that are alive, as far as this one knows.",
        roster.living.len() as u64,
    );
    let behind = roster.ahead.iter().map(|(_, by)| by.as_secs()).max().unwrap_or(0);
    page.one(
        "gateward_clock_behind_seconds",
        "gauge",
        "How far this node's clock is behind another's, if it is.",
        behind,
    );
}

fn stores(app: &App, page: &mut Exposition) {
    let name = "gateward_store_seconds";
    page.begin(name, "histogram", "How long calls to the stores of records took.");
    for figure in app.stores.meter.figures() {
        let labels =
            format!("operation=\"{}\",outcome=\"{}\"", figure.operation.name(), figure.outcome.name());
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(figure.buckets) {
            below += count;
            page.line(format_args!("{name}_bucket{{{labels},le=\"{}\"}} {below}", seconds(*bound)));
        }
        page.line(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {}", figure.count));
        page.line(format_args!("{name}_sum{{{labels}}} {}", seconds(figure.micros)));
        page.line(format_args!("{name}_count{{{labels}}} {}", figure.count));
    }
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn caches(app: &App, page: &mut Exposition) {
    let sessions = app.sessions.book().near().map(|near| near.figures());
    let people = Some(app.sessions.people().near().figures());
    let caches = [("sessions", sessions), ("people", people)];
    let mut column = |name: &str, kind, help, pick: fn(gateward_kernel::near::NearFigures) -> u64| {
        page.begin(name, kind, help);
        for (cache, figures) in &caches {
            if let Some(figures) = figures {
                page.labelled(name, "cache", cache, pick(*figures));
            }
        }
    };
    column("gateward_cache_entries", "gauge", "Records remembered.", |figures| figures.entries as u64);
    column("gateward_cache_bytes", "gauge", "Bytes they take, about.", |figures| figures.bytes as u64);
    column("gateward_cache_misses_total", "counter", "Look-ups that memory could not answer.", |figures| {
        figures.misses
    });
    column("gateward_cache_whole", "gauge", "1 while the feed of changes is whole.", |figures| {
        u64::from(figures.whole)
    });
}

struct Exposition(String);

impl Exposition {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _written = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _written = writeln!(self.0, "{line}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.begin(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn labelled(&mut self, name: &str, label: &str, of: &str, value: u64) {
        self.line(format_args!("{name}{{{label}=\"{of}\"}} {value}"));
    }
}
