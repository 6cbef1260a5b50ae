//! CreatePartitions (key 37): give topics more partitions (KIP-195). Partitions are never taken away.

use crate::wire::schema::message;

message! {
    /// Asks the controller for more partitions.
    create_partitions_request::CreatePartitionsRequest: versions 0..=3, flexible 2 {
        /// The topics.
        topics: Vec<CreatePartitionsTopic> [always()],
        /// How long to wait, in milliseconds.
        timeout_ms: i32 [always()],
        /// Whether only to check, and to create nothing.
        validate_only: bool [always()],
    }

    /// One topic.
    CreatePartitionsTopic {
        /// The topic name.
        name: String [always()],
        /// How many partitions it shall have in the end.
        count: i32 [always()],
        /// Replicas of each new partition; null to let the controller choose.
        assignments: Option<Vec<CreatePartitionsAssignment>> [always().nullable()],
    }

    /// The replicas of one new partition.
    CreatePartitionsAssignment {
        /// The brokers to place it on.
        broker_ids: Vec<i32> [always()],
    }
}

message! {
    /// What became of the wishes.
    create_partitions_response::CreatePartitionsResponse: versions 0..=3, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The results for each topic.
        results: Vec<CreatePartitionsTopicResult> [always()],
    }

    /// One topic.
    CreatePartitionsTopicResult {
        /// The topic name.
        name: String [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()] = None,
    }
}
