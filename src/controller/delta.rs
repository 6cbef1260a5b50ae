//! What applying records has changed: so that whoever holds an image acts on exactly that and looks at nothing else.
//!
//! One record makes one [`Change`]; a [`Delta`] is the sum over a batch. A batch is applied as a whole before anybody acts on it, so
//! the delta names *what* changed and the image says *how it is now*; only of what is gone does the delta carry the last state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::partition::Partition;
use crate::types::{BrokerId, PartitionId, TopicId};

/// What one record has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing that the image keeps.
    Nothing,
    /// A broker registered.
    BrokerRegistered(BrokerId),
    /// A registered broker was fenced, unfenced, began to shut down or changed its directories.
    BrokerChanged(BrokerId),
    /// A broker was removed for good.
    BrokerRemoved(BrokerId),
    /// A topic was created, still without partitions.
    TopicCreated(TopicId),
    /// A property of a topic was set or removed.
    TopicConfigured(TopicId),
    /// A topic was deleted.
    TopicDeleted(DeletedTopic),
    /// A partition was created.
    PartitionCreated(PartitionId),
    /// A partition changed; this is what it was before.
    PartitionChanged(PartitionId, Partition),
    /// A block of producer ids was given away.
    ProducerIds,
}

/// A topic that is no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedTopic {
    /// Its identity.
    pub id: TopicId,
    /// Its name, which may be taken again.
    pub name: Arc<str>,
    /// Its partitions as they were last.
    pub partitions: BTreeMap<i32, Partition>,
}

/// What a run of records has changed in sum.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Partitions created or changed, still existing.
    pub partitions: BTreeSet<PartitionId>,
    /// Topics created or configured anew, still existing.
    pub topics: BTreeSet<TopicId>,
    /// Topics deleted that existed before the run.
    pub deleted: BTreeMap<TopicId, DeletedTopic>,
    /// Brokers registered, changed or removed.
    pub brokers: BTreeSet<BrokerId>,
}

impl Delta {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.topics.is_empty() && self.deleted.is_empty() && self.brokers.is_empty()
    }

    /// Adds one more change to the sum.
    pub fn absorb(&mut self, change: Change) {
        match change {
            Change::Nothing | Change::ProducerIds => {}
            Change::BrokerRegistered(id) | Change::BrokerChanged(id) | Change::BrokerRemoved(id) => {
                self.brokers.insert(id);
            }
            Change::TopicCreated(id) | Change::TopicConfigured(id) => {
                self.topics.insert(id);
            }
            Change::PartitionCreated(id) | Change::PartitionChanged(id, _) => {
                self.partitions.insert(id);
            }
            Change::TopicDeleted(topic) => {
                self.topics.remove(&topic.id);
                self.partitions.retain(|partition| partition.topic != topic.id);
                self.deleted.insert(topic.id, topic);
            }
        }
    }
}
