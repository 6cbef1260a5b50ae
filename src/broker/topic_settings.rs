//! What holds for the partitions of a topic: its own properties where they are set, the broker's where they are not.

use crate::controller::TopicConfig;
use crate::log::LogConfig;
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
    let segment_bytes = if is_set(topic, "segment.bytes") { clamp(topic.segment_bytes()) } else { broker.log_segment_bytes };
    let message_bytes =
        if is_set(topic, "max.message.bytes") { clamp(topic.max_message_bytes() as u64) } else { broker.message_max_bytes };
    LogConfig {
        segment_bytes_max: segment_bytes,
        segment_age_max: Duration::millis(topic.segment_ms()),
        index_interval_bytes: clamp(topic.index_interval_bytes()),
        flush_messages: Some(flush_messages(broker, topic)).filter(|messages| *messages < i64::MAX as u64),
        message_bytes_max: message_bytes,
        retention_age_max: topic.retention_ms().map(Duration::millis),
        retention_bytes_max: topic.retention_bytes(),
        mutants: broker.mutants,
        ..LogConfig::default()
    }
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

fn clamp(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
