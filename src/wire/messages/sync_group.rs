//! SyncGroup (key 14): the second half of a rebalance of the classic protocol. The leader hands in the assignment it computed, everyone else
//! waits for it, and each member receives its own part, which the coordinator neither reads nor changes.

use crate::wire::schema::message;

message! {
    /// Asks for the member's part in the assignment; the leader brings all parts.
    sync_group_request::SyncGroupRequest: versions 0..=5, flexible 4 {
        /// The group.
        group_id: String [always()],
        /// The generation that the member joined.
        generation_id: i32 [always()],
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(3).nullable()] = None,
        /// The protocol type that the member believes in (KIP-559), or null.
        protocol_type: Option<String> [since(5).nullable().ignorable()] = None,
        /// The protocol that the member believes to be chosen (KIP-559), or null.
        protocol_name: Option<String> [since(5).nullable().ignorable()] = None,
        /// The parts of all members; empty from everyone but the leader.
        assignments: Vec<SyncGroupRequestAssignment> [always()],
    }

    /// What one member is assigned.
    SyncGroupRequestAssignment {
        /// The member.
        member_id: String [always()],
        /// Its part; for consumers a `ConsumerProtocolAssignment`.
        assignment: Bytes [always()],
    }
}

message! {
    /// The member's part in the assignment.
    sync_group_response::SyncGroupResponse: versions 0..=5, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The protocol type of the group.
        protocol_type: Option<String> [since(5).nullable().ignorable()] = None,
        /// The protocol chosen.
        protocol_name: Option<String> [since(5).nullable().ignorable()] = None,
        /// The part, as the leader wrote it.
        assignment: Bytes [always()],
    }
}
