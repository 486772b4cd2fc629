//! What a NATS says of itself, for an operator.

use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{Created, Fault, Key, Kv, Replaced};
use serde_json::Value;
use tokio::time::Instant;

use super::dial::Live;
use super::trouble::Trouble;
use super::{Core, Nats, api, bucket};
use crate::checkup::Finding;

/// The kind of the record that is written and removed to see what is allowed.
const PROBE: &str = "checkup";
/// So often the way there and back is measured.
const ROUNDS: u32 = 5;
/// Above this way there and back a check of a session that is not in memory is felt.
const SLOW: Duration = Duration::from_millis(5);

impl Nats {
    /// Looks at everything that decides what an accident costs. It writes and removes one record.
    pub async fn checkup(&self) -> Result<Vec<Finding>, Fault> {
        let core = &self.core;
        let live = core.within(core.link.live()).await?;
        let info = core.within(bucket::info(&live, &core.names)).await?;
        let mut findings = vec![core.rights().await, core.feed(), core.latency(&live).await?];
        findings.push(version(&live));
        findings.push(account(core.within(api::ask(&live, "INFO", &Value::Null)).await));
        findings.extend([persistence(&info, core.replicas), replicas(&info, core.replicas, &live)]);
        if let Some(finding) = expiry(&info) {
            findings.push(finding);
        }
        Ok(findings)
    }
}

impl Core {
    /// Does once what is done all the time.
    async fn rights(&self) -> Finding {
        let now = self.clock.now();
        let key = Key::new(PROBE, now.micros().to_be_bytes());
        let trying = async {
            let (value, death) = (Bytes::from_static(b"probe"), now + Duration::from_secs(1));
            if let Created::Done(version) = self.create(&key, value.clone(), death).await? {
                let replaced = self.replace(&key, version, value, death).await?;
                if !matches!(replaced, Replaced::Done(_)) {
                    return Err(Trouble::odd("a replace").fault());
                }
            }
            self.get(&key).await?;
            self.page(PROBE, None, 1).await?;
            self.remove(&key).await.map(drop)
        };
        match trying.await {
            Ok(()) => Finding::good(format!(
                "records can be written, read, listed and removed in {}",
                self.names.stream
            )),
            Err(fault) => Finding::bad(
                format!("a record cannot be written, read, listed and removed: {}", fault.cause),
                "allow the user the subjects that the guide lists",
            ),
        }
    }

    fn feed(&self) -> Finding {
        if self.hub.is_whole() {
            Finding::good("the stream tells of changes")
        } else {
            Finding::bad(
                "the feed of changes is cut",
                "nothing is answered from memory until it is back, or, replicated, for a short time only; the log says why",
            )
        }
    }

    async fn latency(&self, live: &Live) -> Result<Finding, Fault> {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            self.within(self.last("checkup")).await?;
            best = best.min(begun.elapsed());
        }
        let said = format!("a read through {} takes {:.2} ms", live.host, best.as_secs_f64() * 1000.0);
        Ok(if best < SLOW {
            Finding::good(said)
        } else {
            Finding::warning(said, "every session that is not in memory, and every sign-in, waits so long")
        })
    }
}

fn version(live: &Live) -> Finding {
    let server = live.client.server_info();
    let said = format!("{} is nats-server {}", live.host, server.version);
    if bucket::version(&server.version) >= bucket::OLDEST {
        Finding::good(said)
    } else {
        Finding::bad(said, "2.11 or newer is needed: older ones never take ended sessions away")
    }
}

/// How much the account may store.
fn account(info: Result<Value, Fault>) -> Finding {
    let info = match info {
        Ok(info) => info,
        Err(fault) => {
            return Finding::warning(
                format!("the limits of the account are not told: {}", fault.cause),
                "allow publishing to $JS.API.INFO, or see to the limits yourself: when they are reached nobody can sign in",
            );
        }
    };
    let used = info.get("storage").and_then(Value::as_u64).unwrap_or(0);
    match info.pointer("/limits/max_storage").and_then(Value::as_i64) {
        Some(limit) if limit >= 0 => {
            let limit = limit.unsigned_abs();
            let said = format!("the account has used {used} of {limit} bytes on disk");
            if used < limit / 10 * 8 {
                Finding::good(said)
            } else {
                Finding::warning(said, "raise max_storage: when it is reached nobody can sign in")
            }
        }
        _ => Finding::good(format!("the account has used {used} bytes on disk and has no limit of its own")),
    }
}

/// What the end of a process or of the power costs.
fn persistence(info: &Value, replicas: u64) -> Finding {
    let text = |path: &str| info.pointer(path).and_then(Value::as_str).unwrap_or("");
    if text("/config/storage") != "file" {
        return Finding::bad(
            "the stream is kept in memory only",
            "when its servers end, everybody is signed out; make a bucket with file storage",
        );
    }
    if text("/config/persist_mode") == "async" {
        return Finding::bad(
            "the server acknowledges writes before it has written them (persist_mode async)",
            "when it crashes, new sign-ins are lost and ended sessions come back; set persist_mode to default",
        );
    }
    let all = if replicas > 1 { "all its servers lose" } else { "its server loses" };
    Finding::warning(
        "the stream is on disk; whether it is there before a write is acknowledged is not told by the server",
        format!(
            "unless sync_interval is \"always\" in jetstream {{}}, the writes of up to two minutes are gone, and what they \
             ended is back, when {all} power at once; the end of a process loses nothing"
        ),
    )
}

/// How many servers may be away.
fn replicas(info: &Value, replicas: u64, live: &Live) -> Finding {
    let peers = info.pointer("/cluster/replicas").and_then(Value::as_array).cloned().unwrap_or_default();
    let is = |peer: &Value, name: &str| peer.get(name).and_then(Value::as_bool).unwrap_or(false);
    let name = |peer: &Value| peer.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
    let away: Vec<_> =
        peers.iter().filter(|peer| is(peer, "offline") || !is(peer, "current")).map(name).collect();
    if replicas <= 1 {
        let advice = "while that one is away nobody can sign in, and its disk holds the only copy; with three servers, \
                      `nats stream edit --replicas 3` and replicas=3 in the address let one of them be away";
        return Finding::warning("every record is on one server", advice);
    }
    if info.pointer("/cluster/leader").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Finding::bad("the stream has no leader", "start the servers that are away");
    }
    if !away.is_empty() {
        let said = format!("of {replicas} replicas {} is away or behind: {}", away.len(), away.join(", "));
        return Finding::warning(said, "start it; when one more is away, nobody can sign in");
    }
    let said = format!("{replicas} replicas, all there; {} may be away", (replicas - 1) / 2);
    match live.client.server_info().cluster {
        Some(_) => Finding::good(said),
        None => Finding::warning(said, "the server calls itself alone: it is not part of a cluster"),
    }
}

/// Whether what the server takes away is told.
fn expiry(info: &Value) -> Option<Finding> {
    let markers = info.pointer("/config/subject_delete_marker_ttl").and_then(Value::as_u64).unwrap_or(0);
    (markers == 0).then(|| {
        Finding::warning(
            "the stream does not tell what it takes away (subject_delete_marker_ttl)",
            "replicated memory holds the dead for longer than it needs to; nobody is let in by them",
        )
    })
}
