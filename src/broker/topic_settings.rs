//! What holds for the partitions of a topic: its own properties where they are set, the broker's where they are not.

use crate::controller::TopicConfig;
use crate::log::{CompactionConfig, LogConfig};
use crate::replica::Settings;
use crate::types::Duration;

use super::config::BrokerConfig;

/// How a replica of the topic replicates.
pub(super) fn replica_settings(broker: &BrokerConfig, topic: &TopicConfig) -> Settings {
    let min_isr = if is_set(topic, "min.insync.replicas") { topic.min_isr() } else { broker.min_insync_replicas };
    Settings {
        replica_lag_max: broker.replica_lag_time_max,
        min_isr,
        flush_each_batch: flush_messages(broker, topic) == 1,
        mutants: broker.mutants,
    }
}

/// How its log is kept.
pub(super) fn log_config(broker: &BrokerConfig, topic: &TopicConfig) -> LogConfig {
    let (retention_age_max, retention_bytes_max) = retention(broker, topic);
    LogConfig {
        segment_bytes_max: either(topic, "segment.bytes", |topic| clamp(topic.segment_bytes()), broker.log_segment_bytes),
        segment_age_max: roll_age(broker, topic),
        index_interval_bytes: clamp(topic.index_interval_bytes()),
        flush_messages: Some(flush_messages(broker, topic)).filter(|messages| *messages < i64::MAX as u64),
        producer_expiration: broker.producer_expiration,
        message_bytes_max: either(
            topic,
            "max.message.bytes",
            |topic| clamp(topic.max_message_bytes() as u64),
            broker.message_max_bytes,
        ),
        log_append_time: topic.log_append_time(),
        compaction: topic.compacts().then(|| compaction(broker, topic)),
        // A topic that says how it is cleaned may have been compacted before. Its leader's log has gaps then.
        gaps_legal: topic.compacts() || is_set(topic, "cleanup.policy"),
        timestamp_behind_max: either(
            topic,
            "message.timestamp.before.max.ms",
            |topic| millis(topic.timestamp_before_ms()),
            broker.timestamp_behind_max,
        ),
        timestamp_ahead_max: either(
            topic,
            "message.timestamp.after.max.ms",
            |topic| millis(topic.timestamp_after_ms()),
            broker.timestamp_ahead_max,
        ),
        retention_age_max,
        retention_bytes_max,
        mutants: broker.mutants,
        ..LogConfig::default()
    }
}

/// When a compacted topic is cleaned.
fn compaction(broker: &BrokerConfig, topic: &TopicConfig) -> CompactionConfig {
    CompactionConfig {
        dirty_permille_min: topic.min_cleanable_dirty_permille(),
        lag_min: millis(topic.min_compaction_lag_ms()),
        lag_max: millis(topic.max_compaction_lag_ms()),
        tombstone_retention: millis(topic.delete_retention_ms()),
        map_bytes_max: broker.cleaner_buffer_bytes as usize,
    }
}

/// Age of its first record at which a segment is closed. One that is written to is not compacted, so the bound of a compacted topic counts too.
fn roll_age(broker: &BrokerConfig, topic: &TopicConfig) -> Duration {
    let own = either(topic, "segment.ms", |topic| millis(topic.segment_ms()), broker.log_roll_age);
    if topic.compacts() { own.min(millis(topic.max_compaction_lag_ms())) } else { own }
}

/// Age and size that retention allows. A topic that is only compacted keeps everything.
fn retention(broker: &BrokerConfig, topic: &TopicConfig) -> (Option<Duration>, Option<u64>) {
    if !topic.deletes() {
        return (None, None);
    }
    let age = either(topic, "retention.ms", |topic| topic.retention_ms().map(millis), broker.log_retention_age);
    (age, either(topic, "retention.bytes", TopicConfig::retention_bytes, broker.log_retention_bytes))
}

fn either<T>(topic: &TopicConfig, name: &str, own: impl FnOnce(&TopicConfig) -> T, otherwise: T) -> T {
    if is_set(topic, name) { own(topic) } else { otherwise }
}

/// How a log is kept of whose topic nothing is known yet.
pub(super) fn default_log_config(broker: &BrokerConfig) -> LogConfig {
    log_config(broker, &TopicConfig::default())
}

fn flush_messages(broker: &BrokerConfig, topic: &TopicConfig) -> u64 {
    if is_set(topic, "flush.messages") { topic.flush_messages() } else { broker.log_flush_interval_messages }
}

fn is_set(topic: &TopicConfig, name: &str) -> bool {
    topic.iter().any(|(set, _)| set == name)
}

/// A property may say more milliseconds than a span can hold: then it is the longest there is.
fn millis(millis: u64) -> Duration {
    Duration::millis(1).times(millis)
}

fn clamp(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::{Address, BrokerId};

    #[test]
    fn what_kafka_allows_fits_into_a_span() {
        let longest = i64::MAX.to_string();
        let names = ["segment.ms", "retention.ms", "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"];
        let topic = TopicConfig::checked(names.map(|name| (name, Some(longest.as_str())))).unwrap();
        let (listen, controller) = (Address::new("b1", 9092), Address::new("c1", 9092));
        let config = log_config(&BrokerConfig::new(BrokerId(1), "lab", 0, listen, controller), &topic);
        assert_eq!((config.segment_age_max, config.retention_age_max), (Duration(u64::MAX), Some(Duration(u64::MAX))));
    }

    #[test]
    fn a_compacted_topic_says_when_it_is_cleaned() {
        let (listen, controller) = (Address::new("b1", 9092), Address::new("c1", 9092));
        let broker = BrokerConfig::new(BrokerId(1), "lab", 0, listen, controller);
        let set = [
            ("cleanup.policy", Some("compact,delete")),
            ("min.cleanable.dirty.ratio", Some("0.01")),
            ("max.compaction.lag.ms", Some("60000")),
            ("delete.retention.ms", Some("5000")),
        ];
        let config = log_config(&broker, &TopicConfig::checked(set).unwrap());
        let compaction = config.compaction.unwrap();
        assert_eq!((compaction.dirty_permille_min, compaction.tombstone_retention), (10, Duration::secs(5)));
        assert_eq!((config.segment_age_max, compaction.lag_max), (Duration::secs(60), Duration::secs(60)));
        let plain = log_config(&broker, &TopicConfig::default());
        assert!(plain.compaction.is_none() && !plain.gaps_legal);
    }

    #[test]
    fn a_topic_that_is_only_compacted_keeps_everything() {
        let (listen, controller) = (Address::new("b1", 9092), Address::new("c1", 9092));
        let broker = BrokerConfig::new(BrokerId(1), "lab", 0, listen, controller);
        let topic = TopicConfig::checked([("cleanup.policy", Some("compact")), ("retention.bytes", Some("1"))]).unwrap();
        assert_eq!(retention(&broker, &topic), (None, None));
        assert_eq!(retention(&broker, &TopicConfig::default()), (Some(Duration::secs(7 * 24 * 3600)), None));
    }
}
