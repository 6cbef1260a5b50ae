//! Produce (key 0): append record batches to partitions. `acks` says what the producer waits for: 0 nothing, 1 the
//! leader's log, -1 every in-sync replica. The request carries no leader epoch, hence a deposed leader may accept
//! records and only find out later. From version 13 topics are named by id (KIP-516).

use crate::wire::schema::message;

message! {
    /// Asks leaders to append record batches to partitions.
    produce_request::ProduceRequest: versions 3..=13, flexible 9 {
        /// The transactional ID, or null if the producer is not transactional.
        transactional_id: Option<String> [always().nullable()] = None,
        /// The number of acknowledgments the producer requires the leader to have received before considering
        /// a request complete. Allowed values: 0 for no acknowledgments, 1 for only the leader and -1 for the
        /// full ISR.
        acks: i16 [always()],
        /// The timeout to await a response in milliseconds.
        timeout_ms: i32 [always()],
        /// Each topic to produce to.
        topic_data: Vec<TopicProduceData> [always()],
    }

    /// Each topic to produce to.
    TopicProduceData {
        /// The topic name.
        name: String [between(3, 12).ignorable()],
        /// The unique topic ID
        topic_id: Uuid [since(13).ignorable()],
        /// Each partition to produce to.
        partition_data: Vec<PartitionProduceData> [always()],
    }

    /// Each partition to produce to.
    PartitionProduceData {
        /// The partition index.
        index: i32 [always()],
        /// The record data to be produced.
        records: Option<Bytes> [always().nullable()],
    }
}

message! {
    /// Where the batches were appended, or why they were not.
    produce_response::ProduceResponse: versions 3..=13, flexible 9 {
        /// Each produce response.
        responses: Vec<TopicProduceResponse> [always()],
        /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero
        /// if the request did not violate any quota.
        throttle_time_ms: i32 [always()],
        /// Endpoints for all current-leaders enumerated in PartitionProduceResponses, with errors
        /// NOT_LEADER_OR_FOLLOWER.
        node_endpoints: Vec<NodeEndpoint> [since(10).tag(0)],
    }

    /// Each produce response.
    TopicProduceResponse {
        /// The topic name.
        name: String [between(3, 12).ignorable()],
        /// The unique topic ID
        topic_id: Uuid [since(13).ignorable()],
        /// Each partition that we produced to within the topic.
        partition_responses: Vec<PartitionProduceResponse> [always()],
    }

    /// Each partition that we produced to within the topic.
    PartitionProduceResponse {
        /// The partition index.
        index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The base offset.
        base_offset: i64 [always()],
        /// The timestamp returned by broker after appending the messages. If CreateTime is used for the
        /// topic, the timestamp will be -1. If LogAppendTime is used for the topic, the timestamp will be the
        /// broker local time when the messages are appended.
        log_append_time_ms: i64 [always()] = -1,
        /// The log start offset.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// The batch indices of records that caused the batch to be dropped.
        record_errors: Vec<BatchIndexAndErrorMessage> [since(8).ignorable()],
        /// The global error message summarizing the common root cause of the records that caused the batch to
        /// be dropped.
        error_message: Option<String> [since(8).nullable().ignorable()] = None,
        /// The leader broker that the producer should use for future requests.
        current_leader: LeaderIdAndEpoch [since(10).tag(0)],
    }

    /// The batch indices of records that caused the batch to be dropped.
    BatchIndexAndErrorMessage {
        /// The batch index of the record that caused the batch to be dropped.
        batch_index: i32 [since(8)],
        /// The error message of the record that caused the batch to be dropped.
        batch_index_error_message: Option<String> [since(8).nullable()] = None,
    }

    /// The leader broker that the producer should use for future requests.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        leader_id: i32 [since(10)] = -1,
        /// The latest known leader epoch.
        leader_epoch: i32 [since(10)] = -1,
    }

    /// Endpoints for all current-leaders enumerated in PartitionProduceResponses, with errors
    /// NOT_LEADER_OR_FOLLOWER.
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
