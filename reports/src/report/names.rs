//! The names that people use: of nodes, partitions, APIs.
//!
//! Everything here comes from the recording and may hold anything; it is escaped where it is written, not here.

use std::collections::BTreeMap;

use brokerlab::fact::Fact;
use brokerlab::types::{BrokerId, PartitionId, TopicId};

use crate::event::{Event, NodeId, What};

/// Names learned so far.
#[derive(Clone, Debug, Default)]
pub struct Names {
    nodes: Vec<String>,
    topics: BTreeMap<TopicId, String>,
    brokers: BTreeMap<BrokerId, u16>,
}

impl Names {
    /// Names of a run that has not begun.
    #[must_use]
    pub fn new(nodes: &[String]) -> Names {
        // Until a broker has said who it is, its name tells: `b3` is broker 3.
        let id = |name: &String| name.strip_prefix('b')?.parse().ok().map(BrokerId);
        let brokers = nodes.iter().zip(0u16..).filter_map(|(name, node)| Some((id(name)?, node))).collect();
        Names { nodes: nodes.to_vec(), topics: BTreeMap::new(), brokers }
    }

    /// Learns from an event.
    pub fn learn(&mut self, event: &Event) {
        let What::Fact(fact) = &event.what else { return };
        if let Fact::TopicCreated { topic, name, .. } = fact {
            self.topics.insert(*topic, name.clone());
        }
        if let (Fact::BrokerStarted { broker, .. }, Some(node)) = (fact, event.node) {
            self.brokers.insert(*broker, node.0);
        }
    }

    /// Name of a node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> String {
        self.nodes.get(usize::from(node.0)).cloned().unwrap_or_else(|| format!("node {}", node.0))
    }

    /// How many nodes there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.nodes.len()).unwrap_or(u16::MAX)
    }

    /// The broker that runs on a node, if one does.
    #[must_use]
    pub fn broker_on(&self, node: NodeId) -> Option<BrokerId> {
        self.brokers.iter().find(|(_, at)| **at == node.0).map(|(broker, _)| *broker)
    }

    /// Name of a broker.
    #[must_use]
    pub fn broker(&self, broker: BrokerId) -> String {
        self.brokers.get(&broker).map_or_else(|| format!("{broker:?}"), |node| self.node(NodeId(*node)))
    }

    /// Names of brokers, one after the other; "nobody" for none.
    #[must_use]
    pub fn brokers(&self, brokers: &[BrokerId]) -> String {
        let names: Vec<String> = brokers.iter().map(|broker| self.broker(*broker)).collect();
        if names.is_empty() { "nobody".into() } else { names.join(" ") }
    }

    /// Name of a topic, if it is known.
    #[must_use]
    pub fn topic(&self, topic: TopicId) -> Option<&str> {
        self.topics.get(&topic).map(String::as_str)
    }

    /// Name of a partition: `orders-0`.
    #[must_use]
    pub fn partition(&self, partition: PartitionId) -> String {
        match self.topics.get(&partition.topic) {
            Some(name) => format!("{name}-{}", partition.index),
            None => format!("{partition:?}"),
        }
    }

    /// Sorts partitions as people count them: `orders-2` before `orders-10`.
    #[must_use]
    pub fn order(&self, partition: PartitionId) -> (Option<&String>, PartitionId) {
        (self.topics.get(&partition.topic), partition)
    }
}

/// Kafka's name for an API key.
#[must_use]
pub fn api(key: i16) -> String {
    let name = match key {
        0 => "Produce",
        1 => "Fetch",
        2 => "ListOffsets",
        3 => "Metadata",
        8 => "OffsetCommit",
        9 => "OffsetFetch",
        10 => "FindCoordinator",
        11 => "JoinGroup",
        12 => "Heartbeat",
        13 => "LeaveGroup",
        14 => "SyncGroup",
        15 => "DescribeGroups",
        16 => "ListGroups",
        18 => "ApiVersions",
        19 => "CreateTopics",
        20 => "DeleteTopics",
        22 => "InitProducerId",
        23 => "OffsetForLeaderEpoch",
        42 => "DeleteGroups",
        47 => "OffsetDelete",
        56 => "AlterPartition",
        58 => "Envelope",
        62 => "BrokerRegistration",
        63 => "BrokerHeartbeat",
        67 => "AllocateProducerIds",
        68 => "ConsumerGroupHeartbeat",
        69 => "ConsumerGroupDescribe",
        _ => return format!("API {key}"),
    };
    name.to_string()
}

/// A moment as people say it.
#[must_use]
pub fn moment(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let millis = nanos % 1_000_000_000 / 1_000_000;
    match seconds {
        0..3600 => format!("{seconds}.{millis:03} s"),
        3600..86_400 => format!("{}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        _ => format!("day {}, {}:{:02}:{:02}", seconds / 86_400 + 1, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60),
    }
}

/// A length of time as people say it.
#[must_use]
pub fn length(nanos: u64) -> String {
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        1_000_000_000..120_000_000_000 => {
            format!("{}.{} s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 100_000_000)
        }
        120_000_000_000..7_200_000_000_000 => format!("{} min", nanos / 60_000_000_000),
        _ => format!("{} h", nanos / 3_600_000_000_000),
    }
}

/// A number with thin groups of three, so that offsets of a long run can be read.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_moments_and_lengths_are_readable() {
        assert_eq!((number(7), number(1298), number(1_000_000)), ("7".into(), "1,298".into(), "1,000,000".into()));
        assert_eq!(moment(8_013_000_000), "8.013 s");
        assert_eq!(moment(3_661_500_000_000), "1:01:01.500");
        assert_eq!(moment(2 * 86_400_000_000_000), "day 3, 0:00:00");
        assert_eq!((length(1_500_000_000), length(20_000_000)), ("1.5 s".into(), "20 ms".into()));
    }

    #[test]
    fn what_was_never_named_is_named_by_its_number() {
        let names = Names::new(&["b1".into()]);
        assert_eq!(names.node(NodeId(7)), "node 7");
        assert_eq!(names.broker(BrokerId(1)), "b1");
        assert_eq!(names.broker(BrokerId(9)), "b9");
        assert_eq!(names.brokers(&[]), "nobody");
        assert_eq!(api(-1), "API -1");
    }
}
