//! Sticky: as balanced as the subscriptions allow, and everyone keeps as much of what it owned as that allows (KIP-54).
//!
//! ```text
//!   1  everyone keeps what it owned and still subscribes to          see `claims` for who owned what
//!   2  what is left over goes to whoever has least
//!   3  while somebody has two more than another, a partition moves from the one to the other
//! ```
//!
//! Not every member may take every partition, so in step 3 a move may need to go through others: `a` has too much but only of a topic
//! that `c` does not want; then `b`, who wants both, takes from `a` and gives to `c`. The shortest such chain is found by a search in
//! breadth. When none is left, no assignment is better balanced. With equal subscriptions every chain is one move, and no
//! assignment with the same balance moves less: whoever gives has more than its fair share, whoever takes has less.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::claims::{claimants, owners};
use super::{Assignment, Members, nothing_for_anybody, partitions};
use crate::mutant::{Mutant, Mutants};
use crate::types::TopicPartition;

/// Shares out with as few moves as possible.
#[must_use]
pub fn assign(topics: &BTreeMap<Arc<str>, i32>, members: &Members, mutants: Mutants) -> Assignment {
    let mut plan = Plan::new(topics, members);
    plan.keep(topics, members, &believed(members, mutants));
    plan.fill(topics);
    plan.level();
    plan.assignment
}

/// Who is believed to have owned what.
fn believed(members: &Members, mutants: Mutants) -> Vec<(TopicPartition, Arc<str>)> {
    if mutants.is(Mutant::StickyDoubleOwnership) {
        let claims = |(partition, ids): (&TopicPartition, BTreeSet<&Arc<str>>)| {
            ids.into_iter().map(|id| (partition.clone(), Arc::clone(id))).collect::<Vec<_>>()
        };
        return claimants(members).into_iter().flat_map(claims).collect();
    }
    owners(members).into_iter().collect()
}

/// An assignment in the making.
struct Plan {
    assignment: Assignment,
    /// Who may have the partitions of each topic.
    subscribers: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// What was owned and kept: the last to be moved.
    kept: BTreeSet<TopicPartition>,
}

impl Plan {
    fn new(topics: &BTreeMap<Arc<str>, i32>, members: &Members) -> Plan {
        let of =
            |topic: &Arc<str>| members.iter().filter(|(_, m)| m.topics.contains(topic)).map(|(id, _)| Arc::clone(id)).collect();
        let subscribers = topics.keys().map(|topic| (Arc::clone(topic), of(topic))).collect();
        Plan { assignment: nothing_for_anybody(members), subscribers, kept: BTreeSet::new() }
    }

    fn keep(&mut self, topics: &BTreeMap<Arc<str>, i32>, members: &Members, owners: &[(TopicPartition, Arc<str>)]) {
        let exists =
            |partition: &TopicPartition| topics.get(&partition.topic).is_some_and(|count| (0..*count).contains(&partition.index));
        for (partition, owner) in owners.iter().filter(|(partition, _)| exists(partition)) {
            if members[owner].topics.contains(&partition.topic) {
                self.kept.insert(partition.clone());
                self.give(owner, partition.clone());
            }
        }
    }

    /// Partitions with few candidates first: the others can still go elsewhere.
    fn fill(&mut self, topics: &BTreeMap<Arc<str>, i32>) {
        let mut left: Vec<TopicPartition> = partitions(topics).filter(|partition| !self.kept.contains(partition)).collect();
        left.sort_by_key(|partition| self.subscribers[&partition.topic].len());
        for partition in left {
            let candidates = self.subscribers[&partition.topic].iter();
            if let Some(id) = candidates.min_by_key(|id| self.load(id)).cloned() {
                self.give(&id, partition);
            }
        }
    }

    /// Moves partitions until nobody could give one, directly or through others, to somebody who has two less.
    fn level(&mut self) {
        while let Some(chain) = self.next_chain() {
            for Step { from, to, topic } in chain {
                let partition = self.cheapest(&from, &topic);
                self.assignment.entry(from).or_default().remove(&partition);
                self.give(&to, partition);
            }
        }
    }

    /// A chain from one of those who have most of all that can give; of several such, the shortest.
    fn next_chain(&self) -> Option<Vec<Step>> {
        let mut heaviest: Vec<&Arc<str>> = self.assignment.keys().collect();
        heaviest.sort_by_key(|id| std::cmp::Reverse(self.load(id)));
        let least = heaviest.last().map_or(0, |id| self.load(id));
        let mut best: Option<(usize, Vec<Step>)> = None;
        for id in heaviest.into_iter().take_while(|id| self.load(id) >= least + 2) {
            let is_settled = |(load, chain): &(usize, Vec<Step>)| chain.len() == 1 || self.load(id) < *load;
            if best.as_ref().is_some_and(is_settled) {
                break;
            }
            let chain = self.chain_from(id);
            if let Some(chain) = chain.filter(|chain| best.as_ref().is_none_or(|(_, known)| chain.len() < known.len())) {
                best = Some((self.load(id), chain));
            }
        }
        best.map(|(_, chain)| chain)
    }

    /// The shortest chain of moves from a member to one that has two partitions less; of these the one that has least.
    fn chain_from(&self, giver: &Arc<str>) -> Option<Vec<Step>> {
        let mut came: Ways<'_> = BTreeMap::from([(giver, None)]);
        let mut seen_topics: BTreeSet<&Arc<str>> = BTreeSet::new();
        let mut ring = vec![giver];
        while !ring.is_empty() {
            let mut next = Vec::new();
            for from in ring {
                let topics: BTreeSet<&Arc<str>> = self.assignment[from].iter().map(|partition| &partition.topic).collect();
                for topic in topics.into_iter().filter(|topic| seen_topics.insert(topic)) {
                    for to in self.subscribers[topic].iter().filter(|to| !came.contains_key(to)).collect::<Vec<_>>() {
                        came.insert(to, Some((from, topic)));
                        next.push(to);
                    }
                }
            }
            let takers = next.iter().filter(|taker| self.load(taker) + 2 <= self.load(giver));
            if let Some(taker) = takers.min_by_key(|taker| (self.load(taker), Arc::clone(taker))) {
                return Some(trace(&came, taker));
            }
            ring = next;
        }
        None
    }

    /// What of a topic its owner parts with most easily: what it did not own before, else the last.
    fn cheapest(&self, owner: &str, topic: &str) -> TopicPartition {
        let of_topic = || self.assignment[owner].iter().rev().filter(|partition| *partition.topic == *topic);
        let new = of_topic().find(|partition| !self.kept.contains(partition));
        new.or_else(|| of_topic().next()).expect("a chain goes along topics of which there is something to give").clone()
    }

    fn load(&self, id: &str) -> usize {
        self.assignment.get(id).map_or(0, BTreeSet::len)
    }

    fn give(&mut self, id: &Arc<str>, partition: TopicPartition) {
        self.assignment.entry(Arc::clone(id)).or_default().insert(partition);
    }
}

/// For each member that a search has reached: from whom, and along which topic; `None` where it began.
type Ways<'a> = BTreeMap<&'a Arc<str>, Option<(&'a Arc<str>, &'a Arc<str>)>>;

/// One partition of `topic` goes from one member to another.
struct Step {
    from: Arc<str>,
    to: Arc<str>,
    topic: Arc<str>,
}

/// The steps that lead to `taker`, the last one first: so everyone on the way gives what it had, not what it was just given.
fn trace(came: &Ways<'_>, taker: &Arc<str>) -> Vec<Step> {
    let mut steps = VecDeque::new();
    let mut to = taker;
    while let Some((from, topic)) = came[to] {
        steps.push_back(Step { from: Arc::clone(from), to: Arc::clone(to), topic: Arc::clone(topic) });
        to = from;
    }
    steps.into()
}
