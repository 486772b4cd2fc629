//! The bucket: the stream that holds the records.

use std::time::Duration;

use serde_json::{Value, json};

use super::address::NatsAddress;
use super::api;
use super::dial::Live;
use super::names::Names;
use super::trouble::{Trouble, Why};

/// The oldest server that takes single messages away after their time.
pub(super) const OLDEST: (u64, u64) = (2, 11);
/// What headers and the death take of a message's room.
const MARGIN: usize = 1024;
/// Below this, a session with much application data does not fit.
const SMALLEST: usize = 64 * 1024;
/// Errors that pass: no leader yet, not enough servers there, the cluster is not ready.
pub(super) const NOT_YET: [u64; 6] = [10_003, 10_004, 10_005, 10_008, 10_009, 10_013];
/// Another handle has made it in the same moment.
const IN_USE: u64 = 10_058;
/// Between attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// What was found.
pub(super) struct Found {
    pub(super) replicas: u64,
    pub(super) largest: usize,
}

/// Finds the bucket, or makes it. Waits for a cluster that is about to be ready; the caller sets the limit.
pub(super) async fn open(live: &Live, names: &Names, address: &NatsAddress) -> Result<Found, Trouble> {
    let server = live.client.server_info();
    let version = version(&server.version);
    if version < OLDEST {
        let said = format!("{} is nats-server {}; 2.11 or newer is needed", live.host, server.version);
        return Err(Trouble::new(Why::Unfit, said));
    }
    if !server.jetstream {
        let said =
            format!("{} has JetStream off; set jetstream {{ store_dir: … }} in its configuration", live.host);
        return Err(Trouble::new(Why::Unfit, said));
    }
    let room = server.max_payload.saturating_sub(MARGIN);
    if room < SMALLEST {
        let said =
            format!("max_payload of {} is {} bytes; 66560 is the least", live.host, server.max_payload);
        return Err(Trouble::new(Why::Unfit, said));
    }
    let config = loop {
        match find_or_make(live, names, address).await {
            Ok(config) => break config,
            Err(trouble) => match trouble.why {
                Why::NoLeader => {}
                Why::Said(code) if NOT_YET.contains(&code) || code == IN_USE => {}
                _ => return Err(trouble),
            },
        }
        tokio::time::sleep(PAUSE).await;
    };
    let replicas = suits(names, &config, address)?;
    Ok(Found { replicas, largest: room.min(crate::LARGEST_VALUE) })
}

async fn find_or_make(live: &Live, names: &Names, address: &NatsAddress) -> Result<Value, Trouble> {
    let stream = &names.stream;
    match info(live, names).await {
        Ok(info) => return Ok(info.get("config").cloned().unwrap_or_default()),
        Err(trouble) if trouble.why == Why::Said(api::NO_STREAM) => {}
        Err(trouble) => return Err(trouble),
    }
    let config = json!({
        "name": stream,
        "description": "Gateward's records",
        "subjects": [names.everything()],
        "retention": "limits",
        "storage": "file",
        "num_replicas": address.replicas.unwrap_or(1),
        "max_msgs_per_subject": 1,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msg_size": -1,
        "discard": "new",
        "allow_rollup_hdrs": true,
        "deny_delete": true,
        // Reads come from the leader: another replica may not have yet what was acknowledged.
        "allow_direct": false,
        "allow_msg_ttl": true,
        // Who listens is told of what the server takes away.
        "subject_delete_marker_ttl": Duration::from_secs(api::TOMBSTONE_SECONDS).as_nanos() as u64,
        // No message of ours has an id.
        "duplicate_window": 1_000_000_000_u64,
    });
    let made = api::ask(live, &format!("STREAM.CREATE.{stream}"), &config).await?;
    Ok(made.get("config").cloned().unwrap_or_default())
}

/// What the leader of the stream says of it.
pub(super) async fn info(live: &Live, names: &Names) -> Result<Value, Trouble> {
    api::ask(live, &format!("STREAM.INFO.{}", names.stream), &Value::Null).await
}

/// On how many servers it is; an error when it is made in another way than we need it.
fn suits(names: &Names, config: &Value, address: &NatsAddress) -> Result<u64, Trouble> {
    let is = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(false);
    let number = |name: &str| config.get(name).and_then(Value::as_i64).unwrap_or(0);
    let mut wrong = Vec::new();
    if number("max_msgs_per_subject") != 1 {
        wrong.push("its history is not 1");
    }
    if is("allow_direct") {
        wrong.push("it allows direct reads, which may miss acknowledged writes (allow_direct)");
    }
    if !is("allow_msg_ttl") {
        wrong.push("it does not let single messages expire (allow_msg_ttl)");
    }
    if config.get("discard").and_then(Value::as_str) != Some("new") {
        wrong.push("it would throw out old records when it is full (discard)");
    }
    if number("max_age") != 0 {
        wrong.push("it throws out records by age (max_age)");
    }
    if !wrong.is_empty() {
        let said = format!("the stream {} is unfit: {}; name another bucket", names.stream, wrong.join(", "));
        return Err(Trouble::new(Why::Unfit, said));
    }
    let replicas = u64::try_from(number("num_replicas")).unwrap_or(1);
    match address.replicas {
        Some(asked) if u64::from(asked) != replicas => {
            let said = format!(
                "the stream {stream} has num_replicas {replicas}, the address asks for {asked}: \
                 `nats stream edit {stream} --replicas {asked}` changes it",
                stream = names.stream
            );
            Err(Trouble::new(Why::Unfit, said))
        }
        _ => Ok(replicas),
    }
}

/// The two first numbers of a version.
pub(super) fn version(text: &str) -> (u64, u64) {
    let mut numbers = text.split('.').map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
