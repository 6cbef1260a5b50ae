//! InitProducerId (key 22): the birth of an idempotent or transactional producer. It receives a producer id and an
//! epoch, under which brokers recognise its retries and fence its former selves (KIP-98, KIP-360).

use crate::wire::schema::message;

message! {
    /// Asks for a producer id and epoch.
    init_producer_id_request::InitProducerIdRequest: versions 0..=5, flexible 2 {
        /// The transactional id, or null if the producer is not transactional.
        transactional_id: Option<String> [always().nullable()],
        /// How long a transaction may idle before it is aborted, in milliseconds.
        transaction_timeout_ms: i32 [always()],
        /// The producer id held so far, or -1.
        producer_id: i64 [since(3)] = -1,
        /// The producer epoch held so far, or -1; a newer one at the coordinator fences this producer.
        producer_epoch: i16 [since(3)] = -1,
    }
}

message! {
    /// The producer id and epoch given.
    init_producer_id_response::InitProducerIdResponse: versions 0..=5, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The current producer id.
        producer_id: i64 [always()] = -1,
        /// The current epoch associated with the producer id.
        producer_epoch: i16 [always()],
    }
}
