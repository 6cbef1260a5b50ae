//! BrokerHeartbeat (key 63): a broker shows the controller that it lives and how far it has read the metadata log.
//! A broker that misses its heartbeats is fenced and loses its leaderships (KIP-631).

use crate::wire::schema::message;

message! {
    /// Shows the controller that a broker lives, and what it wants to become.
    broker_heartbeat_request::BrokerHeartbeatRequest: versions 0..=1, flexible 0 {
        /// The broker ID.
        broker_id: i32 [always()],
        /// The broker epoch.
        broker_epoch: i64 [always()] = -1,
        /// How far the broker has read the metadata log.
        current_metadata_offset: i64 [always()],
        /// Whether the broker wants to stay fenced.
        want_fence: bool [always()],
        /// True if the broker wants to be shut down, false otherwise.
        want_shut_down: bool [always()],
        /// Log directories that failed and went offline.
        offline_log_dirs: Vec<Uuid> [since(1).tag(0)],
    }
}

message! {
    /// What the controller has decided about the broker.
    broker_heartbeat_response::BrokerHeartbeatResponse: versions 0..=1, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// True if the broker has approximately caught up with the latest metadata.
        is_caught_up: bool [always()],
        /// True if the broker is fenced.
        is_fenced: bool [always()] = true,
        /// True if the broker should proceed with its shutdown.
        should_shut_down: bool [always()],
    }
}
