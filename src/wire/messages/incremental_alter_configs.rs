//! IncrementalAlterConfigs (key 44): change single entries of a configuration, and leave all others as they are (KIP-339).

use crate::wire::schema::message;

message! {
    /// Asks to change entries.
    incremental_alter_configs_request::IncrementalAlterConfigsRequest: versions 0..=1, flexible 1 {
        /// The resources, each with its changes.
        resources: Vec<AlterConfigsResource> [always()],
        /// Whether only to check, and to change nothing.
        validate_only: bool [always()],
    }

    /// A resource.
    AlterConfigsResource {
        /// What it is: 2 a topic, 4 a broker.
        resource_type: i8 [always()],
        /// Its name.
        resource_name: String [always()],
        /// The changes.
        configs: Vec<AlterableConfig> [always()],
    }

    /// One change.
    AlterableConfig {
        /// The configuration name.
        name: String [always()],
        /// What to do: 0 set, 1 delete, 2 append to a list, 3 take out of a list.
        config_operation: i8 [always()],
        /// The value; not looked at when an entry is deleted.
        value: Option<String> [always().nullable()],
    }
}

message! {
    /// What became of the changes.
    incremental_alter_configs_response::IncrementalAlterConfigsResponse: versions 0..=1, flexible 1 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The results for each resource.
        responses: Vec<AlterConfigsResourceResponse> [always()],
    }

    /// One resource.
    AlterConfigsResourceResponse {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()],
        /// What it is.
        resource_type: i8 [always()],
        /// Its name.
        resource_name: String [always()],
    }
}
