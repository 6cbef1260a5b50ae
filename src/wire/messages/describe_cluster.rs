//! DescribeCluster (key 60): which brokers there are (KIP-700), without any topic.

use crate::wire::schema::message;

message! {
    /// Asks for the nodes of the cluster.
    describe_cluster_request::DescribeClusterRequest: versions 0..=2, flexible 0 {
        /// Whether to say which operations on the cluster the client may use.
        include_cluster_authorized_operations: bool [always()],
        /// Which nodes: 1 brokers, 2 controllers.
        endpoint_type: i8 [since(1)] = 1,
        /// Whether to list fenced brokers too.
        include_fenced_brokers: bool [since(2)],
    }
}

message! {
    /// The nodes of the cluster.
    describe_cluster_response::DescribeClusterResponse: versions 0..=2, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [always().nullable()] = None,
        /// Which nodes: 1 brokers, 2 controllers.
        endpoint_type: i8 [since(1)] = 1,
        /// The cluster.
        cluster_id: String [always()],
        /// The broker to send admin requests to.
        controller_id: i32 [always()] = -1,
        /// Each node.
        brokers: Vec<DescribeClusterBroker> [always()],
        /// Bit field of the operations on the cluster the client may use; the smallest number if not asked for.
        cluster_authorized_operations: i32 [always()] = i32::MIN,
    }

    /// A node.
    DescribeClusterBroker {
        /// Its id.
        broker_id: i32 [always()],
        /// Its host.
        host: String [always()],
        /// Its port.
        port: i32 [always()],
        /// Its rack, or null.
        rack: Option<String> [always().nullable()] = None,
        /// Whether it is fenced.
        is_fenced: bool [since(2)],
    }
}
