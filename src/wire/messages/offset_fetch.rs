//! OffsetFetch (key 9): what a group has committed. A partition without a committed offset is answered with -1 and no error, and so is one
//! of a group that nobody has heard of. From version 8 on one request asks about many groups (KIP-709).

use crate::wire::schema::message;

message! {
    /// Asks for committed offsets.
    offset_fetch_request::OffsetFetchRequest: versions 1..=9, flexible 6 {
        /// The group.
        group_id: String [between(1, 7)],
        /// The partitions by topic; null for all that the group has committed.
        topics: Option<Vec<OffsetFetchRequestTopic>> [between(1, 7).nullable_since(2)],
        /// Each group asked about.
        groups: Vec<OffsetFetchRequestGroup> [since(8)],
        /// Whether to refuse where a transaction may still change an offset (KIP-447).
        require_stable: bool [since(7)],
    }

    /// One topic.
    OffsetFetchRequestTopic {
        /// The topic name.
        name: String [between(1, 7)],
        /// The partitions.
        partition_indexes: Vec<i32> [between(1, 7)],
    }

    /// One group.
    OffsetFetchRequestGroup {
        /// The group.
        group_id: String [since(8)],
        /// The member that asks, or null from outside of the group.
        member_id: Option<String> [since(9).nullable().ignorable()] = None,
        /// Its member epoch, or -1; a stale one is refused (KIP-848).
        member_epoch: i32 [since(9).ignorable()] = -1,
        /// The partitions by topic; null for all that the group has committed.
        topics: Option<Vec<OffsetFetchRequestTopics>> [since(8).nullable()],
    }

    /// One topic of a group.
    OffsetFetchRequestTopics {
        /// The topic name.
        name: String [since(8).ignorable()],
        /// The partitions.
        partition_indexes: Vec<i32> [since(8)],
    }
}

message! {
    /// Committed offsets.
    offset_fetch_response::OffsetFetchResponse: versions 1..=9, flexible 6 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(3).ignorable()],
        /// Each topic.
        topics: Vec<OffsetFetchResponseTopic> [between(1, 7)],
        /// An error of the whole request.
        error_code: i16 [between(2, 7).ignorable()],
        /// Each group.
        groups: Vec<OffsetFetchResponseGroup> [since(8)],
    }

    /// One topic.
    OffsetFetchResponseTopic {
        /// The topic name.
        name: String [between(1, 7)],
        /// Each partition.
        partitions: Vec<OffsetFetchResponsePartition> [between(1, 7)],
    }

    /// One partition.
    OffsetFetchResponsePartition {
        /// The partition index.
        partition_index: i32 [between(1, 7)],
        /// The offset of the record to read next, or -1 if none is committed.
        committed_offset: i64 [between(1, 7)],
        /// The leader epoch of the last record read, or -1.
        committed_leader_epoch: i32 [between(5, 7).ignorable()] = -1,
        /// What the client stored beside the offset.
        metadata: Option<String> [between(1, 7).nullable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [between(1, 7)],
    }

    /// One group.
    OffsetFetchResponseGroup {
        /// The group.
        group_id: String [since(8)],
        /// Each topic.
        topics: Vec<OffsetFetchResponseTopics> [since(8)],
        /// An error of the whole group.
        error_code: i16 [since(8)],
    }

    /// One topic of a group.
    OffsetFetchResponseTopics {
        /// The topic name.
        name: String [since(8).ignorable()],
        /// Each partition.
        partitions: Vec<OffsetFetchResponsePartitions> [since(8)],
    }

    /// One partition of a group.
    OffsetFetchResponsePartitions {
        /// The partition index.
        partition_index: i32 [since(8)],
        /// The offset of the record to read next, or -1 if none is committed.
        committed_offset: i64 [since(8)],
        /// The leader epoch of the last record read, or -1.
        committed_leader_epoch: i32 [since(8).ignorable()] = -1,
        /// What the client stored beside the offset.
        metadata: Option<String> [since(8).nullable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [since(8)],
    }
}
