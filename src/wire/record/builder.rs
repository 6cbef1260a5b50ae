//! Building a batch from records.

use bytes::Bytes;

use super::header::{CRC_AT, CRC_FROM};
use super::{BatchHeader, ControlType, HEADER_SIZE, Header, LENGTH_OVERHEAD};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::wire::varint::{put_varint, varint_size};

/// A batch under construction, not compressed.
///
/// ```
/// use brokerlab::types::Timestamp;
/// use brokerlab::wire::record::{BatchBuilder, batches};
///
/// let mut builder = BatchBuilder::new();
/// builder.push(Timestamp(1000), Some(b"key"), Some(b"value"), &[]);
/// let batch = batches(&builder.build()).next().expect("one batch").expect("well formed");
/// assert!(batch.verify_crc().is_ok());
/// assert_eq!(batch.header.record_count, 1);
/// ```
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    header: BatchHeader,
    bytes: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// An empty batch at offset 0, without leader epoch and producer.
    #[must_use]
    pub fn new() -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            batch_length: 0,
            leader_epoch: LeaderEpoch::NONE,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: Timestamp(-1),
            max_timestamp: Timestamp(-1),
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch(-1),
            base_sequence: Sequence(-1),
            record_count: 0,
        };
        BatchBuilder { header, bytes: vec![0; HEADER_SIZE] }
    }

    /// Where the batch will lie in the log.
    #[must_use]
    pub fn at(mut self, base_offset: Offset, leader_epoch: LeaderEpoch) -> BatchBuilder {
        self.header.base_offset = base_offset;
        self.header.leader_epoch = leader_epoch;
        self
    }

    /// Who produces the batch, and the sequence of its first record.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: Sequence) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes the batch part of its producer's transaction.
    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.header = self.header.transactional();
        self
    }

    /// A control batch with its one record.
    #[must_use]
    pub fn control(mut self, control: ControlType, value: &[u8], timestamp: Timestamp) -> BatchBuilder {
        assert_eq!(self.header.record_count, 0, "a control batch holds one record");
        self.header = self.header.control();
        self.push(timestamp, Some(&control.key()), Some(value), &[]);
        self
    }

    /// Appends a record at the next offset.
    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) {
        self.push_at(self.header.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Appends a record at an offset relative to the base offset; it must be larger than all before.
    pub fn push_at(
        &mut self,
        offset_delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        assert!(offset_delta > self.header.last_offset_delta, "offset delta {offset_delta} does not rise");
        if self.header.record_count == 0 {
            self.header.base_timestamp = timestamp;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta = offset_delta;
        self.header.record_count += 1;
        let timestamp_delta = timestamp.0.wrapping_sub(self.header.base_timestamp.0);
        put_record(&mut self.bytes, timestamp_delta, offset_delta, key, value, headers);
    }

    /// Records so far.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Extends the offsets of the batch beyond its last record, as compaction does to keep the range.
    #[must_use]
    pub fn last_offset_delta(mut self, delta: i32) -> BatchBuilder {
        assert!(delta >= self.header.last_offset_delta, "the range of offsets cannot shrink to {delta}");
        self.header.last_offset_delta = delta;
        self
    }

    /// The finished batch.
    #[must_use]
    pub fn build(mut self) -> Bytes {
        assert!(self.header.last_offset_delta >= 0, "a batch without any offset");
        self.header.batch_length = i32::try_from(self.bytes.len() - LENGTH_OVERHEAD).expect("a batch is smaller than 2 GiB");
        self.bytes[..HEADER_SIZE].copy_from_slice(&self.header.to_bytes());
        let crc = crc32c::crc32c(&self.bytes[CRC_FROM..]);
        self.bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(self.bytes)
    }
}

/// Appends a record in the form in which it rests in a batch that is not compressed.
pub(super) fn put_record(
    bytes: &mut Vec<u8>,
    timestamp: i64,
    offset: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header],
) {
    let headers_size: usize = headers.iter().map(|h| nullable_size(Some(&h.name)) + nullable_size(h.value.as_deref())).sum();
    let size = 1
        + varint_size(timestamp)
        + varint_size(i64::from(offset))
        + nullable_size(key)
        + nullable_size(value)
        + varint_size(headers.len() as i64)
        + headers_size;
    put_varint(bytes, size as i64);
    bytes.push(0);
    put_varint(bytes, timestamp);
    put_varint(bytes, i64::from(offset));
    put_nullable(bytes, key);
    put_nullable(bytes, value);
    put_varint(bytes, headers.len() as i64);
    for header in headers {
        put_nullable(bytes, Some(&header.name));
        put_nullable(bytes, header.value.as_deref());
    }
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_size(bytes.len() as i64) + bytes.len())
}

fn put_nullable(buffer: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(buffer, bytes.map_or(-1, |bytes| bytes.len() as i64));
    buffer.extend_from_slice(bytes.unwrap_or_default());
}
