//! The nodes of one installation, as they see each other in the store that they share.
//!
//! Each node writes a sign of life every [`EVERY`], with its own clock's moment in it. Whoever reads them knows which nodes are
//! alive, which one does what needs doing only once, and whose clock is wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::record::Record;
use crate::time::Moment;

/// How often a node gives a sign of life.
pub const EVERY: Duration = Duration::from_secs(10);
/// A node that was not heard of for so long is not counted on: three signs were missed.
pub const SILENT: Duration = Duration::from_secs(30);
/// So far may clocks be apart. Tokens of one node are believed by another within this bound.
pub const SKEW: Duration = Duration::from_secs(2);
/// How long a sign is kept: one that is older than any clock is wrong is of no use.
const KEPT: Duration = Duration::from_secs(3600);

/// That a node lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeSign {
    /// Which start of the program.
    pub id: NodeId,
    /// The name from its settings, if it has one.
    pub name: Option<String>,
    /// Its version of Gateward.
    pub version: String,
    /// When it began.
    pub begun: Moment,
    /// What its clock said.
    pub at: Moment,
}

impl NodeSign {
    /// How the node is called in messages.
    pub fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

impl Record for NodeSign {
    const KIND: &'static str = "node";
    const SCHEMA: u8 = 1;
    type Id = NodeId;

    fn id(&self) -> NodeId {
        self.id
    }

    fn death(&self) -> Moment {
        self.at + KEPT
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.as_ref().map_or(0, String::len) + self.version.len()
    }
}

/// What the signs of all nodes come to, for one of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    /// The nodes that are alive, this one among them, in the order of their ids.
    pub living: Vec<NodeSign>,
    /// Whether this node does what is done once for all: it is the first of the living.
    pub leads: bool,
    /// Nodes whose clocks are further ahead of this one's than [`SKEW`], and by how much at least. The node that is behind finds
    /// it out, and exactly: nothing is written before it happens.
    pub ahead: Vec<(String, Duration)>,
    /// Another living node has this one's name: a proxy could not tell them apart.
    pub namesake: bool,
}

impl Roster {
    /// What these signs come to for the node `own` at the moment `now` of its clock.
    pub fn of(mut signs: Vec<NodeSign>, own: NodeId, now: Moment) -> Self {
        // A sign from ahead is from a node that lives: only its clock is wrong.
        signs.retain(|sign| now.since(sign.at) <= SILENT);
        signs.sort_unstable_by_key(|sign| sign.id);
        let own_sign = signs.iter().find(|sign| sign.id == own);
        let (name, begun) =
            (own_sign.and_then(|sign| sign.name.clone()), own_sign.map_or(now, |sign| sign.begun));
        let others = || signs.iter().filter(|sign| sign.id != own);
        Roster {
            leads: signs.first().is_none_or(|first| first.id == own),
            ahead: others()
                .filter(|sign| sign.at > now + SKEW)
                .map(|sign| (sign.called(), sign.at.since(now)))
                .collect(),
            // What gave its last sign before this one began is what this one was before it was restarted.
            namesake: name.is_some() && others().any(|sign| sign.name == name && sign.at > begun + SKEW),
            living: signs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);

    fn sign(id: u8, name: Option<&str>, at: Moment) -> NodeSign {
        let name = name.map(str::to_owned);
        NodeSign { id: NodeId::from_bytes([id; 16]), name, version: "1.0.0".into(), begun: at, at }
    }

    fn roster(signs: Vec<NodeSign>, own: u8) -> Roster {
        Roster::of(signs, NodeId::from_bytes([own; 16]), NOW)
    }

    #[test]
    fn one_living_node_leads_and_all_agree_on_which() {
        let signs = vec![sign(3, None, NOW), sign(2, None, NOW - EVERY), sign(1, None, NOW - SILENT)];
        assert_eq!([1, 2, 3].map(|own| roster(signs.clone(), own).leads), [true, false, false]);
        let late = vec![
            sign(3, None, NOW),
            sign(2, None, NOW),
            sign(1, None, (NOW - SILENT) - Duration::from_micros(1)),
        ];
        assert_eq!([1, 2, 3].map(|own| roster(late.clone(), own).leads), [false, true, false]);
        assert_eq!(roster(late, 2).living.len(), 2);
        assert!(roster(Vec::new(), 1).leads, "before the first sign nobody else can be known");
    }

    #[test]
    fn the_node_that_is_behind_finds_out() {
        let tick = Duration::from_micros(1);
        let signs =
            vec![sign(1, None, NOW), sign(2, Some("b"), NOW + SKEW), sign(3, Some("c"), NOW + SKEW + tick)];
        assert_eq!(roster(signs.clone(), 1).ahead, [("c".to_owned(), SKEW + tick)]);
        assert_eq!(roster(signs, 3).ahead, [], "its own clock is not behind itself");
    }

    #[test]
    fn two_of_one_name_are_noticed_while_both_live() {
        let long_here = |id, name| NodeSign { begun: NOW - SILENT, ..sign(id, name, NOW) };
        let two =
            vec![long_here(1, Some("a")), long_here(2, Some("a")), long_here(3, None), long_here(4, None)];
        assert_eq!([1, 2, 3, 4].map(|own| roster(two.clone(), own).namesake), [true, true, false, false]);
    }

    #[test]
    fn a_node_that_was_restarted_is_not_its_own_namesake() {
        let tick = Duration::from_micros(1);
        let restarted = |last| {
            let begun = NOW - EVERY;
            vec![sign(1, Some("a"), begun + last), NodeSign { begun, ..sign(2, Some("a"), NOW) }]
        };
        assert!(!roster(restarted(Duration::ZERO), 2).namesake);
        assert!(!roster(restarted(SKEW), 2).namesake, "another machine's clock may be so far ahead");
        assert!(roster(restarted(SKEW + tick), 2).namesake);
    }
}
