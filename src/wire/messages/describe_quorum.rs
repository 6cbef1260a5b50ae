//! DescribeQuorum (key 55): how far the replicas of the metadata log have come (KIP-595).

use crate::wire::schema::message;

message! {
    /// Asks the controller about the metadata log.
    describe_quorum_request::DescribeQuorumRequest: versions 0..=2, flexible 0 {
        /// The topics: the metadata log is one.
        topics: Vec<TopicData> [always()],
    }

    /// One topic.
    TopicData {
        /// The topic name.
        topic_name: String [always()],
        /// Its partitions.
        partitions: Vec<PartitionData> [always()],
    }

    /// One partition.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
    }
}

message! {
    /// Voters and observers of the metadata log.
    describe_quorum_response::DescribeQuorumResponse: versions 0..=2, flexible 0 {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [since(2).nullable().ignorable()],
        /// Each topic.
        topics: Vec<TopicData> [always()],
        /// Where the voters listen.
        nodes: Vec<Node> [since(2)],
    }

    /// One topic.
    TopicData {
        /// The topic name.
        topic_name: String [always()],
        /// Its partitions.
        partitions: Vec<PartitionData> [always()],
    }

    /// One partition.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [since(2).nullable().ignorable()],
        /// Who writes it, or -1.
        leader_id: i32 [always()],
        /// The leader epoch.
        leader_epoch: i32 [always()],
        /// The end of what is committed.
        high_watermark: i64 [always()],
        /// Who decides on it.
        current_voters: Vec<ReplicaState> [always()],
        /// Who reads it.
        observers: Vec<ReplicaState> [always()],
    }

    /// How far a replica has come.
    ReplicaState {
        /// Whose it is.
        replica_id: i32 [always()],
        /// Its directory.
        replica_directory_id: Uuid [since(2)],
        /// Its log end, or -1 if it is not known.
        log_end_offset: i64 [always()],
        /// When it has fetched last, by the leader's clock; -1 if unknown.
        last_fetch_timestamp: i64 [since(1).ignorable()] = -1,
        /// When it was caught up last, by the leader's clock; -1 if unknown.
        last_caught_up_timestamp: i64 [since(1).ignorable()] = -1,
    }

    /// A voter's node.
    Node {
        /// Its id.
        node_id: i32 [since(2)],
        /// Where it listens.
        listeners: Vec<Listener> [since(2)],
    }

    /// A place to listen.
    Listener {
        /// The name of the endpoint.
        name: String [since(2)],
        /// The host.
        host: String [since(2)],
        /// The port.
        port: u16 [since(2)],
    }
}
