//! Redis Sentinel: who is the master?

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::task::JoinSet;

use super::address::Host;
use super::line::Line;
use super::trouble::{Trouble, Why};

/// What the Sentinels say.
pub(super) struct Found {
    pub(super) host: Host,
    /// More than half of all Sentinels that are known to us say so. On the smaller side of a parted network it is false:
    /// the others may have made another server the master.
    pub(super) agreed: bool,
}

/// Asks all Sentinels at once, and believes most of those that answer.
pub(super) async fn master(
    sentinels: &[Arc<Line>],
    name: &str,
    patience: Duration,
) -> Result<Found, Trouble> {
    let mut asking = JoinSet::new();
    for sentinel in sentinels {
        let (sentinel, name) = (sentinel.clone(), name.to_owned());
        asking.spawn(async move {
            let asked = tokio::time::timeout(patience, ask(&sentinel, &name)).await;
            asked.unwrap_or_else(|_| {
                sentinel.forget();
                Err(Trouble::new(Why::Unreached, format!("the Sentinel {} does not answer", sentinel.host)))
            })
        });
    }
    let mut votes: Vec<(Host, usize)> = Vec::new();
    let mut first = None;
    while let Some(answer) = asking.join_next().await {
        match answer {
            Ok(Ok(host)) => match votes.iter_mut().find(|(known, _)| *known == host) {
                Some((_, count)) => *count += 1,
                None => votes.push((host, 1)),
            },
            Ok(Err(trouble)) => drop(first.get_or_insert(trouble)),
            Err(_ended) => {}
        }
    }
    let nobody = || Trouble::new(Why::Unreached, "no Sentinel answers");
    let winner = votes.into_iter().max_by_key(|(_, count)| *count);
    let (host, count) = winner.ok_or_else(|| first.unwrap_or_else(nobody))?;
    Ok(Found { host, agreed: count * 2 > sentinels.len() })
}

async fn ask(sentinel: &Line, name: &str) -> Result<Host, Trouble> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let said = |what: &str| Trouble::new(Why::Unfit, format!("the Sentinel {} {what}", sentinel.host));
    match sentinel.ask(&command).await? {
        Value::Nil => Err(said("knows no master of this name")),
        Value::Array(parts) => match &parts[..] {
            [Value::BulkString(name), Value::BulkString(port)] => {
                let name = String::from_utf8_lossy(name).into_owned();
                let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
                Ok(Host { name, port: port.ok_or_else(|| said("says an odd port"))? })
            }
            _ => Err(said("answers in an odd form")),
        },
        _ => Err(said("answers in an odd form")),
    }
}
