//! Kafka's property names that the laboratory knows, and the values that they take.
//!
//! A property that nobody reads would be worse than an error: the student believes to have configured something.

/// A property of Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's own name.
    pub name: &'static str,
    /// What it may be.
    pub form: Form,
    /// One line.
    pub about: &'static str,
}

/// What a property may be.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A whole number between two bounds.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const fn number(name: &'static str, low: i64, high: i64, about: &'static str) -> Property {
    Property { name, form: Form::Number(low, high), about }
}

const fn flag(name: &'static str, about: &'static str) -> Property {
    Property { name, form: Form::Flag, about }
}

const fn words(name: &'static str, words: &'static [&'static str], about: &'static str) -> Property {
    Property { name, form: Form::OneOf(words), about }
}

const DAY_MS: i64 = 86_400_000;
const ANY: i64 = i64::MAX;
/// Fractions that a scenario may ask for.
const RATIOS: &[&str] = &["0", "0.01", "0.1", "0.2", "0.3", "0.5", "0.7", "0.9", "1"];

/// Of a topic.
pub const TOPIC: &[Property] = &[
    number("min.insync.replicas", 1, 100, "acks=all needs at least so many replicas in the ISR"),
    flag("unclean.leader.election.enable", "a replica outside the ISR may lead when nothing else is left: loses records"),
    number("flush.messages", 1, ANY, "records between two flushes; 1: what is acknowledged is on the medium"),
    number("segment.bytes", 1024, 1 << 30, "size at which a new segment is begun"),
    number("segment.ms", 1, ANY, "age of its first record at which a new segment is begun"),
    number("retention.ms", -1, ANY, "age at which segments are given up; -1: never"),
    number("retention.bytes", -1, ANY, "size above which the oldest segments are given up; -1: no bound"),
    words("cleanup.policy", &["delete", "compact", "compact,delete"], "what becomes of old records"),
    words("min.cleanable.dirty.ratio", RATIOS, "a log is compacted when so much of it is not clean"),
    number("min.compaction.lag.ms", 0, ANY, "age that a record must have before it is compacted"),
    number("max.compaction.lag.ms", 1, ANY, "age at which a record is compacted in any case"),
    number("delete.retention.ms", 0, ANY, "time that a tombstone stays"),
    number("message.timestamp.before.max.ms", 0, ANY, "how far in the past a record may be dated"),
    number("message.timestamp.after.max.ms", 0, ANY, "how far in the future a record may be dated"),
    number("max.message.bytes", 0, 1 << 30, "largest record batch"),
];

/// Of brokers and controllers.
pub const CLUSTER: &[Property] = &[
    number("broker.session.timeout.ms", 1, DAY_MS, "a broker silent for so long is fenced"),
    number("broker.heartbeat.interval.ms", 1, DAY_MS, "time between two heartbeats"),
    number("replica.lag.time.max.ms", 1, DAY_MS, "a follower that has not caught up for so long leaves the ISR"),
    number("replica.fetch.wait.max.ms", 1, DAY_MS, "longest wait of a follower's fetch"),
    number("replica.fetch.min.bytes", 1, 1 << 30, "a follower's fetch waits for so much"),
    number("replica.fetch.max.bytes", 1, 1 << 30, "most bytes per partition in a follower's fetch"),
    number("replica.fetch.response.max.bytes", 1, 1 << 30, "most bytes in a follower's fetch"),
    number("replica.fetch.backoff.ms", 1, DAY_MS, "pause after a failed fetch"),
    number("replica.high.watermark.checkpoint.interval.ms", 1, DAY_MS, "time between two checkpoints of the high watermark"),
    number("log.flush.offset.checkpoint.interval.ms", 1, DAY_MS, "time between two checkpoints of the recovery point"),
    number("log.flush.interval.messages", 1, ANY, "default of flush.messages"),
    number("log.cleaner.backoff.ms", 1, DAY_MS, "rest of the cleaner when there is nothing to compact"),
    number("log.cleaner.dedupe.buffer.size", 1, 2_147_483_647, "bytes that the keys of one log may take while it is compacted"),
    number("log.retention.check.interval.ms", 1, DAY_MS, "time between two looks for what retention gives up"),
    number("log.retention.ms", -1, ANY, "default of retention.ms"),
    number("log.retention.bytes", -1, ANY, "default of retention.bytes"),
    number("log.roll.ms", 1, ANY, "default of segment.ms"),
    number("log.message.timestamp.before.max.ms", 0, ANY, "default of message.timestamp.before.max.ms"),
    number("log.message.timestamp.after.max.ms", 0, ANY, "default of message.timestamp.after.max.ms"),
    number("producer.id.expiration.ms", 1, DAY_MS, "a producer that has not written for so long is forgotten"),
    flag("auto.leader.rebalance.enable", "leaderships are given back to the preferred leaders"),
    number("leader.imbalance.check.interval.seconds", 1, 86_400, "time between two looks at the balance of leaders"),
    number("leader.imbalance.per.broker.percentage", 0, 100, "how many of a broker's preferred partitions others may lead"),
    number("log.segment.bytes", 1024, 1 << 30, "default of segment.bytes"),
    number("message.max.bytes", 1, 1 << 30, "default of max.message.bytes"),
    number("min.insync.replicas", 1, 100, "default for topics"),
    flag("unclean.leader.election.enable", "default for topics"),
    number("default.replication.factor", 1, 100, "replicas of a topic that does not say"),
    number("num.partitions", 1, 64, "partitions of a topic that does not say"),
    flag("auto.create.topics.enable", "create topics on first use"),
    number("fetch.max.bytes", 1, 1 << 30, "most bytes in any fetch"),
    number("group.consumer.heartbeat.interval.ms", 1, DAY_MS, "time between two heartbeats of a member of the newer protocol"),
    number(
        "group.consumer.session.timeout.ms",
        1,
        DAY_MS,
        "a member of the newer protocol that is silent for so long is removed",
    ),
    number("group.initial.rebalance.delay.ms", 0, DAY_MS, "the first rebalance of a group waits so long for more members"),
    number("group.max.session.timeout.ms", 1, DAY_MS, "longest session that a member may ask for"),
    number("group.max.size", 1, i32::MAX as i64, "most members of a group"),
    number("group.min.session.timeout.ms", 1, DAY_MS, "shortest session that a member may ask for"),
    number("offset.metadata.max.bytes", 1, 1 << 30, "most bytes that a client may store beside an offset"),
    number("offsets.commit.timeout.ms", 1, DAY_MS, "an answer does not wait longer for its offsets to be committed"),
    number("offsets.retention.check.interval.ms", 1, DAY_MS, "time between two looks for offsets that have expired"),
    number("offsets.retention.minutes", 1, i32::MAX as i64, "how long offsets outlive their group's last member"),
    number("offsets.topic.num.partitions", 1, 64, "partitions of __consumer_offsets"),
    number("offsets.topic.replication.factor", 1, 100, "replicas of __consumer_offsets"),
    number("offsets.topic.segment.bytes", 1024, 1 << 30, "segment.bytes of __consumer_offsets"),
    number("request.timeout.ms", 1, DAY_MS, "longest wait of a request between brokers"),
    number("controlled.shutdown.timeout.ms", 1, DAY_MS, "a shutdown does not wait longer for its leaders to be moved"),
];

/// Of a producer.
pub const PRODUCER: &[Property] = &[
    words("acks", &["all", "-1", "0", "1"], "whose append is waited for"),
    flag("enable.idempotence", "each record once, in order, in spite of retries"),
    number("max.in.flight.requests.per.connection", 1, 100, "requests sent before the first is answered"),
    number("linger.ms", 0, DAY_MS, "wait for more records to send together"),
    number("batch.size", 0, 1 << 24, "largest batch in bytes"),
    number("delivery.timeout.ms", 1, DAY_MS, "a record is given up after so long"),
    number("retries", 0, i32::MAX as i64, "attempts after the first"),
    REQUEST_TIMEOUT,
    RETRY_BACKOFF,
    RETRY_BACKOFF_MAX,
    RECONNECT_BACKOFF,
    RECONNECT_BACKOFF_MAX,
    METADATA_AGE,
];

/// What every consumer has, and more.
macro_rules! consumer_properties {
    ($($more:expr),* $(,)?) => {
        &[
            words("auto.offset.reset", &["earliest", "latest", "none"], "where to go on when the position is gone"),
            words("isolation.level", &["read_uncommitted", "read_committed"], "whether records of open transactions are shown"),
            number("fetch.max.wait.ms", 0, DAY_MS, "longest wait of a fetch"),
            number("fetch.min.bytes", 0, 1 << 30, "a fetch waits for so much"),
            number("fetch.max.bytes", 0, 1 << 30, "most bytes in a fetch"),
            number("max.partition.fetch.bytes", 0, 1 << 30, "most bytes per partition in a fetch"),
            number("max.poll.records", 1, 1 << 20, "most records in a poll"),
            number("default.api.timeout.ms", 0, DAY_MS, "a call is given up after so long"),
            REQUEST_TIMEOUT,
            RETRY_BACKOFF,
            RETRY_BACKOFF_MAX,
            RECONNECT_BACKOFF,
            RECONNECT_BACKOFF_MAX,
            METADATA_AGE,
            $($more),*
        ]
    };
}

/// Of a consumer.
pub const CONSUMER: &[Property] = consumer_properties!();

/// Of a member of a group. `group.id`, `group.instance.id` and `enable.auto.commit` follow from the rest of its table.
pub const MEMBER: &[Property] = consumer_properties!(
    words(
        "group.protocol",
        &["classic", "consumer"],
        "who shares out: a member (classic), or the coordinator (consumer, KIP-848)"
    ),
    words("group.remote.assignor", &["uniform", "range"], "how the coordinator shares out, with the protocol consumer"),
    number("session.timeout.ms", 1, DAY_MS, "a member silent for so long is removed"),
    number("heartbeat.interval.ms", 1, DAY_MS, "time between two heartbeats"),
    number("max.poll.interval.ms", 1, DAY_MS, "a member that does not poll for so long leaves; a rebalance waits for it so long"),
    number("auto.commit.interval.ms", 0, DAY_MS, "time between two commits of the client itself"),
    words(
        "partition.assignment.strategy",
        &["range", "roundrobin", "sticky", "cooperative-sticky"],
        "who shares out; the last lets members keep what does not move",
    ),
);

const REQUEST_TIMEOUT: Property = number("request.timeout.ms", 1, DAY_MS, "a request is given up after so long");
const RETRY_BACKOFF: Property = number("retry.backoff.ms", 0, DAY_MS, "pause before a retry");
const RETRY_BACKOFF_MAX: Property = number("retry.backoff.max.ms", 0, DAY_MS, "longest pause before a retry");
const RECONNECT_BACKOFF: Property = number("reconnect.backoff.ms", 0, DAY_MS, "pause before connecting again");
const RECONNECT_BACKOFF_MAX: Property = number("reconnect.backoff.max.ms", 0, DAY_MS, "longest pause before connecting again");
const METADATA_AGE: Property = number("metadata.max.age.ms", 0, DAY_MS, "metadata is asked for again after so long");

impl Form {
    /// Whether the property may have this value.
    #[must_use]
    pub fn allows(self, value: &str) -> bool {
        match self {
            Form::Number(low, high) => value.parse::<i64>().is_ok_and(|n| (low..=high).contains(&n)),
            Form::Flag => value == "true" || value == "false",
            Form::OneOf(words) => words.contains(&value),
        }
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Form::Number(low, i64::MAX) => format!("a whole number from {low}"),
            Form::Number(low, high) => format!("a whole number from {low} to {high}"),
            Form::Flag => "true or false".into(),
            Form::OneOf(words) => words.join(" or "),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use brokerlab::broker::BrokerConfig;
    use brokerlab::client::{ConfigError, ConsumerConfig, ProducerConfig};
    use brokerlab::controller::topic_config::TopicConfig;
    use brokerlab::types::{Address, BrokerId};

    use super::*;
    use crate::world::cast::CONTROLLER_ONLY;

    #[test]
    fn no_property_is_listed_twice() {
        for list in [TOPIC, CLUSTER, PRODUCER, CONSUMER, MEMBER] {
            let mut names: Vec<_> = list.iter().map(|property| property.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }

    /// The extremes of a property, one at a time.
    fn extremes(list: &[Property]) -> impl Iterator<Item = BTreeMap<String, String>> {
        list.iter().flat_map(|property| {
            let values = match property.form {
                Form::Number(low, high) => vec![low.to_string(), high.to_string()],
                Form::Flag => vec!["true".into(), "false".into()],
                Form::OneOf(words) => words.iter().map(ToString::to_string).collect(),
            };
            values.into_iter().map(|value| BTreeMap::from([(property.name.to_string(), value)]))
        })
    }

    #[test]
    fn whatever_is_allowed_here_the_actors_understand() {
        let of_brokers = |config: &BTreeMap<String, String>| config.keys().all(|key| !CONTROLLER_ONLY.contains(&key.as_str()));
        for config in extremes(CLUSTER).filter(of_brokers) {
            let listen = || Address::new("b1", 9092);
            BrokerConfig::from_properties(BrokerId(1), "lab", 0, listen(), listen(), &config).unwrap();
        }
        for config in extremes(TOPIC) {
            TopicConfig::checked(config.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())))).unwrap();
        }
        for config in extremes(CONSUMER) {
            ConsumerConfig::from_properties(&config).unwrap();
        }
        for mut config in extremes(MEMBER) {
            config.insert("group.id".into(), "g".into());
            let result = ConsumerConfig::from_properties(&config);
            assert!(matches!(result, Ok(_) | Err(ConfigError::Conflict { .. })), "{result:?}");
        }
        for config in extremes(PRODUCER) {
            let result = ProducerConfig::from_properties(&config);
            assert!(matches!(result, Ok(_) | Err(ConfigError::Conflict { .. })), "{result:?}");
        }
    }

    #[test]
    fn values_are_checked() {
        let allows = |list: &[Property], name, value| list.iter().any(|p| p.name == name && p.form.allows(value));
        assert!(allows(PRODUCER, "acks", "all") && !allows(PRODUCER, "acks", "most"));
        assert!(allows(TOPIC, "min.insync.replicas", "2") && !allows(TOPIC, "min.insync.replicas", "0"));
        assert!(!allows(TOPIC, "unclean.leader.election.enable", "yes"));
    }
}
