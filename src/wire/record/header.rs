//! The 61 bytes before the records.

use super::BatchError;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Bytes of a batch header, from the base offset to the record count.
pub const HEADER_SIZE: usize = 61;
/// Bytes before those that the batch length counts.
pub const LENGTH_OVERHEAD: usize = 12;
/// Where the checksum lies.
pub(super) const CRC_AT: usize = 17;
/// Where the bytes under the checksum start.
pub(super) const CRC_FROM: usize = 21;

const MAGIC: i8 = 2;
const CODEC_BITS: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// The header of a record batch.
///
/// Invariants of a parsed header: the magic is 2, the length holds at least a header, last offset delta and record count are not
/// negative, and no offset of the batch exceeds `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; what the producer sends is 0 and means nothing.
    pub base_offset: Offset,
    /// Bytes after this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type and flags; see the questions below.
    pub attributes: i16,
    /// Offset of the last record, relative to the base offset.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, or the delete horizon.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of all records.
    pub max_timestamp: Timestamp,
    /// Who produced the batch; `NONE` without idempotence.
    pub producer_id: ProducerId,
    /// The producer's epoch; -1 without idempotence.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record; -1 without idempotence, and in control batches.
    pub base_sequence: Sequence,
    /// How many records there are; compaction makes it smaller than the range of offsets.
    pub record_count: i32,
}

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy, raw or in xerial framing.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard.
    Zstd,
    /// A codec this build does not know.
    Unknown(u8),
}

/// What the timestamps of a batch mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// When the producer made the record.
    CreateTime,
    /// When the leader appended the batch; then it is the max timestamp for all records.
    LogAppendTime,
}

fn bytes_at<const N: usize>(bytes: &[u8; HEADER_SIZE], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("all positions used lie within the header")
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`. What follows the header is not looked at, and need not be there.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Err(BatchError::Truncated { needed: HEADER_SIZE, found: bytes.len() });
        };
        let magic = bytes[16] as i8;
        if magic != MAGIC {
            return Err(BatchError::Magic { magic });
        }
        let header = BatchHeader {
            base_offset: Offset(i64::from_be_bytes(bytes_at(bytes, 0))),
            batch_length: i32::from_be_bytes(bytes_at(bytes, 8)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(bytes_at(bytes, 12))),
            crc: u32::from_be_bytes(bytes_at(bytes, CRC_AT)),
            attributes: i16::from_be_bytes(bytes_at(bytes, CRC_FROM)),
            last_offset_delta: i32::from_be_bytes(bytes_at(bytes, 23)),
            base_timestamp: Timestamp(i64::from_be_bytes(bytes_at(bytes, 27))),
            max_timestamp: Timestamp(i64::from_be_bytes(bytes_at(bytes, 35))),
            producer_id: ProducerId(i64::from_be_bytes(bytes_at(bytes, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(bytes_at(bytes, 51))),
            base_sequence: Sequence(i32::from_be_bytes(bytes_at(bytes, 53))),
            record_count: i32::from_be_bytes(bytes_at(bytes, 57)),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), BatchError> {
        if self.batch_length < (HEADER_SIZE - LENGTH_OVERHEAD) as i32 {
            return Err(BatchError::Length { length: self.batch_length });
        }
        let (base, delta) = (self.base_offset.0, i64::from(self.last_offset_delta));
        // The end offset of the batch, one after its last, must be a number too.
        if base < 0 || base.checked_add(delta).is_none_or(|last| last == i64::MAX) {
            return Err(BatchError::Field { field: "base offset", value: base });
        }
        if delta < 0 {
            return Err(BatchError::Field { field: "last offset delta", value: delta });
        }
        if self.record_count < 0 {
            return Err(BatchError::Field { field: "record count", value: i64::from(self.record_count) });
        }
        Ok(())
    }

    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        bytes[16] = MAGIC as u8;
        bytes[CRC_AT..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[CRC_FROM..23].copy_from_slice(&self.attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.0.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        bytes
    }

    /// Writes base offset and leader epoch into the batch at the start of `bytes`. The checksum does not cover them.
    pub fn patch(bytes: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
        assert!(bytes.len() >= HEADER_SIZE, "{} bytes hold no batch header", bytes.len());
        bytes[0..8].copy_from_slice(&base_offset.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.0.to_be_bytes());
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size(&self) -> usize {
        LENGTH_OVERHEAD + self.batch_length as usize
    }

    /// Offset of the last record the batch ever had.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Where the next batch may start at the earliest.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// Sequence of the last record.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        match self.base_sequence.0 {
            ..0 => self.base_sequence,
            _ => self.base_sequence.plus(self.last_offset_delta),
        }
    }

    /// How the records are compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        match self.attributes & CODEC_BITS {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            code => Compression::Unknown(code as u8),
        }
    }

    /// What the timestamps mean.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes & LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch is a marker of the protocol rather than users' records.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether a producer id is there, so that sequences are checked.
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.producer_id.0 >= 0
    }

    /// The time after which compaction may drop tombstones and markers of this batch, once compaction has set it.
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(self) -> BatchHeader {
        BatchHeader { attributes: self.attributes | TRANSACTIONAL, ..self }
    }

    /// Marks the batch as a control batch.
    #[must_use]
    pub fn control(self) -> BatchHeader {
        BatchHeader { attributes: self.attributes | CONTROL, ..self }
    }

    /// Sets the time after which compaction may drop tombstones. The records' timestamps must be told relative to it from now on.
    #[must_use]
    pub(super) fn with_delete_horizon(self, horizon: Timestamp) -> BatchHeader {
        BatchHeader { attributes: self.attributes | DELETE_HORIZON, base_timestamp: horizon, ..self }
    }

    /// The records are not compressed.
    #[must_use]
    pub(super) fn uncompressed(self) -> BatchHeader {
        BatchHeader { attributes: self.attributes & !CODEC_BITS, ..self }
    }

    /// Makes `now` the time of all records, as topics with `message.timestamp.type=LogAppendTime` want it. The checksum covers
    /// this: see [`super::BatchRef::with_header`].
    #[must_use]
    pub fn appended_at(self, now: Timestamp) -> BatchHeader {
        BatchHeader { attributes: self.attributes | LOG_APPEND_TIME, max_timestamp: now, ..self }
    }
}
