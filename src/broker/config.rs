//! What a broker is told before it is born: who it is, where its controller listens, and Kafka's own properties.
//!
//! Properties keep Kafka's names, units and defaults, so that a `server.properties` reads the same here. A wrong one is refused with the
//! key, the value and what would have been allowed; an unknown one likewise, because a misspelt `min.insync.replicas` that is silently
//! ignored costs data.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::group::GroupConfig;
use crate::mutant::Mutants;
use crate::types::{Address, BrokerId, Duration};

/// Everything that is fixed for the life of a broker process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BrokerConfig {
    /// `node.id`.
    pub id: BrokerId,
    /// The cluster this broker belongs to; the controller and the data directory must agree.
    pub cluster_id: String,
    /// Decides what chance decides: the incarnation id, and the directory id of an empty data directory.
    pub seed: u64,
    /// Where clients and other brokers reach this broker.
    pub listen: Address,
    /// Where the controller listens.
    pub controller: Address,
    /// How often the controller hears from us (`broker.heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// After how long a silence the controller fences us (`broker.session.timeout.ms`); no request to it may take longer.
    pub session_timeout: Duration,
    /// How long a follower may lag and stay in the ISR (`replica.lag.time.max.ms`).
    pub replica_lag_time_max: Duration,
    /// How long a leader may park a follower's fetch (`replica.fetch.wait.max.ms`).
    pub replica_fetch_wait_max: Duration,
    /// Fewest bytes a follower waits for (`replica.fetch.min.bytes`).
    pub replica_fetch_min_bytes: i32,
    /// Most bytes of one partition in a follower's fetch (`replica.fetch.max.bytes`).
    pub replica_fetch_max_bytes: i32,
    /// Most bytes in the whole answer to a follower's fetch (`replica.fetch.response.max.bytes`).
    pub replica_fetch_response_max_bytes: i32,
    /// Pause of one partition after an error (`replica.fetch.backoff.ms`).
    pub replica_fetch_backoff: Duration,
    /// How often high watermarks are written down (`replica.high.watermark.checkpoint.interval.ms`).
    pub high_watermark_checkpoint_interval: Duration,
    /// How often recovery points and log starts are written down (`log.flush.offset.checkpoint.interval.ms`).
    pub recovery_point_checkpoint_interval: Duration,
    /// Size at which a segment is closed and another begun (`log.segment.bytes`), unless the topic says otherwise.
    pub log_segment_bytes: u32,
    /// Records after which a log is flushed (`log.flush.interval.messages`), unless the topic says otherwise.
    pub log_flush_interval_messages: u64,
    /// How often is looked for what retention gives up (`log.retention.check.interval.ms`).
    pub retention_check_interval: Duration,
    /// How long the cleaner rests when there is nothing to compact (`log.cleaner.backoff.ms`).
    pub cleaner_backoff: Duration,
    /// Bytes that the offset map of one log may take while it is compacted (`log.cleaner.dedupe.buffer.size`).
    pub cleaner_buffer_bytes: u32,
    /// Age at which segments are given up, unless the topic says otherwise (`log.retention.ms`); `None`: kept for ever.
    pub log_retention_age: Option<Duration>,
    /// Size of a log above which its oldest segments are given up, unless the topic says otherwise (`log.retention.bytes`);
    /// `None`: no bound.
    pub log_retention_bytes: Option<u64>,
    /// Age of its first record at which a segment is closed, unless the topic says otherwise (`log.roll.ms`).
    pub log_roll_age: Duration,
    /// How far in the past a record may be dated, unless the topic says otherwise (`log.message.timestamp.before.max.ms`).
    pub timestamp_behind_max: Duration,
    /// How far in the future a record may be dated, unless the topic says otherwise (`log.message.timestamp.after.max.ms`).
    pub timestamp_ahead_max: Duration,
    /// After how long a silence a producer is forgotten (`producer.id.expiration.ms`).
    pub producer_expiration: Duration,
    /// `min.insync.replicas`, unless the topic says otherwise.
    pub min_insync_replicas: u32,
    /// `unclean.leader.election.enable`, unless the topic says otherwise.
    pub unclean_leader_election: bool,
    /// Largest batch accepted (`message.max.bytes`), unless the topic says otherwise.
    pub message_max_bytes: u32,
    /// Partitions of a topic created on demand (`num.partitions`).
    pub num_partitions: i32,
    /// Replicas of a topic created on demand (`default.replication.factor`).
    pub default_replication_factor: i16,
    /// Whether asking for a topic's metadata may create it (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Most bytes in one answer to a consumer (`fetch.max.bytes`).
    pub fetch_max_bytes: i32,
    /// How long a request to another node may take (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// What holds for groups (`group.*`, `offset.metadata.max.bytes`, `offsets.retention.*`, `offsets.commit.timeout.ms`).
    pub groups: GroupConfig,
    /// Partitions of `__consumer_offsets` when it is created (`offsets.topic.num.partitions`).
    pub offsets_topic_partitions: i32,
    /// Replicas of it (`offsets.topic.replication.factor`).
    pub offsets_topic_replication_factor: i16,
    /// Size of its segments (`offsets.topic.segment.bytes`).
    pub offsets_topic_segment_bytes: u32,
    /// How long a controlled shutdown waits for the controller to move leaderships away.
    pub controlled_shutdown_timeout: Duration,
    /// What the data directory is called when people ask (`log.dirs`).
    pub log_dir: String,
    /// The bug planted in this broker, if any.
    pub mutants: Mutants,
}

/// Why a property is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConfigError {
    /// The value does not fit.
    #[error("{key}={value}: allowed is {allowed}")]
    Value {
        /// The property.
        key: String,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// No such property.
    #[error("{key}: not a property of a broker; known are {known}")]
    Unknown {
        /// The property.
        key: String,
        /// All there are.
        known: String,
    },
}

/// Takes one property into the configuration; `Err` says what is allowed.
type Setter = fn(&mut BrokerConfig, &str) -> Result<(), &'static str>;

const MILLISECONDS: &str = "a number of milliseconds from 1 to 2147483647";
const BYTES: &str = "a number of bytes from 1 to 2147483647";
const COUNT: &str = "a number from 1 to 32767";
const BOOLEAN: &str = "true or false";

/// The properties, in order of their names.
const PROPERTIES: &[(&str, Setter)] = &[
    ("auto.create.topics.enable", |c, v| boolean(v).map(|b| c.auto_create_topics = b)),
    ("broker.heartbeat.interval.ms", |c, v| millis(v).map(|d| c.heartbeat_interval = d)),
    ("broker.session.timeout.ms", |c, v| millis(v).map(|d| c.session_timeout = d)),
    ("controlled.shutdown.timeout.ms", |c, v| millis(v).map(|d| c.controlled_shutdown_timeout = d)),
    ("default.replication.factor", |c, v| number(v, 1, 32_767, COUNT).map(|n| c.default_replication_factor = n as i16)),
    ("fetch.max.bytes", |c, v| bytes(v).map(|n| c.fetch_max_bytes = n as i32)),
    ("group.initial.rebalance.delay.ms", |c, v| delay(v).map(|d| c.groups.initial_rebalance_delay = d)),
    ("group.max.session.timeout.ms", |c, v| millis(v).map(|d| c.groups.session_timeout_max = d)),
    ("group.max.size", |c, v| {
        number(v, 1, i64::from(i32::MAX), "a number of members from 1 on").map(|n| c.groups.members_max = n as usize)
    }),
    ("group.min.session.timeout.ms", |c, v| millis(v).map(|d| c.groups.session_timeout_min = d)),
    ("log.cleaner.backoff.ms", |c, v| millis(v).map(|d| c.cleaner_backoff = d)),
    ("log.cleaner.dedupe.buffer.size", |c, v| bytes(v).map(|n| c.cleaner_buffer_bytes = n)),
    ("log.flush.interval.messages", |c, v| {
        number(v, 1, i64::MAX, "a number of records from 1 on").map(|n| c.log_flush_interval_messages = n as u64)
    }),
    ("log.flush.offset.checkpoint.interval.ms", |c, v| millis(v).map(|d| c.recovery_point_checkpoint_interval = d)),
    ("log.message.timestamp.after.max.ms", |c, v| long(v, 0).map(|n| c.timestamp_ahead_max = age(n))),
    ("log.message.timestamp.before.max.ms", |c, v| long(v, 0).map(|n| c.timestamp_behind_max = age(n))),
    ("log.retention.bytes", |c, v| long(v, -1).map(|n| c.log_retention_bytes = u64::try_from(n).ok())),
    ("log.retention.check.interval.ms", |c, v| millis(v).map(|d| c.retention_check_interval = d)),
    ("log.retention.ms", |c, v| long(v, -1).map(|n| c.log_retention_age = (n >= 0).then(|| age(n)))),
    ("log.roll.ms", |c, v| long(v, 1).map(|n| c.log_roll_age = age(n))),
    ("log.segment.bytes", |c, v| bytes(v).map(|n| c.log_segment_bytes = n)),
    ("message.max.bytes", |c, v| bytes(v).map(|n| c.message_max_bytes = n)),
    ("min.insync.replicas", |c, v| number(v, 1, 32_767, COUNT).map(|n| c.min_insync_replicas = n as u32)),
    ("num.partitions", |c, v| number(v, 1, 32_767, COUNT).map(|n| c.num_partitions = n as i32)),
    ("offset.metadata.max.bytes", |c, v| bytes(v).map(|n| c.groups.metadata_bytes_max = n as usize)),
    ("offsets.commit.timeout.ms", |c, v| millis(v).map(|d| c.groups.commit_timeout = d)),
    ("offsets.retention.check.interval.ms", |c, v| millis(v).map(|d| c.groups.retention_check_interval = d)),
    ("offsets.retention.minutes", |c, v| {
        let allowed = "a number of minutes from 1 to 2147483647";
        number(v, 1, i64::from(i32::MAX), allowed).map(|n| c.groups.offsets_retention = Duration::secs(60).times(n as u64))
    }),
    ("offsets.topic.num.partitions", |c, v| {
        number(v, 1, 10_000, "a number from 1 to 10000").map(|n| c.offsets_topic_partitions = n as i32)
    }),
    ("offsets.topic.replication.factor", |c, v| {
        number(v, 1, 32_767, COUNT).map(|n| c.offsets_topic_replication_factor = n as i16)
    }),
    ("offsets.topic.segment.bytes", |c, v| bytes(v).map(|n| c.offsets_topic_segment_bytes = n)),
    ("producer.id.expiration.ms", |c, v| millis(v).map(|d| c.producer_expiration = d)),
    ("replica.fetch.backoff.ms", |c, v| millis(v).map(|d| c.replica_fetch_backoff = d)),
    ("replica.fetch.max.bytes", |c, v| bytes(v).map(|n| c.replica_fetch_max_bytes = n as i32)),
    ("replica.fetch.min.bytes", |c, v| bytes(v).map(|n| c.replica_fetch_min_bytes = n as i32)),
    ("replica.fetch.response.max.bytes", |c, v| bytes(v).map(|n| c.replica_fetch_response_max_bytes = n as i32)),
    ("replica.fetch.wait.max.ms", |c, v| millis(v).map(|d| c.replica_fetch_wait_max = d)),
    ("replica.high.watermark.checkpoint.interval.ms", |c, v| millis(v).map(|d| c.high_watermark_checkpoint_interval = d)),
    ("replica.lag.time.max.ms", |c, v| millis(v).map(|d| c.replica_lag_time_max = d)),
    ("request.timeout.ms", |c, v| millis(v).map(|d| c.request_timeout = d)),
    ("unclean.leader.election.enable", |c, v| boolean(v).map(|b| c.unclean_leader_election = b)),
];

impl BrokerConfig {
    /// A broker with Kafka's defaults.
    #[must_use]
    pub fn new(id: BrokerId, cluster_id: &str, seed: u64, listen: Address, controller: Address) -> BrokerConfig {
        BrokerConfig {
            id,
            cluster_id: cluster_id.to_owned(),
            seed,
            listen,
            controller,
            heartbeat_interval: Duration::secs(2),
            session_timeout: Duration::secs(9),
            replica_lag_time_max: Duration::secs(30),
            replica_fetch_wait_max: Duration::millis(500),
            replica_fetch_min_bytes: 1,
            replica_fetch_max_bytes: 1 << 20,
            replica_fetch_response_max_bytes: 10 << 20,
            replica_fetch_backoff: Duration::secs(1),
            high_watermark_checkpoint_interval: Duration::secs(5),
            recovery_point_checkpoint_interval: Duration::secs(60),
            log_segment_bytes: 1 << 30,
            log_flush_interval_messages: i64::MAX as u64,
            retention_check_interval: Duration::secs(5 * 60),
            cleaner_backoff: Duration::secs(15),
            cleaner_buffer_bytes: 128 << 20,
            log_retention_age: Some(Duration::secs(7 * 24 * 3600)),
            log_retention_bytes: None,
            log_roll_age: Duration::secs(7 * 24 * 3600),
            timestamp_behind_max: Duration(u64::MAX),
            timestamp_ahead_max: Duration::secs(3600),
            producer_expiration: Duration::secs(24 * 3600),
            min_insync_replicas: 1,
            unclean_leader_election: false,
            message_max_bytes: 1_048_588,
            num_partitions: 1,
            default_replication_factor: 1,
            auto_create_topics: true,
            fetch_max_bytes: 55 << 20,
            request_timeout: Duration::secs(30),
            groups: GroupConfig::default(),
            offsets_topic_partitions: 50,
            offsets_topic_replication_factor: 3,
            offsets_topic_segment_bytes: 100 << 20,
            controlled_shutdown_timeout: Duration::secs(30),
            log_dir: "data".to_owned(),
            mutants: Mutants::none(),
        }
    }

    /// The names of all properties, sorted.
    #[must_use]
    pub fn properties() -> Vec<&'static str> {
        PROPERTIES.iter().map(|(name, _)| *name).collect()
    }

    /// The same broker with these properties, Kafka's names for keys.
    ///
    /// # Errors
    /// The first property, in order of names, that is unknown or has a value out of range.
    pub fn with_properties(mut self, properties: &BTreeMap<String, String>) -> Result<BrokerConfig, ConfigError> {
        for (key, value) in properties {
            let position = PROPERTIES.binary_search_by(|(known, _)| (*known).cmp(key.as_str()));
            let (_, set) = position.map(|at| PROPERTIES[at]).map_err(|_| unknown(key))?;
            let refused = |allowed| ConfigError::Value { key: key.clone(), value: value.clone(), allowed };
            set(&mut self, value).map_err(refused)?;
        }
        Ok(self)
    }

    /// A broker as its properties say.
    ///
    /// # Errors
    /// As [`BrokerConfig::with_properties`].
    pub fn from_properties(
        id: BrokerId,
        cluster_id: &str,
        seed: u64,
        listen: Address,
        controller: Address,
        properties: &BTreeMap<String, String>,
    ) -> Result<BrokerConfig, ConfigError> {
        BrokerConfig::new(id, cluster_id, seed, listen, controller).with_properties(properties)
    }
}

fn unknown(key: &str) -> ConfigError {
    ConfigError::Unknown { key: key.to_owned(), known: BrokerConfig::properties().join(", ") }
}

fn number(value: &str, least: i64, most: i64, allowed: &'static str) -> Result<i64, &'static str> {
    value.trim().parse().ok().filter(|n| (least..=most).contains(n)).ok_or(allowed)
}

fn bytes(value: &str) -> Result<u32, &'static str> {
    number(value, 1, i64::from(i32::MAX), BYTES).map(|n| n as u32)
}

fn millis(value: &str) -> Result<Duration, &'static str> {
    number(value, 1, i64::from(i32::MAX), MILLISECONDS).map(Duration::from_millis_field)
}

fn delay(value: &str) -> Result<Duration, &'static str> {
    let allowed = "a number of milliseconds from 0 to 2147483647";
    number(value, 0, i64::from(i32::MAX), allowed).map(Duration::from_millis_field)
}

fn long(value: &str, least: i64) -> Result<i64, &'static str> {
    let allowed = if least < 0 { "a whole number from -1 (no bound) on" } else { "a whole number that is not negative" };
    number(value, least, i64::MAX, allowed)
}

fn age(millis: i64) -> Duration {
    Duration::from_millis_field(millis)
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    value.trim().parse().map_err(|_| BOOLEAN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> Result<BrokerConfig, ConfigError> {
        let properties = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let (listen, controller) = (Address::new("b1", 9092), Address::new("c1", 9092));
        BrokerConfig::from_properties(BrokerId(1), "lab", 0, listen, controller, &properties)
    }

    #[test]
    fn properties_are_sorted_so_that_they_are_found() {
        assert!(PROPERTIES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_property_is_taken_in_its_own_unit() {
        assert_eq!(with("replica.lag.time.max.ms", "10000").unwrap().replica_lag_time_max, Duration::secs(10));
        assert!(!with("auto.create.topics.enable", "false").unwrap().auto_create_topics);
    }

    #[test]
    fn a_wrong_value_names_key_and_what_is_allowed() {
        let error = with("min.insync.replicas", "0").unwrap_err();
        assert_eq!(error.to_string(), "min.insync.replicas=0: allowed is a number from 1 to 32767");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = with("min.insync.replica", "1").unwrap_err();
        assert!(error.to_string().starts_with("min.insync.replica: not a property of a broker; known are auto.create"));
    }
}
