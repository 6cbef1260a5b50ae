//! ElectLeaders (key 43): let the controller elect leaders now: the preferred ones (KIP-183), or whoever lives (KIP-460).

use crate::wire::schema::message;

message! {
    /// Asks the controller to elect leaders.
    elect_leaders_request::ElectLeadersRequest: versions 0..=2, flexible 2 {
        /// Type of elections to conduct for the partition: 0 elects the preferred replica, 1 the first live replica if there are no in-sync
        /// replicas.
        election_type: i8 [since(1)],
        /// The topic partitions to elect leaders for; null for all.
        topic_partitions: Option<Vec<TopicPartitions>> [always().nullable()] = Some(Vec::new()),
        /// How long to wait for the election to complete, in milliseconds.
        timeout_ms: i32 [always()] = 60_000,
    }

    /// Partitions of one topic.
    TopicPartitions {
        /// The name of a topic.
        topic: String [always()],
        /// The partitions of this topic whose leader should be elected.
        partitions: Vec<i32> [always()],
    }
}

message! {
    /// What became of the elections.
    elect_leaders_response::ElectLeadersResponse: versions 0..=2, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The top level response error code.
        error_code: i16 [since(1)],
        /// The election results, or an empty array if the requester did not have permission and the request asks for all partitions.
        replica_election_results: Vec<ReplicaElectionResult> [always()],
    }

    /// Elections in one topic.
    ReplicaElectionResult {
        /// The topic name.
        topic: String [always()],
        /// The results for each partition.
        partition_result: Vec<PartitionResult> [always()],
    }

    /// One election.
    PartitionResult {
        /// The partition id.
        partition_id: i32 [always()],
        /// The result error, or zero if there was no error.
        error_code: i16 [always()],
        /// The result message, or null if there was no error.
        error_message: Option<String> [always().nullable()] = Some(String::new()),
    }
}
