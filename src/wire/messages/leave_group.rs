//! LeaveGroup (key 13): a member says goodbye, so that nobody has to wait for its session to end. From version 3 on one request removes
//! many members, which is how an operator gets rid of static ones (KIP-345).

use crate::wire::schema::message;

message! {
    /// Asks to remove members.
    leave_group_request::LeaveGroupRequest: versions 0..=5, flexible 4 {
        /// The group.
        group_id: String [always()],
        /// The member that leaves.
        member_id: String [between(0, 2)],
        /// The members that leave.
        members: Vec<MemberIdentity> [since(3)],
    }

    /// A member that leaves.
    MemberIdentity {
        /// Its member id; empty where the instance id says it all.
        member_id: String [since(3)],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(3).nullable()] = None,
        /// Why it leaves, in words (KIP-800).
        reason: Option<String> [since(5).nullable().ignorable()] = None,
    }
}

message! {
    /// What became of each of them.
    leave_group_response::LeaveGroupResponse: versions 0..=5, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// Each member.
        members: Vec<MemberResponse> [since(3)],
    }

    /// What became of one member.
    MemberResponse {
        /// Its member id, as it was asked for.
        member_id: String [since(3)],
        /// Its instance id, as it was asked for.
        group_instance_id: Option<String> [since(3).nullable()],
        /// The error code, or 0 if it has left.
        error_code: i16 [since(3)],
    }
}
