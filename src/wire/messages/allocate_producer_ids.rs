//! AllocateProducerIds (key 67): a broker takes a block of producer ids from the controller, to hand them out one
//! by one without asking again (KIP-730).

use crate::wire::schema::message;

message! {
    /// Asks the controller for a block of producer ids.
    allocate_producer_ids_request::AllocateProducerIdsRequest: versions 0..=0, flexible 0 {
        /// The ID of the requesting broker.
        broker_id: i32 [always()],
        /// The epoch of the requesting broker.
        broker_epoch: i64 [always()] = -1,
    }
}

message! {
    /// The block allocated.
    allocate_producer_ids_response::AllocateProducerIdsResponse: versions 0..=0, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The top level response error code.
        error_code: i16 [always()],
        /// The first producer ID in this range, inclusive.
        producer_id_start: i64 [always()],
        /// The number of producer IDs in this range.
        producer_id_len: i32 [always()],
    }
}
