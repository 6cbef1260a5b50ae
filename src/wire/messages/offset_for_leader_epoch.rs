//! OffsetForLeaderEpoch (key 23): where did a leader epoch end in the leader's log? Followers and consumers compare
//! the answer with their own log to find the point where the two diverge (KIP-101, KIP-279, KIP-320).

use crate::wire::schema::message;

message! {
    /// Asks where leader epochs end in the leader's log.
    offset_for_leader_epoch_request::OffsetForLeaderEpochRequest: versions 2..=4, flexible 4 {
        /// The follower, or -1 if this is a consumer.
        replica_id: i32 [since(3).ignorable()] = -2,
        /// Each topic to get offsets for.
        topics: Vec<OffsetForLeaderTopic> [always()],
    }

    /// One topic.
    OffsetForLeaderTopic {
        /// The topic name.
        topic: String [always()],
        /// Each partition to get offsets for.
        partitions: Vec<OffsetForLeaderPartition> [always()],
    }

    /// One partition.
    OffsetForLeaderPartition {
        /// The partition index.
        partition: i32 [always()],
        /// An epoch used to fence consumers/replicas with old metadata. If the epoch provided by the client
        /// is larger than the current epoch known to the broker, then the UNKNOWN_LEADER_EPOCH error code
        /// will be returned. If the provided epoch is smaller, then the FENCED_LEADER_EPOCH error code will
        /// be returned.
        current_leader_epoch: i32 [always()] = -1,
        /// The epoch to look up an offset for.
        leader_epoch: i32 [always()],
    }
}

message! {
    /// The largest epoch not above the one asked for, and the offset where it ends.
    offset_for_leader_epoch_response::OffsetForLeaderEpochResponse: versions 2..=4, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each topic we fetched offsets for.
        topics: Vec<OffsetForLeaderTopicResult> [always()],
    }

    /// One topic.
    OffsetForLeaderTopicResult {
        /// The topic name.
        topic: String [always()],
        /// Each partition in the topic we fetched offsets for.
        partitions: Vec<EpochEndOffset> [always()],
    }

    /// A leader epoch and where it ends.
    EpochEndOffset {
        /// The error code 0, or if there was no error.
        error_code: i16 [always()],
        /// The partition index.
        partition: i32 [always()],
        /// The leader epoch of the partition.
        leader_epoch: i32 [always()] = -1,
        /// The end offset of the epoch.
        end_offset: i64 [always()] = -1,
    }
}
