//! `gateward doctor`: looks at everything an operator may have overlooked; each finding says what to do.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use gateward_guard::cookies::{MANY_COOKIES, MAX_COOKIE};
use gateward_kernel::person::ADMINS;
use gateward_kernel::time::Clock;
use gateward_store::checkup;
use serde_json::{Value, json};

use super::show::Show;
use super::{Done, Trouble, with_app};
use crate::app::App;
use crate::config::Settings;
use crate::start::Missing;
use crate::stores;

/// 2026-01-01: a clock before that is wrong.
const EARLIEST: i64 = 1_767_225_600;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Good,
    Look,
    Wrong,
}

struct Finding {
    level: Level,
    what: Cow<'static, str>,
    words: String,
}

/// The findings, in the order in which they were made.
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, what: impl Into<Cow<'static, str>>, words: impl Into<String>) {
        self.0.push(Finding { level, what: what.into(), words: words.into() });
    }
}

pub(super) fn run(settings: Settings, show: Show) -> Done {
    let mut findings = Findings(Vec::new());
    findings.add(Level::Good, "settings", "are complete and right");
    about_addresses(&settings, &mut findings);
    about_apps(&settings, &mut findings);
    about_files(&settings, &mut findings);
    about_outbound(&settings, &mut findings);
    let listen = settings.listen;
    let opened = with_app(settings, Missing::Refuse, async |app: &App| {
        about_stores(app, &mut findings).await;
        about_keys(app, &mut findings).await;
        about_server(listen, &mut findings).await;
        Ok(())
    });
    if let Err(Trouble::Other(error)) = &opened {
        findings.add(Level::Wrong, "data", format!("{error:#}"));
    }
    print(&findings, show);
    match findings.0.iter().any(|finding| finding.level == Level::Wrong) {
        true => Err(Trouble::Told),
        false => Ok(()),
    }
}

fn print(findings: &Findings, show: Show) {
    let name = |level| match level {
        Level::Good => "good",
        Level::Look => "look",
        Level::Wrong => "wrong",
    };
    let values: Vec<Value> = findings
        .0
        .iter()
        .map(|f| json!({ "level": name(f.level), "what": f.what, "finding": f.words }))
        .collect();
    if show.json {
        return show.json(&json!({ "findings": values }));
    }
    for finding in &findings.0 {
        println!("{:<5}  {:<9}  {}", name(finding.level), finding.what, finding.words);
    }
}

fn about_addresses(settings: &Settings, findings: &mut Findings) {
    let https = settings.is_https();
    let base = settings.base_url();
    if https {
        findings.add(Level::Good, "address", format!("browsers come by https to {base}"));
    } else {
        findings.add(Level::Look, "address", format!("browsers come by plain http to {base}: for this machine only. In production set public_url to an https:// address"));
    }
    if https && settings.tls.certificate.is_none() && settings.trusted_proxies.is_empty() {
        findings.add(Level::Look, "proxies", "public_url is https, but neither [tls] is set nor a proxy trusted: if a proxy ends TLS, add its address to trusted_proxies, else all clients look like one");
    }
    if settings.trusted_proxies.iter().any(|cidr| cidr.network().prefix_len() == 0) {
        findings.add(Level::Wrong, "proxies", "trusted_proxies holds the whole network: anybody can claim any address. Name the addresses of your proxies");
    }
    match crate::app::Cookies::new(settings, https) {
        Ok(cookies) => about_cookie(&cookies, findings),
        Err(problem) => findings.add(Level::Wrong, "cookie", problem.to_string()),
    }
}

/// Browsers drop what is too large or too much, and say nothing.
fn about_cookie(cookies: &crate::app::Cookies, findings: &mut Findings) {
    let secret = "v".repeat(gateward_kernel::handle::TEXT_LENGTH);
    let bytes = cookies
        .session
        .set(&secret, Some(Duration::from_secs(u64::from(u32::MAX))))
        .map_or(0, |set| set.len());
    let level = if bytes > MAX_COOKIE * 3 / 4 { Level::Look } else { Level::Good };
    findings.add(
        level,
        "cookie",
        format!(
            "{}: {bytes} of the {MAX_COOKIE} bytes that browsers keep, one of 3 cookies where some keep {MANY_COOKIES} a site; \
             what your applications set beside them is warned of in the log",
            cookies.session
        ),
    );
}

fn about_apps(settings: &Settings, findings: &mut Findings) {
    let Ok(cookies) = crate::app::Cookies::new(settings, settings.is_https()) else { return };
    let base = settings.base_url();
    if !settings.app.is_empty() && settings.trusted_proxies.is_empty() {
        findings.add(Level::Wrong, "apps", "there are protected apps, but no proxy is trusted to ask: add the address of your proxy to trusted_proxies");
    }
    for app in &settings.app {
        let host = app.host.name();
        let reached = match cookies.session.domain() {
            Some(domain) => host == domain || host.ends_with(&format!(".{domain}")),
            None => base.host_str() == Some(host),
        };
        if !reached {
            findings.add(Level::Wrong, "apps", format!("the session cookie does not reach {}: set [cookie] domain to a domain that holds it and {}", app.host, base.host_str().unwrap_or_default()));
        }
        if app.rules.is_empty() {
            findings.add(Level::Look, "apps", format!("{} has no rules: nobody gets through", app.host));
        }
    }
}

/// Every exception from the rules by which other servers are asked.
fn about_outbound(settings: &Settings, findings: &mut Findings) {
    let outbound = &settings.outbound;
    if !outbound.allow.is_empty() {
        let targets: Vec<String> = outbound.allow.iter().map(ToString::to_string).collect();
        findings.add(
            Level::Look,
            "outbound",
            format!(
                "outbound.allow lets whoever registers a client reach {}: take out what no client needs",
                targets.join(", ")
            ),
        );
    }
    if let Some(file) = &outbound.ca_file {
        findings.add(
            Level::Look,
            "outbound",
            format!("servers that clients name are also trusted by the authorities in {}", file.display()),
        );
    }
}

fn about_files(settings: &Settings, findings: &mut Findings) {
    let now = gateward_guard::SystemClock.now();
    match now.seconds() < EARLIEST {
        true => findings.add(
            Level::Wrong,
            "clock",
            format!("shows {}: set it, or sessions end at the wrong time", now.rfc3339()),
        ),
        false => findings.add(Level::Good, "clock", format!("shows {}", now.rfc3339())),
    }
    let key = settings.root_key_file();
    if let Ok(found) = std::fs::metadata(&key) {
        let open = found.permissions().mode() & 0o077 != 0;
        let shown = key.display();
        match open {
            true => findings.add(Level::Wrong, "root key", format!("{shown} can be read by others: chmod 600 {shown}")),
            false => findings.add(Level::Good, "root key", format!("{shown}: keep a copy apart from copies of the database; without it passwords and sessions are lost")),
        }
    }
}

async fn about_stores(app: &App, findings: &mut Findings) {
    for (role, fault) in app.stores.ping().await {
        findings.add(Level::Wrong, role.name(), fault.to_string());
    }
    for (roles, found) in app.stores.checkup().await {
        for finding in found {
            let level = match finding.level {
                checkup::Level::Good => Level::Good,
                checkup::Level::Warning => Level::Look,
                checkup::Level::Bad => Level::Wrong,
            };
            let words = match finding.advice {
                None => finding.said,
                Some(advice) => format!("{}: {advice}", finding.said),
            };
            findings.add(level, roles.clone(), words);
        }
    }
    if let Some(words) = stores::what_this_node_alone_keeps(&app.settings) {
        findings.add(Level::Look, "sessions", words);
    }
    match app.directory().group_has_members(ADMINS).await {
        Ok(true) => findings.add(Level::Good, "people", "there is an administrator"),
        Ok(false) => findings.add(Level::Look, "people", "there is no administrator: use the link printed at the first start, or `gateward user add NAME --admin`"),
        Err(fault) => findings.add(Level::Wrong, "people", fault.to_string()),
    }
}

/// Every algorithm that the settings name needs a key that opens under the present root key.
async fn about_keys(app: &App, findings: &mut Findings) {
    let (ring, now) = (app.tokens.mint.ring(), app.clock.now());
    if let Err(fault) = ring.load(now).await {
        findings.add(Level::Wrong, "keys", format!("a signing key cannot be used: {fault}"));
        return;
    }
    let (with, without): (Vec<_>, Vec<_>) = app
        .tokens
        .resources
        .algorithms()
        .into_iter()
        .partition(|algorithm| ring.snapshot(now).signing(*algorithm).is_some());
    let names = |algorithms: Vec<gateward_kernel::jose::SignatureAlgorithm>| {
        algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
    };
    if !with.is_empty() {
        findings.add(Level::Good, "keys", format!("tokens are signed with {}", names(with)));
    }
    if !without.is_empty() {
        let names = names(without);
        findings.add(
            Level::Look,
            "keys",
            format!("there is no key for {names} yet: the server makes it when it starts"),
        );
    }
}

async fn about_server(listen: SocketAddr, findings: &mut Findings) {
    let asked = tokio::time::timeout(Duration::from_secs(2), tokio::net::TcpStream::connect(listen)).await;
    match asked {
        Ok(Ok(_)) => findings.add(Level::Good, "server", format!("something answers on {listen}")),
        _ => findings.add(
            Level::Look,
            "server",
            format!("nothing answers on {listen}: start it with `gateward`"),
        ),
    }
}
