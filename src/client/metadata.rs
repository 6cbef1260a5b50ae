//! What a client knows of the cluster: brokers, topics, leaders.
//!
//! Any broker may be asked, and some are behind: their answer may name a leader that has been replaced since. Every leader comes with
//! its epoch, and the epochs only rise, so an answer about a partition counts only if its epoch is not lower than the one known
//! (KIP-320). What a broker does not know (a topic it has not heard of yet) takes the leaders away, but not the epochs. Only a
//! topic with another id is another topic, and begins anew (KIP-516).
//!
//! ```text
//!   known:    orders-0  leader b2  epoch 7
//!   answer:   orders-0  leader b1  epoch 6      ignored: b2 was elected later
//!   answer:   orders-0  leader b3  epoch 8      taken
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::{Address, BrokerId, LeaderEpoch, TopicId, Uuid};
use crate::wire::ErrorCode;
use crate::wire::metadata_response::{MetadataResponse, MetadataResponsePartition, MetadataResponseTopic};

/// The cluster as the last answers describe it.
#[derive(Clone, Hash, Debug, Default)]
pub struct Metadata {
    brokers: BTreeMap<BrokerId, Address>,
    topics: BTreeMap<Arc<str>, Topic>,
}

/// One topic.
#[derive(Clone, Hash, Debug, Default)]
pub struct Topic {
    /// Its identity; zero if the broker is too old to say.
    pub id: TopicId,
    /// Why nothing more is known; `NONE` for a healthy topic.
    pub error: i16,
    /// Its partitions, by number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// One partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    /// Who leads it, if anybody does.
    pub leader: Option<BrokerId>,
    /// In which epoch; [`LeaderEpoch::NONE`] if the broker is too old to say.
    pub epoch: LeaderEpoch,
}

/// Where to send requests about a partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Leader {
    /// The broker.
    pub broker: BrokerId,
    /// In which epoch it leads, as far as we know.
    pub epoch: LeaderEpoch,
}

impl Metadata {
    /// Addresses of the brokers.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.brokers.values()
    }

    /// Where this broker listens.
    #[must_use]
    pub fn address(&self, broker: BrokerId) -> Option<&Address> {
        self.brokers.get(&broker)
    }

    /// The topic, if a broker has told of it.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// Who leads the partition, if that is known and the broker's address too.
    #[must_use]
    pub fn leader(&self, topic: &str, index: i32) -> Option<Leader> {
        let partition = self.topics.get(topic).filter(|topic| topic.error == 0)?.partitions.get(&index)?;
        let broker = partition.leader.filter(|broker| self.brokers.contains_key(broker))?;
        Some(Leader { broker, epoch: partition.epoch })
    }

    /// The newest leader epoch heard of.
    #[must_use]
    pub fn epoch(&self, topic: &str, index: i32) -> LeaderEpoch {
        let partition = self.topics.get(topic).and_then(|topic| topic.partitions.get(&index));
        partition.map_or(LeaderEpoch::NONE, |partition| partition.epoch)
    }

    /// Takes in an answer. Says whether everything asked for is healthy.
    pub fn merge(&mut self, response: &MetadataResponse) -> bool {
        if !response.brokers.is_empty() {
            let port = |port: i32| u16::try_from(port).ok();
            let brokers = response.brokers.iter();
            self.brokers = brokers.filter_map(|b| Some((BrokerId(b.node_id), Address::new(&b.host, port(b.port)?)))).collect();
        }
        let mut healthy = response.error_code == 0;
        for topic in &response.topics {
            healthy &= self.merge_topic(topic);
        }
        healthy
    }

    fn merge_topic(&mut self, answer: &MetadataResponseTopic) -> bool {
        let Some(name) = answer.name.as_deref() else { return false };
        if !self.topics.contains_key(name) {
            self.topics.insert(Arc::from(name), Topic::default());
        }
        let topic = self.topics.get_mut(name).expect("it was put there if it was missing");
        topic.error = answer.error_code;
        if answer.error_code != 0 {
            return false;
        }
        if topic.id != answer.topic_id && topic.id != Uuid::ZERO {
            topic.partitions.clear();
        }
        topic.id = answer.topic_id;
        let unhealthy = answer.partitions.iter().filter(|partition| !merge_partition(topic, partition)).count();
        unhealthy == 0
    }

    /// Takes in what a broker says in passing about a partition it does not lead any more (KIP-951).
    pub fn learn_leader(&mut self, topic: &str, index: i32, leader: i32, epoch: i32) {
        if leader < 0 || epoch < 0 || !self.brokers.contains_key(&BrokerId(leader)) {
            return;
        }
        if let Some(partition) = self.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(&index))
            && partition.epoch < LeaderEpoch(epoch)
        {
            *partition = Partition { leader: Some(BrokerId(leader)), epoch: LeaderEpoch(epoch) };
        }
    }
}

fn merge_partition(topic: &mut Topic, answer: &MetadataResponsePartition) -> bool {
    let epoch = LeaderEpoch(answer.leader_epoch);
    if topic.partitions.get(&answer.partition_index).is_some_and(|known| known.epoch > epoch) {
        return false;
    }
    let leader = Some(BrokerId(answer.leader_id)).filter(|leader| leader.0 >= 0);
    topic.partitions.insert(answer.partition_index, Partition { leader, epoch });
    leader.is_some() && ErrorCode(answer.error_code) != ErrorCode::LEADER_NOT_AVAILABLE
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::metadata_response::MetadataResponseBroker;

    fn answer(id: u128, leader_id: i32, leader_epoch: i32) -> MetadataResponse {
        let partition = MetadataResponsePartition { leader_id, leader_epoch, ..MetadataResponsePartition::default() };
        let broker = |node_id| MetadataResponseBroker {
            node_id,
            host: format!("b{node_id}"),
            port: 9092,
            ..MetadataResponseBroker::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t".to_owned()),
            topic_id: Uuid(id),
            partitions: vec![partition],
            ..MetadataResponseTopic::default()
        };
        MetadataResponse { brokers: vec![broker(1), broker(2)], topics: vec![topic], ..MetadataResponse::default() }
    }

    #[test]
    fn leader_epochs_never_go_back() {
        let mut metadata = Metadata::default();
        assert!(metadata.merge(&answer(1, 2, 7)));
        assert!(!metadata.merge(&answer(1, 1, 6)));
        assert_eq!(metadata.leader("t", 0).unwrap(), Leader { broker: BrokerId(2), epoch: LeaderEpoch(7) });
    }

    #[test]
    fn a_topic_with_another_id_begins_anew() {
        let mut metadata = Metadata::default();
        metadata.merge(&answer(1, 2, 7));
        assert!(metadata.merge(&answer(2, 1, 0)));
        assert_eq!(metadata.epoch("t", 0), LeaderEpoch(0));
    }

    #[test]
    fn an_unknown_topic_loses_its_leaders_but_not_its_epochs() {
        let mut metadata = Metadata::default();
        metadata.merge(&answer(1, 2, 7));
        let mut unknown = answer(1, 2, 7);
        unknown.topics[0].error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code();
        assert!(!metadata.merge(&unknown));
        assert_eq!((metadata.leader("t", 0), metadata.epoch("t", 0)), (None, LeaderEpoch(7)));
    }

    #[test]
    fn a_partition_without_leader_is_not_healthy() {
        assert!(!Metadata::default().merge(&answer(1, -1, 3)));
    }

    #[test]
    fn a_hint_counts_only_if_it_is_newer() {
        let mut metadata = Metadata::default();
        metadata.merge(&answer(1, 2, 7));
        metadata.learn_leader("t", 0, 1, 7);
        assert_eq!(metadata.leader("t", 0).unwrap().broker, BrokerId(2));
        metadata.learn_leader("t", 0, 1, 8);
        assert_eq!(metadata.leader("t", 0).unwrap().broker, BrokerId(1));
    }
}
