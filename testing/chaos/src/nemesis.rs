//! What does the harm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::chance::Chance;
use crate::cluster::{Cluster, NODES};
use crate::engines::Member;
use crate::history::Recorder;

/// So far a node's clock goes wrong, in milliseconds: two that do are still less than two seconds apart, which is allowed.
const SHIFT: i64 = 950;

/// A kind of harm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// `kill -9` of a node, and its start.
    NodeKilled,
    /// SIGSTOP and SIGCONT of a node.
    NodePaused,
    /// The node's lines are closed, and new ones turned away.
    LineCut,
    /// The node's lines stay open, and nothing passes.
    LineSilent,
    /// The node's lines are slow.
    LineSlow,
    /// The node's clock is shifted.
    ClockShifted,
    /// `kill -9` of a store's server, and its start on the same data.
    EngineKilled,
    /// SIGSTOP and SIGCONT of a store's server.
    EnginePaused,
    /// The server that leads is killed or stopped until another leads.
    FailOver,
}

impl Harm {
    /// Every kind, with how often it comes.
    const ALL: [(Harm, usize); 9] = [
        (Harm::NodeKilled, 3),
        (Harm::NodePaused, 3),
        (Harm::LineCut, 2),
        (Harm::LineSilent, 3),
        (Harm::LineSlow, 2),
        (Harm::ClockShifted, 2),
        (Harm::EngineKilled, 3),
        (Harm::EnginePaused, 2),
        (Harm::FailOver, 3),
    ];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Harm::NodeKilled => "node killed",
            Harm::NodePaused => "node stopped for a while",
            Harm::LineCut => "line cut",
            Harm::LineSilent => "line silent",
            Harm::LineSlow => "line slow",
            Harm::ClockShifted => "clock shifted",
            Harm::EngineKilled => "engine killed",
            Harm::EnginePaused => "engine stopped for a while",
            Harm::FailOver => "fail-over",
        }
    }
}

/// Harm that was done, from when to when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// Of which kind.
    pub harm: Harm,
    /// To which node; none when it was done to a store.
    pub node: Option<usize>,
    /// In microseconds.
    pub begun: u64,
    /// In microseconds.
    pub over: u64,
}

/// Harm to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Plan {
    harm: Harm,
    node: usize,
    member: Member,
    milliseconds: i64,
    one_line: usize,
}

/// Does harm until it is told to stop; then everything is whole again.
pub(crate) fn run(
    cluster: &mut Cluster,
    recorder: &Recorder,
    mut chance: Chance,
    stop: &AtomicBool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    while rest(Duration::from_millis(chance.within(500, 2500)), stop) {
        let mut plans = vec![plan(cluster, &mut chance)];
        if chance.percent(30) {
            let second = plan(cluster, &mut chance);
            if is_apart(plans[0], second) {
                plans.push(second);
            }
        }
        let begun = recorder.now();
        plans.iter().for_each(|plan| begin(cluster, *plan));
        rest(Duration::from_millis(chance.within(1000, 6000)), stop);
        // Stores first: a node that starts waits for them.
        plans.sort_by_key(|plan| plan.concerns_node());
        plans.iter().for_each(|plan| end(cluster, *plan));
        cluster.engines.settle();
        cluster.nodes.iter_mut().for_each(|node| node.process.wait());
        let over = recorder.now();
        faults.extend(plans.iter().map(|plan| {
            let node = plan.concerns_node().then_some(plan.node);
            Fault { harm: plan.harm, node, begun, over }
        }));
    }
    cluster.nodes.iter().for_each(|node| node.shift(0));
    faults
}

/// Whether there was rest for so long.
fn rest(span: Duration, stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn plan(cluster: &Cluster, chance: &mut Chance) -> Plan {
    loop {
        let harm = chance.weighed(&Harm::ALL);
        let members = cluster.engines.members();
        let has_lines = !cluster.nodes[0].lines.is_empty();
        let milliseconds = i64::try_from(chance.within(0, 2 * SHIFT.unsigned_abs() + 1)).unwrap() - SHIFT;
        let (node, line) = (chance.below(NODES), chance.below(4));
        let mut plan = Plan { harm, node, member: Member::Directory, milliseconds, one_line: line };
        match harm {
            Harm::NodeKilled | Harm::NodePaused | Harm::ClockShifted => return plan,
            Harm::LineCut | Harm::LineSilent | Harm::LineSlow if has_lines => return plan,
            Harm::EngineKilled | Harm::EnginePaused if !members.is_empty() => {
                plan.member = *chance.one(&members);
                if harm == Harm::EnginePaused || cluster.engines.is_durable(plan.member) {
                    return plan;
                }
            }
            Harm::FailOver => {
                if let Some(leader) = cluster.engines.leader() {
                    plan.member = leader;
                    return plan;
                }
            }
            _ => {}
        }
    }
}

/// Whether both can be done at once.
fn is_apart(one: Plan, other: Plan) -> bool {
    match (one.concerns_node(), other.concerns_node()) {
        (true, true) => one.node != other.node,
        (false, false) => one.member != other.member,
        _ => true,
    }
}

impl Plan {
    const fn concerns_node(&self) -> bool {
        !matches!(self.harm, Harm::EngineKilled | Harm::EnginePaused | Harm::FailOver)
    }

    /// All lines of the node, or one of them.
    fn lines<'a>(&self, cluster: &'a Cluster) -> Vec<&'a gateward_engines::Proxy> {
        let all = &cluster.nodes[self.node].lines;
        match all.get(self.one_line) {
            Some(one) => vec![one],
            None => all.iter().collect(),
        }
    }

    /// A leader is stopped as often as it is killed.
    const fn stops_leader(&self) -> bool {
        self.milliseconds < 0
    }
}

fn begin(cluster: &mut Cluster, plan: Plan) {
    match plan.harm {
        Harm::NodeKilled => cluster.nodes[plan.node].process.kill(),
        Harm::NodePaused => cluster.nodes[plan.node].process.pause(),
        Harm::LineCut => plan.lines(cluster).iter().for_each(|line| line.cut()),
        Harm::LineSilent => plan.lines(cluster).iter().for_each(|line| line.silence()),
        Harm::LineSlow => {
            let delay = Duration::from_millis(20 + plan.milliseconds.unsigned_abs() / 5);
            plan.lines(cluster).iter().for_each(|line| line.delay(delay));
        }
        Harm::ClockShifted => cluster.nodes[plan.node].shift(plan.milliseconds),
        Harm::EnginePaused => cluster.engines.pause(plan.member),
        Harm::FailOver if plan.stops_leader() => cluster.engines.pause(plan.member),
        Harm::EngineKilled | Harm::FailOver => cluster.engines.kill(plan.member),
    }
}

fn end(cluster: &mut Cluster, plan: Plan) {
    match plan.harm {
        Harm::NodeKilled => cluster.nodes[plan.node].process.launch(),
        Harm::NodePaused => cluster.nodes[plan.node].process.resume(),
        Harm::LineCut | Harm::LineSilent | Harm::LineSlow => {
            plan.lines(cluster).iter().for_each(|line| line.heal());
        }
        // It stays wrong until it is shifted again.
        Harm::ClockShifted => {}
        Harm::EnginePaused => cluster.engines.resume(plan.member),
        Harm::FailOver if plan.stops_leader() => cluster.engines.resume(plan.member),
        Harm::EngineKilled | Harm::FailOver => cluster.engines.restart(plan.member),
    }
}
