//! ListOffsets (key 2): which offset belongs to a timestamp. The special timestamps -1 (latest), -2 (earliest), -3
//! (largest timestamp), -4 (earliest local) and -5 (latest tiered) ask for the ends of a log rather than a time in it.

use crate::wire::schema::message;

message! {
    /// Asks which offset belongs to a timestamp, partition by partition.
    list_offsets_request::ListOffsetsRequest: versions 1..=10, flexible 6 {
        /// The follower, or -1 if this is a consumer.
        replica_id: i32 [always()],
        /// 0: read everything below the high watermark; 1: only what is committed, below the last stable
        /// offset.
        isolation_level: i8 [since(2)],
        /// Each topic in the request.
        topics: Vec<ListOffsetsTopic> [always()],
        /// How long to wait, in milliseconds.
        timeout_ms: i32 [since(10).ignorable()],
    }

    /// One topic.
    ListOffsetsTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition in the request.
        partitions: Vec<ListOffsetsPartition> [always()],
    }

    /// One partition.
    ListOffsetsPartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The current leader epoch.
        current_leader_epoch: i32 [since(4).ignorable()] = -1,
        /// The timestamp, or one of the special values.
        timestamp: i64 [always()],
    }
}

message! {
    /// The offsets found.
    list_offsets_response::ListOffsetsResponse: versions 1..=10, flexible 6 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(2).ignorable()],
        /// Each topic in the response.
        topics: Vec<ListOffsetsTopicResponse> [always()],
    }

    /// One topic.
    ListOffsetsTopicResponse {
        /// The topic name.
        name: String [always()],
        /// Each partition in the response.
        partitions: Vec<ListOffsetsPartitionResponse> [always()],
    }

    /// One partition.
    ListOffsetsPartitionResponse {
        /// The partition index.
        partition_index: i32 [always()],
        /// The partition error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The timestamp associated with the returned offset.
        timestamp: i64 [always()] = -1,
        /// The returned offset.
        offset: i64 [always()] = -1,
        /// The leader epoch associated with the returned offset.
        leader_epoch: i32 [since(4)] = -1,
    }
}
