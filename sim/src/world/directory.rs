//! What the world itself knows of the cluster, from facts: names of topics, leaders, in-sync replicas.
//!
//! It is used to resolve targets (`leader of orders-0`), to turn topic names in frames into ids, and to see when the topics are
//! ready. It is not evidence: the checks follow the facts on their own.

use std::collections::BTreeMap;

use brokerlab::fact::{Fact, GroupFact, PartitionState};
use brokerlab::types::{BrokerEpoch, BrokerId, Offset, PartitionId, TopicId, TopicPartition};

/// Where groups are kept.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The cluster as its controller states it.
#[derive(Debug, Default)]
pub struct Directory {
    ids: BTreeMap<String, TopicId>,
    /// How many topics have had each name.
    bearers: BTreeMap<String, u32>,
    partitions: BTreeMap<PartitionId, Entry>,
    controller: Option<BrokerId>,
    registrations: BTreeMap<BrokerId, BrokerEpoch>,
    /// By group and partition: the nodes whose members were assigned it and have neither given it up nor died, the last one last. One that does
    /// not know yet that it was counted out believes it, too.
    owners: BTreeMap<(String, TopicPartition), Vec<u16>>,
}

/// One partition.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Assigned replicas.
    pub replicas: Vec<BrokerId>,
    /// Leader, ISR and epochs.
    pub state: PartitionState,
    /// The highest high watermark that a leader told.
    pub high_watermark: Offset,
}

impl Entry {
    /// Has a leader and every replica in sync.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state.leader.is_some() && self.state.isr.len() == self.replicas.len()
    }
}

impl Directory {
    /// Whether the broker has registered since under a newer epoch.
    #[must_use]
    pub fn is_former_life(&self, broker: BrokerId, epoch: BrokerEpoch) -> bool {
        self.registrations.get(&broker).is_some_and(|newest| epoch < *newest)
    }

    /// The name of a topic.
    #[must_use]
    pub fn name_of(&self, topic: TopicId) -> Option<&str> {
        self.ids.iter().find(|(_, id)| **id == topic).map(|(name, _)| name.as_str())
    }

    /// Takes in a fact. True if it changed something here.
    pub fn learn(&mut self, fact: &Fact) -> bool {
        #[allow(clippy::wildcard_enum_match_arm)]
        match fact {
            Fact::RegistrationAccepted { broker, broker_epoch, .. } => {
                self.registrations.insert(*broker, *broker_epoch);
                return false;
            }
            Fact::TopicCreated { topic, name, .. } => {
                self.ids.insert(name.clone(), *topic);
                *self.bearers.entry(name.clone()).or_default() += 1;
            }
            Fact::TopicDeleted { topic } => {
                self.ids.retain(|_, id| id != topic);
                self.partitions.retain(|partition, _| partition.topic != *topic);
            }
            Fact::PartitionCreated { partition, replicas, state } => {
                let (replicas, state, high_watermark) = (replicas.clone(), state.clone(), Offset::ZERO);
                self.partitions.insert(*partition, Entry { replicas, state, high_watermark });
            }
            Fact::LeaderElected { partition, state, .. }
            | Fact::IsrShrunk { partition, state }
            | Fact::IsrExpanded { partition, state } => {
                if let Some(entry) = self.partitions.get_mut(partition) {
                    entry.state.clone_from(state);
                }
            }
            Fact::HighWatermarkAdvanced { partition, to, .. } => {
                if let Some(entry) = self.partitions.get_mut(partition) {
                    entry.high_watermark = entry.high_watermark.max(*to);
                }
                return false;
            }
            Fact::ControllerActivated { controller, .. } => self.controller = Some(*controller),
            // Everything else says nothing about the cluster as a whole.
            _ => return false,
        }
        true
    }

    /// The id of a topic that exists.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<TopicId> {
        self.ids.get(name).copied()
    }

    /// Whether more than one topic has had that name.
    #[must_use]
    pub fn was_created_again(&self, name: &str) -> bool {
        self.bearers.get(name).is_some_and(|bearers| *bearers > 1)
    }

    /// A partition by the name of its topic.
    #[must_use]
    pub fn partition(&self, topic: &str, index: u32) -> Option<&Entry> {
        let index = i32::try_from(index).ok()?;
        self.partitions.get(&PartitionId { topic: self.topic(topic)?, index })
    }

    /// Takes in what a member, on that node, states about its group.
    pub fn learn_ownership(&mut self, node: u16, fact: &GroupFact) {
        #[allow(clippy::wildcard_enum_match_arm, reason = "only members own anything")]
        match fact {
            GroupFact::PartitionsAssigned { group, partitions, .. } => {
                for partition in partitions {
                    let owners = self.owners.entry((group.to_string(), partition.clone())).or_default();
                    owners.retain(|owner| *owner != node);
                    owners.push(node);
                }
            }
            GroupFact::PartitionsRevoked { group, partitions, .. } | GroupFact::PartitionsLost { group, partitions, .. } => {
                for partition in partitions {
                    if let Some(owners) = self.owners.get_mut(&(group.to_string(), partition.clone())) {
                        owners.retain(|owner| *owner != node);
                    }
                }
            }
            _ => {}
        }
    }

    /// The process on that node is gone, and whatever it owned.
    pub fn forget_owner(&mut self, node: u16) {
        self.owners.values_mut().for_each(|owners| owners.retain(|owner| *owner != node));
    }

    /// The node that owns the partition in the group.
    #[must_use]
    pub fn owner(&self, group: &str, partition: &TopicPartition) -> Option<u16> {
        self.owners.get(&(group.to_string(), partition.clone()))?.last().copied()
    }

    /// The broker that coordinates the group: the leader of its partition of the offsets topic, once that exists.
    #[must_use]
    pub fn coordinator(&self, group: &str) -> Option<BrokerId> {
        let topic = self.topic(OFFSETS_TOPIC)?;
        let count = i32::try_from(self.partitions_of(topic).count()).ok().filter(|count| *count > 0)?;
        let index = java_hash(group).checked_abs().unwrap_or(0) % count;
        self.partitions.get(&PartitionId { topic, index })?.state.leader
    }

    /// The active controller.
    #[must_use]
    pub fn controller(&self) -> Option<BrokerId> {
        self.controller
    }

    /// Partitions of a topic.
    pub fn partitions_of(&self, topic: TopicId) -> impl Iterator<Item = (PartitionId, &Entry)> {
        self.partitions
            .iter()
            .filter(move |(partition, _)| partition.topic == topic)
            .map(|(partition, entry)| (*partition, entry))
    }

    /// What is missing until this topic has all its partitions, each with a leader and a full ISR.
    #[must_use]
    pub fn missing(&self, topic: &str, partitions: u32) -> Vec<String> {
        let Some(id) = self.topic(topic) else { return vec![format!("topic {topic} does not exist")] };
        let found = self.partitions_of(id).count();
        let mut missing = Vec::new();
        if found < partitions as usize {
            missing.push(format!("topic {topic} has {found} of {partitions} partitions"));
        }
        for (partition, entry) in self.partitions_of(id).filter(|(_, entry)| !entry.is_whole()) {
            let (leader, isr) = (entry.state.leader, &entry.state.isr);
            missing.push(format!("{topic}-{}: leader {leader:?}, ISR {isr:?} of {:?}", partition.index, entry.replicas));
        }
        missing
    }
}

/// `String.hashCode` of Java: Kafka finds a group's partition by it.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!((java_hash(""), java_hash("a"), java_hash("billing")), (0, 97, -109_829_509));
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
    }
}
