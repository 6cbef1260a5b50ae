//! DescribeConfigs (key 32): what is configured for topics and brokers, with where each value comes from (KIP-133). Synonyms tell
//! which values would hold if the present one were removed, the present one first (KIP-226).

use crate::wire::schema::message;

message! {
    /// Asks for configurations.
    describe_configs_request::DescribeConfigsRequest: versions 1..=4, flexible 4 {
        /// The resources whose configurations are wanted.
        resources: Vec<DescribeConfigsResource> [always()],
        /// Whether to tell all values that a configuration may come from.
        include_synonyms: bool [always()],
        /// Whether to explain each configuration.
        include_documentation: bool [since(3)],
    }

    /// A resource.
    DescribeConfigsResource {
        /// What it is: 2 a topic, 4 a broker.
        resource_type: i8 [always()],
        /// Its name; for a broker its id, or empty for the default of all brokers.
        resource_name: String [always()],
        /// Which configurations; null for all.
        configuration_keys: Option<Vec<String>> [always().nullable()],
    }
}

message! {
    /// Configurations, or why they cannot be told.
    describe_configs_response::DescribeConfigsResponse: versions 1..=4, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The results for each resource.
        results: Vec<DescribeConfigsResult> [always()],
    }

    /// One resource.
    DescribeConfigsResult {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()],
        /// What it is.
        resource_type: i8 [always()],
        /// Its name.
        resource_name: String [always()],
        /// Each configuration.
        configs: Vec<DescribeConfigsResourceResult> [always()],
    }

    /// One configuration.
    DescribeConfigsResourceResult {
        /// The configuration name.
        name: String [always()],
        /// The value in force.
        value: Option<String> [always().nullable()],
        /// True if it cannot be altered while the broker runs.
        read_only: bool [always()],
        /// Where the value comes from: 1 this topic, 2 this broker, 3 all brokers, 4 the broker's file, 5 the default.
        config_source: i8 [always().ignorable()] = -1,
        /// True if the value is secret and therefore not told.
        is_sensitive: bool [always()],
        /// The values that could be in force, the present one first.
        synonyms: Vec<DescribeConfigsSynonym> [always().ignorable()],
        /// 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
        config_type: i8 [since(3).ignorable()],
        /// What it means, in words.
        documentation: Option<String> [since(3).nullable().ignorable()],
    }

    /// A value that is, or could be, in force.
    DescribeConfigsSynonym {
        /// The name under which it was set.
        name: String [always()],
        /// The value.
        value: Option<String> [always().nullable()],
        /// Where it comes from.
        source: i8 [always()],
    }
}
