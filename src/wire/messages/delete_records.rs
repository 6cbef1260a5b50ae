//! DeleteRecords (key 21): give up the oldest records of partitions. Asked of the leaders (KIP-107).

use crate::wire::schema::message;

message! {
    /// Asks a leader to give up records.
    delete_records_request::DeleteRecordsRequest: versions 0..=2, flexible 2 {
        /// Each topic that we want to delete records from.
        topics: Vec<DeleteRecordsTopic> [always()],
        /// How long to wait for the deletion to complete, in milliseconds.
        timeout_ms: i32 [always()],
    }

    /// One topic.
    DeleteRecordsTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition that we want to delete records from.
        partitions: Vec<DeleteRecordsPartition> [always()],
    }

    /// One partition.
    DeleteRecordsPartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// The deletion offset: everything below is given up; -1 is the high watermark.
        offset: i64 [always()],
    }
}

message! {
    /// What became of the deletions.
    delete_records_response::DeleteRecordsResponse: versions 0..=2, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each topic that we wanted to delete records from.
        topics: Vec<DeleteRecordsTopicResult> [always()],
    }

    /// One topic.
    DeleteRecordsTopicResult {
        /// The topic name.
        name: String [always()],
        /// Each partition that we wanted to delete records from.
        partitions: Vec<DeleteRecordsPartitionResult> [always()],
    }

    /// One partition.
    DeleteRecordsPartitionResult {
        /// The partition index.
        partition_index: i32 [always()],
        /// The smallest log start of all live replicas; -1 with an error.
        low_watermark: i64 [always()],
        /// The deletion error code, or 0 if the deletion succeeded.
        error_code: i16 [always()],
    }
}
