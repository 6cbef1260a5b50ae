//! ListConfigResources (key 74): which resources can have a configuration (KIP-1142). Version 0 knew only the metrics of clients (KIP-714).

use crate::wire::schema::message;

message! {
    /// Asks for the names of resources.
    list_config_resources_request::ListConfigResourcesRequest: versions 0..=1, flexible 0 {
        /// Which types; empty for all.
        resource_types: Vec<i8> [since(1)],
    }
}

message! {
    /// The names of resources.
    list_config_resources_response::ListConfigResourcesResponse: versions 0..=1, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// Each resource.
        config_resources: Vec<ConfigResource> [always()],
    }

    /// A resource.
    ConfigResource {
        /// Its name.
        resource_name: String [always()],
        /// What it is: 2 a topic, 4 a broker, 8 a broker's logger, 16 metrics of clients, 32 a group.
        resource_type: i8 [since(1).ignorable()] = 16,
    }
}
