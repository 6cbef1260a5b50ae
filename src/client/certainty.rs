//! What an answer to a produce request says about the log.
//!
//! ```text
//!   the answer                                    the attempt's effect   what the producer does
//!   ---------------------------------------------------------------------------------------------
//!   none, DUPLICATE_SEQUENCE_NUMBER               appended               success
//!   NOT_ENOUGH_REPLICAS, sequence and epoch       none                   retry
//!     errors, corrupt on the way
//!   MESSAGE_TOO_LARGE, INVALID_*, *_FAILED ...    none                   give up: definitely not written
//!   NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT,    unknown                retry; in doubt from now on
//!     NOT_ENOUGH_REPLICAS_AFTER_APPEND ...
//!   anything else, a lost connection              unknown                retry or give up; in doubt
//! ```
//!
//! A produce request carries no leader epoch (KIP-359 was never built), so a deposed leader takes records in and learns only later
//! that it must not confirm them: NOT_LEADER_OR_FOLLOWER may come after the append. A failure is *definite* only if every attempt was
//! answered by an error that excludes an append; one attempt in doubt makes the whole batch indefinite for ever.

use crate::wire::ErrorCode;

/// What one answer says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// The batch is in the log.
    Appended,
    /// This attempt had no effect.
    Excluded,
    /// Nobody knows.
    Doubtful,
}

/// What this answer to an attempt says about its effect.
#[must_use]
pub fn verdict(error: ErrorCode) -> Verdict {
    match error {
        ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Appended,
        ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::MESSAGE_TOO_LARGE
        | ErrorCode::INVALID_TOPIC_EXCEPTION
        | ErrorCode::RECORD_LIST_TOO_LARGE
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::INVALID_REQUIRED_ACKS
        | ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::INVALID_TIMESTAMP
        | ErrorCode::UNSUPPORTED_VERSION
        | ErrorCode::INVALID_REQUEST
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::INVALID_PRODUCER_ID_MAPPING
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        | ErrorCode::INVALID_RECORD
        | ErrorCode::PRODUCER_FENCED => Verdict::Excluded,
        _ => Verdict::Doubtful,
    }
}

/// Whether the answer says that the producer's numbering and the broker's do not fit together.
#[must_use]
pub fn is_sequence_error(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID) || is_identity_error(error)
}

/// Whether the answer says that the producer id and epoch are not to be used any more.
#[must_use]
pub fn is_identity_error(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::INVALID_PRODUCER_ID_MAPPING | ErrorCode::PRODUCER_FENCED)
}

/// Whether the answer says that we asked the wrong broker: the metadata are old.
#[must_use]
pub fn is_stale_metadata(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::OFFSET_NOT_AVAILABLE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_after_the_append_leave_doubt() {
        for error in [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::UNKNOWN_SERVER_ERROR,
            ErrorCode(12345),
        ] {
            assert_eq!(verdict(error), Verdict::Doubtful, "{error}");
        }
    }

    #[test]
    fn errors_before_the_append_exclude_it() {
        for error in [ErrorCode::NOT_ENOUGH_REPLICAS, ErrorCode::MESSAGE_TOO_LARGE, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER] {
            assert_eq!(verdict(error), Verdict::Excluded, "{error}");
        }
    }

    #[test]
    fn a_duplicate_is_a_success() {
        assert_eq!(verdict(ErrorCode::DUPLICATE_SEQUENCE_NUMBER), Verdict::Appended);
        assert_eq!(verdict(ErrorCode::NONE), Verdict::Appended);
    }
}
