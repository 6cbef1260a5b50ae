//! BrokerRegistration (key 62): a starting broker presents itself to the controller and receives its broker epoch
//! (KIP-631). A new incarnation gets a higher epoch, which fences whatever its former life still has under way.

use crate::wire::schema::message;

message! {
    /// Asks the controller to register a broker that has started.
    broker_registration_request::BrokerRegistrationRequest: versions 0..=4, flexible 0 {
        /// The broker ID.
        broker_id: i32 [always()],
        /// The cluster that the sender believes to talk to.
        cluster_id: String [always()],
        /// The incarnation id of the broker process.
        incarnation_id: Uuid [always()],
        /// The listeners of this broker.
        listeners: Vec<Listener> [always()],
        /// The features on this broker. Note: in v0-v3, features with MinSupportedVersion = 0 are omitted.
        features: Vec<Feature> [always()],
        /// The rack which this broker is in.
        rack: Option<String> [always().nullable()],
        /// Whether this is a ZooKeeper broker on its way to KRaft; always false here.
        is_migrating_zk_broker: bool [since(1)],
        /// Log directories configured in this broker which are available.
        log_dirs: Vec<Uuid> [since(2).ignorable()],
        /// The broker epoch at the last clean shutdown, or -1.
        previous_broker_epoch: i64 [since(3).ignorable()] = -1,
    }

    /// Where the broker listens.
    Listener {
        /// The name of the endpoint.
        name: String [always()],
        /// The hostname.
        host: String [always()],
        /// The port.
        port: u16 [always()],
        /// The security protocol.
        security_protocol: i16 [always()],
    }

    /// A feature that the broker supports.
    Feature {
        /// The feature name.
        name: String [always()],
        /// The minimum supported feature level.
        min_supported_version: i16 [always()],
        /// The maximum supported feature level.
        max_supported_version: i16 [always()],
    }
}

message! {
    /// The broker epoch given to the registered broker.
    broker_registration_response::BrokerRegistrationResponse: versions 0..=4, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The broker's assigned epoch, or -1 if none was assigned.
        broker_epoch: i64 [always()] = -1,
    }
}
