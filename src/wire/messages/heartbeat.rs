//! Heartbeat (key 12): a member of the classic protocol shows that it lives, and hears in return whether it has to join again.

use crate::wire::schema::message;

message! {
    /// Shows that a member lives.
    heartbeat_request::HeartbeatRequest: versions 0..=4, flexible 4 {
        /// The group.
        group_id: String [always()],
        /// The generation that the member is in.
        generation_id: i32 [always()],
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(3).nullable()] = None,
    }
}

message! {
    /// Whether the member's generation goes on.
    heartbeat_response::HeartbeatResponse: versions 0..=4, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// The error code, or 0 if there was no error; REBALANCE_IN_PROGRESS sends the member back to JoinGroup.
        error_code: i16 [always()],
    }
}
