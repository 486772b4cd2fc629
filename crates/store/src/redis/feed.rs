//! The feed of changes: every master tells of every changed key under our prefix (`CLIENT TRACKING … BCAST`, RESP3).
//!
//! It has connections of its own, so that a long answer on another one does not hold it up. It is whole only while each of the
//! masters answers, within a second, twice a second; while they are the ones that the Sentinels or the cluster name; and while
//! enough Sentinels agree, or the cluster calls itself sound: on the smaller side of a parted network, changes on the larger one
//! could not be heard of.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::dial::Dialled;
use super::hub::Hub;
use super::net::{Master, Net};
use super::trouble::{Trouble, Why};

/// The oldest version that sets a death in milliseconds with the value.
const OLDEST: (u32, u32) = (6, 2);
/// How often the masters are asked whether they are there.
const BEAT: Duration = Duration::from_millis(500);
/// How long the answer may take.
const SILENCE: Duration = Duration::from_secs(1);
/// The shortest and the longest pause before the feed is built up again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Keeps the feed up for as long as it is polled.
pub(super) async fn keep(net: Arc<Net>, hub: Arc<Hub>, prefix: String) {
    tokio::join!(net.watch(), async {
        let (mut pause, mut again) = (PAUSES.0, false);
        loop {
            let trouble = follow(&net, &hub, &prefix, &mut pause, again).await;
            again = true;
            if hub.lost() {
                let error = trouble.said;
                tracing::warn!(
                    error,
                    "the feed of changes from Redis is cut; nothing is answered from memory"
                );
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    });
}

/// Whether every master is new enough, and lets us listen.
pub(super) async fn try_out(net: &Net, prefix: &str) -> Result<(), Trouble> {
    let deaf = Arc::new(Hub::new(prefix.to_owned()));
    for master in &net.map().masters {
        let hello = master.line.ask(&redis::cmd("HELLO")).await?;
        let version = version(&hello);
        if version < OLDEST {
            let said = format!(
                "{} is of version {}.{}; 6.2 or newer is needed",
                master.line.host, version.0, version.1
            );
            return Err(Trouble::new(Why::Unfit, said));
        }
        track(net, master, &deaf, prefix, &Arc::default()).await?;
    }
    Ok(())
}

/// The version in an answer to `HELLO`.
fn version(hello: &Value) -> (u32, u32) {
    let Value::Map(parts) = hello else { return (0, 0) };
    let found = parts.iter().find(|(name, _)| text(name) == "version");
    let version = found.map(|(_, version)| text(version)).unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Builds the feed up and follows it until it breaks.
async fn follow(net: &Net, hub: &Arc<Hub>, prefix: &str, pause: &mut Duration, again: bool) -> Trouble {
    let mut changed = net.changed.subscribe();
    if let Err(trouble) = net.look(Instant::now()).await {
        return trouble;
    }
    changed.mark_unchanged();
    let ended = Arc::new(Notify::new());
    let mut tracked = Vec::new();
    for master in &net.map().masters {
        match track(net, master, hub, prefix, &ended).await {
            Ok(dialled) => tracked.push((master.clone(), dialled)),
            Err(trouble) => return trouble,
        }
    }
    for (master, _) in tracked.iter().filter(|_| again) {
        // What has silenced the feed may have silenced the other connections, and they have no heartbeat.
        master.renew();
    }
    // Who has become master meanwhile is not tracked yet.
    if let Err(trouble) = net.look(Instant::now()).await {
        return trouble;
    }
    let others = || Trouble::new(Why::Unreached, "other servers are masters now");
    if changed.has_changed().unwrap_or(true) {
        return others();
    }
    if let Err(trouble) = beat(net, &tracked).await {
        return trouble;
    }
    hub.restored();
    *pause = PAUSES.0;
    loop {
        tokio::select! {
            () = ended.notified() => return Trouble::new(Why::Cut, "a connection of the feed has ended"),
            _ = changed.changed() => return others(),
            () = tokio::time::sleep(BEAT) => {}
        }
        tokio::select! {
            () = ended.notified() => return Trouble::new(Why::Cut, "a connection of the feed has ended"),
            _ = changed.changed() => return others(),
            sound = beat(net, &tracked) => if let Err(trouble) = sound { return trouble },
        }
    }
}

async fn track(
    net: &Net,
    master: &Master,
    hub: &Arc<Hub>,
    prefix: &str,
    ended: &Arc<Notify>,
) -> Result<Dialled, Trouble> {
    let (hub, ended) = (hub.clone(), ended.clone());
    let push = move |info: PushInfo| match info.kind {
        PushKind::Invalidate => hub.invalidated(&info.data),
        PushKind::Disconnection => ended.notify_one(),
        _ => {}
    };
    let dialled = net.dialer.dial(&master.line.host, Arc::new(push)).await?;
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
    ask(master, &dialled, &command).await?;
    Ok(dialled)
}

/// Whether all of them are there, and we are on the side of the network that decides.
async fn beat(net: &Net, tracked: &[(Arc<Master>, Dialled)]) -> Result<(), Trouble> {
    if !net.is_sure() {
        return Err(Trouble::new(Why::Unreached, "too few Sentinels agree on who is the master"));
    }
    let command = if net.is_cluster() {
        let mut command = redis::cmd("CLUSTER");
        command.arg("INFO");
        command
    } else {
        redis::cmd("PING")
    };
    for (master, dialled) in tracked {
        let answer = ask(master, dialled, &command).await?;
        let text = text(&answer);
        if net.is_cluster() && !text.contains("cluster_state:ok") {
            let said = format!("{} says that the cluster is not sound", master.line.host);
            return Err(Trouble::new(Why::Unreached, said));
        }
    }
    Ok(())
}

async fn ask(master: &Master, dialled: &Dialled, command: &Cmd) -> Result<Value, Trouble> {
    let mut connection = dialled.connection.clone();
    let asked = tokio::time::timeout(SILENCE, connection.send_packed_command(command)).await;
    let silent = |_| Trouble::new(Why::Unreached, format!("{} is silent", master.line.host));
    let answer = asked.map_err(silent)?.and_then(Value::extract_error);
    answer.map_err(|error| Trouble::of_call(&error))
}

/// The text of an answer; RESP3 has a form of its own for it.
pub(super) fn text(answer: &Value) -> String {
    match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

/// Between half of it and all of it: not every node of ours comes back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Not for secrets: the standard library's hasher is seeded anew each time.
    let random = RandomState::new().hash_one(0_u8) % 1024;
    pause / 2 + pause.mul_f64(random as f64 / 2048.0)
}
