//! DescribeTopicPartitions (key 75): who leads and holds partitions, page by page (KIP-966). A page that is full ends with a cursor: where to
//! go on.

use crate::wire::schema::{message, optional};

message! {
    /// Asks for a page of partitions.
    describe_topic_partitions_request::DescribeTopicPartitionsRequest: versions 0..=0, flexible 0 {
        /// The topics to describe; empty for all.
        topics: Vec<TopicRequest> [always()],
        /// The most partitions in the answer.
        response_partition_limit: i32 [always()] = 2000,
        /// Where to begin; null for the beginning.
        cursor: Option<Cursor> [always().nullable()] = None,
    }

    /// A topic to describe.
    TopicRequest {
        /// The topic name.
        name: String [always()],
    }

    /// A place in the list of all partitions, topics in order of names.
    Cursor {
        /// The first topic.
        topic_name: String [always()],
        /// The first partition of it.
        partition_index: i32 [always()],
    }
}

message! {
    /// A page of partitions.
    describe_topic_partitions_response::DescribeTopicPartitionsResponse: versions 0..=0, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each topic.
        topics: Vec<DescribeTopicPartitionsResponseTopic> [always()],
        /// Where to go on; null if this was all.
        next_cursor: Option<Cursor> [always().nullable()] = None,
    }

    /// One topic.
    DescribeTopicPartitionsResponseTopic {
        /// The topic error, or 0 if there was no error.
        error_code: i16 [always()],
        /// The topic name.
        name: Option<String> [always().nullable()],
        /// The topic id.
        topic_id: Uuid [always()],
        /// True if the topic is internal.
        is_internal: bool [always()],
        /// Each partition.
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [always()],
        /// Bit field of the operations on the topic the client may use; the smallest number if not asked for.
        topic_authorized_operations: i32 [always()] = i32::MIN,
    }

    /// One partition.
    DescribeTopicPartitionsResponsePartition {
        /// The partition error, or 0 if there was no error.
        error_code: i16 [always()],
        /// The partition index.
        partition_index: i32 [always()],
        /// The leader, or -1.
        leader_id: i32 [always()],
        /// Its leader epoch.
        leader_epoch: i32 [always()] = -1,
        /// All replicas.
        replica_nodes: Vec<i32> [always()],
        /// Those in sync.
        isr_nodes: Vec<i32> [always()],
        /// Those that may lead although they are not in sync (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [always().nullable()] = None,
        /// Those that were eligible last.
        last_known_elr: Option<Vec<i32>> [always().nullable()] = None,
        /// Those that are offline.
        offline_replicas: Vec<i32> [always()],
    }

    /// A place in the list of all partitions, topics in order of names.
    Cursor {
        /// The first topic.
        topic_name: String [always()],
        /// The first partition of it.
        partition_index: i32 [always()],
    }
}

optional!(describe_topic_partitions_request::Cursor);
optional!(describe_topic_partitions_response::Cursor);
