//! AlterConfigs (key 33): replace *all* that is configured for a resource (KIP-133). What is not named falls back to its default, which is
//! why IncrementalAlterConfigs has taken its place; old tools still use it.

use crate::wire::schema::message;

message! {
    /// Asks to replace configurations.
    alter_configs_request::AlterConfigsRequest: versions 0..=2, flexible 2 {
        /// The resources, each with its whole configuration.
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
        /// All that is to be configured.
        configs: Vec<AlterableConfig> [always()],
    }

    /// One configuration.
    AlterableConfig {
        /// The configuration name.
        name: String [always()],
        /// The value.
        value: Option<String> [always().nullable()],
    }
}

message! {
    /// What became of the changes.
    alter_configs_response::AlterConfigsResponse: versions 0..=2, flexible 2 {
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
