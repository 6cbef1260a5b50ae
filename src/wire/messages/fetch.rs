//! Fetch (key 1): read record batches from an offset on. Consumers and followers use the same request; a follower
//! says who it is, and its fetch offset doubles as the acknowledgement of everything before it. `last_fetched_epoch`
//! lets the leader notice that the reader's log diverges and say so in `diverging_epoch` (KIP-595); versions 7 and
//! later keep a session, so that unchanged partitions need not be repeated (KIP-227).

use crate::wire::schema::message;

message! {
    /// Asks for record batches of partitions, from given offsets on.
    fetch_request::FetchRequest: versions 4..=18, flexible 12 {
        /// The cluster that the sender believes to talk to.
        cluster_id: Option<String> [since(12).nullable().tag(0).ignorable()] = None,
        /// The follower, or -1 if this is a consumer.
        replica_id: i32 [between(4, 14)] = -1,
        /// Which follower this is, in which life.
        replica_state: ReplicaState [since(15).tag(1)],
        /// How long to wait for `min_bytes`, in milliseconds.
        max_wait_ms: i32 [always()],
        /// How many bytes to wait for.
        min_bytes: i32 [always()],
        /// The most bytes to answer with; a first batch that is larger comes all the same (KIP-74).
        max_bytes: i32 [always()] = i32::MAX,
        /// 0: read everything below the high watermark; 1: only what is committed, below the last stable
        /// offset.
        isolation_level: i8 [always()],
        /// The fetch session, or 0 for none.
        session_id: i32 [since(7).ignorable()],
        /// Counts the fetches of a session; 0 opens one, -1 closes it or does without.
        session_epoch: i32 [since(7).ignorable()] = -1,
        /// The topics to fetch.
        topics: Vec<FetchTopic> [always()],
        /// Partitions that leave the fetch session.
        forgotten_topics_data: Vec<ForgottenTopic> [since(7)],
        /// The rack of the consumer.
        rack_id: String [since(11).ignorable()],
    }

    /// Which follower this is, in which life.
    ReplicaState {
        /// The follower, or -1 if this is a consumer.
        replica_id: i32 [since(15)] = -1,
        /// The follower's broker epoch, or -1.
        replica_epoch: i64 [since(15)] = -1,
    }

    /// A topic to read from.
    FetchTopic {
        /// The name of the topic to fetch.
        topic: String [between(4, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The partitions to fetch.
        partitions: Vec<FetchPartition> [always()],
    }

    /// A partition to read from.
    FetchPartition {
        /// The partition index.
        partition: i32 [always()],
        /// The leader epoch the reader knows, or -1.
        current_leader_epoch: i32 [since(9).ignorable()] = -1,
        /// The first offset to read; to the leader, the log end of a follower.
        fetch_offset: i64 [always()],
        /// Leader epoch of the last batch in the reader's log, or -1.
        last_fetched_epoch: i32 [since(12)] = -1,
        /// The follower's log start.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// The most bytes to answer with for this partition; a first batch that is larger comes all the same
        /// (KIP-74).
        partition_max_bytes: i32 [always()],
        /// The directory of the follower.
        replica_directory_id: Uuid [since(17).tag(0).ignorable()],
        /// The high watermark the follower knows; -1 if it knows none, the largest number if it does not say.
        high_watermark: i64 [since(18).tag(1).ignorable()] = i64::MAX,
    }

    /// Partitions of a topic that leave the fetch session.
    ForgottenTopic {
        /// The topic name.
        topic: String [between(7, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The partitions that leave.
        partitions: Vec<i32> [since(7)],
    }
}

message! {
    /// Record batches, watermarks, and hints where the reader has gone astray.
    fetch_response::FetchResponse: versions 4..=18, flexible 12 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// An error of the whole fetch.
        error_code: i16 [since(7).ignorable()],
        /// The fetch session, or 0 if there is none.
        session_id: i32 [since(7)],
        /// The response topics.
        responses: Vec<FetchableTopicResponse> [always()],
        /// Where the leaders named above can be reached.
        node_endpoints: Vec<NodeEndpoint> [since(16).tag(0)],
    }

    /// One topic.
    FetchableTopicResponse {
        /// The topic name.
        topic: String [between(4, 12).ignorable()],
        /// The unique topic ID.
        topic_id: Uuid [since(13).ignorable()],
        /// The topic partitions.
        partitions: Vec<PartitionData> [always()],
    }

    /// One partition.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no fetch error.
        error_code: i16 [always()],
        /// The high watermark.
        high_watermark: i64 [always()],
        /// The offset below which all transactions are decided.
        last_stable_offset: i64 [always()] = -1,
        /// The log start.
        log_start_offset: i64 [since(5).ignorable()] = -1,
        /// Set where the reader's log diverges: the leader's largest epoch not above the reader's, and where
        /// it ends.
        diverging_epoch: EpochEndOffset [since(12).tag(0)],
        /// The new leader, where the error says that it is another.
        current_leader: LeaderIdAndEpoch [since(12).tag(1)],
        /// Set where the offset lies before the log start of a metadata log: the snapshot to read instead.
        snapshot_id: SnapshotId [since(12).tag(2)],
        /// The aborted transactions that overlap the records; null for a reader that sees all.
        aborted_transactions: Option<Vec<AbortedTransaction>> [always().nullable()],
        /// A replica nearer to the consumer, or -1.
        preferred_read_replica: i32 [since(11)] = -1,
        /// Record batches; the last may be cut off.
        records: Option<Bytes> [always().nullable()],
    }

    /// A leader epoch and where it ends.
    EpochEndOffset {
        /// The largest epoch.
        epoch: i32 [since(12)] = -1,
        /// The end offset of the epoch.
        end_offset: i64 [since(12)] = -1,
    }

    /// A leader.
    LeaderIdAndEpoch {
        /// The ID of the current leader or -1 if the leader is unknown.
        leader_id: i32 [since(12)] = -1,
        /// The latest known leader epoch.
        leader_epoch: i32 [since(12)] = -1,
    }

    /// A snapshot of a metadata log.
    SnapshotId {
        /// The end offset of the epoch.
        end_offset: i64 [always()] = -1,
        /// The largest epoch.
        epoch: i32 [always()] = -1,
    }

    /// An aborted transaction.
    AbortedTransaction {
        /// The producer id associated with the aborted transaction.
        producer_id: i64 [always()],
        /// The first offset in the aborted transaction.
        first_offset: i64 [always()],
    }

    /// Where a node can be reached.
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
