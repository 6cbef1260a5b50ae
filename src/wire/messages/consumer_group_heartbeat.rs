//! ConsumerGroupHeartbeat (key 68): the one request of the next-generation protocol (KIP-848). With it a member joins, lives, says what it
//! subscribes to and what it owns, and leaves; in return it hears which partitions to own now. A field that has not changed since the last
//! heartbeat is null, or -1.

use crate::wire::schema::{message, optional};

message! {
    /// Shows that a member lives, and what has changed about it.
    consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest: versions 0..=1, flexible 0 {
        /// The group.
        group_id: String [always()],
        /// The member id, which from version 1 on the member makes itself (KIP-1082); it keeps it as long as it lives.
        member_id: String [always()],
        /// The member epoch; 0 to join, -1 to leave, -2 for a static member that will come back.
        member_epoch: i32 [always()],
        /// The instance id; null if there is none or it has not changed.
        instance_id: Option<String> [always().nullable()] = None,
        /// The rack; null if there is none or it has not changed.
        rack_id: Option<String> [always().nullable()] = None,
        /// How long the member may take to give partitions up, in milliseconds; -1 if it has not changed.
        rebalance_timeout_ms: i32 [always()] = -1,
        /// The topics it subscribes to by name; null if they have not changed.
        subscribed_topic_names: Option<Vec<String>> [always().nullable()] = None,
        /// The regular expression it subscribes to; null if it has not changed.
        subscribed_topic_regex: Option<String> [since(1).nullable()] = None,
        /// The assignor it wants; null if it does not care or it has not changed.
        server_assignor: Option<String> [always().nullable()] = None,
        /// The partitions it owns; null if they have not changed.
        topic_partitions: Option<Vec<TopicPartitions>> [always().nullable()] = None,
    }

    /// Partitions of one topic.
    TopicPartitions {
        /// The topic id.
        topic_id: Uuid [always()],
        /// The partitions.
        partitions: Vec<i32> [always()],
    }
}

message! {
    /// What the coordinator wants of the member.
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse: versions 0..=1, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()] = None,
        /// The member id; null if there was an error.
        member_id: Option<String> [always().nullable()] = None,
        /// The member epoch.
        member_epoch: i32 [always()],
        /// How often to send heartbeats, in milliseconds.
        heartbeat_interval_ms: i32 [always()],
        /// All partitions that the member may own now; null if they have not changed.
        assignment: Option<Assignment> [always().nullable()] = None,
    }

    /// What a member is assigned.
    Assignment {
        /// The partitions by topic.
        topic_partitions: Vec<TopicPartitions> [always()],
    }

    /// Partitions of one topic.
    TopicPartitions {
        /// The topic id.
        topic_id: Uuid [always()],
        /// The partitions.
        partitions: Vec<i32> [always()],
    }
}

optional!(consumer_group_heartbeat_response::Assignment);
