//! Making a smaller batch of one: what log compaction leaves of it.
//!
//! ```text
//!   before   base 10, last delta 4, count 5    a=1  b=2  a=3  c=4  b=-       base timestamp t
//!   after    base 10, last delta 4, count 2                   c=4  b=-       the same t, or the delete horizon
//!   empty    base 10, last delta 4, count 0
//! ```
//!
//! Base offset, last offset delta, leader epoch, producer and sequence never change: the batch covers the offsets and sequences that it
//! always covered. The largest timestamp becomes that of the records which are left (of none: it stays). With a delete horizon the base timestamp is
//! the horizon, and the timestamps of the records are told relative to it (KIP-534); if one lies too far from it to be told, the batch gets no
//! horizon, and its tombstones stay. A compressed batch is compressed again with its codec; one without records is not.

use bytes::Bytes;

use super::builder::put_record;
use super::compression::compress;
use super::header::{CRC_AT, CRC_FROM};
use super::{BatchError, BatchHeader, BatchRef, Compression, HEADER_SIZE, LENGTH_OVERHEAD, Record, TimestampType};
use crate::types::Timestamp;

impl BatchRef {
    /// The batch with only these of its records. `horizon` is the delete horizon to set, if it has none yet.
    ///
    /// # Errors
    /// `Compressed` if the codec is unknown, `Length` if the batch would be too large.
    pub fn with_only(&self, records: &[Record], horizon: Option<Timestamp>) -> Result<Bytes, BatchError> {
        let mut header = self.header;
        if let Some(horizon) = horizon.filter(|horizon| header.delete_horizon().is_none() && all_tellable(records, *horizon)) {
            header = header.with_delete_horizon(horizon);
        }
        header.record_count = i32::try_from(records.len()).expect("no more than there were");
        if header.timestamp_type() == TimestampType::CreateTime
            && let Some(max) = records.iter().map(|record| record.timestamp).max()
        {
            header.max_timestamp = max;
        }
        if records.is_empty() {
            header = header.uncompressed();
        }
        finish(header, &self.body(&header, records)?)
    }

    fn body(&self, header: &BatchHeader, records: &[Record]) -> Result<Vec<u8>, BatchError> {
        let mut body = Vec::new();
        for record in records {
            let timestamp = match header.timestamp_type() {
                TimestampType::LogAppendTime => 0,
                TimestampType::CreateTime => record.timestamp.0.wrapping_sub(header.base_timestamp.0),
            };
            let offset = i32::try_from(record.offset.since(header.base_offset)).expect("within the batch");
            put_record(&mut body, timestamp, offset, record.key.as_deref(), record.value.as_deref(), &record.headers);
        }
        if header.compression() == Compression::None {
            return Ok(body);
        }
        compress(header.compression(), &body, &self.bytes[HEADER_SIZE..])
    }
}

/// Whether each timestamp can be told relative to the horizon.
fn all_tellable(records: &[Record], horizon: Timestamp) -> bool {
    records.iter().all(|record| record.timestamp.0.checked_sub(horizon.0).is_some())
}

fn finish(header: BatchHeader, body: &[u8]) -> Result<Bytes, BatchError> {
    let length = HEADER_SIZE - LENGTH_OVERHEAD + body.len();
    let batch_length = i32::try_from(length).map_err(|_| BatchError::Length { length: i32::MAX })?;
    let mut bytes = Vec::with_capacity(HEADER_SIZE + body.len());
    bytes.extend_from_slice(&BatchHeader { batch_length, ..header }.to_bytes());
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes[CRC_FROM..]);
    bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
    use crate::wire::record::BatchBuilder;

    fn sample() -> BatchRef {
        let mut builder =
            BatchBuilder::new().at(Offset(10), LeaderEpoch(3)).producer(ProducerId(7), ProducerEpoch(1), Sequence(40));
        for (timestamp, key, value) in [(100, "a", Some("1")), (300, "b", Some("2")), (200, "c", None)] {
            builder.push(Timestamp(timestamp), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        BatchRef::parse(&builder.build()).unwrap()
    }

    fn records(batch: &BatchRef) -> Vec<Record> {
        batch.opened_records().unwrap().map(Result::unwrap).collect()
    }

    fn rewritten(batch: &BatchRef, kept: &[usize], horizon: Option<i64>) -> BatchRef {
        let all = records(batch);
        let kept: Vec<Record> = kept.iter().map(|at| all[*at].clone()).collect();
        let bytes = batch.with_only(&kept, horizon.map(Timestamp)).unwrap();
        let smaller = BatchRef::parse(&bytes).unwrap();
        assert_eq!(smaller.verify_crc(), Ok(()));
        assert_eq!(smaller.bytes.len(), bytes.len());
        assert_eq!(records(&smaller), kept);
        smaller
    }

    #[test]
    fn offsets_and_sequences_stay() {
        let batch = sample();
        for kept in [&[0, 2][..], &[1], &[]] {
            let header = rewritten(&batch, kept, None).header;
            assert_eq!((header.base_offset, header.last_offset()), (Offset(10), Offset(12)));
            assert_eq!(
                (header.leader_epoch, header.base_sequence, header.last_sequence()),
                (LeaderEpoch(3), Sequence(40), Sequence(42))
            );
            assert_eq!(header.record_count as usize, kept.len());
        }
    }

    #[test]
    fn the_largest_timestamp_is_that_of_a_record_which_is_there() {
        let batch = sample();
        assert_eq!(rewritten(&batch, &[0, 2], None).header.max_timestamp, Timestamp(200));
        assert_eq!(rewritten(&batch, &[], None).header.max_timestamp, Timestamp(300));
    }

    #[test]
    fn a_horizon_is_set_once_and_moves_no_timestamp() {
        let batch = rewritten(&sample(), &[1, 2], Some(9000));
        assert_eq!(batch.header.delete_horizon(), Some(Timestamp(9000)));
        let again = rewritten(&batch, &[1], Some(12_000));
        assert_eq!(again.header.delete_horizon(), Some(Timestamp(9000)));
        assert_eq!(records(&again)[0].timestamp, Timestamp(200));
    }

    #[test]
    fn a_record_too_far_from_the_horizon_keeps_the_batch_without_one() {
        let mut builder = BatchBuilder::new();
        builder.push(Timestamp(i64::MIN), Some(b"a"), None, &[]);
        let batch = BatchRef::parse(&builder.build()).unwrap();
        assert_eq!(rewritten(&batch, &[0], Some(5)).header.delete_horizon(), None);
    }

    #[test]
    fn a_compressed_batch_is_compressed_again() {
        for (code, codec) in [(1, Compression::Gzip), (2, Compression::Snappy), (3, Compression::Lz4), (4, Compression::Zstd)] {
            let plain = sample();
            let header = BatchHeader { attributes: plain.header.attributes | code, ..plain.header };
            let body = compress(codec, &plain.bytes[HEADER_SIZE..], &[]).unwrap();
            let batch = BatchRef::parse(&finish(header, &body).unwrap()).unwrap();
            assert_eq!(rewritten(&batch, &[0, 1], None).header.compression(), codec);
            assert_eq!(rewritten(&batch, &[], None).header.compression(), Compression::None);
        }
    }
}
