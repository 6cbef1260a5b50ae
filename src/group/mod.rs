//! Group coordinator: who belongs to a consumer group, who reads what, and how far each group has come.
//!
//! The members of a group share the partitions of the topics that they subscribe to, so that each partition has one reader. They know nothing of each
//! other; what they have in common is their *coordinator*, the broker that leads the partition of `__consumer_offsets` to which the
//! group's name hashes. All that it must not forget stands in that partition, so that whoever leads it next knows the same.
//!
//! ```text
//!   "billing" ── hash ──▶ __consumer_offsets-17 ── led by b2 ──▶ b2 holds the Shard of partition 17
//!
//!   request ─▶ decide ─▶ append ─▶ replay ─▶ … high watermark reaches the end … ─▶ answer
//!               │           │         └ the only way into the durable state, the same as when the log is loaded
//!               │           └ refused: nothing has changed, the member is told and tries again
//!               └ nothing to remember (a heartbeat): answered at once
//! ```
//!
//! **Replay is the state** (G7). A handler looks at the state and hands records to its [`Journal`]. Only if they were appended they are applied,
//! by the function that loading uses. So what a successor reads from the log is what this coordinator counts with, by construction.
//!
//! **Nothing is promised before it is committed** (G10, KAFKA-2017). An answer that rests on a record waits until the high watermark has
//! passed it. Else a coordinator that dies takes a generation with it that its members live by. Committed offsets are told only from below the
//! high watermark: what was told once must never be untold.
//!
//! **Loading** ([`load`]). A new leader reads the partition to the *end of its log*, not to the high watermark, which lags behind right after an
//! election; and it serves only when the high watermark has reached that end. Until then it answers COORDINATOR_LOAD_IN_PROGRESS. A
//! shard belongs to one leader epoch and dies with it: everything that waits is answered NOT_COORDINATOR, and the members, who
//! keep their ids and generation, find the new coordinator.
//!
//! **What is not stored** dies with the shard: who waits for whom, member ids that were given and not used, the time since the last
//! heartbeat. A new coordinator gives every member a whole session anew.
//!
//! | file | what |
//! |---|---|
//! | [`shard`] | one partition of `__consumer_offsets`: requests, time and high watermark come in here |
//! | [`journal`], `promises` | the way into the log, and the answers that wait for it |
//! | [`load`] | the way back |
//! | `groups` | one group: its protocol and its offsets, both folded from records |
//! | `offsets`, `commit`, `fetch`, `expiry` | committed offsets: kept, stored, told, forgotten |
//! | `admin` | list, describe, delete |
//! | `classic` | the classic protocol: join, sync, heartbeat, leave |
//! | `consumer` | the newer protocol (KIP-848): epochs, assignors, reconciliation |
//! | `alarms`, `member_ids`, `refusals` | deadlines; names for newcomers; how each request is told an error |
//!
//! Nothing here knows of connections, of replicas or of the other partitions; the broker does. Simplified: no transactions, so no offset is
//! ever unstable; no authorization.

mod admin;
mod alarms;
mod classic;
mod commit;
pub mod config;
mod consumer;
mod expiry;
mod fetch;
mod groups;
pub mod journal;
pub mod load;
mod member_ids;
mod offsets;
mod promises;
mod refusals;
pub mod shard;
mod stored;
#[cfg(test)]
mod testing;
pub mod topics;

use std::sync::Arc;

use crate::fact::GroupFact;
use crate::mutant::Taint;
use crate::wire::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
    OffsetDeleteRequest, Response, SyncGroupRequest,
};

pub use crate::types::OFFSETS_TOPIC;
pub use config::GroupConfig;
pub use journal::Journal;
pub use refusals::{describe as undescribed, refused};
pub use shard::{Shard, Turn, coordinator_error};
pub use topics::{TopicShape, Topics};

/// Names a request that waits for its answer. The broker gives it and knows who asked; if nobody waits any more, the answer goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Asker {
    /// How the client calls itself.
    pub client_id: Arc<str>,
    /// Where it asks from, as Kafka writes it: `/127.0.0.1`.
    pub host: Arc<str>,
    /// Version of the request, in which the answer is expected.
    pub version: i16,
}

/// A request that may change a group. What only reads is asked through methods of [`Shard`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupRequest {
    /// A member enters a rebalance.
    Join(JoinGroupRequest),
    /// A member asks for its assignment; the leading one brings all.
    Sync(SyncGroupRequest),
    /// A member lives.
    Heartbeat(HeartbeatRequest),
    /// Members leave.
    Leave(LeaveGroupRequest),
    /// Offsets are to be stored.
    Commit(OffsetCommitRequest),
    /// Offsets are to be forgotten.
    DeleteOffsets(OffsetDeleteRequest),
    /// A member of the newer protocol joins, lives or leaves.
    ConsumerHeartbeat(ConsumerGroupHeartbeatRequest),
    /// A group is to be forgotten.
    Delete(String),
}

impl GroupRequest {
    /// The group it is about.
    #[must_use]
    pub fn group(&self) -> &str {
        match self {
            GroupRequest::Join(request) => &request.group_id,
            GroupRequest::Sync(request) => &request.group_id,
            GroupRequest::Heartbeat(request) => &request.group_id,
            GroupRequest::Leave(request) => &request.group_id,
            GroupRequest::Commit(request) => &request.group_id,
            GroupRequest::DeleteOffsets(request) => &request.group_id,
            GroupRequest::ConsumerHeartbeat(request) => &request.group_id,
            GroupRequest::Delete(group) => group,
        }
    }
}

/// What a step of a shard brings about.
#[derive(Default, Debug)]
pub struct Effects {
    /// Answers that can be given now, each in the version of its request.
    pub answers: Vec<(Token, Response)>,
    /// What the coordinator states.
    pub facts: Vec<GroupFact>,
    /// A planted bug has changed a decision.
    pub acted: Taint,
}

/// The partition of `__consumer_offsets` that a group belongs to, of `partitions`: Java's hash of its name, without the sign.
///
/// # Panics
/// If there are no partitions.
#[must_use]
pub fn shard_of(group: &str, partitions: i32) -> i32 {
    assert!(partitions > 0, "a topic of {partitions} partitions");
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka clears the sign bit, which is not the absolute value.
    (hash & i32::MAX) % partitions
}

#[cfg(test)]
mod tests {
    use super::shard_of;

    #[test]
    fn groups_lie_where_kafka_puts_them() {
        let cases = [("", 0), ("a", 47), ("billing", 39), ("console-consumer-12345", 6), ("größe", 7), ("test-group", 12)];
        cases.iter().for_each(|(group, shard)| assert_eq!(shard_of(group, 50), *shard, "{group}"));
        assert_eq!(shard_of("polygenelubricants", 50), 0, "Integer.MIN_VALUE has no absolute value");
    }
}
