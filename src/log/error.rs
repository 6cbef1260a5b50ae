//! What can go wrong with a log, and whose fault it is.
//!
//! A disk that failed once is not asked again: the log is *stopped*, every later operation says so, and only a restart of the process
//! with its recovery brings it back. A log that went on after a failed write would have a hole, or a torn batch in its middle
//! (KAFKA-10778); one that synced again after a failed sync would be told a lie (fsyncgate).

use thiserror::Error;

use crate::disk::DiskError;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::wire::ErrorCode;
use crate::wire::record::BatchError;

/// Why an operation on a log failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LogError {
    /// The disk failed just now; the log is stopped.
    #[error("disk: {error}")]
    Disk {
        /// What the disk said.
        #[from]
        error: DiskError,
    },
    /// The disk failed earlier; the log takes no more part.
    #[error("stopped after a disk error: {0}")]
    Stopped(DiskError),
    /// The offset is not in the log.
    #[error("offset {offset} is outside of {log_start}..{log_end}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// First offset there.
        log_start: Offset,
        /// First offset not there yet.
        log_end: Offset,
    },
    /// Bytes on the disk are not what was written. They are not served.
    #[error("{path} is corrupt at position {position} (offset {at}): {fault}")]
    Corrupt {
        /// File.
        path: String,
        /// Byte at which the bad batch starts.
        position: u64,
        /// First offset that cannot be trusted.
        at: Offset,
        /// What is wrong.
        fault: Damage,
        /// The place was known to be durable: a torn write cannot be the reason.
        below_recovery_point: bool,
    },
    /// A small file next to the segments cannot be understood.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory was created but never flushed before power was lost: it holds nothing that anybody relied on, not even the
    /// identity of its topic. Remove it ([`super::Log::discard`]) and create the log again.
    #[error("{dir} was never flushed")]
    NeverFlushed {
        /// The log's directory.
        dir: String,
    },
}

/// What is wrong with a stored batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Damage {
    /// The batch itself.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// It does not start where its predecessor ends.
    #[error("expected a batch at offset {expected}, found one at {found}")]
    Offset {
        /// End of the predecessor.
        expected: Offset,
        /// Base offset found.
        found: Offset,
    },
    /// Its leader epoch is lower than that of its predecessor.
    #[error("leader epoch falls from {from} to {to}")]
    EpochFalls {
        /// Epoch of the predecessor.
        from: LeaderEpoch,
        /// Epoch found.
        to: LeaderEpoch,
    },
    /// Its leader epoch, which is not under the checksum, is another one than was appended.
    #[error("the batch was of leader epoch {known}, now it says {found}")]
    Epoch {
        /// As the epoch cache tells.
        known: LeaderEpoch,
        /// As the batch says.
        found: LeaderEpoch,
    },
    /// Its leader epoch, which is not under the checksum, is above all that there have been.
    #[error("the batch says leader epoch {found}, but the controller has only come to {newest}")]
    FutureEpoch {
        /// The partition's leader epoch.
        newest: LeaderEpoch,
        /// As the batch says.
        found: LeaderEpoch,
    },
    /// The file ends where a batch should be.
    #[error("the file ends here")]
    Missing,
    /// A former life of the process met it, and left a mark.
    #[error("found before")]
    Known,
}

/// A small text or binary file that cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{path}:{line}: {fault}")]
pub struct FileError {
    /// File.
    pub path: String,
    /// Line, from 1; 0 if the file has no lines.
    pub line: usize,
    /// What is wrong there.
    pub fault: FileFault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Error)]
pub enum FileFault {
    /// Not UTF-8, or not there.
    #[error("expected text")]
    Text,
    /// A version this broker does not know.
    #[error("unknown version; only 0 is known")]
    Version,
    /// The count line is not a number, or does not match the number of lines.
    #[error("expected the number of lines that follow")]
    Count,
    /// A line has not the right number of fields, or a field is no number.
    #[error("expected {0}")]
    Fields(&'static str),
    /// Entries are not in rising order.
    #[error("entries must rise")]
    Order,
}

/// Why batches were not appended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    /// The log is stopped, or the disk failed just now.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A truncation is not durable yet; try again after the flush.
    #[error("a truncation is not durable yet")]
    TruncationPending,
    /// The bytes are not a valid batch (`CORRUPT_MESSAGE`).
    #[error("invalid batch: {0}")]
    Batch(#[from] BatchError),
    /// The batch is well-formed but not allowed (`INVALID_RECORD`).
    #[error("batch refused: {0}")]
    Refused(Refusal),
    /// Larger than `max.message.bytes` (`MESSAGE_TOO_LARGE`).
    #[error("a batch of {bytes} bytes exceeds {bytes_max}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// Larger than a segment (`RECORD_LIST_TOO_LARGE`).
    #[error("a batch of {bytes} bytes does not fit into a segment of {bytes_max}")]
    LargerThanSegment {
        /// Size of the batch.
        bytes: usize,
        /// `segment.bytes`.
        bytes_max: usize,
    },
    /// Too far in the past or in the future (`INVALID_TIMESTAMP`).
    #[error("timestamp {found} lies outside of {earliest}..={latest}")]
    Timestamp {
        /// A timestamp of the batch.
        found: Timestamp,
        /// Earliest allowed.
        earliest: Timestamp,
        /// Latest allowed.
        latest: Timestamp,
    },
    /// The sequence does not continue the producer's last one (`OUT_OF_ORDER_SEQUENCE_NUMBER`).
    #[error("producer {producer} sent sequence {found}, expected {expected}")]
    OutOfOrderSequence {
        /// Who.
        producer: ProducerId,
        /// First sequence of the batch.
        found: Sequence,
        /// What would have continued.
        expected: Sequence,
    },
    /// A newer session of the producer is known (`INVALID_PRODUCER_EPOCH`).
    #[error("producer {producer} has epoch {known}, batch comes with {found}")]
    InvalidProducerEpoch {
        /// Who.
        producer: ProducerId,
        /// Epoch of the batch.
        found: ProducerEpoch,
        /// Newest epoch seen.
        known: ProducerEpoch,
    },
    /// A follower was given batches that do not continue its log.
    #[error("expected a batch at offset {expected}, got one at {found}")]
    UnexpectedOffset {
        /// Log end, or end of the batch before.
        expected: Offset,
        /// Base offset of the batch.
        found: Offset,
    },
    /// The epoch of a batch is lower than that of its predecessor.
    #[error("leader epoch falls from {from} to {to}")]
    EpochFalls {
        /// Last epoch of the log.
        from: LeaderEpoch,
        /// Epoch of the batch.
        to: LeaderEpoch,
    },
    /// A follower was given a batch of a later epoch than it operates in (KAFKA-18723).
    #[error("batch of leader epoch {found} came in role epoch {role}")]
    FutureEpoch {
        /// Epoch of the batch.
        found: LeaderEpoch,
        /// Epoch in which the follower operates.
        role: LeaderEpoch,
    },
}

impl LogError {
    /// What a client or a follower is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            LogError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            LogError::Corrupt { .. } => ErrorCode::CORRUPT_MESSAGE,
            LogError::Disk { .. } | LogError::Stopped(_) | LogError::File(_) | LogError::NeverFlushed { .. } => {
                ErrorCode::KAFKA_STORAGE_ERROR
            }
        }
    }
}

impl AppendError {
    /// What a client is told. The last two concern followers only.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            AppendError::Log(error) => error.code(),
            // Retriable, and true enough: this leader is not ready yet.
            AppendError::TruncationPending => ErrorCode::LEADER_NOT_AVAILABLE,
            AppendError::Batch(_) => ErrorCode::CORRUPT_MESSAGE,
            AppendError::Refused(_) => ErrorCode::INVALID_RECORD,
            AppendError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            AppendError::LargerThanSegment { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
            AppendError::Timestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
            AppendError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            AppendError::EpochFalls { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            AppendError::UnexpectedOffset { .. } | AppendError::FutureEpoch { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl From<DiskError> for AppendError {
    fn from(error: DiskError) -> AppendError {
        AppendError::Log(LogError::Disk { error })
    }
}

/// Why a well-formed batch is not allowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Error)]
pub enum Refusal {
    /// A produce request carries exactly one batch for each partition.
    #[error("expected exactly one batch")]
    NotOneBatch,
    /// Only brokers write control batches.
    #[error("clients may not write control batches")]
    Control,
    /// The count must be positive and equal to the number of offsets.
    #[error("the record count does not match the offsets")]
    Count,
    /// A producer id needs an epoch and a sequence, and vice versa.
    #[error("producer id, epoch and sequence do not fit together")]
    Producer,
    /// Unknown compression codec, or a timestamp type that only brokers set.
    #[error("attribute bits are not allowed")]
    Attributes,
    /// A compacted topic keeps the newest record of each key.
    #[error("compacted topic cannot accept message without key")]
    Key,
}
