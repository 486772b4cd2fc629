//! Whether an order of its operations explains each session: asked of porcupine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::cluster::STALE;
use crate::engines::Strategy;
use crate::history::{Operation, micros};
use crate::nemesis::{Fault, Harm};

/// So soon a change counts on every node that hears its stores.
const REACH: Duration = Duration::from_secs(1);
/// So soon a node knows that it does not hear them.
const NOTICE: Duration = Duration::from_secs(2);

/// What porcupine found.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Linearizability {
    /// How many sessions were looked at.
    pub sessions: usize,
    /// How many steps of them.
    pub steps: usize,
    /// Those that no order explains.
    pub broken: Vec<i64>,
    /// Those for which none was found in time.
    pub unsure: Vec<i64>,
}

/// Writes into each operation how old may be what its answer says.
pub(crate) fn allow_lag(history: &mut [Operation], strategy: Strategy, faults: &[Fault]) {
    let endures = match strategy {
        Strategy::Nats | Strategy::NatsCluster => STALE,
        _ => Duration::ZERO,
    };
    for one in history {
        let longest = micros(REACH + NOTICE + endures);
        let earliest = one.call.saturating_sub(longest);
        let disturbs = |fault: &&Fault| {
            let concerns = fault.node.is_none_or(|node| node == one.node);
            let meets = fault.begun <= one.returned && earliest <= fault.over;
            concerns && meets && fault.harm != Harm::ClockShifted
        };
        one.since = match faults.iter().find(disturbs) {
            Some(_) => earliest,
            None => one.call.saturating_sub(micros(REACH)),
        };
    }
}

/// Asks the checker about the history in this file.
pub fn linearizability(checker: &Path, file: &Path) -> Linearizability {
    let output = Command::new(checker).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
