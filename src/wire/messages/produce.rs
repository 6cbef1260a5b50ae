//! Produce (key 0): append record batches to partitions. `acks` says what the producer waits for: 0 nothing, 1 the
//! leader's log, -1 every in-sync replica. The request carries no leader epoch, hence a deposed leader may accept
//! records and only find out later. From version 13 topics are named by id (KIP-516).

use crate::wire::schema::message;

message! {
    /// Asks leaders to append record batches to partitions.
    produce_request::ProduceRequest: versions 3..=13, flexible 9 {
        /// The transactional id, or null.
        transactional_id: Option<String> [always().nullable()] = None,
        /// What to wait for: 0 nothing, 1 the leader, -1 all in-sync replicas.
        acks: i16 [always()],
        /// How long to wait for the replicas, in milliseconds.
        timeout_ms: i32 [always()],
        /// Each topic to produce to.
        topic_data: Vec<TopicProduceData> [always()],
    }

    /// One topic.
    TopicProduceData {
        /// The topic name.
        name: String [between(3, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// Each partition to produce to.
        partition_data: Vec<PartitionProduceData> [always()],
    }

    /// One partition.
    PartitionProduceData {
        /// The partition index.
        index: i32 [always()],
        /// The record batch.
        records: Option<Bytes> [always().nullable()],
    }
}

message! {
    /// Where the batches were appended, or why they were not.
    produce_response::ProduceResponse: versions 3..=13, flexible 9 {
        /// Each produce response.
        responses: Vec<TopicProduceResponse> [always()],
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Where the leaders named above can be reached.
        node_endpoints: Vec<NodeEndpoint> [since(10).tag(0)],
    }

    /// One topic.
    TopicProduceResponse {
        /// The topic name.
        name: String [between(3, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// Each partition that we produced to within the topic.
        partition_responses: Vec<PartitionProduceResponse> [always()],
    }

    /// One partition.
    PartitionProduceResponse {
        /// The partition index.
        index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// Offset of the first record.
        base_offset: i64 [always()],
        /// The time the leader has given to the records, or -1 if they keep their own.
        log_append_time_ms: i64 [always()] = -1,
        /// The log start.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// The records because of which the batch was refused.
        record_errors: Vec<BatchIndexAndErrorMessage> [since(8).ignorable()],
        /// What is wrong with the batch, in words.
        error_message: Option<String> [since(8).nullable().ignorable()] = None,
        /// The new leader, where the error says that it is another.
        current_leader: LeaderIdAndEpoch [since(10).tag(0)],
    }

    /// A record that was refused.
    BatchIndexAndErrorMessage {
        /// Which record, from 0.
        batch_index: i32 [since(8)],
        /// What is wrong with it.
        batch_index_error_message: Option<String> [since(8).nullable()] = None,
    }

    /// A leader.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        leader_id: i32 [since(10)] = -1,
        /// The latest known leader epoch.
        leader_epoch: i32 [since(10)] = -1,
    }

    /// Where a node can be reached.
    NodeEndpoint {
        /// The ID of the associated node.
        node_id: i32 [since(10)],
        /// The node's hostname.
        host: String [since(10)],
        /// The node's port.
        port: i32 [since(10)],
        /// The rack of the node, or null if it has not been assigned to a rack.
        rack: Option<String> [since(10).nullable()] = None,
    }
}
