//! OffsetDelete (key 47): committed offsets of topics that the group no longer reads are forgotten (KIP-496).

use crate::wire::schema::message;

message! {
    /// Asks to forget committed offsets.
    offset_delete_request::OffsetDeleteRequest: versions 0..=0, flexible NEVER {
        /// The group.
        group_id: String [always()],
        /// The offsets by topic.
        topics: Vec<OffsetDeleteRequestTopic> [always()],
    }

    /// One topic.
    OffsetDeleteRequestTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<OffsetDeleteRequestPartition> [always()],
    }

    /// One partition.
    OffsetDeleteRequestPartition {
        /// The partition index.
        partition_index: i32 [always()],
    }
}

message! {
    /// Which offsets are forgotten.
    offset_delete_response::OffsetDeleteResponse: versions 0..=0, flexible NEVER {
        /// An error of the whole request.
        error_code: i16 [always()],
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always().ignorable()],
        /// Each topic.
        topics: Vec<OffsetDeleteResponseTopic> [always()],
    }

    /// One topic.
    OffsetDeleteResponseTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<OffsetDeleteResponsePartition> [always()],
    }

    /// One partition.
    OffsetDeleteResponsePartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
    }
}
