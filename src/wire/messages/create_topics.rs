//! CreateTopics (key 19): create topics, with a number of partitions or with an explicit assignment of replicas.

use crate::wire::schema::message;

message! {
    /// Asks the controller to create topics.
    create_topics_request::CreateTopicsRequest: versions 2..=7, flexible 5 {
        /// The topics to create.
        topics: Vec<CreatableTopic> [always()],
        /// How long to wait in milliseconds before timing out the request.
        timeout_ms: i32 [always()] = 60000,
        /// If true, check that the topics can be created as specified, but don't create anything.
        validate_only: bool [always()],
    }

    /// The topics to create.
    CreatableTopic {
        /// The topic name.
        name: String [always()],
        /// The number of partitions to create in the topic, or -1 if we are either specifying a manual
        /// partition assignment or using the default partitions.
        num_partitions: i32 [always()],
        /// The number of replicas to create for each partition in the topic, or -1 if we are either
        /// specifying a manual partition assignment or using the default replication factor.
        replication_factor: i16 [always()],
        /// The manual partition assignment, or the empty array if we are using automatic assignment.
        assignments: Vec<CreatableReplicaAssignment> [always()],
        /// The custom topic configurations to set.
        configs: Vec<CreatableTopicConfig> [always()],
    }

    /// The manual partition assignment, or the empty array if we are using automatic assignment.
    CreatableReplicaAssignment {
        /// The partition index.
        partition_index: i32 [always()],
        /// The brokers to place the partition on.
        broker_ids: Vec<i32> [always()],
    }

    /// The custom topic configurations to set.
    CreatableTopicConfig {
        /// The configuration name.
        name: String [always()],
        /// The configuration value.
        value: Option<String> [always().nullable()],
    }
}

message! {
    /// The topics created, or why they were not.
    create_topics_response::CreateTopicsResponse: versions 2..=7, flexible 5 {
        /// The duration in milliseconds for which the request was throttled due to a quota violation, or zero
        /// if the request did not violate any quota.
        throttle_time_ms: i32 [always()],
        /// Results for each topic we tried to create.
        topics: Vec<CreatableTopicResult> [always()],
    }

    /// Results for each topic we tried to create.
    CreatableTopicResult {
        /// The topic name.
        name: String [always()],
        /// The unique topic ID.
        topic_id: Uuid [since(7).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()],
        /// Optional topic config error returned if configs are not returned in the response.
        topic_config_error_code: i16 [since(5).tag(0).ignorable()],
        /// Number of partitions of the topic.
        num_partitions: i32 [since(5).ignorable()] = -1,
        /// Replication factor of the topic.
        replication_factor: i16 [since(5).ignorable()] = -1,
        /// Configuration of the topic.
        configs: Option<Vec<CreatableTopicConfigs>> [since(5).nullable().ignorable()],
    }

    /// Configuration of the topic.
    CreatableTopicConfigs {
        /// The configuration name.
        name: String [since(5)],
        /// The configuration value.
        value: Option<String> [since(5).nullable()],
        /// True if the configuration is read-only.
        read_only: bool [since(5)],
        /// The configuration source.
        config_source: i8 [since(5).ignorable()] = -1,
        /// True if this configuration is sensitive.
        is_sensitive: bool [since(5)],
    }
}
