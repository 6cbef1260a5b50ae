//! ListGroups (key 16): the groups that this broker coordinates; a client that wants all of them asks every broker.

use crate::wire::schema::message;

message! {
    /// Asks for the groups of this coordinator.
    list_groups_request::ListGroupsRequest: versions 0..=5, flexible 3 {
        /// Only groups in one of these states; empty for any state (KIP-518).
        states_filter: Vec<String> [since(4)],
        /// Only groups of one of these types; empty for any type (KIP-848).
        types_filter: Vec<String> [since(5)],
    }
}

message! {
    /// The groups.
    list_groups_response::ListGroupsResponse: versions 0..=5, flexible 3 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// Each group.
        groups: Vec<ListedGroup> [always()],
    }

    /// One group.
    ListedGroup {
        /// Its name.
        group_id: String [always()],
        /// What its members have in common; empty where it only keeps offsets.
        protocol_type: String [always()],
        /// The name of its state.
        group_state: String [since(4).ignorable()],
        /// The name of its type: `classic` or `consumer`.
        group_type: String [since(5).ignorable()],
    }
}
