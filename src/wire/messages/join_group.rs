//! JoinGroup (key 11): a member enters a rebalance of the classic protocol. The answer is held back until all members have joined or their
//! time is up; then every member learns the generation, and the leader learns who the members are and what each subscribes to. From
//! version 4 on a newcomer is first given a member id and has to come again with it (KIP-394); an instance id makes a member static (KIP-345).

use crate::wire::schema::message;

message! {
    /// Asks to be a member of the next generation.
    join_group_request::JoinGroupRequest: versions 0..=9, flexible 6 {
        /// The group.
        group_id: String [always()],
        /// How long the member may be silent before it is removed, in milliseconds.
        session_timeout_ms: i32 [always()],
        /// How long a rebalance waits for this member to join again, in milliseconds; -1 for the session time-out.
        rebalance_timeout_ms: i32 [since(1).ignorable()] = -1,
        /// The member id that the coordinator gave, or empty for a newcomer.
        member_id: String [always()],
        /// The name under which a static member comes back after a restart, or null for a dynamic one.
        group_instance_id: Option<String> [since(5).nullable()] = None,
        /// What the members have in common: `consumer` for consumers, `connect` for Kafka Connect.
        protocol_type: String [always()],
        /// The protocols that the member can follow (for consumers: assignors), the one it likes best first.
        protocols: Vec<JoinGroupRequestProtocol> [always()],
        /// Why the member joins, in words (KIP-800).
        reason: Option<String> [since(8).nullable().ignorable()] = None,
    }

    /// A protocol that a member can follow.
    JoinGroupRequestProtocol {
        /// Its name.
        name: String [always()],
        /// What the leader has to know of this member; for consumers a `ConsumerProtocolSubscription`.
        metadata: Bytes [always()],
    }
}

message! {
    /// The generation that the member is in.
    join_group_response::JoinGroupResponse: versions 0..=9, flexible 6 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(2).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The generation, or -1.
        generation_id: i32 [always()] = -1,
        /// What the members have in common.
        protocol_type: Option<String> [since(7).nullable().ignorable()] = None,
        /// The protocol chosen, which all members can follow.
        protocol_name: Option<String> [always().nullable_since(7)],
        /// The member that is to compute the assignment.
        leader: String [always()],
        /// Whether the leader must leave the assignment as it is: a static leader came back (KIP-814).
        skip_assignment: bool [since(9)],
        /// The member id of the receiver.
        member_id: String [always()],
        /// All members, told to the leader only.
        members: Vec<JoinGroupResponseMember> [always()],
    }

    /// One member, as its leader sees it.
    JoinGroupResponseMember {
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(5).nullable().ignorable()] = None,
        /// What it sent for the protocol chosen.
        metadata: Bytes [always()],
    }
}
