//! A reader of record batches of our own, from the format's description alone.
//!
//! The auditor must not share code with the suspect: this parser knows nothing of the broker's log or of its codec.
//!
//! ```text
//!   0 base offset i64 │ 8 length i32 │ 12 leader epoch i32 │ 16 magic i8 │ 17 crc u32 │ 21 attributes i16 │ 23 last offset delta i32
//!   27 base timestamp i64 │ 35 max timestamp i64 │ 43 producer id i64 │ 51 producer epoch i16 │ 53 base sequence i32 │ 57 count i32
//! ```
//!
//! The length counts what follows it; the checksum (CRC-32C) covers everything from the attributes on.

use brokerlab::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::{KeyedRecord, TappedBatch};
use xxhash_rust::xxh3::xxh3_64;

const HEADER: usize = 61;
const BEFORE_LENGTH: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_FROM: usize = 21;

/// The batches at the start of `bytes`, up to the first place that is no whole batch, and how many bytes they take.
#[must_use]
pub fn read_batches(bytes: &[u8]) -> (Vec<TappedBatch>, usize) {
    let mut batches = Vec::new();
    let mut at = 0;
    while let Some((batch, size)) = read_batch(&bytes[at..]) {
        batches.push(batch);
        at += size;
    }
    (batches, at)
}

/// The batch at the start of `bytes` and its size, if a whole one is there.
#[must_use]
pub fn read_batch(bytes: &[u8]) -> Option<(TappedBatch, usize)> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    let length = i32::from_be_bytes(part(header, 8));
    let size = BEFORE_LENGTH + usize::try_from(length).ok()?;
    let delta = i32::from_be_bytes(part(header, 23));
    if header[MAGIC_AT] != 2 || size < HEADER || bytes.len() < size || delta < 0 {
        return None;
    }
    let base = i64::from_be_bytes(part(header, 0));
    let crc = u32::from_be_bytes(part(header, 17));
    let batch = TappedBatch {
        base_offset: Offset(base),
        last_offset: Offset(base.checked_add(i64::from(delta))?),
        leader_epoch: LeaderEpoch(i32::from_be_bytes(part(header, 12))),
        crc,
        valid: crc32c::crc32c(&bytes[CRC_FROM..size]) == crc,
        producer: (
            ProducerId(i64::from_be_bytes(part(header, 43))),
            ProducerEpoch(i16::from_be_bytes(part(header, 51))),
            Sequence(i32::from_be_bytes(part(header, 53))),
        ),
    };
    Some((batch, size))
}

/// Offset, key and whether there is a value, of every record in these segments; `None` if one cannot be read.
///
/// ```text
///   length varint | attributes i8 | timestamp delta varlong | offset delta varint | key length varint, key | value length varint, value ...
/// ```
pub fn keyed_records<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Option<Vec<KeyedRecord>> {
    let mut records = Vec::new();
    for mut segment in segments {
        while let Some((batch, size)) = read_batch(segment) {
            records_of(&batch, &segment[..size], &mut records)?;
            segment = &segment[size..];
        }
    }
    Some(records)
}

fn records_of(batch: &TappedBatch, bytes: &[u8], records: &mut Vec<KeyedRecord>) -> Option<()> {
    let (header, mut rest) = bytes.split_first_chunk::<HEADER>()?;
    // Test clients do not compress.
    if i16::from_be_bytes(part(header, CRC_FROM)) & 0b111 != 0 {
        return None;
    }
    for _ in 0..i32::from_be_bytes(part(header, 57)) {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let (mut record, behind) = rest.split_at_checked(length)?;
        rest = behind;
        record = record.get(1..)?;
        varint(&mut record)?;
        let offset = batch.base_offset.plus(varint(&mut record)?);
        let key = match usize::try_from(varint(&mut record)?) {
            Ok(length) => {
                let (key, value) = record.split_at_checked(length)?;
                record = value;
                xxh3_64(key).max(1)
            }
            Err(_) => 0,
        };
        records.push(KeyedRecord { offset, key, is_tombstone: varint(&mut record)? < 0 });
    }
    Some(())
}

/// A zigzag number of up to 64 bits.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

fn part<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("all positions used lie within the header")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A batch of `records` empty-bodied records, with a right checksum.
    pub fn batch(base: i64, records: i32, epoch: i32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 5];
        let length = i32::try_from(bytes.len() - BEFORE_LENGTH).unwrap_or(0);
        bytes[0..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
        bytes[16] = 2;
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn batches_are_read_up_to_a_torn_one() {
        let mut bytes = [batch(0, 3, 1), batch(3, 1, 2)].concat();
        let whole = bytes.len();
        bytes.extend_from_slice(&batch(4, 1, 2)[..30]);
        let (batches, read) = read_batches(&bytes);
        assert_eq!(read, whole);
        assert_eq!(
            batches.iter().map(|b| (b.base_offset.0, b.last_offset.0, b.valid)).collect::<Vec<_>>(),
            [(0, 2, true), (3, 3, true)]
        );
    }

    #[test]
    fn a_wrong_checksum_is_seen() {
        let mut bytes = batch(0, 1, 0);
        *bytes.last_mut().expect("a batch has bytes") ^= 1;
        assert!(!read_batch(&bytes).expect("it is still a batch").0.valid);
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let good = batch(i64::MAX - 1, 1, 0);
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let (_, read) = read_batches(&bytes);
                assert!(read <= bytes.len());
            }
        }
    }
}
