//! Metadata (key 3): which brokers live, which topics exist, who leads each partition. Every client asks it before
//! anything else and again whenever a leader turns out to have moved. From version 10 topics also carry ids, so
//! that a topic deleted and created again is not mistaken for its former self (KIP-516).

use crate::wire::schema::message;

message! {
    /// Asks for the cluster's brokers and for the leaders of topics.
    metadata_request::MetadataRequest: versions 0..=13, flexible 9 {
        /// The topics to describe; null for all (in version 0: empty for all).
        topics: Option<Vec<MetadataRequestTopic>> [always().nullable_since(1)],
        /// Whether topics that are missing may be created.
        allow_auto_topic_creation: bool [since(4)] = true,
        /// Whether to say which operations on the cluster the client may use.
        include_cluster_authorized_operations: bool [between(8, 10)],
        /// Whether to say which operations on topics the client may use.
        include_topic_authorized_operations: bool [since(8)],
    }

    /// A topic to describe, by name or by id.
    MetadataRequestTopic {
        /// The topic id.
        topic_id: Uuid [since(10).ignorable()],
        /// The topic name.
        name: Option<String> [always().nullable_since(10)],
    }
}

message! {
    /// The cluster as the answering broker sees it.
    metadata_response::MetadataResponse: versions 0..=13, flexible 9 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(3).ignorable()],
        /// A list of brokers present in the cluster.
        brokers: Vec<MetadataResponseBroker> [always()],
        /// The cluster that the sender believes to talk to.
        cluster_id: Option<String> [since(2).nullable().ignorable()] = None,
        /// The ID of the controller broker.
        controller_id: i32 [since(1).ignorable()] = -1,
        /// Each topic in the response.
        topics: Vec<MetadataResponseTopic> [always()],
        /// Bit field of the operations on the cluster the client may use; the smallest number if not asked
        /// for.
        cluster_authorized_operations: i32 [between(8, 10)] = i32::MIN,
        /// The top-level error code, or 0 if there was no error.
        error_code: i16 [since(13).ignorable()],
    }

    /// A broker of the cluster.
    MetadataResponseBroker {
        /// The broker ID.
        node_id: i32 [always()],
        /// The broker hostname.
        host: String [always()],
        /// The broker port.
        port: i32 [always()],
        /// The rack of the broker, or null if it has not been assigned to a rack.
        rack: Option<String> [since(1).nullable().ignorable()] = None,
    }

    /// One topic.
    MetadataResponseTopic {
        /// The topic error, or 0 if there was no error.
        error_code: i16 [always()],
        /// The topic name. Null for non-existing topics queried by ID. This is never null when ErrorCode is
        /// zero. One of Name and TopicId is always populated.
        name: Option<String> [always().nullable_since(12)],
        /// The topic id. Zero for non-existing topics queried by name. This is never zero when ErrorCode is
        /// zero. One of Name and TopicId is always populated.
        topic_id: Uuid [since(10).ignorable()],
        /// True if the topic is internal.
        is_internal: bool [since(1).ignorable()],
        /// Each partition in the topic.
        partitions: Vec<MetadataResponsePartition> [always()],
        /// Bit field of the operations on the topic the client may use; the smallest number if not asked for.
        topic_authorized_operations: i32 [since(8)] = i32::MIN,
    }

    /// One partition.
    MetadataResponsePartition {
        /// The partition error, or 0 if there was no error.
        error_code: i16 [always()],
        /// The partition index.
        partition_index: i32 [always()],
        /// The ID of the leader broker.
        leader_id: i32 [always()],
        /// The leader epoch of this partition.
        leader_epoch: i32 [since(7).ignorable()] = -1,
        /// The set of all nodes that host this partition.
        replica_nodes: Vec<i32> [always()],
        /// The set of nodes that are in sync with the leader for this partition.
        isr_nodes: Vec<i32> [always()],
        /// The set of offline replicas of this partition.
        offline_replicas: Vec<i32> [since(5).ignorable()],
    }
}
