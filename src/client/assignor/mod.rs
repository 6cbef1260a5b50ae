//! Assignors: who of a group is to read what. Pure functions from subscriptions to an assignment.
//!
//! In the classic protocol the coordinator does not understand what its members share out; the leading member is told all subscriptions,
//! runs the assignor that all of them can follow, and hands the result in. All members must come to the same end whoever leads, so the
//! functions are deterministic: the order of the ids decides what nothing else does.
//!
//! ```text
//!   range                each topic by itself: sorted members get contiguous ranges; the same ranges of topics that are alike
//!   roundrobin           all partitions of all topics are dealt out like cards
//!   sticky               balanced, and everyone keeps as much as that allows
//!   cooperative-sticky   the same, but nothing changes hands before its owner has dropped it
//! ```
//!
//! The first three are *eager*: members give up everything before they join, and what they owned is hearsay in the user data. The last
//! is *cooperative* (KIP-429): members keep what they own, and say so in the subscription itself.

pub mod claims;
pub mod cooperative_sticky;
pub mod range;
pub mod round_robin;
pub mod sticky;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::mutant::Mutants;
use crate::types::TopicPartition;

/// The assignors there are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Strategy {
    /// `range`.
    Range,
    /// `roundrobin`.
    RoundRobin,
    /// `sticky`.
    Sticky,
    /// `cooperative-sticky`.
    CooperativeSticky,
}

/// What a member gives up before it joins again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Discipline {
    /// Everything.
    Eager,
    /// Nothing: it is told afterwards what to give up, and then joins once more.
    Cooperative,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 4] = [Strategy::Range, Strategy::RoundRobin, Strategy::Sticky, Strategy::CooperativeSticky];

    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Range => "range",
            Strategy::RoundRobin => "roundrobin",
            Strategy::Sticky => "sticky",
            Strategy::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The class that Kafka's Java client names in `partition.assignment.strategy`, without its package.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Strategy::Range => "RangeAssignor",
            Strategy::RoundRobin => "RoundRobinAssignor",
            Strategy::Sticky => "StickyAssignor",
            Strategy::CooperativeSticky => "CooperativeStickyAssignor",
        }
    }

    /// How its members prepare for a rebalance.
    #[must_use]
    pub fn discipline(self) -> Discipline {
        match self {
            Strategy::Range | Strategy::RoundRobin | Strategy::Sticky => Discipline::Eager,
            Strategy::CooperativeSticky => Discipline::Cooperative,
        }
    }

    /// Shares out all partitions of these topics, given by their numbers of partitions, among the members that subscribe to them. Every
    /// member is in the result, with nothing if there is nothing for it.
    #[must_use]
    pub fn assign(self, topics: &BTreeMap<Arc<str>, i32>, members: &Members, mutants: Mutants) -> Assignment {
        match self {
            Strategy::Range => range::assign(topics, members),
            Strategy::RoundRobin => round_robin::assign(topics, members),
            Strategy::Sticky => sticky::assign(topics, members, mutants),
            Strategy::CooperativeSticky => cooperative_sticky::assign(topics, members, mutants),
        }
    }
}

/// What one member wants, and what it owns.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Subscription {
    /// Topics.
    pub topics: BTreeSet<Arc<str>>,
    /// Partitions that it owns, or owned before it gave up everything.
    pub owned: BTreeSet<TopicPartition>,
    /// The generation in which it owned them; -1 if it does not say.
    pub generation: i32,
    /// `group.instance.id` of a static member, whose id changes with every restart: ranges and rounds go by this.
    pub instance: Option<Arc<str>>,
}

/// The members by their ids.
pub type Members = BTreeMap<Arc<str>, Subscription>;

/// What each member is to own.
pub type Assignment = BTreeMap<Arc<str>, BTreeSet<TopicPartition>>;

/// Members in the order of ranges and rounds: static ones first, by instance, then the others by member id. So a static member that
/// comes back under another id gets the same again.
fn in_order(members: &Members) -> Vec<(&Arc<str>, &Subscription)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|(id, member)| (member.instance.is_none(), member.instance.clone(), Arc::clone(id)));
    sorted
}

fn nothing_for_anybody(members: &Members) -> Assignment {
    members.keys().map(|id| (Arc::clone(id), BTreeSet::new())).collect()
}

/// All partitions of these topics, sorted.
fn partitions(topics: &BTreeMap<Arc<str>, i32>) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|(topic, count)| (0..*count).map(|index| TopicPartition { topic: Arc::clone(topic), index }))
}
