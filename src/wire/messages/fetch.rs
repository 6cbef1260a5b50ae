//! Fetch (key 1): read record batches from an offset on. Consumers and followers use the same request; a follower
//! says who it is, and its fetch offset doubles as the acknowledgement of everything before it. `last_fetched_epoch`
//! lets the leader notice that the reader's log diverges and say so in `diverging_epoch` (KIP-595); versions 7 and
//! later keep a session, so that unchanged partitions need not be repeated (KIP-227).

use crate::wire::schema::message;

message! {
    /// Asks for record batches of partitions, from given offsets on.
    fetch_request::FetchRequest: versions 4..=18, flexible 12 {
        /// The clusterId if known. This is used to validate metadata fetches prior to broker registration.
        cluster_id: Option<String> [since(12).nullable().tag(0).ignorable()] = None,
        /// The broker ID of the follower, of -1 if this request is from a consumer.
        replica_id: i32 [between(4, 14)] = -1,
        /// The state of the replica in the follower.
        replica_state: ReplicaState [since(15).tag(1)],
        /// The maximum time in milliseconds to wait for the response.
        max_wait_ms: i32 [always()],
        /// The minimum bytes to accumulate in the response.
        min_bytes: i32 [always()],
        /// The maximum bytes to fetch. See KIP-74 for cases where this limit may not be honored.
        max_bytes: i32 [always()] = i32::MAX,
        /// This setting controls the visibility of transactional records. Using READ_UNCOMMITTED
        /// (isolation_level = 0) makes all records visible. With READ_COMMITTED (isolation_level = 1), non-
        /// transactional and COMMITTED transactional records are visible. To be more concrete, READ_COMMITTED
        /// returns all data from offsets smaller than the current LSO (last stable offset), and enables the
        /// inclusion of the list of aborted transactions in the result, which allows consumers to discard
        /// ABORTED transactional records.
        isolation_level: i8 [always()],
        /// The fetch session ID.
        session_id: i32 [since(7).ignorable()],
        /// The fetch session epoch, which is used for ordering requests in a session.
        session_epoch: i32 [since(7).ignorable()] = -1,
        /// The topics to fetch.
        topics: Vec<FetchTopic> [always()],
        /// In an incremental fetch request, the partitions to remove.
        forgotten_topics_data: Vec<ForgottenTopic> [since(7)],
        /// Rack ID of the consumer making this request.
        rack_id: String [since(11).ignorable()],
    }

    /// The state of the replica in the follower.
    ReplicaState {
        /// The replica ID of the follower, or -1 if this request is from a consumer.
        replica_id: i32 [since(15)] = -1,
        /// The epoch of this follower, or -1 if not available.
        replica_epoch: i64 [since(15)] = -1,
    }

    /// The topics to fetch.
    FetchTopic {
        /// The name of the topic to fetch.
        topic: String [between(4, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The partitions to fetch.
        partitions: Vec<FetchPartition> [always()],
    }

    /// The partitions to fetch.
    FetchPartition {
        /// The partition index.
        partition: i32 [always()],
        /// The current leader epoch of the partition.
        current_leader_epoch: i32 [since(9).ignorable()] = -1,
        /// The message offset.
        fetch_offset: i64 [always()],
        /// The epoch of the last fetched record or -1 if there is none.
        last_fetched_epoch: i32 [since(12)] = -1,
        /// The earliest available offset of the follower replica. The field is only used when the request is
        /// sent by the follower.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// The maximum bytes to fetch from this partition. See KIP-74 for cases where this limit may not be
        /// honored.
        partition_max_bytes: i32 [always()],
        /// The directory id of the follower fetching.
        replica_directory_id: Uuid [since(17).tag(0).ignorable()],
        /// The high-watermark known by the replica. -1 if the high-watermark is not known and
        /// 9223372036854775807 if the feature is not supported.
        high_watermark: i64 [since(18).tag(1).ignorable()] = i64::MAX,
    }

    /// In an incremental fetch request, the partitions to remove.
    ForgottenTopic {
        /// The topic name.
        topic: String [between(7, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The partitions indexes to forget.
        partitions: Vec<i32> [since(7)],
    }
}

message! {
    /// Record batches, watermarks, and hints where the reader has gone astray.
    fetch_response::FetchResponse: versions 4..=18, flexible 12 {
        /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero
        /// if the request did not violate any quota.
        throttle_time_ms: i32 [always()],
        /// The top level response error code.
        error_code: i16 [since(7).ignorable()],
        /// The fetch session ID, or 0 if this is not part of a fetch session.
        session_id: i32 [since(7)],
        /// The response topics.
        responses: Vec<FetchableTopicResponse> [always()],
        /// Endpoints for all current-leaders enumerated in PartitionData, with errors NOT_LEADER_OR_FOLLOWER
        /// & FENCED_LEADER_EPOCH.
        node_endpoints: Vec<NodeEndpoint> [since(16).tag(0)],
    }

    /// The response topics.
    FetchableTopicResponse {
        /// The topic name.
        topic: String [between(4, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The topic partitions.
        partitions: Vec<PartitionData> [always()],
    }

    /// The topic partitions.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no fetch error.
        error_code: i16 [always()],
        /// The current high water mark.
        high_watermark: i64 [always()],
        /// The last stable offset (or LSO) of the partition. This is the last offset such that the state of
        /// all transactional records prior to this offset have been decided (ABORTED or COMMITTED).
        last_stable_offset: i64 [always()] = -1,
        /// The current log start offset.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the request,
        /// this field indicates the largest epoch and its end offset such that subsequent records are known
        /// to diverge.
        diverging_epoch: EpochEndOffset [since(12).tag(0)],
        /// The current leader of the partition.
        current_leader: LeaderIdAndEpoch [since(12).tag(1)],
        /// In the case of fetching an offset less than the LogStartOffset, this is the end offset and epoch
        /// that should be used in the FetchSnapshot request.
        snapshot_id: SnapshotId [since(12).tag(2)],
        /// The aborted transactions.
        aborted_transactions: Option<Vec<AbortedTransaction>> [always().nullable()],
        /// The preferred read replica for the consumer to use on its next fetch request.
        preferred_read_replica: i32 [since(11)] = -1,
        /// The record data.
        records: Option<Bytes> [always().nullable()],
    }

    /// In case divergence is detected based on the `LastFetchedEpoch` and `FetchOffset` in the request, this
    /// field indicates the largest epoch and its end offset such that subsequent records are known to
    /// diverge.
    EpochEndOffset {
        /// The largest epoch.
        epoch: i32 [since(12)] = -1,
        /// The end offset of the epoch.
        end_offset: i64 [since(12)] = -1,
    }

    /// The current leader of the partition.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        leader_id: i32 [since(12)] = -1,
        /// The latest known leader epoch.
        leader_epoch: i32 [since(12)] = -1,
    }

    /// In the case of fetching an offset less than the LogStartOffset, this is the end offset and epoch that
    /// should be used in the FetchSnapshot request.
    SnapshotId {
        /// The end offset of the epoch.
        end_offset: i64 [always()] = -1,
        /// The largest epoch.
        epoch: i32 [always()] = -1,
    }

    /// The aborted transactions.
    AbortedTransaction {
        /// The producer id associated with the aborted transaction.
        producer_id: i64 [always()],
        /// The first offset in the aborted transaction.
        first_offset: i64 [always()],
    }

    /// Endpoints for all current-leaders enumerated in PartitionData, with errors NOT_LEADER_OR_FOLLOWER &
    /// FENCED_LEADER_EPOCH.
    NodeEndpoint {
        /// The ID of the associated node.
        node_id: i32 [since(16)],
        /// The node's hostname.
        host: String [since(16)],
        /// The node's port.
        port: i32 [since(16)],
        /// The rack of the node, or null if it has not been assigned to a rack.
        rack: Option<String> [since(16).nullable()] = None,
    }
}
