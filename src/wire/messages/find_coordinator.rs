//! FindCoordinator (key 10): which broker coordinates a group (or a transaction, or the state of a share partition). It is the leader of
//! the partition of `__consumer_offsets` that the group's name hashes to. From version 4 on one request asks for many names (KIP-699).

use crate::wire::schema::message;

message! {
    /// Asks for the coordinator of one name, or of several names of one type.
    find_coordinator_request::FindCoordinatorRequest: versions 0..=6, flexible 3 {
        /// The name of the group, or the transactional id.
        key: String [between(0, 3)],
        /// What is coordinated: 0 a group, 1 a transaction, 2 (from version 6 on) the state of a share partition.
        key_type: i8 [since(1)],
        /// The names, all of that type.
        coordinator_keys: Vec<String> [since(4)],
    }
}

message! {
    /// The coordinators, or why there is none.
    find_coordinator_response::FindCoordinatorResponse: versions 0..=6, flexible 3 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [between(0, 3)],
        /// The error message, or null if there was no error.
        error_message: Option<String> [between(1, 3).nullable().ignorable()],
        /// The coordinator, or -1.
        node_id: i32 [between(0, 3)],
        /// Its host.
        host: String [between(0, 3)],
        /// Its port, or -1.
        port: i32 [between(0, 3)],
        /// The answer for each name.
        coordinators: Vec<Coordinator> [since(4)],
    }

    /// The coordinator of one name.
    Coordinator {
        /// The name asked about.
        key: String [since(4)],
        /// The coordinator, or -1.
        node_id: i32 [since(4)],
        /// Its host.
        host: String [since(4)],
        /// Its port, or -1.
        port: i32 [since(4)],
        /// The error code, or 0 if there was no error.
        error_code: i16 [since(4)],
        /// The error message, or null if there was no error.
        error_message: Option<String> [since(4).nullable().ignorable()],
    }
}
