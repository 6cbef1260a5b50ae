//! ListOffsets (key 2): which offset belongs to a timestamp. The special timestamps -1 (latest), -2 (earliest), -3
//! (largest timestamp), -4 (earliest local) and -5 (latest tiered) ask for the ends of a log rather than a time in it.

use crate::wire::schema::message;

message! {
    /// Asks which offset belongs to a timestamp, partition by partition.
    list_offsets_request::ListOffsetsRequest: versions 1..=10, flexible 6 {
        /// The broker ID of the requester, or -1 if this request is being made by a normal consumer.
        replica_id: i32 [always()],
        /// This setting controls the visibility of transactional records. Using READ_UNCOMMITTED
        /// (isolation_level = 0) makes all records visible. With READ_COMMITTED (isolation_level = 1), non-
        /// transactional and COMMITTED transactional records are visible. To be more concrete, READ_COMMITTED
        /// returns all data from offsets smaller than the current LSO (last stable offset), and enables the
        /// inclusion of the list of aborted transactions in the result, which allows consumers to discard
        /// ABORTED transactional records.
        isolation_level: i8 [since(2)],
        /// Each topic in the request.
        topics: Vec<ListOffsetsTopic> [always()],
        /// The timeout to await a response in milliseconds for requests that require reading from remote
        /// storage for topics enabled with tiered storage.
        timeout_ms: i32 [since(10).ignorable()],
    }

    /// Each topic in the request.
    ListOffsetsTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition in the request.
        partitions: Vec<ListOffsetsPartition> [always()],
    }

    /// Each partition in the request.
    ListOffsetsPartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The current leader epoch.
        current_leader_epoch: i32 [since(4).ignorable()] = -1,
        /// The current timestamp.
        timestamp: i64 [always()],
    }
}

message! {
    /// The offsets found.
    list_offsets_response::ListOffsetsResponse: versions 1..=10, flexible 6 {
        /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero
        /// if the request did not violate any quota.
        throttle_time_ms: i32 [since(2).ignorable()],
        /// Each topic in the response.
        topics: Vec<ListOffsetsTopicResponse> [always()],
    }

    /// Each topic in the response.
    ListOffsetsTopicResponse {
        /// The topic name.
        name: String [always()],
        /// Each partition in the response.
        partitions: Vec<ListOffsetsPartitionResponse> [always()],
    }

    /// Each partition in the response.
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
