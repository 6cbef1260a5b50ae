//! DeleteGroups (key 42): groups without members are forgotten, with all they have committed (KIP-229).

use crate::wire::schema::message;

message! {
    /// Asks to delete groups.
    delete_groups_request::DeleteGroupsRequest: versions 0..=2, flexible 2 {
        /// The groups.
        groups_names: Vec<String> [always()],
    }
}

message! {
    /// Which groups are deleted.
    delete_groups_response::DeleteGroupsResponse: versions 0..=2, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each group.
        results: Vec<DeletableGroupResult> [always()],
    }

    /// What became of one group.
    DeletableGroupResult {
        /// The group.
        group_id: String [always()],
        /// The error code, or 0 if it is deleted.
        error_code: i16 [always()],
    }
}
