//! What an operator should know of the servers.

use std::net::IpAddr;
use std::time::Duration;

use gateward_kernel::ports::Fault;
use tokio::time::Instant;

use super::Memcached;
use super::greeting::Said;
use super::line::Site;
use crate::checkup::{Finding, Level};

/// Connecting, and hearing what a server says of itself, takes longer than any single question.
const SLOW: Duration = Duration::from_millis(50);
/// Beyond it, records that are to live for more than a month end early or late.
const CLOCK_DIFFERENCE: u64 = 60;
/// A session with as much data as one may have fits in.
const ROOMY: usize = 128 * 1024;
/// In percent: then memory is nearly full.
const NEARLY_FULL: u64 = 90;

impl Memcached {
    /// Looks at every server, over connections of its own. What is wrong with them is a finding and no fault.
    pub async fn checkup(&self) -> Result<Vec<Finding>, Fault> {
        let mut findings = Vec::new();
        for (site, _) in &self.inner.sites {
            let begun = Instant::now();
            match site.greet().await {
                Ok(conversation) => {
                    findings.push(reached(site, &conversation.said, begun.elapsed()));
                    findings.push(memory(site, &conversation.said));
                    findings.extend(further(site, &conversation.said, self.inner.clock.now().seconds()));
                }
                Err(unusable) => findings.push(Finding::bad(
                    format!("memcached {} cannot be used: {unusable}", site.server),
                    "until it can, everybody whose session is on it gets an error, and is neither let in nor signed out",
                )),
            }
        }
        findings.push(Finding {
            level: Level::Good,
            said: format!("memcached keeps sessions in memory only, on {} servers", self.inner.sites.len()),
            advice: Some(
                "when a server restarts, its sessions are gone and their people sign in again; choose another store if they must not"
                    .into(),
            ),
        });
        Ok(findings)
    }
}

fn reached(site: &Site, said: &Said, took: Duration) -> Finding {
    let text =
        format!("memcached {} answers in {} ms (version {})", site.server, took.as_millis(), said.version);
    if took < SLOW {
        Finding::good(text)
    } else {
        Finding::warning(
            text,
            "every sign-in and session check waits for it: put it on the same network as the nodes",
        )
    }
}

fn memory(site: &Site, said: &Said) -> Finding {
    let (used, limit) = (said.figure("bytes"), said.figure("limit_maxbytes"));
    let evictions = said.figure("evictions");
    let shown = format!("memcached {} uses {} of {} MiB of memory", site.server, used >> 20, limit >> 20);
    if evictions > 0 {
        return Finding::warning(
            format!("{shown}, and has thrown out {evictions} records for lack of it since its start"),
            "each of them was somebody's session, or another's data beside it: give it more memory (-m), and nobody else's data",
        );
    }
    if used.saturating_mul(100) >= limit.saturating_mul(NEARLY_FULL) {
        return Finding::warning(
            shown,
            "when it is full, it throws out the sessions that were unused for longest: give it more memory (-m)",
        );
    }
    Finding::good(shown)
}

fn further(site: &Site, said: &Said, now: i64) -> Vec<Finding> {
    let server = &site.server;
    let mut findings = Vec::new();
    let largest = said.largest();
    if largest < ROOMY {
        findings.push(Finding::warning(
            format!("memcached {server} takes values of up to {largest} bytes"),
            "a session with more data than that cannot be saved: raise its item size (-I)",
        ));
    }
    if said.settings.get("evictions").is_some_and(|text| text == "off") {
        findings.push(Finding::warning(
            format!("memcached {server} may not throw anything out (-M)"),
            "when its memory is full, nobody can sign in, and changing a session ends it",
        ));
    }
    let difference = now.abs_diff(i64::try_from(said.figure("time")).unwrap_or(i64::MAX));
    if difference > CLOCK_DIFFERENCE {
        findings.push(Finding::warning(
            format!("the clock of memcached {server} differs by {difference} s from this one"),
            "set the clocks by a time service",
        ));
    }
    let refused = said.figure("listen_disabled_num");
    if refused > 0 {
        findings.push(Finding::warning(
            format!("memcached {server} ran out of connections {refused} times since its start"),
            "let it have more (-c)",
        ));
    }
    let is_local = server.host == "localhost"
        || server.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !is_local {
        let (said, advice) = match site.login {
            None => {
                ("without a password", "whoever reaches its port can read, make and end sessions: use -Y")
            }
            Some(_) => {
                ("with a password", "whoever can listen on the network can read sessions and the password")
            }
        };
        findings.push(Finding::warning(
            format!("memcached {server} is spoken to over the network {said} and without encryption"),
            format!("{advice}, and keep it on a network that is yours alone"),
        ));
    }
    findings
}
