//! ListPartitionReassignments (key 46): which partitions are on their way to other brokers (KIP-455).

use crate::wire::schema::message;

message! {
    /// Asks for reassignments.
    list_partition_reassignments_request::ListPartitionReassignmentsRequest: versions 0..=0, flexible 0 {
        /// How long to wait, in milliseconds.
        timeout_ms: i32 [always()] = 60000,
        /// Which partitions; null for all.
        topics: Option<Vec<ListPartitionReassignmentsTopics>> [always().nullable()] = None,
    }

    /// Partitions of one topic.
    ListPartitionReassignmentsTopics {
        /// The topic name.
        name: String [always()],
        /// The partition indexes.
        partition_indexes: Vec<i32> [always()],
    }
}

message! {
    /// The reassignments under way.
    list_partition_reassignments_response::ListPartitionReassignmentsResponse: versions 0..=0, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()],
        /// Each topic.
        topics: Vec<OngoingTopicReassignment> [always()],
    }

    /// One topic.
    OngoingTopicReassignment {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<OngoingPartitionReassignment> [always()],
    }

    /// One partition.
    OngoingPartitionReassignment {
        /// The partition index.
        partition_index: i32 [always()],
        /// All replicas, those that come and those that go included.
        replicas: Vec<i32> [always()],
        /// Those that come.
        adding_replicas: Vec<i32> [always()],
        /// Those that go.
        removing_replicas: Vec<i32> [always()],
    }
}
