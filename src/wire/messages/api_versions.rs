//! ApiVersions (key 18): the first request on a connection. The client learns which versions of which API the
//! node speaks, and picks for every API the highest that both know (KIP-35, KIP-511).
//!
//! A client newer than the node asks in a version the node cannot read. The node then answers in version 0 with
//! UNSUPPORTED_VERSION and its own range, and the client asks again. That is why the response header of this API
//! has no tagged fields in any version.

use crate::wire::schema::message;

message! {
    /// Asks which versions of which API a node speaks.
    api_versions_request::ApiVersionsRequest: versions 0..=4, flexible 3 {
        /// The name of the client.
        client_software_name: String [since(3).ignorable()],
        /// The version of the client.
        client_software_version: String [since(3).ignorable()],
    }
}

message! {
    /// The versions a node speaks, and the features its cluster has finalized.
    api_versions_response::ApiVersionsResponse: versions 0..=4, flexible 3 {
        /// The top-level error code.
        error_code: i16 [always()],
        /// The APIs supported by the broker.
        api_keys: Vec<ApiVersion> [always()],
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [since(1).ignorable()],
        /// Features that the node supports; up to version 3 those from level 0 on are left out.
        supported_features: Vec<SupportedFeatureKey> [since(3).tag(0).ignorable()],
        /// Rises with every change of the finalized features; -1 if unknown.
        finalized_features_epoch: i64 [since(3).tag(1).ignorable()] = -1,
        /// Features on whose level the cluster has agreed.
        finalized_features: Vec<FinalizedFeatureKey> [since(3).tag(2).ignorable()],
        /// Whether a migration from ZooKeeper can begin; always false here.
        zk_migration_ready: bool [since(3).tag(3).ignorable()],
    }

    /// One API.
    ApiVersion {
        /// The API index.
        api_key: i16 [always()],
        /// The minimum supported version, inclusive.
        min_version: i16 [always()],
        /// The maximum supported version, inclusive.
        max_version: i16 [always()],
    }

    /// A feature that the node supports.
    SupportedFeatureKey {
        /// The name of the feature.
        name: String [since(3)],
        /// The minimum supported version for the feature.
        min_version: i16 [since(3)],
        /// The maximum supported version for the feature.
        max_version: i16 [since(3)],
    }

    /// A feature on whose level the cluster has agreed.
    FinalizedFeatureKey {
        /// The name of the feature.
        name: String [since(3)],
        /// The cluster-wide finalized max version level for the feature.
        max_version_level: i16 [since(3)],
        /// The cluster-wide finalized min version level for the feature.
        min_version_level: i16 [since(3)],
    }
}
