//! ConsumerGroupDescribe (key 69): state, epochs, members and assignments of groups of the next-generation protocol (KIP-848).

use crate::wire::schema::message;

message! {
    /// Asks about groups.
    consumer_group_describe_request::ConsumerGroupDescribeRequest: versions 0..=1, flexible 0 {
        /// The groups.
        group_ids: Vec<String> [always()],
        /// Whether to tell what the client may do with each.
        include_authorized_operations: bool [always()],
    }
}

message! {
    /// What the coordinator knows of them.
    consumer_group_describe_response::ConsumerGroupDescribeResponse: versions 0..=1, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each group.
        groups: Vec<DescribedGroup> [always()],
    }

    /// One group.
    DescribedGroup {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()] = None,
        /// Its name.
        group_id: String [always()],
        /// The name of its state; empty if there was an error.
        group_state: String [always()],
        /// The group epoch: it rises with everything that asks for a new assignment.
        group_epoch: i32 [always()],
        /// The epoch of the target assignment.
        assignment_epoch: i32 [always()],
        /// The assignor chosen.
        assignor_name: String [always()],
        /// Each member.
        members: Vec<Member> [always()],
        /// Bit field of the operations on the group the client may use; the smallest number if not asked for.
        authorized_operations: i32 [always()] = i32::MIN,
    }

    /// One member.
    Member {
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        instance_id: Option<String> [always().nullable()] = None,
        /// Its rack, or null.
        rack_id: Option<String> [always().nullable()] = None,
        /// Its member epoch.
        member_epoch: i32 [always()],
        /// How its client calls itself.
        client_id: String [always()],
        /// The address from which it joined.
        client_host: String [always()],
        /// The topics it subscribes to by name.
        subscribed_topic_names: Vec<String> [always()],
        /// The regular expression it subscribes to, or null.
        subscribed_topic_regex: Option<String> [always().nullable()] = None,
        /// What it owns.
        assignment: Assignment [always()],
        /// What it is to own.
        target_assignment: Assignment [always()],
        /// Which protocol it speaks: 0 the classic one, 1 that of KIP-848; -1 if unknown (KIP-1099).
        member_type: i8 [since(1).ignorable()] = -1,
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
        /// The topic name.
        topic_name: String [always()],
        /// The partitions.
        partitions: Vec<i32> [always()],
    }
}
