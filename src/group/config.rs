//! What the operator configures about groups, by Kafka's names and with Kafka's defaults.

use crate::mutant::Mutants;
use crate::types::Duration;

/// What holds for all groups of a broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupConfig {
    /// Shortest session that a member may ask for (`group.min.session.timeout.ms`).
    pub session_timeout_min: Duration,
    /// Longest session that a member may ask for (`group.max.session.timeout.ms`).
    pub session_timeout_max: Duration,
    /// How long the first rebalance of a group waits for more members (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// Most members of a group (`group.max.size`).
    pub members_max: usize,
    /// Most bytes of what a client stores beside an offset (`offset.metadata.max.bytes`).
    pub metadata_bytes_max: usize,
    /// Session of members of the newer protocol (`group.consumer.session.timeout.ms`).
    pub consumer_session_timeout: Duration,
    /// How often they are to send heartbeats (`group.consumer.heartbeat.interval.ms`).
    pub consumer_heartbeat_interval: Duration,
    /// How long an answer waits for its records to be committed (`offsets.commit.timeout.ms`).
    pub commit_timeout: Duration,
    /// How long offsets outlive their group's last member (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// How often is looked for offsets to forget (`offsets.retention.check.interval.ms`).
    pub retention_check_interval: Duration,
    /// Planted bugs.
    pub mutants: Mutants,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
            session_timeout_min: Duration::secs(6),
            session_timeout_max: Duration::secs(30 * 60),
            initial_rebalance_delay: Duration::secs(3),
            members_max: i32::MAX as usize,
            metadata_bytes_max: 4096,
            consumer_session_timeout: Duration::secs(45),
            consumer_heartbeat_interval: Duration::secs(5),
            commit_timeout: Duration::secs(5),
            offsets_retention: Duration::secs(7 * 24 * 3600),
            retention_check_interval: Duration::secs(10 * 60),
            mutants: Mutants::none(),
        }
    }
}
