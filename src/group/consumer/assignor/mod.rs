//! Assignors: who is to own what. Pure functions of the subscriptions, the topics, and who was to own what before.
//!
//! Every partition of every topic that somebody subscribes to goes to exactly one of those who do (G2).

mod range;
mod uniform;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::TopicId;

use super::Partitions;

/// The assignors of the server; the first is the default.
pub const ASSIGNORS: [&str; 2] = ["uniform", "range"];

/// What there is to assign, and to whom.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// For each member the topics that it subscribes to.
    pub subscriptions: BTreeMap<Arc<str>, Vec<TopicId>>,
    /// How many partitions each of these topics has.
    pub topics: BTreeMap<TopicId, i32>,
    /// The target so far.
    pub before: BTreeMap<Arc<str>, Partitions>,
}

impl Question {
    /// Who subscribes to a topic, in order of member ids.
    fn subscribers(&self, topic: TopicId) -> Vec<&Arc<str>> {
        self.subscriptions.iter().filter(|(_, topics)| topics.contains(&topic)).map(|(id, _)| id).collect()
    }
}

/// The target assignment, with an entry for every member.
pub(super) fn assign(assignor: &str, question: &Question) -> BTreeMap<Arc<str>, Partitions> {
    if assignor == "range" { range::assign(question) } else { uniform::assign(question) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Uuid;
    use proptest::prelude::*;

    fn question() -> impl Strategy<Value = Question> {
        let topics = prop::collection::btree_map((1u128..5).prop_map(Uuid), 0i32..9, 1..4);
        let members = prop::collection::btree_map("[a-f]", prop::collection::btree_set((1u128..5).prop_map(Uuid), 0..4), 1..6);
        (topics, members).prop_map(|(topics, members)| {
            let known =
                |wanted: std::collections::BTreeSet<Uuid>| wanted.into_iter().filter(|t| topics.contains_key(t)).collect();
            let subscriptions = members.into_iter().map(|(id, wanted)| (Arc::from(id.as_str()), known(wanted))).collect();
            Question { subscriptions, topics: topics.clone(), before: BTreeMap::new() }
        })
    }

    fn load(target: &BTreeMap<Arc<str>, Partitions>, member: &str) -> usize {
        target[member].values().map(std::collections::BTreeSet::len).sum()
    }

    proptest! {
        #[test]
        fn every_partition_goes_to_one_who_subscribes(question in question(), range in any::<bool>()) {
            let target = assign(if range { "range" } else { "uniform" }, &question);
            let mut owners: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
            for (member, partitions) in &target {
                for (topic, indices) in partitions {
                    prop_assert!(question.subscriptions[member].contains(topic), "{} does not want {}", member, topic);
                    for index in indices {
                        prop_assert!(*index < question.topics[topic]);
                        prop_assert!(owners.insert((*topic, *index), member).is_none(), "two owners");
                    }
                }
            }
            let wanted = question.topics.iter().filter(|(topic, _)| !question.subscribers(**topic).is_empty());
            prop_assert_eq!(owners.len() as i32, wanted.map(|(_, count)| count).sum::<i32>());
        }

        #[test]
        fn uniform_is_even_and_moves_no_more_than_it_must(mut question in question(), leaver in 0usize..6) {
            question.before = assign("uniform", &question);
            prop_assert_eq!(&assign("uniform", &question), &question.before, "nothing has changed");
            let gone = question.subscriptions.keys().nth(leaver).cloned();
            if let Some(gone) = &gone {
                question.subscriptions.remove(gone);
            }
            let same = question.subscriptions.values().all(|topics| Some(topics) == question.subscriptions.values().next());
            let target = assign("uniform", &question);
            if same && !target.is_empty() {
                let loads: Vec<usize> = target.keys().map(|id| load(&target, id)).collect();
                prop_assert!(loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0) <= 1, "{:?}", loads);
            }
        }
    }
}
