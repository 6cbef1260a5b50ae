//! A broker's properties told back: what a tool sees that asks for a broker's configuration.
//!
//! The first table has one line for each property that a broker's file may set. The second one has what is fixed here, because it belongs to
//! a feature that is missing or to a choice that is not offered; tools written for Kafka look for these by name, and most are what a
//! topic's property falls back to.

use crate::controller::ValueKind;
use crate::types::Duration;

use super::config::BrokerConfig;

/// What is known of a broker's property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BrokerValue {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of the value.
    pub kind: ValueKind,
    /// The value; `None` if the file may say nothing, and then another property decides, as in Kafka (`log.retention.hours`).
    pub value: Option<String>,
    /// Whether the broker's file says so.
    pub is_set: bool,
}

/// Tells a value as it would stand in a file.
type Teller = fn(&BrokerConfig) -> String;

use ValueKind::{Boolean, Double, Int, List, Long, Short, String as Text};

/// The properties of a file, in order of names.
const SETTABLE: &[(&str, ValueKind, Teller)] = &[
    ("auto.create.topics.enable", Boolean, |c| c.auto_create_topics.to_string()),
    ("broker.heartbeat.interval.ms", Int, |c| millis(c.heartbeat_interval)),
    ("broker.session.timeout.ms", Int, |c| millis(c.session_timeout)),
    ("controlled.shutdown.timeout.ms", Int, |c| millis(c.controlled_shutdown_timeout)),
    ("default.replication.factor", Int, |c| c.default_replication_factor.to_string()),
    ("fetch.max.bytes", Int, |c| c.fetch_max_bytes.to_string()),
    ("group.initial.rebalance.delay.ms", Int, |c| millis(c.groups.initial_rebalance_delay)),
    ("group.max.session.timeout.ms", Int, |c| millis(c.groups.session_timeout_max)),
    ("group.max.size", Int, |c| c.groups.members_max.to_string()),
    ("group.min.session.timeout.ms", Int, |c| millis(c.groups.session_timeout_min)),
    ("log.cleaner.backoff.ms", Long, |c| millis(c.cleaner_backoff)),
    ("log.cleaner.dedupe.buffer.size", Long, |c| c.cleaner_buffer_bytes.to_string()),
    ("log.flush.interval.messages", Long, |c| c.log_flush_interval_messages.to_string()),
    ("log.flush.offset.checkpoint.interval.ms", Int, |c| millis(c.recovery_point_checkpoint_interval)),
    ("log.message.timestamp.after.max.ms", Long, |c| age(c.timestamp_ahead_max)),
    ("log.message.timestamp.before.max.ms", Long, |c| age(c.timestamp_behind_max)),
    ("log.retention.bytes", Long, |c| c.log_retention_bytes.map_or("-1".to_owned(), |bytes| bytes.to_string())),
    ("log.retention.check.interval.ms", Long, |c| millis(c.retention_check_interval)),
    ("log.retention.ms", Long, |c| c.log_retention_age.map_or("-1".to_owned(), age)),
    ("log.roll.ms", Long, |c| age(c.log_roll_age)),
    ("log.segment.bytes", Int, |c| c.log_segment_bytes.to_string()),
    ("message.max.bytes", Int, |c| c.message_max_bytes.to_string()),
    ("min.insync.replicas", Int, |c| c.min_insync_replicas.to_string()),
    ("num.partitions", Int, |c| c.num_partitions.to_string()),
    ("offset.metadata.max.bytes", Int, |c| c.groups.metadata_bytes_max.to_string()),
    ("offsets.commit.timeout.ms", Int, |c| millis(c.groups.commit_timeout)),
    ("offsets.retention.check.interval.ms", Long, |c| millis(c.groups.retention_check_interval)),
    ("offsets.retention.minutes", Int, |c| (c.groups.offsets_retention.as_millis() / 60_000).to_string()),
    ("offsets.topic.num.partitions", Int, |c| c.offsets_topic_partitions.to_string()),
    ("offsets.topic.replication.factor", Short, |c| c.offsets_topic_replication_factor.to_string()),
    ("offsets.topic.segment.bytes", Int, |c| c.offsets_topic_segment_bytes.to_string()),
    ("producer.id.expiration.ms", Int, |c| millis(c.producer_expiration)),
    ("replica.fetch.backoff.ms", Int, |c| millis(c.replica_fetch_backoff)),
    ("replica.fetch.max.bytes", Int, |c| c.replica_fetch_max_bytes.to_string()),
    ("replica.fetch.min.bytes", Int, |c| c.replica_fetch_min_bytes.to_string()),
    ("replica.fetch.response.max.bytes", Int, |c| c.replica_fetch_response_max_bytes.to_string()),
    ("replica.fetch.wait.max.ms", Int, |c| millis(c.replica_fetch_wait_max)),
    ("replica.high.watermark.checkpoint.interval.ms", Long, |c| millis(c.high_watermark_checkpoint_interval)),
    ("replica.lag.time.max.ms", Long, |c| millis(c.replica_lag_time_max)),
    ("request.timeout.ms", Int, |c| millis(c.request_timeout)),
    ("unclean.leader.election.enable", Boolean, |c| c.unclean_leader_election.to_string()),
];

/// Properties that Kafka leaves empty by default: then one with another unit decides.
const EMPTY_BY_DEFAULT: [&str; 4] = ["log.flush.interval.ms", "log.retention.ms", "log.roll.jitter.ms", "log.roll.ms"];

/// What is not offered, with Kafka's defaults, in order of names.
const FIXED: &[(&str, ValueKind, &str)] = &[
    ("authorizer.class.name", Text, ""),
    ("compression.gzip.level", Int, "-1"),
    ("compression.lz4.level", Int, "9"),
    ("compression.type", Text, "producer"),
    ("compression.zstd.level", Int, "3"),
    ("delete.topic.enable", Boolean, "true"),
    ("log.cleaner.delete.retention.ms", Long, "86400000"),
    ("log.cleaner.max.compaction.lag.ms", Long, "9223372036854775807"),
    ("log.cleaner.min.cleanable.ratio", Double, "0.5"),
    ("log.cleaner.min.compaction.lag.ms", Long, "0"),
    ("log.cleanup.policy", List, "delete"),
    ("log.flush.interval.ms", Long, ""),
    ("log.index.interval.bytes", Int, "4096"),
    ("log.index.size.max.bytes", Int, "10485760"),
    ("log.message.timestamp.type", Text, "CreateTime"),
    ("log.local.retention.bytes", Long, "-2"),
    ("log.local.retention.ms", Long, "-2"),
    ("log.preallocate", Boolean, "false"),
    ("log.retention.hours", Int, "168"),
    ("log.roll.hours", Int, "168"),
    ("log.roll.jitter.hours", Int, "0"),
    ("log.roll.jitter.ms", Long, ""),
    ("log.segment.delete.delay.ms", Long, "60000"),
    ("process.roles", List, "broker"),
    ("security.inter.broker.protocol", Text, "PLAINTEXT"),
];

/// What a topic's property falls back to where its name is another at the broker.
const FALLBACKS: &[(&str, &str)] = &[
    ("cleanup.policy", "log.cleanup.policy"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("local.retention.bytes", "log.local.retention.bytes"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("preallocate", "log.preallocate"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
];

/// Everything that can be told of a broker, in order of names.
pub(super) fn broker_values(config: &BrokerConfig) -> Vec<BrokerValue> {
    let usual = BrokerConfig::new(config.id, "", 0, config.listen.clone(), config.controller.clone());
    let settable = SETTABLE.iter().map(|(name, kind, tell)| {
        let value = tell(config);
        let is_set = value != tell(&usual);
        BrokerValue { name, kind: *kind, is_set, value: Some(value).filter(|_| is_set || !EMPTY_BY_DEFAULT.contains(name)) }
    });
    let fixed = FIXED.iter().map(|(name, kind, value)| {
        let value = Some(*value).filter(|_| !EMPTY_BY_DEFAULT.contains(name));
        BrokerValue { name, kind: *kind, value: value.map(str::to_owned), is_set: false }
    });
    let (id, listener) = (config.id.0.to_string(), format!("PLAINTEXT://{}", config.listen));
    let own = [
        fixed_by_start("advertised.listeners", List, listener.clone()),
        fixed_by_start("broker.id", Int, id.clone()),
        fixed_by_start("listeners", List, listener),
        fixed_by_start("log.dirs", List, config.log_dir.clone()),
        fixed_by_start("node.id", Int, id),
    ];
    let mut values: Vec<BrokerValue> = settable.chain(fixed).chain(own).collect();
    values.sort_by_key(|value| value.name);
    values
}

fn fixed_by_start(name: &'static str, kind: ValueKind, value: String) -> BrokerValue {
    BrokerValue { name, kind, value: Some(value), is_set: true }
}

/// The broker's property that a topic's property falls back to, if it has one.
pub(super) fn fallback(config: &BrokerConfig, topic_property: &str) -> Option<BrokerValue> {
    let name = FALLBACKS.iter().find(|(topic, _)| *topic == topic_property).map_or(topic_property, |(_, broker)| *broker);
    broker_values(config).into_iter().find(|value| value.name == name)
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

/// Spans that may be boundless: the largest number that a file could say.
fn age(span: Duration) -> String {
    if span == Duration(u64::MAX) { i64::MAX.to_string() } else { millis(span) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::controller::TopicConfig;
    use crate::types::{Address, BrokerId};
    use std::collections::BTreeMap;

    fn broker() -> BrokerConfig {
        BrokerConfig::new(BrokerId(1), "lab", 0, Address::new("b1", 9092), Address::new("c1", 9092))
    }

    #[test]
    fn every_property_of_a_file_is_told() {
        let told: Vec<&str> = SETTABLE.iter().map(|(name, ..)| *name).collect();
        assert_eq!(told, BrokerConfig::properties());
    }

    #[test]
    fn what_is_told_can_be_set_again_and_is_the_same() {
        let settable = |value: &BrokerValue| BrokerConfig::properties().contains(&value.name);
        let values: Vec<BrokerValue> = broker_values(&broker()).into_iter().filter(settable).collect();
        let file: BTreeMap<String, String> = values.iter().filter_map(|v| Some((v.name.to_owned(), v.value.clone()?))).collect();
        let again = broker().with_properties(&file).unwrap();
        assert_eq!(broker_values(&again).into_iter().filter(settable).collect::<Vec<_>>(), values);
        assert!(values.iter().all(|value| !value.is_set), "nothing was set");
    }

    #[test]
    fn a_topic_falls_back_to_values_that_its_own_default_agrees_with() {
        assert!(FALLBACKS.is_sorted_by(|a, b| a.0 < b.0));
        for property in TopicConfig::properties() {
            if let Some(value) = fallback(&broker(), property.name) {
                assert!(value.value.is_none_or(|value| value == property.default), "{} and {}", property.name, value.name);
            }
        }
        assert!(FALLBACKS.iter().all(|(topic, _)| fallback(&broker(), topic).is_some()));
    }
}
