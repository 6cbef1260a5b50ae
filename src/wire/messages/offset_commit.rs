//! OffsetCommit (key 8): a group's positions are stored, each the offset of the record to read next. Whoever commits says in which generation
//! (or member epoch, KIP-848) it believes to be, so that one who has been removed cannot overwrite what its successor did. Generation -1
//! with an empty member id commits for a group that nobody is a member of.

use crate::wire::schema::message;

message! {
    /// Asks to store committed offsets.
    offset_commit_request::OffsetCommitRequest: versions 2..=9, flexible 8 {
        /// The group.
        group_id: String [always()],
        /// The generation of the classic protocol or the member epoch of KIP-848; -1 from outside of the group.
        generation_id_or_member_epoch: i32 [always()] = -1,
        /// The member id, or empty from outside of the group.
        member_id: String [always()],
        /// The instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(7).nullable()] = None,
        /// How long to keep the offsets, in milliseconds; -1 for the broker's own time.
        retention_time_ms: i64 [between(2, 4).ignorable()] = -1,
        /// The offsets by topic.
        topics: Vec<OffsetCommitRequestTopic> [always()],
    }

    /// One topic.
    OffsetCommitRequestTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<OffsetCommitRequestPartition> [always()],
    }

    /// One partition.
    OffsetCommitRequestPartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The offset of the record to read next.
        committed_offset: i64 [always()],
        /// The leader epoch of the last record read, or -1 (KIP-320).
        committed_leader_epoch: i32 [since(6).ignorable()] = -1,
        /// Whatever the client wants to find again beside the offset.
        committed_metadata: Option<String> [always().nullable()],
    }
}

message! {
    /// Which offsets are stored.
    offset_commit_response::OffsetCommitResponse: versions 2..=9, flexible 8 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(3).ignorable()],
        /// Each topic.
        topics: Vec<OffsetCommitResponseTopic> [always()],
    }

    /// One topic.
    OffsetCommitResponseTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<OffsetCommitResponsePartition> [always()],
    }

    /// One partition.
    OffsetCommitResponsePartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
    }
}
