//! What a Redis says of itself, for an operator.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{Created, Fault, Key, Kv, Replaced};
use gateward_kernel::time::{Clock, Moment};
use redis::{Cmd, Value};
use tokio::time::Instant;

use super::feed::text;
use super::net::Master;
use super::trouble::{Trouble, late, odd};
use super::{Core, Redis};
use crate::checkup::Finding;

/// The kind of the record that is written and removed to see what is allowed.
const PROBE: &str = "checkup";
/// So often the way there and back is measured.
const ROUNDS: u32 = 5;
/// Above this way there and back a check of a session that is not in memory is felt.
const SLOW: Duration = Duration::from_millis(5);
/// Above this difference a record may be taken away before its death: the grace is a minute.
const SKEW: Duration = Duration::from_secs(30);

impl Redis {
    /// Looks at everything that decides what an accident costs. It writes and removes one record.
    pub async fn checkup(&self, clock: &dyn Clock) -> Result<Vec<Finding>, Fault> {
        let core = &self.core;
        let mut findings = vec![core.rights(clock.now()).await];
        if core.hub.is_whole() {
            findings.push(Finding::good("every master tells of changes (CLIENT TRACKING)"));
        } else {
            findings.push(Finding::bad(
                "the feed of changes is cut",
                "nothing is answered from memory until it is back; the log says why",
            ));
        }
        core.caller.net.look(Instant::now()).await.map_err(Trouble::fault)?;
        let map = core.caller.net.map();
        for master in &map.masters {
            core.look_at(master, clock, &mut findings).await?;
        }
        if core.caller.net.is_cluster()
            && let Some(master) = map.masters.first()
        {
            let mut command = redis::cmd("CLUSTER");
            let said = text(&core.tell(master, command.arg("INFO")).await?);
            findings.push(cluster(&fields(&said), map.masters.len()));
        }
        Ok(findings)
    }
}

impl Core {
    /// Does once what is done all the time.
    async fn rights(&self, now: Moment) -> Finding {
        let key = Key::new(PROBE, now.micros().to_be_bytes());
        let trying = async {
            let (value, death) = (Bytes::from_static(b"probe"), now + Duration::from_secs(1));
            if let Created::Done(version) = self.create(&key, value.clone(), death).await? {
                let replaced = self.replace(&key, version, value, death).await?;
                if !matches!(replaced, Replaced::Done(_)) {
                    return Err(odd("a replace"));
                }
            }
            self.get(&key).await?;
            self.remove(&key).await.map(drop)
        };
        match trying.await {
            Ok(()) => {
                Finding::good(format!("records can be written, read and removed under {}", self.prefix))
            }
            Err(fault) => Finding::bad(
                format!("a record cannot be written, read and removed: {}", fault.cause),
                "allow the user the commands and the key pattern that the guide lists (ACL SETUSER)",
            ),
        }
    }

    async fn tell(&self, master: &Master, command: &Cmd) -> Result<Value, Fault> {
        let patience = self.caller.patience;
        let asked = tokio::time::timeout(patience, master.line.ask(command)).await;
        asked.map_err(|_| late(patience))?.map_err(Trouble::fault)
    }

    async fn look_at(
        &self,
        master: &Master,
        clock: &dyn Clock,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Fault> {
        let host = master.line.host.to_string();
        findings
            .extend([self.latency(master, &host).await?, self.clock_difference(master, &host, clock).await?]);
        let info = match self.tell(master, &redis::cmd("INFO")).await {
            Ok(info) => text(&info),
            Err(fault) => {
                findings.push(Finding::warning(
                    format!("{host} does not let us look: {}", fault.cause),
                    "allow +info and +config|get, or see to version, memory, disk and replicas yourself",
                ));
                return Ok(());
            }
        };
        let info = fields(&info);
        let mut settings = HashMap::new();
        for name in ["save", "appendfsync", "min-replicas-to-write"] {
            let mut command = redis::cmd("CONFIG");
            let answer = self.tell(master, command.arg("GET").arg(name)).await;
            if let Ok(Value::Map(pairs)) = answer {
                settings.extend(pairs.into_iter().map(|(name, value)| (text(&name), text(&value))));
            }
        }
        findings.extend([version(&host, &info), eviction(&host, &info)]);
        findings.push(persistence(&host, &info, &settings));
        findings.push(replication(
            &host,
            &info,
            &settings,
            self.caller.acknowledged.map(|wait| wait.replicas),
        ));
        Ok(())
    }

    async fn latency(&self, master: &Master, host: &str) -> Result<Finding, Fault> {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            self.tell(master, &redis::cmd("PING")).await?;
            best = best.min(begun.elapsed());
        }
        let said = format!("{host} answers within {:.2} ms", best.as_secs_f64() * 1000.0);
        Ok(if best < SLOW {
            Finding::good(said)
        } else {
            Finding::warning(said, "every session that is not in memory, and every sign-in, waits so long")
        })
    }

    async fn clock_difference(
        &self,
        master: &Master,
        host: &str,
        clock: &dyn Clock,
    ) -> Result<Finding, Fault> {
        let before = clock.now();
        let answer = self.tell(master, &redis::cmd("TIME")).await?;
        let after = clock.now();
        let Value::Array(parts) = answer else { return Err(odd("TIME")) };
        let mut numbers = parts.iter().map_while(|part| text(part).parse::<i64>().ok());
        let (Some(seconds), Some(micros)) = (numbers.next(), numbers.next()) else { return Err(odd("TIME")) };
        let theirs = Moment::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
        // It is some moment between the two.
        let off = theirs.since(after).max(before.since(theirs));
        let said = format!("the clock of {host} differs from ours by {:.1} s at least", off.as_secs_f64());
        Ok(if off >= SKEW {
            Finding::bad(
                said,
                "set the clocks (NTP): above a minute, Redis takes sessions away before their time",
            )
        } else if off >= Duration::from_secs(1) {
            Finding::warning(said, "set the clocks (NTP)")
        } else {
            Finding::good(format!("the clock of {host} agrees with ours"))
        })
    }
}

type Fields = HashMap<String, String>;

/// `name:value` lines.
fn fields(said: &str) -> Fields {
    let pairs = said.lines().filter_map(|line| line.trim_end().split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn version(host: &str, info: &Fields) -> Finding {
    let valkey = field(info, "valkey_version");
    let version = field(info, "redis_version");
    if !valkey.is_empty() {
        return Finding::good(format!("{host} is Valkey {valkey}"));
    }
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major >= 7 {
        Finding::good(format!("{host} is Redis {version}"))
    } else {
        Finding::warning(
            format!("{host} is Redis {version}"),
            "it works; it is tested with Redis 7, and older ones get no fixes",
        )
    }
}

fn eviction(host: &str, info: &Fields) -> Finding {
    let policy = field(info, "maxmemory_policy");
    let bytes: u64 = field(info, "maxmemory").parse().unwrap_or(0);
    let limit = if bytes == 0 { "no memory limit".into() } else { format!("a limit of {bytes} bytes") };
    let said = format!("{host} has {limit} and the eviction policy {policy}");
    match policy {
        "noeviction" if bytes == 0 => Finding::warning(
            said,
            "set maxmemory below the machine's memory: else the system may kill Redis when memory runs out",
        ),
        "noeviction" => Finding::good(said),
        "volatile-ttl" => Finding::warning(
            said,
            "when memory runs out, the sessions that end soonest are ended early; noeviction refuses new sign-ins instead",
        ),
        "" => Finding::warning(
            format!("{host} does not say its eviction policy"),
            "see to it that maxmemory-policy is noeviction: any other ends living sessions when memory runs out",
        ),
        _ => Finding::bad(
            said,
            "when memory runs out, living sessions vanish at random and people are signed out: set maxmemory-policy noeviction",
        ),
    }
}

fn persistence(host: &str, info: &Fields, settings: &Fields) -> Finding {
    let has_log = field(info, "aof_enabled") == "1";
    let snapshots = field(settings, "save");
    match field(settings, "appendfsync") {
        "always" if has_log => Finding::good(format!("{host} has every write on disk before it answers")),
        "everysec" if has_log => Finding::good(format!(
            "{host} writes to disk every second: a crash of its machine loses the last second, and may bring back sessions \
             that were ended in it"
        )),
        _ if has_log => Finding::warning(
            format!("{host} writes a log to disk, and the system decides when"),
            "a crash of its machine may lose half a minute, and bring back sessions that were ended in it: set appendfsync \
             everysec or always",
        ),
        _ if !snapshots.is_empty() => Finding::warning(
            format!("{host} writes snapshots only (save {snapshots})"),
            "after a crash, everybody who signed in since the last snapshot is signed out, and sessions that were ended since \
             are back: set appendonly yes",
        ),
        _ => Finding::warning(
            format!("{host} keeps nothing on disk, as far as it says"),
            "after its restart everybody is signed out, unless a replica has taken over: set appendonly yes",
        ),
    }
}

fn replication(host: &str, info: &Fields, settings: &Fields, acknowledged: Option<u32>) -> Finding {
    let role = field(info, "role");
    if role != "master" {
        return Finding::bad(
            format!("{host} is a {role}"),
            "it refuses writes: name the master, or use redis+sentinel or redis+cluster, which follow it",
        );
    }
    let replicas: u32 = field(info, "connected_slaves").parse().unwrap_or(0);
    let needed = field(settings, "min-replicas-to-write");
    let said = format!("{host} is a master with {replicas} replicas");
    match (replicas, acknowledged) {
        (0, None) => Finding::warning(
            said,
            "when its machine is lost, every session is: add a replica and Sentinel, or a cluster",
        ),
        (_, Some(wanted)) if replicas < wanted => Finding::bad(
            said,
            format!("every write fails: {wanted} must acknowledge it (replicas={wanted} in the address)"),
        ),
        (_, Some(wanted)) => Finding::good(format!("{said}; {wanted} acknowledge each write")),
        (_, None) if needed.is_empty() || needed == "0" => Finding::warning(
            said,
            "a fail-over loses the last writes, and a master cut off from its replicas takes writes that are lost later: set \
             replicas=1 in the address, and min-replicas-to-write 1",
        ),
        (_, None) => Finding::warning(
            format!("{said}, and refuses writes with fewer than {needed}"),
            "a fail-over may lose the last writes: set replicas=1 in the address to wait for a replica each time",
        ),
    }
}

fn cluster(info: &Fields, masters: usize) -> Finding {
    let state = field(info, "cluster_state");
    let known = field(info, "cluster_known_nodes");
    let said = format!("the cluster is {state}, with {masters} masters of {known} nodes");
    if state != "ok" {
        return Finding::bad(said, "a part of the keys has no master: sessions in it cannot be checked");
    }
    if known.parse::<usize>().is_ok_and(|known| known < masters * 2) {
        return Finding::warning(
            said,
            "a master without a replica takes its share of the sessions with it when it is lost",
        );
    }
    Finding::good(said)
}
