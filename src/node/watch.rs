//! What a node's facts add up to, for people who watch it from outside and for whoever waits until it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::fact::{Fact, PartitionState};
use crate::node::tcp::FactSink;
use crate::types::{BrokerId, PartitionId, TopicId};

/// The state of one node, as its facts tell it.
#[derive(Debug)]
pub struct Watch {
    summary: Mutex<Summary>,
    unfenced: watch::Sender<BTreeSet<BrokerId>>,
    condition: watch::Sender<Condition>,
}

/// Where a node is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Condition {
    /// It has not said that it works.
    #[default]
    Starting,
    /// Its logs are loaded (a broker) or replayed (a controller).
    Working,
    /// Its disk has failed.
    Failed,
}

/// Counts and sums.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Partitions of which this broker holds a replica, and whether it leads them.
    pub replicas: BTreeMap<PartitionId, bool>,
    /// On the controller: every topic by name.
    pub topics: BTreeMap<String, TopicId>,
    /// On the controller: every partition with its assigned replicas and its state.
    pub partitions: BTreeMap<PartitionId, (Vec<BrokerId>, PartitionState)>,
    /// Records appended as leader.
    pub records_led: u64,
    /// Records appended as follower.
    pub records_followed: u64,
    /// On the controller: leaders elected.
    pub elections: u64,
    /// On the controller: leaders elected from outside the ISR.
    pub unclean_elections: u64,
    /// On the controller: replicas taken out of an ISR.
    pub isr_shrinks: u64,
    /// On the controller: replicas taken into an ISR.
    pub isr_expansions: u64,
    /// Logs cut by a follower.
    pub truncations: u64,
    /// On the controller: brokers that may lead.
    pub unfenced: usize,
}

impl Summary {
    /// Partitions that this broker leads.
    #[must_use]
    pub fn led(&self) -> usize {
        self.replicas.values().filter(|leads| **leads).count()
    }

    /// Partitions without a leader.
    #[must_use]
    pub fn offline(&self) -> usize {
        self.partitions.values().filter(|(_, state)| state.leader.is_none()).count()
    }

    /// Partitions of which not every replica is in sync.
    #[must_use]
    pub fn under_replicated(&self) -> usize {
        self.partitions.values().filter(|(replicas, state)| state.isr.len() < replicas.len()).count()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "facts are many, and few of them are counted")]
    fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::BecameLeader { partition, .. } => drop(self.replicas.insert(*partition, true)),
            Fact::BecameFollower { partition, .. } => drop(self.replicas.insert(*partition, false)),
            Fact::LogRemoved { partition } => drop(self.replicas.remove(partition)),
            Fact::BatchAppended { base_offset, last_offset, as_leader, .. } => {
                let records = u64::try_from(last_offset.0 - base_offset.0 + 1).unwrap_or(0);
                *(if *as_leader { &mut self.records_led } else { &mut self.records_followed }) += records;
            }
            Fact::LogTruncated { .. } => self.truncations += 1,
            Fact::PartitionCreated { partition, replicas, state } => {
                self.partitions.insert(*partition, (replicas.clone(), state.clone()));
            }
            Fact::LeaderElected { partition, state, unclean } => {
                self.elections += u64::from(state.leader.is_some());
                self.unclean_elections += u64::from(*unclean);
                self.change(*partition, state);
            }
            Fact::IsrShrunk { partition, state } => {
                self.isr_shrinks += 1;
                self.change(*partition, state);
            }
            Fact::IsrExpanded { partition, state } => {
                self.isr_expansions += 1;
                self.change(*partition, state);
            }
            Fact::TopicCreated { topic, name, .. } => drop(self.topics.insert(name.clone(), *topic)),
            Fact::TopicDeleted { topic } => {
                self.topics.retain(|_, known| known != topic);
                self.partitions.retain(|partition, _| partition.topic != *topic);
            }
            _ => {}
        }
    }

    fn change(&mut self, partition: PartitionId, state: &PartitionState) {
        if let Some((_, known)) = self.partitions.get_mut(&partition) {
            known.clone_from(state);
        }
    }
}

impl Watch {
    /// A node of which nothing is known.
    #[must_use]
    pub fn new() -> Arc<Watch> {
        let (unfenced, condition) = (watch::Sender::new(BTreeSet::new()), watch::Sender::new(Condition::Starting));
        Arc::new(Watch { summary: Mutex::default(), unfenced, condition })
    }

    /// What hears the node's facts.
    #[must_use]
    pub fn sink(self: &Arc<Watch>) -> FactSink {
        let watch = self.clone();
        Box::new(move |fact| watch.take(fact))
    }

    /// Takes in a fact.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes into the summary")]
    pub fn take(&self, fact: &Fact) {
        match fact {
            Fact::BrokerUnfenced { broker, .. } => drop(self.unfenced.send_if_modified(|unfenced| unfenced.insert(*broker))),
            Fact::BrokerFenced { broker, .. } => drop(self.unfenced.send_if_modified(|unfenced| unfenced.remove(broker))),
            Fact::BrokerStarted { .. } | Fact::ControllerActivated { .. } => {
                self.condition.send_replace(Condition::Working);
            }
            Fact::LogFailed { partition: None, error } => {
                tracing::error!(%error, "the disk has failed");
                self.condition.send_replace(Condition::Failed);
            }
            _ => self.lock().take(fact),
        }
    }

    /// What the facts add up to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary { unfenced: self.unfenced.borrow().len(), ..self.lock().clone() }
    }

    /// Where the node is in its life.
    #[must_use]
    pub fn condition(&self) -> Condition {
        *self.condition.borrow()
    }

    /// Waits until the node works.
    pub async fn works(&self) {
        // The sender lives as long as this does, so there is always an answer.
        let _ = self.condition.subscribe().wait_for(|condition| *condition != Condition::Starting).await;
    }

    /// Waits, at a controller, until so many brokers may lead.
    pub async fn unfenced(&self, brokers: usize) {
        let _ = self.unfenced.subscribe().wait_for(|unfenced| unfenced.len() >= brokers).await;
    }

    fn lock(&self) -> MutexGuard<'_, Summary> {
        // Counts cannot be left half done.
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LeaderEpoch, PartitionEpoch, Uuid};

    #[test]
    fn a_partition_with_a_replica_out_of_sync_is_counted() {
        let partition = PartitionId { topic: Uuid(1), index: 0 };
        let state = |leader: Option<i32>, isr: &[i32]| PartitionState {
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(1),
            partition_epoch: PartitionEpoch(1),
            isr: isr.iter().copied().map(BrokerId).collect(),
        };
        let watch = Watch::new();
        watch.take(&Fact::PartitionCreated {
            partition,
            replicas: [1, 2].map(BrokerId).to_vec(),
            state: state(Some(1), &[1, 2]),
        });
        assert_eq!(watch.summary().under_replicated(), 0);
        watch.take(&Fact::IsrShrunk { partition, state: state(Some(1), &[1]) });
        watch.take(&Fact::LeaderElected { partition, state: state(None, &[1]), unclean: false });
        let summary = watch.summary();
        assert_eq!((summary.under_replicated(), summary.offline(), summary.isr_shrinks, summary.elections), (1, 1, 1, 0));
    }
}
