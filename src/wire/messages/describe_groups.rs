//! DescribeGroups (key 15): state, members and assignment of groups of the classic protocol.

use crate::wire::schema::message;

message! {
    /// Asks about groups.
    describe_groups_request::DescribeGroupsRequest: versions 0..=6, flexible 5 {
        /// The groups.
        groups: Vec<String> [always()],
        /// Whether to tell what the client may do with each (KIP-430).
        include_authorized_operations: bool [since(3)],
    }
}

message! {
    /// What the coordinator knows of them.
    describe_groups_response::DescribeGroupsResponse: versions 0..=6, flexible 5 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// Each group.
        groups: Vec<DescribedGroup> [always()],
    }

    /// One group.
    DescribedGroup {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error (KIP-1043).
        error_message: Option<String> [since(6).nullable()] = None,
        /// Its name.
        group_id: String [always()],
        /// The name of its state; empty if there was an error.
        group_state: String [always()],
        /// What its members have in common; empty if it has none.
        protocol_type: String [always()],
        /// The protocol chosen; empty unless there is a generation.
        protocol_data: String [always()],
        /// Each member.
        members: Vec<DescribedGroupMember> [always()],
        /// Bit field of the operations on the group the client may use; the smallest number if not asked for.
        authorized_operations: i32 [since(3)] = i32::MIN,
    }

    /// One member.
    DescribedGroupMember {
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(4).nullable().ignorable()] = None,
        /// How its client calls itself.
        client_id: String [always()],
        /// The address from which it joined.
        client_host: String [always()],
        /// What it sent for the protocol chosen.
        member_metadata: Bytes [always()],
        /// Its part in the assignment.
        member_assignment: Bytes [always()],
    }
}
