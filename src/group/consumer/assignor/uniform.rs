//! Uniform: as even as subscriptions allow, and as little moved as that allows.
//!
//! 1. Everyone keeps what it was to own, as far as it still subscribes to it.
//! 2. What nobody has goes, one by one, to the least loaded of those who subscribe.
//! 3. While somebody has two more than another who could have one of them, one moves.
//!
//! Each move of the third step makes the sum of the squares of the loads smaller, so it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::types::TopicId;

use super::{Partitions, Question};

pub(super) fn assign(question: &Question) -> BTreeMap<Arc<str>, Partitions> {
    let subscribers: BTreeMap<TopicId, Vec<&Arc<str>>> =
        question.topics.keys().map(|topic| (*topic, question.subscribers(*topic))).collect();
    let mut plan = Plan::keeping(question);
    for (topic, count) in &question.topics {
        for index in 0..*count {
            if !plan.taken.contains(&(*topic, index))
                && let Some(member) = plan.least_loaded(&subscribers[topic])
            {
                plan.give(&member, *topic, index);
            }
        }
    }
    while plan.level(&subscribers) {}
    plan.target
}

/// An assignment in the making.
struct Plan {
    target: BTreeMap<Arc<str>, Partitions>,
    loads: BTreeMap<Arc<str>, usize>,
    taken: BTreeSet<(TopicId, i32)>,
}

impl Plan {
    fn keeping(question: &Question) -> Plan {
        let members = question.subscriptions.keys();
        let mut plan = Plan {
            target: members.clone().map(|id| (id.clone(), Partitions::new())).collect(),
            loads: members.map(|id| (id.clone(), 0)).collect(),
            taken: BTreeSet::new(),
        };
        for (member, wanted) in &question.subscriptions {
            for (topic, indices) in question.before.get(member).into_iter().flatten() {
                let count = question.topics.get(topic).copied().filter(|_| wanted.contains(topic)).unwrap_or(0);
                for index in indices.iter().filter(|index| **index < count) {
                    if !plan.taken.contains(&(*topic, *index)) {
                        plan.give(member, *topic, *index);
                    }
                }
            }
        }
        plan
    }

    fn give(&mut self, member: &Arc<str>, topic: TopicId, index: i32) {
        self.target.entry(member.clone()).or_default().entry(topic).or_default().insert(index);
        *self.loads.entry(member.clone()).or_default() += 1;
        self.taken.insert((topic, index));
    }

    fn take(&mut self, member: &Arc<str>, topic: TopicId, index: i32) {
        if let Some(partitions) = self.target.get_mut(member)
            && let Some(indices) = partitions.get_mut(&topic)
        {
            indices.remove(&index);
            if indices.is_empty() {
                partitions.remove(&topic);
            }
        }
        *self.loads.entry(member.clone()).or_default() -= 1;
    }

    fn least_loaded(&self, among: &[&Arc<str>]) -> Option<Arc<str>> {
        among.iter().min_by_key(|id| (self.loads[**id], **id)).map(|id| (*id).clone())
    }

    /// Moves one partition to where it makes loads more even; false if there is none.
    fn level(&mut self, subscribers: &BTreeMap<TopicId, Vec<&Arc<str>>>) -> bool {
        let mut by_load: Vec<(usize, Arc<str>)> = self.loads.iter().map(|(id, load)| (*load, id.clone())).collect();
        by_load.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (load, from) in by_load {
            let found = self.target[&from].iter().find_map(|(topic, indices)| {
                let to = self.least_loaded(subscribers.get(topic)?)?;
                (self.loads[&to] + 1 < load).then(|| Some((*topic, *indices.last()?, to)))?
            });
            if let Some((topic, index, to)) = found {
                self.take(&from, topic, index);
                self.give(&to, topic, index);
                return true;
            }
        }
        false
    }
}
