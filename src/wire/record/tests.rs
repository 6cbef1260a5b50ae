//! What batches promise, fact by fact. Comparison with another implementation is in `tests/wire_oracle.rs`.

use bytes::Bytes;

use super::*;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::wire::join;

fn builder() -> BatchBuilder {
    let mut builder = BatchBuilder::new().at(Offset(100), LeaderEpoch(4)).producer(ProducerId(9), ProducerEpoch(1), Sequence(50));
    builder.push(Timestamp(1000), Some(b"k1"), Some(b"v1"), &[]);
    builder.push(Timestamp(900), None, None, &[Header { name: Bytes::from_static(b"h"), value: None }]);
    builder
}

fn one(bytes: &Bytes) -> BatchRef {
    batches(bytes).next().unwrap().unwrap()
}

fn records(batch: &BatchRef) -> Vec<Record> {
    batch.records().unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_batch_says_what_was_put_into_it() {
    let batch = one(&builder().build());
    batch.verify_crc().unwrap();
    let header = batch.header;
    assert_eq!((header.base_offset, header.last_offset(), header.next_offset()), (Offset(100), Offset(101), Offset(102)));
    assert_eq!((header.base_sequence, header.last_sequence()), (Sequence(50), Sequence(51)));
    assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(1000), Timestamp(1000)));
    assert_eq!(header.size(), batch.bytes.len());
    assert_eq!(BatchHeader::parse(&header.to_bytes()), Ok(header));
    let read = records(&batch);
    assert_eq!(
        (read[0].offset, read[0].key.as_deref(), read[0].value.as_deref()),
        (Offset(100), Some(&b"k1"[..]), Some(&b"v1"[..]))
    );
    assert_eq!((read[1].offset, read[1].timestamp, read[1].value.as_deref()), (Offset(101), Timestamp(900), None));
    assert_eq!(read[1].headers[0].name, "h");
}

#[test]
fn base_offset_and_leader_epoch_are_not_under_the_checksum() {
    let batch = one(&builder().build());
    let patched = one(&join(&batch.patched(Offset(7000), LeaderEpoch(5))));
    patched.verify_crc().unwrap();
    assert_eq!((patched.header.base_offset, patched.header.leader_epoch), (Offset(7000), LeaderEpoch(5)));
    assert_eq!(records(&patched)[1].offset, Offset(7001));

    let mut in_place = batch.bytes.to_vec();
    BatchHeader::patch(&mut in_place, Offset(7000), LeaderEpoch(5));
    assert_eq!(in_place, patched.bytes);
}

#[test]
fn a_new_header_comes_with_a_new_checksum() {
    let batch = one(&builder().build());
    let stamped = one(&join(&batch.with_header(batch.header.appended_at(Timestamp(5555)))));
    stamped.verify_crc().unwrap();
    assert_eq!(stamped.header.timestamp_type(), TimestampType::LogAppendTime);
    assert!(records(&stamped).iter().all(|record| record.timestamp == Timestamp(5555)));
}

#[test]
fn any_changed_byte_under_the_checksum_is_noticed() {
    let batch = builder().build();
    for at in 17..batch.len() {
        let mut bytes = batch.to_vec();
        bytes[at] ^= 0x10;
        assert!(verify_crc(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn batches_follow_one_another_until_the_bytes_end() {
    let batch = builder().build();
    let run = Bytes::from([&batch[..], &batch[..], &batch[..20]].concat());
    let found: Vec<_> = batches(&run).collect();
    assert_eq!(found.len(), 3);
    assert!(found[0].is_ok() && found[1].is_ok());
    assert_eq!(found[2], Err(BatchError::Truncated { needed: HEADER_SIZE, found: 20 }));
    assert_eq!(found[1].as_ref().unwrap().bytes.as_ptr(), run[batch.len()..].as_ptr(), "not copied");
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let good = one(&builder().build()).header;
    let parse = |header: BatchHeader| BatchHeader::parse(&header.to_bytes()).unwrap_err();
    assert_eq!(parse(BatchHeader { batch_length: 48, ..good }), BatchError::Length { length: 48 });
    let refused = parse(BatchHeader { last_offset_delta: -1, ..good });
    assert_eq!(refused, BatchError::Field { field: "last offset delta", value: -1 });
    let refused = parse(BatchHeader { record_count: -1, ..good });
    assert_eq!(refused, BatchError::Field { field: "record count", value: -1 });
    for base_offset in [Offset(-1), Offset(i64::MAX), Offset(i64::MAX - 1)] {
        assert!(matches!(parse(BatchHeader { base_offset, ..good }), BatchError::Field { field: "base offset", .. }));
    }
    let mut old = good.to_bytes();
    old[16] = 1;
    assert_eq!(BatchHeader::parse(&old), Err(BatchError::Magic { magic: 1 }));
}

#[test]
fn a_record_count_that_lies_is_refused() {
    let batch = one(&builder().build());
    let with_count = |record_count| BatchRef { header: BatchHeader { record_count, ..batch.header }, bytes: batch.bytes.clone() };
    assert_eq!(with_count(1).records().unwrap().last(), Some(Err(BatchError::Record { index: 1 })), "one is left over");
    assert_eq!(with_count(3).records().unwrap().last(), Some(Err(BatchError::Record { index: 2 })), "one is missing");
    assert!(with_count(i32::MAX).records().is_err(), "refused before it is believed");
}

#[test]
fn compressed_records_are_left_alone() {
    let batch = one(&builder().build());
    let zstd = BatchRef { header: BatchHeader { attributes: 4, ..batch.header }, bytes: batch.bytes };
    assert_eq!(zstd.records().unwrap_err(), BatchError::Compressed { codec: Compression::Zstd });
}

#[test]
fn a_control_batch_says_what_it_marks() {
    let marker = BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(1), Sequence(-1)).transactional();
    let batch = one(&marker.control(ControlType::Commit, &end_transaction_value(12), Timestamp(1)).build());
    assert!(batch.header.is_control() && batch.header.is_transactional());
    assert_eq!(batch.header.last_sequence(), Sequence(-1));
    let record = &records(&batch)[0];
    assert_eq!(ControlType::from_key(record.key.as_deref().unwrap()), Some(ControlType::Commit));
    assert_eq!(record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 12][..]));
    assert_eq!(ControlType::from_key(&[0, 0, 1]), None);
}

#[test]
fn offsets_may_have_gaps_and_end_after_the_last_record() {
    let mut builder = BatchBuilder::new();
    builder.push_at(2, Timestamp(1), None, Some(b"a"), &[]);
    builder.push_at(5, Timestamp(2), None, Some(b"b"), &[]);
    let batch = one(&builder.last_offset_delta(9).build());
    assert_eq!((batch.header.record_count, batch.header.next_offset()), (2, Offset(10)));
    assert_eq!(records(&batch).iter().map(|record| record.offset.0).collect::<Vec<_>>(), [2, 5]);
}
