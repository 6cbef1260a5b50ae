//! CreateTopics (key 19): create topics, with a number of partitions or with an explicit assignment of replicas.

use crate::wire::schema::message;

message! {
    /// Asks the controller to create topics.
    create_topics_request::CreateTopicsRequest: versions 2..=7, flexible 5 {
        /// The topics to create.
        topics: Vec<CreatableTopic> [always()],
        /// How long to wait, in milliseconds.
        timeout_ms: i32 [always()] = 60000,
        /// Whether only to check, and to create nothing.
        validate_only: bool [always()],
    }

    /// A topic to create.
    CreatableTopic {
        /// The topic name.
        name: String [always()],
        /// How many partitions; -1 for the default, or where replicas are assigned below.
        num_partitions: i32 [always()],
        /// How many replicas each; -1 for the default, or where replicas are assigned below.
        replication_factor: i16 [always()],
        /// Replicas by partition; empty to let the controller choose.
        assignments: Vec<CreatableReplicaAssignment> [always()],
        /// The custom topic configurations to set.
        configs: Vec<CreatableTopicConfig> [always()],
    }

    /// The replicas of one partition.
    CreatableReplicaAssignment {
        /// The partition index.
        partition_index: i32 [always()],
        /// The brokers to place the partition on.
        broker_ids: Vec<i32> [always()],
    }

    /// A configuration entry.
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
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Results for each topic we tried to create.
        topics: Vec<CreatableTopicResult> [always()],
    }

    /// What became of one topic.
    CreatableTopicResult {
        /// The topic name.
        name: String [always()],
        /// The unique topic ID.
        topic_id: Uuid [since(7).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()],
        /// Why there is no configuration in this response.
        topic_config_error_code: i16 [since(5).tag(0).ignorable()],
        /// How many partitions the topic has.
        num_partitions: i32 [since(5).ignorable()] = -1,
        /// How many replicas each partition has.
        replication_factor: i16 [since(5).ignorable()] = -1,
        /// Configuration of the topic.
        configs: Option<Vec<CreatableTopicConfigs>> [since(5).nullable().ignorable()],
    }

    /// An entry of the topic's configuration.
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
